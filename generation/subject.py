"""What a Russian question is about: its noun phrases, and the one that a following question would mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.query.russian import Form, decline, forms

# Nouns that ask about something rather than name it: «срок отпуска» is about the leave.
_SUBJECTLESS_WORDS = """
день срок действие сумма размер порядок количество число дата время месяц год час минута рубль процент причина способ
вид тип пример правило условие документ исключение ответственный цель номер название часть пункт требование ограничение
стоимость цена продолжительность длительность кто что случай человек результат случае последствие адрес телефон
"""
SUBJECTLESS = frozenset(_SUBJECTLESS_WORDS.split())
_TOKEN = re.compile(r"[^\W_]+(?:[-.][^\W_]+)*|[№«»\",.:;()]")
_TAIL_PREPOSITIONS = frozenset(("о", "об", "на", "по", "для", "за"))
_ASKED = frozenset(
    ("какой", "каков", "который", "чей", "сколько", "такой", "этот", "тот", "весь", "каждый", "свой", "наш", "ваш")
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun with its adjectives, and what follows it in fixed form: «годовой» «отчёт» + «о продажах»."""

    head: tuple[str, ...]
    tail: str
    form: Form

    def in_case(self, case: str) -> str:
        """Return the phrase in a case by OpenCorpora's name («nomn», «gent», …)."""
        head = decline(self.head, case or "nomn")
        return f"{head} {self.tail}".strip()


def subject(question: str) -> Phrase | None:
    """Return what a question is about; None where it names nothing."""
    phrases = _phrases(question)
    return next((phrase for phrase in phrases if phrase.form.lemma not in SUBJECTLESS), None)


def subject_for(question: str, pronoun: Form) -> Phrase | None:
    """Return the phrase that «он», «её» or «них» means: one of its gender and number, else the subject."""
    named = [phrase for phrase in _phrases(question) if phrase.form.lemma not in SUBJECTLESS]
    agreeing = [phrase for phrase in named if agrees(phrase.form, pronoun)]
    return next(iter(agreeing or named), None)


def counterpart(question: str, noun: Form) -> str:
    """Return the words of `question` that a bare noun of a follow-up stands for («аванс» for «А зарплату?»), or ""."""
    tokens = _TOKEN.findall(question)
    for at in range(len(tokens) - 1, -1, -1):
        if _noun(tokens[at]) and any(_is_alike(form, noun) for form in forms(tokens[at])):
            start = at
            while start and _is_adjective(tokens[start - 1]):
                start -= 1
            return " ".join(tokens[start : at + 1])
    return ""


def _is_alike(form: Form, other: Form) -> bool:
    if form.lemma in SUBJECTLESS or form.part != "NOUN" or form.case != other.case:
        return False
    # A subject or an object is replaced only by what may be the same one: «отпуск» is not what «совместители» do.
    return form.case not in ("nomn", "accs") or (form.animacy, form.number) == (other.animacy, other.number)


def agrees(noun: Form, pronoun: Form) -> bool:
    """Whether a pronoun may mean the noun, by number and gender."""
    if pronoun.number == "plur" or noun.number == "plur":
        return pronoun.number == noun.number
    return not pronoun.gender or noun.gender == pronoun.gender


def _phrases(question: str) -> list[Phrase]:
    tokens = _TOKEN.findall(question)
    phrases: list[Phrase] = []
    at = 0
    while at < len(tokens):
        phrase, after = _phrase_at(tokens, at)
        if phrase is not None:
            phrases.append(phrase)
        at = max(after, at + 1)
    return phrases


def _phrase_at(tokens: Sequence[str], start: int) -> tuple[Phrase | None, int]:
    """Return the noun phrase that begins at `start` and where it ends; the tail takes genitives and «о …» along."""
    at = start
    while at < len(tokens) and _is_adjective(tokens[at]):
        at += 1
    noun = _noun(tokens[at]) if at < len(tokens) else None
    if noun is None:
        return None, start
    head, end = tuple(tokens[start : at + 1]), at + 1
    if noun.lemma in SUBJECTLESS:
        return Phrase(head, "", noun), end
    while end < len(tokens) and (length := _tail_length(tokens, end)):
        end += length
    return Phrase(head, " ".join(tokens[at + 1 : end]), noun), end


def _tail_length(tokens: Sequence[str], at: int) -> int:
    """How many tokens from `at` continue a phrase: a genitive, «о продажах», «№ 112», a name as a code."""
    if tokens[at] == "№" and at + 1 < len(tokens):
        return 2
    first = at + 1 if tokens[at].lower() in _TAIL_PREPOSITIONS else at
    last = first
    while last < len(tokens) and _is_adjective(tokens[last]):
        last += 1
    noun = _noun(tokens[last]) if last < len(tokens) else None
    if noun is None:
        return 1 if any(c.isdigit() for c in tokens[at]) or (tokens[at].isupper() and len(tokens[at]) > 1) else 0
    is_genitive = any(form.part == "NOUN" and form.case == "gent" for form in forms(tokens[last]))
    return last - at + 1 if first > at or is_genitive else 0


def _is_adjective(token: str) -> bool:
    form = forms(token)[0]
    return form.part in ("ADJF", "PRTF") and form.lemma not in _ASKED


def _noun(token: str) -> Form | None:
    if not token[0].isalpha() or forms(token)[0].part not in ("NOUN", "LATN") or len(token) < 2:
        return None
    return next((form for form in forms(token) if form.part == "NOUN"), None)
