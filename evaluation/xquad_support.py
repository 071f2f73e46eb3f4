"""How well the check of a sentence tells statements that a paragraph supports from those that it does not.

`python -m evaluation.xquad_support FOLDER` prints the shares let through; FOLDER holds `xquad`. Thresholds and weights
were chosen on the `train` articles (`--part train`); what is reported is `dev`.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.settings import load_settings
from core.types import Passage
from evaluation.xquad import Paragraph, load_paragraphs
from generation.nearness import EncoderNearness
from generation.support import Evidence, Finding
from retrieval.chosen_models import chosen_encoder

_QUESTION_WORDS = re.compile(
    r"\b(?:кто|что|какой|какая|какое|какие|каких|каким|каком|какую|какого|когда|где|куда|сколько|почему|как|кем|чем|чего|кого)\b",
    re.IGNORECASE,
)
_VERB = re.compile(r"(?<=\s)(?=[а-яё]{3,}(?:ет|ют|ит|ат|ят|ла|ло|ли|ся|лась|лось|лись)\b)")
_NAME = re.compile(r"(?<=[а-яё] )[А-ЯЁ][а-яё]{2,}")


@dataclass(frozen=True, slots=True)
class Trial:
    """A statement held against a passage. `kind` says how it was made; only «true» ones should pass."""

    kind: str
    statement: str
    passage: Passage


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one kind of statements: how many there were and how many passed."""

    kind: str
    trials: int
    passed: int


def measure_support(trials: Sequence[Trial], nearness: EncoderNearness) -> tuple[Outcome, ...]:
    """Hold every statement against its passage; one outcome a kind."""
    found = [(trial.kind, Evidence([trial.passage], nearness).check(trial.statement, [1])) for trial in trials]
    kinds = dict.fromkeys(kind for kind, _ in found)
    return tuple(_outcome(kind, [finding for name, finding in found if name == kind]) for kind in kinds)


def _outcome(kind: str, findings: Sequence[Finding]) -> Outcome:
    return Outcome(kind, len(findings), sum(finding.reason is None for finding in findings))


def trials(data: Path, *, part: str, each: int, seed: int) -> Iterator[Trial]:
    """Statements of every `each`th question of the `part` articles.

    A statement is a question with an answer in the place of the question word, a rough paraphrase of its paragraph. A
    false one has another number, a name of another article, a denied verb, or the answer to another question of the
    paragraph; or it is held against the next paragraph.
    """
    chance = random.Random(seed)
    paragraphs = [p for p in load_paragraphs(data) if p.is_dev == (part == "dev") and p.questions]
    names = [name for paragraph in paragraphs for name in _NAME.findall(paragraph.text)]
    asked = [(at, number) for at, p in enumerate(paragraphs) for number in range(len(p.questions))]
    for at, number in asked[::each]:
        own, neighbour = paragraphs[at], paragraphs[(at + 1) % len(paragraphs)]
        statement = _statement(own, number, number)
        yield Trial("true", statement, _passage(own, at))
        yield Trial("another paragraph", statement, _passage(neighbour, at))
        for kind, false in _corrupted(own, number, chance.choice(names), chance):
            yield Trial(kind, false, _passage(own, at))


def _corrupted(own: Paragraph, number: int, name: str, chance: random.Random) -> Iterator[tuple[str, str]]:
    statement = _statement(own, number, number)
    answer = own.questions[number].answer
    others = [n for n, question in enumerate(own.questions) if question.answer != answer]
    if others:
        yield "another answer", _statement(own, number, chance.choice(others))
    if (digits := re.search(r"\d+", statement)) and (wrong := str(int(digits[0]) + 7)) not in own.text:
        yield "another number", statement[: digits.start()] + wrong + statement[digits.end() :]
    if _NAME.search(statement) and name[:4].lower() not in own.text.lower():
        yield "another name", _NAME.sub(name, statement, count=1)
    if _VERB.search(statement) and " не " not in statement:
        yield "denied", _VERB.sub("не ", statement, count=1)


def _passage(paragraph: Paragraph, at: int) -> Passage:
    return Passage(at, str(at), paragraph.name, None, None, paragraph.text, 0, len(paragraph.text))


def _statement(paragraph: Paragraph, asked: int, answered: int) -> str:
    answer = paragraph.questions[answered].answer
    question = paragraph.questions[asked].text.rstrip("? ")
    statement, found = _QUESTION_WORDS.subn(lambda _: answer, question, count=1)
    return f"{statement}." if found else f"{question} — {answer}."


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with xquad/")
    parser.add_argument("--part", choices=("train", "dev"), default="dev")
    parser.add_argument("--each", type=int, default=1, help="every so many questions")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    settings = load_settings()
    encoder = chosen_encoder(settings, threads=1)
    asked = tuple(trials(arguments.data, part=arguments.part, each=arguments.each, seed=arguments.seed))
    for outcome in measure_support(asked, EncoderNearness(encoder)):
        share = outcome.passed / outcome.trials
        sys.stdout.write(f"{outcome.kind:20}{outcome.trials:5} asked{share:8.3f} passed\n")


if __name__ == "__main__":
    main()
