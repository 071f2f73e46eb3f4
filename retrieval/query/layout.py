"""The two keyboard layouts of a Russian keyboard: what a key gives in one when the other was meant. Pure."""

from __future__ import annotations

# Key by key, plain and then with Shift, as Windows' «ЙЦУКЕН» and US layouts have them.
_LATIN = "`qwertyuiop[]asdfghjkl;'zxcvbnm,./" + '~QWERTYUIOP{}ASDFGHJKL:"ZXCVBNM<>?@#$^&|'
_RUSSIAN = "ёйцукенгшщзхъфывапролджэячсмитьбю." + 'ЁЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮ,"№;:?/'
_TO_RUSSIAN = str.maketrans(_LATIN, _RUSSIAN)
_TO_LATIN = str.maketrans(_RUSSIAN, _LATIN)
_ENDINGS = ".,;:?!"


def to_russian(text: str) -> str:
    """Read Latin typing as if the Russian layout had been on: «jngecr» is «отпуск»."""
    return text.translate(_TO_RUSSIAN)


def to_latin(text: str) -> str:
    """Read Russian typing as if the Latin layout had been on: «зфыыцщкв» is «password»."""
    return text.translate(_TO_LATIN)


def readings(chunk: str, *, is_last: bool = False) -> tuple[str, ...]:
    """Return what a piece of Latin typing without spaces may be in Russian, the likeliest first.

    A mark at its end is a letter («rjnjhe.» is «которую»), the comma that the key gives, or, at the end of the query,
    the mark that both layouts were meant to give.
    """
    body = chunk.rstrip(_ENDINGS)
    whole = to_russian(chunk)
    if body == chunk:
        return (whole,)
    kept = to_russian(body) + chunk[len(body) :]
    return (kept, whole) if is_last else (whole, kept)
