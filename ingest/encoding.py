"""Tells how the bytes of a text are encoded, by what Russian looks like: short texts fool general detectors."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Mapping
from itertools import islice, pairwise
from types import MappingProxyType

from charset_normalizer import from_bytes

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# How much likelier than cp1251 (in nats) a text must be to be read otherwise: Mac files are rare in Russian offices,
# and differ from cp1251 in capitals and «я» alone.
_CYRILLIC = MappingProxyType({"cp1251": 0.0, "koi8-r": 2.0, "cp866": 2.0, "mac-cyrillic": 3.5})
_ARCHIVE_NAMES = MappingProxyType({"cp866": 0.0, "cp1251": 2.0})
_SAMPLE_BYTES = 65536
_SAMPLE_WORDS = 400
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
# Per mille of letters in the Russian National Corpus; ё stands apart from е.
_PER_MILLE = MappingProxyType(
    {"о": 110, "е": 84, "а": 80, "и": 74, "н": 67, "т": 63, "с": 55, "р": 47, "в": 45, "л": 44, "к": 35, "м": 32}
    | {"д": 30, "п": 28, "у": 26, "я": 20, "ы": 19, "ь": 17, "г": 17, "з": 16, "б": 16, "ч": 14, "й": 12, "х": 10}
    | {"ж": 9, "ю": 7, "ш": 6, "ц": 5, "щ": 4, "э": 3, "ф": 3, "ъ": 0.4, "ё": 0.4}
)
_LOG = MappingProxyType({letter: math.log(rate / 1000) for letter, rate in _PER_MILLE.items()})
_PUNCTUATION = frozenset("«»—–№„“”…’‘•·§°\u00a0©®±")
_PUNCTUATION_LOG = math.log(0.004)
_FOREIGN_LOG = math.log(0.00002)
_MIXED_COST = 4.0
_CAPITALS_COST = 1.0
_ALL_CAPITALS_COST = 3.0
# Below this mean a letter, no Cyrillic reading looks like Russian (Russian text scores about -2.9).
_RUSSIAN_MIN = -4.6
_BROKEN_UTF8_MAX = 0.01
_UTF16_MIN = 0.7


def detect(data: bytes) -> str:
    """Name the codec that reads `data` best; never fails. A character cut at the end does no harm."""
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return codec
    return _utf16(data) or _utf8(data) or _cyrillic(data, _CYRILLIC) or _western(data)


def decode(data: bytes, declared: str | None = None) -> str:
    """Read `data` as text. `declared` is what the document says of itself: believed when it reads without an error.

    Bytes that mean nothing in the encoding become U+FFFD.
    """
    codec = detect(data)
    if declared and not codec.startswith("utf") and _reads(data, declared):
        codec = declared
    return data.decode(codec, errors="replace").removeprefix("\ufeff")


def decode_name(data: bytes) -> str:
    """Read a file name out of an archive that does not say its encoding: Windows writes cp866, some programs cp1251."""
    return data.decode(_utf8(data) or _cyrillic(data, _ARCHIVE_NAMES) or "cp866", errors="replace")


def _reads(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except (LookupError, UnicodeError):
        return False
    return True


def _utf16(data: bytes) -> str | None:
    """UTF-16 without a mark: the high bytes of Latin and Cyrillic letters are 0 and 4, all on one side."""
    head = data[:_SAMPLE_BYTES]
    if len(head) < 4 or (b"\x00" not in head and head.count(b"\x04") < len(head) // 4):
        return None
    for codec, side in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if (side.count(0) + side.count(4)) / len(side) > _UTF16_MIN:
            return codec
    return None


def _utf8(data: bytes) -> str | None:
    """UTF-8, allowing a cut end and a few broken bytes in a text that is plainly UTF-8 otherwise."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(data, final=False)
    except UnicodeDecodeError:
        text = data[: 4 * _SAMPLE_BYTES].decode("utf-8", errors="replace")
        beyond_ascii = sum(not char.isascii() for char in text)
        return "utf-8" if text.count("\ufffd") <= _BROKEN_UTF8_MAX * beyond_ascii else None
    return "utf-8"


def _cyrillic(data: bytes, costs: Mapping[str, float]) -> str | None:
    found = (match.group() for match in _WORD.finditer(data))
    words = list(islice((word for word in found if not word.isascii()), _SAMPLE_WORDS))
    scores = {codec: _score([word.decode(codec, errors="replace") for word in words]) for codec in costs}
    best = max(scores, key=lambda codec: scores[codec] - costs[codec])
    letters = sum(byte > 127 for word in words for byte in word)
    return best if scores[best] > _RUSSIAN_MIN * letters else None


def _western(data: bytes) -> str:
    best = from_bytes(data[:_SAMPLE_BYTES]).best()
    return best.encoding if best else "cp1252"


def _score(words: list[str]) -> float:
    """Log-likelihood of the characters beyond ASCII, less what odd capitals cost."""
    beyond = (char for word in words for char in word if not char.isascii())
    return sum(map(_letter_log, beyond)) - sum(map(_mixing_cost, words)) - _capitals_cost(words)


def _letter_log(char: str) -> float:
    if char in _PUNCTUATION:
        return _PUNCTUATION_LOG
    return _LOG.get(char.lower(), _FOREIGN_LOG)


def _mixing_cost(word: str) -> float:
    """Words mix neither scripts nor cases; KOI8-R read as cp1251 swaps the case: «дОГОВОР»."""
    letters = [char for char in word if char.isalpha()]
    pairs = list(pairwise(letters))
    rises = sum(a.islower() and b.isupper() for a, b in pairs)
    scripts = sum(a.isascii() != b.isascii() for a, b in pairs)
    return _MIXED_COST * (rises + scripts)


def _capitals_cost(words: list[str]) -> float:
    """Words in capitals are unusual among others, and cost no more than a little where all the text is so."""
    capitals = sum(word.isupper() and len(word) > 1 for word in words)
    return (
        min(capitals * _CAPITALS_COST, _ALL_CAPITALS_COST) if capitals * 2 > len(words) else capitals * _CAPITALS_COST
    )
