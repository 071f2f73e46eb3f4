"""What the service's own search would show beside a passage: the distractors that the model must learn to pass over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from core.settings import Settings
from core.types import Principal
from evaluation.base import Base, key_of, open_base
from evaluation.retrieval_sets import Piece, Source
from retrieval.chosen_models import chosen_encoder
from retrieval.searcher import Searcher
from training.material import Material

_READER = Principal("training")
_FOUND = 24  # passages asked for: lessons of the smaller part of a split need some of their own among them
_SMOOTHING = 10  # of reciprocal ranks: a place among the first of several questions beats one first place

OnProgress = Callable[[int, int], None]


class Ranking:
    """A base of its own with the materials as documents of one passage, searched as the service searches."""

    def __init__(self, base: Base, searcher: Searcher) -> None:
        self._base = base
        self._searcher = searcher

    @classmethod
    def over(cls, materials: Sequence[Material], settings: Settings, on_progress: OnProgress) -> Ranking:
        """Embed the materials, or open the base kept from the last time the same ones were."""
        encoder = chosen_encoder(settings)
        sources = [_source(material) for material in materials]
        folder = settings.cache_dir / "training" / key_of(sources, encoder)
        base = open_base(folder, sources, encoder, on_progress)
        return cls(base, base.searcher(encoder, dense_weight=settings.dense_weight))

    def ids(self, question: str) -> list[str]:
        """Ids of the materials that are found for a question, best first."""
        found = self._searcher.search(question, principal=_READER, collection=None, top_k=_FOUND)
        return [passage.document for passage in found.passages]

    def close(self) -> None:
        """Close the base; its folder stays for the next data set of the same materials."""
        self._base.close()


def neighbours(materials: Sequence[Material], ids: Callable[[str], Sequence[str]]) -> Mapping[str, list[str]]:
    """For each material, the others that `ids` finds for its questions, those found first and often in front.

    A material without questions is searched for by its title.
    """
    return {material.id: _together(material, ids) for material in materials}


def _together(material: Material, ids: Callable[[str], Sequence[str]]) -> list[str]:
    scores: dict[str, float] = defaultdict(float)
    for question in [question.text for question in material.questions] or [material.title]:
        for rank, id_ in enumerate(ids(question)):
            scores[id_] += 1 / (_SMOOTHING + rank)
    scores.pop(material.id, None)
    return sorted(scores, key=lambda id_: (-scores[id_], id_))


def _source(material: Material) -> Source:
    text = material.text
    return Source(material.id, "default", text, (Piece(None, 0, len(text), f"{material.title}\n{text}"),))
