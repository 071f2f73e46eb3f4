"""Russian words by their stems, codes and numbers as they are: what the keyword search indexes and looks for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Protocol

from Stemmer import Stemmer

# Composite tokens («ФЗ-152», «4.2», access_key_id) hold together; the full-text index keeps the same joints.
_TOKEN = re.compile(r"[^\W_]+(?:[-./_'][^\W_]+)*")
_JOINT = re.compile(r"[-./_']")
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[^\W\d_]")
_CYRILLIC = re.compile(r"[а-я]")
_LATIN = re.compile(r"[a-z]")
_INVISIBLE = re.compile("[\u00ad\u0300\u0301\u200b-\u200f\u2060\ufeff]")
_SPELLING = str.maketrans({"ё": "е", "№": " ", "’": "'", "‐": "-", "‑": "-"})
# Latin letters that stand for Cyrillic ones in words typed or recognised carelessly.
_LOOK_ALIKES = str.maketrans("aceopxykmhtb", "асеорхукмнтв")

# Words that say nothing of a document's subject, those of questions included.
_STOP_WORDS = """
а без бы был была были было быть в вам вас ваш весь во вот все всего всех вы где да для до его ее если есть еще же
за зачем и из или им ими их к как какая какие каким какими каких какого какое какой каком какому какую ко когда
который которая которое которые которого которой которых котором кто кого кому куда ли либо лишь между меня мне мной
можно мой мы на над надо нам нас наш не него нее ней нему ним ними них но ну о об однако он она они оно от откуда
очень по под почему при про с сам свой себя сколько со так также такая такие такого такое такой там те тем того тоже
той только том тот ту ты у уже хотя чего чей чем через что чтобы чье чья эта эти этим этих это этого этой этом этот
эту я
a an and are as at be by can do does for from how if in into is it its of on or that the this to was were what when
where which who why will with you your
"""
_STOP = frozenset(_STOP_WORDS.split())


class _Stem(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802 - Snowball's own name


def stem_text(text: str) -> list[str]:
    """Stems of a text in order, repetitions included; the same words in another form give the same stems.

    Case, «ё» and invisible characters make no difference. A token with joints also gives its parts, so that
    «ФЗ-152» is found by «152-ФЗ»; plain numbers such as «4.2» or a date stay whole.
    """
    # New ones every time: they keep a cache that threads must not share, and cost a microsecond.
    russian, english = Stemmer("russian"), Stemmer("english")
    return [
        stem
        for token in _TOKEN.findall(plain_text(text))
        for word in _words(_code_in_one_alphabet(token))
        if word not in _STOP and (stem := _stem(word, russian, english))
    ]


def stem_words(words: Iterable[str]) -> list[str]:
    """Stem plain words one by one, so that stems and words stand side by side; a stop word is its own stem."""
    russian, english = Stemmer("russian"), Stemmer("english")
    return [word if word in _STOP else _stem(word, russian, english) for word in words]


def plain_text(text: str) -> str:
    """Return a text in small letters without what only looks different: «ё», invisible characters, kinds of hyphens."""
    composed = unicodedata.normalize("NFKC", text.replace("№", " ")).casefold().translate(_SPELLING)
    return _INVISIBLE.sub("", composed)


def _code_in_one_alphabet(token: str) -> str:
    """Write «T-13» and «112-OД» as if all their letters were Cyrillic, where all can be: nobody can tell by sight."""
    if not _DIGIT.search(token):
        return token
    cyrillic = token.translate(_LOOK_ALIKES)
    return token if _LATIN.search(cyrillic) else cyrillic


def _words(token: str) -> list[str]:
    parts = _JOINT.split(token)
    if len(parts) == 1:
        return parts
    if not _LETTER.search(token):
        return [token]
    is_code = bool(_DIGIT.search(token)) or "_" in token or "." in token
    return [token, *parts] if is_code else parts


def _stem(word: str, russian: _Stem, english: _Stem) -> str:
    if _DIGIT.search(word) or _JOINT.search(word):
        return word
    if _CYRILLIC.search(word) and _LATIN.search(word):
        cyrillic = word.translate(_LOOK_ALIKES)
        word = word if _LATIN.search(cyrillic) else cyrillic
    return (russian if _CYRILLIC.search(word) else english).stemWord(word)
