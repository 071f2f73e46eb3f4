"""A second look at the best passages: a cross-encoder reads the question and each of them together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import Misconfigured
from core.types import Passage
from retrieval.embedding.artifact import build_model

_EXTENSION = re.compile(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,4}$")


class CrossEncoder(Protocol):
    """Scores a question with a text. Safe to call from several threads."""

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers, (n); greater is better, the scale is the model's own."""


@dataclass(frozen=True, slots=True)
class Reranker:
    """Orders the first `limit` passages of a search by `model`; what follows them stays as it was found."""

    model: CrossEncoder
    limit: int

    def rerank(self, question: str, found: Sequence[Passage], scores: Mapping[int, float]) -> dict[int, float]:
        """Return `scores`, by passage id, with those of `found` moved above all others in the model's order.

        `found` are the first passages as shown to the caller, at most `limit`.
        """
        if not found:
            return dict(scores)
        judged = self.model.scores(question, [_read(passage) for passage in found])
        first = {passage.id for passage in found}
        below = max((score for id_, score in scores.items() if id_ not in first), default=0.0)
        raised = below + 1 + judged - judged.min()
        return {**scores, **{passage.id: float(score) for passage, score in zip(found, raised, strict=True)}}


def make_reranker(model: str, *, cache_dir: Path, limit: int, max_tokens: int, threads: int) -> Reranker | None:
    """Load the cross-encoder `model`, a local folder or a hub name; None when the setting is empty.

    Raises `Misconfigured` when it cannot be had or is not a model that can be loaded.
    """
    if not model:
        return None
    folder = _folder(model, cache_dir / "models")
    # Seconds and hundreds of megabytes, for those who want it.
    from retrieval.embedding.sentence_transformers import TorchCrossEncoder

    return Reranker(TorchCrossEncoder(folder, max_tokens=max_tokens, threads=threads), limit)


def stored_folder(model: str, cache_dir: Path) -> Path | None:
    """Where the model is on this machine; None when it still has to be fetched."""
    local, fetched = Path(model).expanduser(), cache_dir / "models" / _cached_name(model)
    return next((folder for folder in (local, fetched) if folder.is_dir()), None)


def is_hub_name(model: str) -> bool:
    """Whether a name can be one on Hugging Face and not only a folder's."""
    return not (Path(model).expanduser().is_absolute() or model.startswith((".", "~")) or model.count("/") > 1)


def _folder(model: str, models_dir: Path) -> Path:
    stored, fetched = stored_folder(model, models_dir.parent), models_dir / _cached_name(model)
    if stored is not None and stored != fetched:
        return stored
    if not is_hub_name(model):
        raise Misconfigured(
            "reranker_missing",
            f"Папки с моделью переранжирования нет: {model}. Проверьте ZNAYKA_RERANKER: это папка или имя "
            "на Hugging Face; пустое значение отключает переранжирование.",
        )
    from retrieval.embedding.sentence_transformers import download_cross_encoder

    return build_model(fetched, lambda aside: download_cross_encoder(model, aside))


def _cached_name(model: str) -> str:
    return f"reranker-{model.replace('/', '--')}"


def _read(passage: Passage) -> str:
    title = _EXTENSION.sub("", passage.document.rsplit("/", 1)[-1])
    return "\n".join(part for part in (title, passage.section, passage.text) if part)
