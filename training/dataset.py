"""A data set of sources: cleaned, split by document, put beside what the search would show, written with its card."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.errors import InvalidRequest
from training.authored import Source
from training.card import DEV, TRAIN, Card, PartCount, SourceCount, count_part
from training.compose import Composer, Mixture
from training.duplicates import without_duplicates, without_foreign_words
from training.lessons import write_lessons
from training.material import Material
from training.ranking import neighbours

_DEV_OF = 12  # one document in so many is kept for the dev loss


@dataclass(frozen=True, slots=True)
class Recipe:
    """How sources become lessons. In each of `passes` every passage is shown once, in other company."""

    name: str
    encoder: str
    passes: int = 1
    seed: int = 7
    mixture: Mixture = field(default_factory=Mixture)


def build(sources: Sequence[Source], recipe: Recipe, found: Callable[[str], Sequence[str]], folder: Path) -> Card:
    """Write `train.jsonl`, `dev.jsonl` and the card; `found` gives the ids of the materials found for a question.

    Raises `InvalidRequest` when the sources hold too little to learn from and to check by.
    """
    cleaned, dropped = clean(sources)
    materials = [material for source in cleaned for material in source.materials]
    train, dev = split(materials)
    if not any(m.questions for m in train) or not any(m.questions for m in dev):
        detail = (
            f"Для обучения мало вопросов: документов {len({m.document for m in materials})}. Добавьте вопросы с "
            "ответами (--pairs), документы или сервер, который их напишет (--teacher)."
        )
        raise InvalidRequest("too_little_data", detail)
    folder.mkdir(parents=True, exist_ok=True)
    card = Card(
        name=recipe.name,
        sources=tuple(_counted(source) for source in cleaned),
        train=_write(train, recipe, found, folder / TRAIN),
        dev=_write(dev, replace(recipe, passes=1, seed=recipe.seed + 1), found, folder / DEV),
        dropped=dict(dropped),
        seed=recipe.seed,
        passes=recipe.passes,
        encoder=recipe.encoder,
    )
    card.write(folder)
    return card


def clean(sources: Sequence[Source]) -> tuple[list[Source], Counter[str]]:
    """Leave out answers that are not their passage's words, and near-duplicates across all sources; count both.

    A passage without any question stays: it is a distractor.
    """
    dropped: Counter[str] = Counter()
    kept: list[Source] = []
    for source in sources:
        grounded = [without_foreign_words(material) for material in source.materials]
        dropped.update(source.dropped)
        dropped["ответ не стоит в отрывке слово в слово"] += sum(lost for _, lost in grounded)
        kept.append(replace(source, materials=tuple(material for material, _ in grounded)))
    unique, repeated = without_duplicates([material for source in kept for material in source.materials])
    dropped.update(repeated)
    by_id = {material.id: material for material in unique}
    return [
        replace(source, materials=tuple(by_id[m.id] for m in source.materials if m.id in by_id)) for source in kept
    ], dropped


def split(materials: Sequence[Material]) -> tuple[list[Material], list[Material]]:
    """Materials to learn from and to check by: a document is wholly in one, by the hash of its name."""
    dev = [material for material in materials if is_dev(material.document)]
    return [material for material in materials if not is_dev(material.document)], dev


def is_dev(document: str) -> bool:
    """Whether a document is kept for checking; the same in every data set that it is in."""
    return int(hashlib.sha256(document.encode()).hexdigest(), 16) % _DEV_OF == 0


def _write(
    materials: Sequence[Material], recipe: Recipe, found: Callable[[str], Sequence[str]], file: Path
) -> PartCount:
    composer = Composer(materials, neighbours(materials, found), recipe.mixture, recipe.seed)
    lessons = [lesson for lesson in composer.lessons(recipe.passes) if lesson.tasks]
    write_lessons(lessons, file)
    return count_part(lessons, file)


def _counted(source: Source) -> SourceCount:
    return SourceCount(
        source.name,
        source.licence,
        len(source.materials),
        sum(len(material.questions) for material in source.materials),
        sum(len(material.unanswered) for material in source.materials),
    )
