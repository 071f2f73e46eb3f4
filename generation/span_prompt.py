"""What the fine-tuned model reads and says: numbered passages, a question, then `[n] words` of a passage or a refusal.

Training and answering share this module, so that the model is asked exactly as it was taught.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

REFUSAL = " нет"
END = "\n"
AGAIN = ";"
SPANS_MAX = 4
_SAID = re.compile(r"\[(\d+)\] (.+?)(?=; \[\d+\] |$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as the model sees it: on one line, because a line's end ends an answer."""

    title: str
    text: str

    @classmethod
    def of(cls, title: str, text: str) -> Shown:
        """Fold white space; `place_in` finds words of the folded text in the document's own."""
        return cls(" ".join(title.split()), " ".join(text.split()))


@dataclass(frozen=True, slots=True)
class Span:
    """Words of passage `n`, counted from 1, exactly as `Shown.text` has them."""

    n: int
    text: str


def context_text(passages: Iterable[Shown]) -> str:
    """The part of the prompt that all questions on the same passages share."""
    listed = "\n\n".join(f"[{n}] {p.title}\n{p.text}" for n, p in enumerate(passages, start=1))
    return f"Отрывки:\n\n{listed}\n\n"


def question_text(question: str) -> str:
    """The part that ends where the model goes on."""
    return f"Вопрос: {' '.join(question.split())}\nОтвет:"


def answer_pieces(spans: Sequence[Span]) -> tuple[str, ...]:
    """The answer in the pieces that are tokenized one by one; none of `spans` is a refusal."""
    if not spans:
        return (REFUSAL, END)
    pieces: list[str] = []
    for span in spans:
        pieces += [AGAIN] if pieces else []
        pieces += [f" [{span.n}]", f" {span.text}"]
    return (*pieces, END)


def answer_grammar(passages: Sequence[Shown]) -> str:
    """What may be said: one to four runs of words that stand in the passages. Whether to say it is for others to judge.

    In llguidance's dialect of Lark, whose `substring_words` is any run of words of a text.
    """
    numbers = range(1, len(passages) + 1)
    spans = " | ".join(f'" [{n}]" words_{n}' for n in numbers)
    texts = (json.dumps({"substring_words": f" {passage.text}"}, ensure_ascii=False) for passage in passages)
    words = "\n".join(f"words_{n}: %regex {text}" for n, text in zip(numbers, texts, strict=True))
    more = f"({json.dumps(AGAIN)} span){{0,{SPANS_MAX - 1}}}"
    return f"start: span {more} {json.dumps(END)}\nspan: {spans}\n{words}\n"


def read_answer(said: str) -> tuple[Span, ...]:
    """The spans of an answer; none when the model refused."""
    return tuple(Span(int(n), text.strip()) for n, text in _SAID.findall(said.strip()))


def places_in(text: str, words: str) -> tuple[tuple[int, int], ...]:
    """Every place in `text`, as start and end, of `words` whose white space may differ; never a part of a word."""
    wanted = r"\s+".join(re.escape(word) for word in words.split())
    if not wanted:
        return ()
    before, after = (r"\b" if re.match(r"\w", char) else "" for char in (words.strip()[0], words.strip()[-1]))
    return tuple(found.span() for found in re.finditer(before + wanted + after, text))
