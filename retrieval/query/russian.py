"""The Russian dictionary (OpenCorpora, by pymorphy3): whether a word exists, and what part of speech it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pymorphy3

_PROPER = ("Name", "Surn", "Patr", "Geox", "Orgn", "Trad")


@dataclass(frozen=True, slots=True)
class Form:
    """One reading of a word: its part of speech («NOUN», «ADJF», …), case, gender, number, animacy, lemma.

    Names as OpenCorpora has them (opencorpora.org/dict.php?act=gram); what a word does not have is empty.
    """

    part: str
    case: str
    gender: str
    number: str
    animacy: str
    lemma: str


def is_word(word: str) -> bool:
    """Whether the dictionary has this form; «е» may stand for «ё»."""
    return bool(_analyzer().word_is_known(word.lower()))


@lru_cache(maxsize=4096)
def is_common(word: str) -> bool:
    """Whether the dictionary has this form and no reading of it is a proper name: «комиссия», but not «Вера»."""
    parses = _analyzer().parse(word.lower())
    return is_word(word) and not any(grammeme in parse.tag for parse in parses for grammeme in _PROPER)


@lru_cache(maxsize=4096)
def forms(word: str) -> tuple[Form, ...]:
    """Return all readings of a word, the likeliest first; guessed by its ending where the dictionary lacks it."""
    parses = _analyzer().parse(word.lower())
    return tuple(_form(parse) for parse in parses)


def decline(words: tuple[str, ...], case: str) -> str:
    """Put adjectives and the noun that they end with into a case: («ежегодный», «отпуск»), «gent»; else as they are."""
    noun = next((parse for parse in _analyzer().parse(words[-1].lower()) if parse.tag.POS == "NOUN"), None)
    if noun is None:
        return " ".join(words)
    agreeing = {case, noun.tag.number} | ({noun.tag.gender} if noun.tag.number == "sing" and noun.tag.gender else set())
    if case == "accs" and noun.tag.animacy and (noun.tag.number == "plur" or noun.tag.gender == "masc"):
        agreeing |= {noun.tag.animacy}
    declined = [_inflected(word, "ADJF", agreeing, words) for word in words[:-1]]
    return " ".join([*declined, _inflected(words[-1], "NOUN", {case, noun.tag.number}, words)])


def _inflected(word: str, part: str, grammemes: set[str], phrase: tuple[str, ...]) -> str:
    parses = (parse for parse in _analyzer().parse(word.lower()) if part in str(parse.tag.POS or ""))
    found = next((changed for parse in parses if (changed := parse.inflect(grammemes))), None)
    if found is None or word.isupper():
        return word
    return str(found.word).capitalize() if word[:1].isupper() and word is not phrase[0] else str(found.word)


def _form(parse: Any) -> Form:
    tag = parse.tag
    said = (tag.POS, tag.case, tag.gender, tag.number, tag.animacy)
    part, case, gender, number, animacy = (str(grammeme or "") for grammeme in said)
    return Form(part, case, gender, number, animacy, parse.normal_form)


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    # 28 MB and a third of a second: only a process that reads queries pays for it, at its first one.
    return pymorphy3.MorphAnalyzer()
