"""Follow-ups («а сколько он длится?») made whole from the talk before them, by rules of Russian or by the model.

What stands alone is left alone. The rules need no model: they carry the subject of the question before into a
pronoun's place, put «для совместителей» where it said «для сотрудников», or ask both at once.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import aclosing

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from core.errors import ServiceError
from core.types import Turn
from generation.language_model import LanguageModel
from generation.marks import harmless_line
from generation.script import is_cyrillic
from generation.subject import SUBJECTLESS, agrees, counterpart, subject, subject_for
from retrieval.query.reference import references, without_references
from retrieval.query.russian import Form, forms
from retrieval.stems import stem_text

log = logging.getLogger(__name__)

TURNS_READ = 4  # of the talk: older ones are another matter
CHARS_MAX = 300
MODEL_WAIT_S = 8.0
_INSTRUCTION = (
    "Перепиши последний вопрос пользователя так, чтобы он был понятен без предыдущих: замени местоимения тем, о чём "
    "шла речь, и добавь недостающее. Ничего не объясняй и не отвечай на вопрос. Напиши только один вопрос по-русски."
)
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_OPENING = re.compile(r"\s*(?:(?:а|и|но|ну|да|или|тогда|хорошо|понятно|ладно|так)\b[\s,]*)+", re.IGNORECASE)
_ASKING_WORDS = "кто что где куда откуда когда как почему зачем сколько какой какая какое какие каков чей насколько ли"
_ASKING = frozenset(_ASKING_WORDS.split())
_THIRD = frozenset(("он", "она", "оно", "они"))
_OWNING = frozenset(("его", "её", "ее", "их"))
_MORE = re.compile(r"\b(подробнее|поподробнее|ещё|еще|пример\w*|точнее|дальше)\b", re.IGNORECASE)
_POINTING = re.compile(
    r"\b(это|этого|этому|этим|этом|там|туда|оттуда|тогда|такой|такая|такое|такие|таких|такого|тот|та|те)\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:(?:большое|огромное)\s+)?(?:спасибо|благодарю|пожалуйста)(?:\s+(?:вам|тебе|за\s+\w+|большое))*|здравствуй\w*|"
    r"привет\w*|добр\w+\s+(?:день|утро|вечер|дня)|до\s+свидания|всего\s+доброго|пока|понятно|ясно|поня[лт]\w*|ок\w{0,3}|"
    r"хорошо|отлично|ладно|(?:вы|ты)\s+(?:очень\s+)?помог\w*",
    re.IGNORECASE,
)
_TO_US = frozenset(("ты", "вы", "тебя", "вас", "тебе", "вам", "тобой", "вами"))
# Where another part of a sentence begins, a pronoun may mean what the part before it names.
_CLAUSE = re.compile(r"[.,;:!?]|\s(?:и|а|но|или)\s", re.IGNORECASE)
_TAKES_ACCUSATIVE = frozenset(("в", "во", "на", "за", "про", "через", "под"))
_NOT_OWNED = frozenset(("сам", "весь", "один", "самый"))
_PREDICATES = frozenset(("VERB", "INFN", "PRTS", "ADJS", "PRED"))
_CORE = _PREDICATES | {"NOUN"}
_WHOLE_WORDS = 6  # a question opened by «а» that has more words, a noun among them and no pronoun stands alone
_BARE_WORDS = 3


def whole(question: str, history: Sequence[Turn]) -> str:
    """Return the question as it would be asked by one who had said nothing before; itself when it stands alone."""
    before = ""
    for turn in history[-TURNS_READ:]:
        before = before if is_courtesy(turn.question) else complete(turn.question, before)
    return complete(question, before)


def is_courtesy(text: str) -> bool:
    """Whether nothing is asked or told: a greeting, thanks, «понятно», a farewell."""
    return bool(text.strip()) and not _WORD.findall(_COURTESY.sub(" ", text))


def leans_back(question: str) -> bool:
    """Whether a question cannot be understood without the one before it."""
    body, words = _opened(question)
    is_opened = body != question.strip()
    if is_courtesy(question) or _is_place(question, is_opened=is_opened) or _stands_by_itself(question, words):
        return False
    if not words or _has_pronoun(words) or (_MORE.search(body) and len(words) <= _BARE_WORDS + 1):
        return True
    content = [word for word in words if _is_noun(word)]
    if not content:
        return len(words) <= _WHOLE_WORDS or is_opened
    is_condition = body.lower().startswith("если ") and not _is_asking(words)
    if is_condition or (_POINTING.search(body) and len(words) <= _WHOLE_WORDS):
        return True
    if _is_elliptic(words):
        return True
    is_subjectless = all(forms(word)[0].lemma in SUBJECTLESS for word in content)
    return is_subjectless and len(words) <= _WHOLE_WORDS


def _is_place(question: str, *, is_opened: bool) -> bool:
    """Whether it names a place of a document and asks nothing else: «статья 131», but not «А статья 132?»."""
    return not is_opened and bool(references(question)) and not _is_asking(_WORD.findall(without_references(question)))


def _stands_by_itself(question: str, words: Sequence[str]) -> bool:
    """Whether it is about us («А ты кто?»), or its pronouns mean what an earlier part of it names."""
    content = [word for word in words if _is_noun(word)]
    if not content and any(word.lower() in _TO_US for word in words):
        return True
    pronouns = [(match.start(), form) for match in _WORD.finditer(question) if (form := _pronoun(match.group()))]
    return bool(pronouns) and all(_is_named_before(question[:at], form) for at, form in pronouns)


def _is_named_before(text: str, pronoun: Form) -> bool:
    clauses = [match.end() for match in _CLAUSE.finditer(text)]
    named = [forms(word)[0] for word in _WORD.findall(text[: clauses[-1]])] if clauses else []
    return any(form.part == "NOUN" and form.lemma not in SUBJECTLESS and agrees(form, pronoun) for form in named)


def complete(question: str, before: str) -> str:
    """Make one question whole with the whole one before it."""
    if not before or not leans_back(question):
        return question
    body, words = _opened(question)
    body = body.rstrip("?.! ")
    earlier = before.strip().rstrip("?.! ")
    made = _with_pronoun(body, words, earlier) or _with_if(body, earlier)
    made = made or _parallel(body, words, earlier) or _with_subject(body, words, earlier) or _both(body, earlier)
    made = f"{made[:1].upper()}{made[1:]}?"
    return made if len(made) <= CHARS_MAX else f"{body} {earlier}?"[:CHARS_MAX]


class FollowUps:
    """Makes follow-ups whole: by the model where it follows instructions and keeps to them, else by the rules."""

    def __init__(self, model: LanguageModel | None = None, *, wait_s: float = MODEL_WAIT_S) -> None:
        """A model that only continues text is not asked; one that takes longer than `wait_s` is not waited for."""
        self._model = model if model is not None and model.server.answers == "prose" else None
        self._wait_s = wait_s

    async def whole(self, question: str, history: Sequence[Turn]) -> str:
        """As `whole`; the model is asked only about a question that leans back."""
        if not history or not leans_back(question):
            return question
        said = await self._said(self._model, question, history) if self._model else ""
        return said if is_faithful(said, question, history) else whole(question, history)

    async def _said(self, model: LanguageModel, question: str, history: Sequence[Turn]) -> str:
        said = ""
        try:
            async with asyncio.timeout(self._wait_s), aclosing(model.stream_chat(_messages(question, history))) as told:
                async for piece in told:
                    said += piece
                    if len(said) > CHARS_MAX or "\n" in said.strip():
                        break
        except (ServiceError, TimeoutError) as exc:
            log.info("a follow-up was made whole by the rules: %s", exc)
            return ""
        return said.strip().strip("«»\"'").strip()


def is_faithful(said: str, question: str, history: Sequence[Turn]) -> bool:
    """Whether a model's rewriting is one Russian line that keeps what was asked and adds only what was spoken of."""
    if not said or len(said) > CHARS_MAX or "\n" in said or not is_cyrillic(said):
        return False
    told, asked = set(stem_text(said)), set(stem_text(question))
    spoken = {stem for turn in history for stem in stem_text(f"{turn.question} {turn.answer}")}
    pointing = set(stem_text(" ".join(_POINTING.findall(question) + _MORE.findall(question))))
    return asked - pointing <= told and bool(told & spoken - asked) and told <= asked | spoken


def _messages(question: str, history: Sequence[Turn]) -> list[BaseMessage]:
    talk = "\n".join(
        f"Вопрос: {harmless_line(turn.question)}\nОтвет: {harmless_line(turn.answer)[:CHARS_MAX]}"
        for turn in history[-TURNS_READ:]
    )
    return [SystemMessage(_INSTRUCTION), HumanMessage(f"{talk}\nПоследний вопрос: {harmless_line(question)}")]


def _opened(question: str) -> tuple[str, list[str]]:
    """Return the question without «а», «и», «ну» before it and marks after it, and its words."""
    text = question.strip().rstrip("?.! ")
    match = _OPENING.match(text)
    body = text[match.end() :] if match and match.end() < len(text) else text
    return (question.strip() if body == text else body), _WORD.findall(body)


def _has_pronoun(words: Sequence[str]) -> bool:
    return any(_pronoun(word) for word in words)


def _pronoun(word: str) -> Form | None:
    """Return the reading of «он», «её», «них» as a pronoun of the third person."""
    return next((form for form in forms(word) if form.part == "NPRO" and form.lemma in _THIRD), None)


def _is_noun(word: str) -> bool:
    return word.lower() not in _ASKING and forms(word)[0].part == "NOUN"


def _is_elliptic(words: Sequence[str]) -> bool:
    """Whether it is but a part of a sentence, «для совместителей», «на складе в Туле»: no verb, nothing asked."""
    parts = [forms(word)[0].part for word in words]
    return not _is_asking(words) and len(words) <= _WHOLE_WORDS and not _PREDICATES & set(parts)


def _is_asking(words: Sequence[str]) -> bool:
    return any(word.lower() in _ASKING for word in words)


def _with_pronoun(body: str, words: Sequence[str], earlier: str) -> str:
    """Put what was spoken of into the place of the pronoun, in its case."""
    at, pronoun = next(((at, found) for at, word in enumerate(words) if (found := _pronoun(word))), (0, None))
    if pronoun is None:
        return ""
    spoken = subject_for(earlier, pronoun)
    if spoken is None:
        return ""
    word = words[at]
    owned = words[at + 1] if at + 1 < len(words) and word.lower() in _OWNING else ""
    if owned and (_is_noun(owned) or (forms(owned)[0].part == "ADJF" and forms(owned)[0].lemma not in _NOT_OWNED)):
        noun = next((other for other in words[at + 1 :] if _is_noun(other)), owned)
        without = re.sub(rf"\b{word}\s+", "", body, count=1)
        return re.sub(rf"\b{noun}\b", f"{noun} {spoken.in_case('gent')}", without, count=1)
    # «его», «её», «их» beside a verb are its object; with a preposition they are «него», «неё», «них».
    is_object = word.lower() in _OWNING or (at > 0 and words[at - 1].lower() in _TAKES_ACCUSATIVE)
    case = next((form.case for form in forms(word) if is_object and form.case == "accs"), pronoun.case)
    return re.sub(rf"\b{word}\b", spoken.in_case(case), body, count=1)


def _with_if(body: str, earlier: str) -> str:
    return f"{earlier}, {body}" if body.lower().startswith("если ") else ""


def _parallel(body: str, words: Sequence[str], earlier: str) -> str:
    """Put «для совместителей» where the question before says «для сотрудников», or else at its end."""
    if not words or not _is_elliptic(words) or not any(_is_noun(word) or word.isdigit() for word in words):
        return ""
    first = words[0]
    if forms(first)[0].part == "PREP":
        match = next((found for found in _after(first, earlier) if _same_case(found["noun"], words)), None)
        return f"{earlier[: match.start()]}{body}{earlier[match.end() :]}" if match else f"{earlier} {body}"
    head = next((word for word in words if _is_noun(word)), words[-1])
    # «руководителям отделов» stands for «специалистам»; «замена раньше срока» for nothing that was said.
    is_oblique = forms(head)[0].case not in ("nomn", "accs")
    old = counterpart(earlier, forms(head if is_oblique else words[-1])[0])
    return earlier.replace(old, body, 1) if old else f"{earlier}: {body}"


def _after(preposition: str, text: str) -> Iterator[re.Match[str]]:
    adjective = r"(?:[^\W\d_]+(?:ого|ему|ых|ой|ым|их|ей)\s+)?"
    return re.finditer(rf"\b{preposition}\s+{adjective}(?P<noun>[^\W\d_]+(?:-[^\W\d_]+)*)", text, re.IGNORECASE)


def _same_case(noun: str, words: Sequence[str]) -> bool:
    """Whether a noun may stand in a case of the words' first one: «за проживание» is not «за границей»."""
    asked = next((word for word in words if _is_noun(word)), words[-1])
    return bool({form.case for form in forms(noun)} & {form.case for form in forms(asked)})


def _with_subject(body: str, words: Sequence[str], earlier: str) -> str:
    """Append what was spoken of to a question that has a verb or a noun and nothing to hang it on."""
    spoken = subject(earlier)
    has_core = any(forms(word)[0].part in _CORE for word in words)
    if spoken is None or not has_core or len(words) < 2 or _MORE.search(body):
        return ""
    if _POINTING.search(body):
        return f"{body} ({spoken.in_case('nomn')})"
    last = forms(words[-1])[0]
    if last.part == "NOUN":
        return (
            f"{body} {spoken.in_case('gent')}"
            if not _is_thing_of_its_own(last)
            else f"{body} для {spoken.in_case('gent')}"
        )
    return f"{body} {spoken.in_case('accs')}"


def _is_thing_of_its_own(form: Form) -> bool:
    return form.lemma in ("документ", "условие", "требование", "ограничение", "исключение")


def _both(body: str, earlier: str) -> str:
    """Ask both: «Когда выплачивают аванс и почему»."""
    return f"{earlier} и {body[:1].lower()}{body[1:]}" if body.lower() not in earlier.lower() else earlier
