"""Questions that documents answer by their own wording, without any model: few, but grammatical and exact.

Only wordings that turn into good Russian by a rule are taken: a heading that asks, a definition, a numbered point, a
measure and a deadline.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from retrieval.query.russian import forms
from retrieval.sentences import split_sentences
from training.material import Material, Question

_ANSWER_MAX_CHARS = 300
_PRONOUN = r"(?!(?:Он[аои]?|Это|Эт[аи]|Этот|Эти|Его|Её|Их|Так\w*|Всего|Также|Однако|Котор\w+)\b)"
_NAME = _PRONOUN + r"[А-ЯЁA-Z][^.,;:!?()*\n—–]{2,70}?"
_HEADING = re.compile(r"(?:^|\n)[#*\s\d.]*(?P<question>[А-ЯЁ][^\n?]{8,150}\?)[*\s]*\n+(?P<rest>.+)", re.DOTALL)
_DEFINITION = re.compile(rf"^(?P<name>{_NAME})\s+[—–-]\s+это\s+(?P<answer>[^\n]{{10,}}?)[.;]?$")
_POINT = re.compile(
    r"(?:^|(?<=[.;:]\s)|(?<=\n))(?P<number>\d{1,2}(?:\.\d{1,2}){1,3})\.?\s+(?P<answer>[А-ЯЁ][^\n]{15,}?(?:(?<!\s[А-ЯЁ])[.;]|\.(?=\n|$)))"
)
_VALUE = r"(?P<answer>(?:не (?:более|менее|позднее) |до |от |около )?\d[^,;()\n]{0,40}?)"
_MEASURE = re.compile(
    rf"^(?P<name>{_NAME})\s+(?P<verb>составля[ею]т|длится|длятся|продолжается|стоит|стоят)\s+{_VALUE}[.;]?$"
)
_DEADLINE = re.compile(
    rf"^(?P<name>{_NAME})\s+(?P<verb>[а-яё]+(?:ется|ётся|ются|ится|атся|ятся))\s+"
    r"(?P<answer>(?:не позднее|до) \d[^,;()\n]{2,40}?)[.;]?$"
)
_SPAN = re.compile(
    r"\b(?:лет|год[а-я]*|месяц\w*|недел\w*|дн(?:я|ей)|день|час\w*|минут\w*|рубл\w*|процент\w*|раз\w*)\b|%"
)
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CYRILLIC = re.compile(r"[А-ЯЁа-яё-]+")
_OF_CLAUSE = frozenset(("VERB", "INFN", "GRND", "NPRO", "PRED"))
_POINTING = frozenset(("такой", "этот", "тот"))
_OF_NAME = frozenset(("NOUN", "ADJF", "PRTF"))
_NUMBERING = re.compile(r"^(?:[#*\-•\s]|\d{1,2}(?:\.\d{1,2})*[.)]\s)+")


def mined(material: Material) -> tuple[Question, ...]:
    """Questions on a passage that a rule finds, each with words of the passage."""
    found = [*_headings(material.text), *_points(material.text)]
    for sentence in split_sentences(material.text):
        said = _NUMBERING.sub("", material.text[sentence.start : sentence.end].strip())
        found += [question for rule in _RULES if (question := rule(said))]
    unique = {question.text: question for question in found if len(question.answers[0]) <= _ANSWER_MAX_CHARS}
    return tuple(unique.values())


def _headings(text: str) -> Iterator[Question]:
    """A heading that asks is answered by the first sentence below it."""
    if found := _HEADING.search(text):
        rest = found["rest"]
        first = next(iter(split_sentences(rest)), None)
        if first and (answer := rest[first.start : first.end].strip()):
            yield Question(found["question"], (answer,))


def _points(text: str) -> Iterator[Question]:
    for found in _POINT.finditer(text):
        yield Question(f"Что говорится в пункте {found['number']}?", (found["answer"].rstrip(";"),))


def _definition(said: str) -> Question | None:
    found = _DEFINITION.match(said)
    if not found or not _is_name(found["name"]):
        return None
    return Question(f"Что такое {_inner(found['name'])}?", (found["answer"],))


def _measure(said: str) -> Question | None:
    found = _MEASURE.match(said)
    if not found or not _is_name(found["name"]):
        return None
    return Question(f"Сколько {found['verb']} {_inner(found['name'])}?", (found["answer"],))


def _deadline(said: str) -> Question | None:
    found = _DEADLINE.match(said)
    # «Предоставляется до 14 дней в году» tells how long, «утверждается до 20 ноября» until when.
    if not found or not _is_name(found["name"]) or (found["answer"].startswith("до") and _SPAN.search(found["answer"])):
        return None
    return Question(f"До какого срока {found['verb']} {_inner(found['name'])}?", (found["answer"],))


def _is_name(name: str) -> bool:
    """Whether it names a thing: «Идемпотентная операция», and not «Если исходный метод» or «Другими словами»."""
    words = _WORD.findall(name)
    read = [forms(word) for word in words if _CYRILLIC.fullmatch(word)]
    if any(form[0].part in _OF_CLAUSE or form[0].lemma in _POINTING for form in read):
        return False
    is_russian = bool(words and _CYRILLIC.fullmatch(words[0]))
    return not is_russian or any(form.part in _OF_NAME and form.case == "nomn" for form in read[0])


def _inner(name: str) -> str:
    """A name as it is written within a sentence: the first word loses its capital unless it is an abbreviation."""
    head, _, tail = name.strip().partition(" ")
    is_word = head[:1].isupper() and head[1:].islower() and re.fullmatch(r"[А-ЯЁа-яё-]+", head)
    # Two words with a capital are a proper name: «Волжская ГЭС» stays, «График отпусков» does not.
    return f"{head.lower()} {tail}".strip() if is_word and not tail[:1].isupper() else name.strip()


_RULES: tuple[Callable[[str], Question | None], ...] = (_definition, _measure, _deadline)
