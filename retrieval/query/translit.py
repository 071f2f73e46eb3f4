"""Russian typed with Latin letters, and Latin names typed as they sound in Russian, by the words of the base."""

from __future__ import annotations

import re

from retrieval.query import letters, russian, sound
from retrieval.query.lexicon import View
from retrieval.query.typos import in_case_of, is_known

_WORD = re.compile(r"[^\W\d_]+(?:['`’][^\W\d_]*)*")
_SHORTEST = 4  # letters of a word that shows by itself what alphabet was meant
_SHARE = 2 / 3  # of such Latin words that must sound like words of the base: the rest may be names


def in_russian_letters(text: str, view: View, certain: list[bool]) -> str:
    """Spell what sounds Russian in Russian letters; notes that it is sure where more than one word agrees.

    «otpusk» is «отпуск»; a query in English, or a product's name in a Russian one, sounds like nothing in the base.
    """
    latin = [word for word in _WORD.findall(text) if letters.is_latin(word)]
    telling = [word for word in latin if len(word) >= _SHORTEST]
    if any(view.knows(word.lower()) for word in telling):
        return text
    found = {word: spelled for word in telling if (spelled := _of_base(word, view))}
    if not found or len(found) < _SHARE * len(telling):
        return text
    certain.append(len(found) > 1)

    def spell(match: re.Match[str]) -> str:
        word = match.group()
        is_abbreviation = word.isupper() and len(word) > 1
        spelled = found.get(word) or (_of_language(word.lower()) if word in latin and not is_abbreviation else None)
        return in_case_of(word, spelled) if spelled else word

    return _WORD.sub(spell, text)


def in_latin_letters(text: str, view: View, certain: list[bool]) -> str:
    """Write names that the base has in Latin letters, «кафка» for Kafka, where neither it nor the language has such."""

    def spell(match: re.Match[str]) -> str:
        word = match.group()
        is_candidate = len(word) >= _SHORTEST and not letters.is_latin(word) and not is_known(word, view)
        name = next(iter(view.sounding(word.casefold().replace("ё", "е"))), None) if is_candidate else None
        if name is None:
            return word
        certain.append(True)
        return in_case_of(word, name)

    return _WORD.sub(spell, text)


def _of_base(word: str, view: View) -> str | None:
    """A word of the base that sounds so, else one of which it has another form."""
    small = word.lower()
    spelled = sound.in_russian_letters(small)
    if view.count(spelled):
        return spelled
    alike = next((other for other in view.sounding(small) if len(other) >= _SHORTEST), None)
    if alike is None and view.knows(spelled):
        alike = _of_language(small)
    return alike or next((form for form in view.forms_sounding(small) if len(form) >= _SHORTEST), None)


def _of_language(word: str) -> str | None:
    return next((spelled for spelled in sound.spellings(word) if russian.is_word(spelled)), None)
