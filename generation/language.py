"""Whether a sentence is Russian: by its letters, and by py3langid where other languages share them.

Names, code and quotations in other scripts are fine inside a Russian sentence. Measured by
`tests/test_generation_language.py` on 25 Russian sentences of the awkward kind and 43 of eight other languages.
"""

from __future__ import annotations

import re
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# Neighbours with Cyrillic writing; the letters alone part all others.
_RIVALS = ("ru", "uk", "bg", "sr", "kk", "be", "mk", "mn", "ky")
_MIN_PROBABILITY = 0.05
_FOREIGN_LETTERS = re.compile("[іїєґўќѓјљњћђџѕәғқңөұүһ]", re.IGNORECASE)
_QUOTED = re.compile(r"«[^»]*»|„[^“]*“|“[^”]*”|\"[^\"]*\"|`[^`]*`")
_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
_MIN_SHARE = 1 / 3  # of Cyrillic words: «Служба поддержки Microsoft Exchange Server»
_NAME_WORDS = 4  # a line of so many capitalised Latin words is a name, not a sentence


def is_russian(sentence: str) -> bool:
    """Whether `sentence` may be shown as Russian; so may one without words."""
    words = _WORD.findall(_QUOTED.sub(" ", sentence)) or _WORD.findall(sentence)
    own = [word for word in words if _CYRILLIC.search(word)]
    if not own:
        return not words or (len(words) <= _NAME_WORDS and all(word[0].isupper() for word in words))
    if len(own) < _MIN_SHARE * len(words) or any(_FOREIGN_LETTERS.search(word) for word in own):
        return False
    return _probability(" ".join(own).lower()) >= _MIN_PROBABILITY


def _probability(text: str) -> float:
    return next(float(share) for language, share in _identifier().rank(text) if language == "ru")


@cache
def _identifier() -> LanguageIdentifier:
    """Loaded at the first sentence: it takes half a second and some 80 MB."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(_RIVALS))
    return identifier
