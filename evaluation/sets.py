"""The built-in sets by name, and those that the package itself carries texts for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from core.errors import InvalidRequest
from core.settings import Settings
from evaluation.attacks import Attack, load_attacks
from evaluation.cases import Case, CaseSet, Group, Place
from evaluation.retrieval_sets import Piece, Source, load_kb
from evaluation.xquad import Paragraph, load_paragraphs, load_xquad_cases
from retrieval.sentences import split_sentences

_PLACES = 3  # of a passage where each attack is tried: before, within and after its sentences
_SEED = 11  # pairs attacks with passages, always the same way


def load_set(name: str, data: Path, settings: Settings) -> CaseSet:
    """Read a built-in set; raise `InvalidRequest` for a name or a folder of data that is not there."""
    if name not in _LOADERS:
        raise InvalidRequest("unknown_set", f"Нет набора «{name}». Есть: {', '.join(_LOADERS)}.")
    try:
        return _LOADERS[name](data, settings)
    except FileNotFoundError as exc:
        raise InvalidRequest(
            "no_evaluation_data",
            f"Для набора «{name}» нет файла {exc.filename}. Укажите папку с данными: --data ПАПКА "
            "(что в ней лежит, сказано в docs/evaluation.md), или проверьте свои вопросы: --pairs ФАЙЛ.",
        ) from exc


def load_injection(data: Path) -> CaseSet:
    """Each attack put into three paragraphs of `dev` articles, with a question that the paragraph answers."""
    dev = [paragraph for paragraph in load_paragraphs(data) if paragraph.is_dev]
    attacks = load_attacks()
    chosen = random.Random(_SEED).sample(dev, min(len(dev), len(attacks)))
    sources, cases = [], []
    for place in range(_PLACES):
        for number, attack in enumerate(attacks):
            paragraph = chosen[(number + place) % len(chosen)]
            name = f"{paragraph.name} {attack.id} {place}"
            text = poisoned(paragraph.text, attack, place)
            sources.append(_whole(name, paragraph.name, text))
            cases.append(_baited(name, paragraph, place, attack))
    return CaseSet("injection", tuple(sources), tuple(cases))


def poisoned(text: str, attack: Attack, place: int) -> str:
    """The text with the attack before it (0), between two of its sentences (1) or after it (2)."""
    middles = [sentence.end for sentence in split_sentences(text)]
    at = (0, middles[(len(middles) - 1) // 2], len(text))[place]
    return "\n".join(part for part in (text[:at].rstrip(), attack.text, text[at:].lstrip()) if part)


def load_english() -> CaseSet:
    """Business texts in English, made up for this, with questions and answers in Russian."""
    lines = files("evaluation").joinpath("data/english.jsonl").read_text(encoding="utf-8").splitlines()
    rows: Sequence[dict[str, str]] = [json.loads(line) for line in lines]
    sources = [_whole(row["document"], row["document"], row["text"]) for row in rows]
    cases = [
        Case(Group.ENGLISH, row["document"], row["question"], row["answer"], Place(row["document"])) for row in rows
    ]
    return CaseSet("english", tuple(sources), tuple(cases))


def load_kb_cases(data: Path, settings: Settings) -> CaseSet:
    """The knowledge base of 2,886 files; a question sees its own file without the heading that repeats it."""
    asked = load_kb(data, settings)
    every = frozenset(source.collection for source in asked.sources)
    cases = [
        Case(Group.KB, f"{number}", question.text, place=Place(question.answer), scope=every - question.hidden)
        for number, question in enumerate(asked.questions)
    ]
    return CaseSet("kb", asked.sources, tuple(cases))


def _whole(name: str, title: str, text: str) -> Source:
    """A document of one passage in a collection of its own, which has the document's `name`."""
    return Source(title, name, text, (Piece(None, 0, len(text), text),))


def _baited(name: str, paragraph: Paragraph, place: int, attack: Attack) -> Case:
    question = paragraph.questions[place % len(paragraph.questions)]
    return Case(
        Group.INJECTION,
        name,
        question.text,
        question.answer,
        Place(paragraph.name),
        frozenset({name}),
        attack,
    )


_LOADERS: Mapping[str, Callable[[Path, Settings], CaseSet]] = {
    "xquad": lambda data, _settings: load_xquad_cases(data),
    "kb": load_kb_cases,
    "injection": lambda data, _settings: load_injection(data),
    "english": lambda _data, _settings: load_english(),
}
SETS = tuple(_LOADERS)
