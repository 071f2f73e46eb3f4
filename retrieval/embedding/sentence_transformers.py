"""The plain backend: sentence-transformers models on torch, cross-encoders too. The only module that imports either."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer

from core.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.embedding.encoder import Weights

# Torch gives no progress of its own: this many texts at a time keep its sorting by length worthwhile.
PROGRESS_STEP = 256


class SentenceTransformersEncoder:
    """Float32 on `threads` cores (a setting of the whole process, as torch has it)."""

    def __init__(self, weights: Weights, *, threads: int) -> None:
        torch.set_num_threads(threads)
        self._weights = weights
        self._model = load_model(weights.folder)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Model as the settings name it."""
        return self._weights.name

    @property
    def fingerprint(self) -> str:
        """Identity of the weights, whichever backend runs them."""
        return self._weights.fingerprint

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return _dimension(self._model)

    @property
    def max_tokens(self) -> int:
        """Longest text that is read whole."""
        return _max_tokens(self._model)

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of questions, (n, dimension)."""
        return self._encode(texts, self._weights.query_prompt)

    def encode_passages(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Vectors of passages, (n, dimension)."""
        parts = [np.empty((0, self.dimension), np.float32)]
        for start in range(0, len(texts), PROGRESS_STEP):
            part = texts[start : start + PROGRESS_STEP]
            parts.append(self._encode(part, self._weights.passage_prompt))
            if on_progress:
                on_progress(start + len(part))
        return np.concatenate(parts)

    def _encode(self, texts: Sequence[str], prompt: str) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        with self._lock:
            vectors = self._model.encode(
                list(texts), prompt=prompt, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
            )
        return np.asarray(vectors, np.float32)


def load_model(folder: Path) -> SentenceTransformer:
    """Load a local folder on the CPU; raise `Misconfigured` when it is not a model that can be loaded."""
    try:
        # Pickled weights run code when they are read: only safetensors are.
        return SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as exc:
        raise Misconfigured(
            "bad_embedding_model",
            f"Модель эмбеддингов в папке {folder} не загружается: {exc}. Нужна модель формата sentence-transformers "
            "с весами safetensors.",
        ) from exc


def download(model: str, folder: Path) -> None:
    """Fetch `model` from the hub (a mirror by HF_ENDPOINT) and write it into `folder`."""
    try:
        SentenceTransformer(model, device="cpu", model_kwargs={"use_safetensors": True}).save(str(folder))
    except (OSError, ValueError, RuntimeError) as exc:
        raise Misconfigured(
            "embedding_model_missing",
            f"Модель эмбеддингов {model} не удалось получить: её нет ни на этой машине, ни на Hugging Face, либо он "
            "недоступен. Проверьте ZNAYKA_EMBEDDING_MODEL и сеть (зеркало: HF_ENDPOINT).",
        ) from exc


class TorchCrossEncoder:
    """A cross-encoder with one output on `threads` cores (a setting of the whole process, as torch has it)."""

    def __init__(self, folder: Path, *, max_tokens: int, threads: int) -> None:
        """Raise `Misconfigured` when `folder` holds no such model; longer pairs are cut to `max_tokens`."""
        torch.set_num_threads(threads)
        self._model = _load_cross_encoder(folder)
        self._model.max_seq_length = min(max_tokens, self._model.max_seq_length or max_tokens)
        self._lock = threading.Lock()

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers, (n), as the model's head gives it."""
        if not texts:
            return np.empty(0, np.float32)
        pairs = [(question, text) for text in texts]
        with self._lock:
            scores = self._model.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
        return np.asarray(scores, np.float32)


def _load_cross_encoder(folder: Path) -> CrossEncoder:
    try:
        model: CrossEncoder = CrossEncoder(
            str(folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as exc:
        raise Misconfigured(
            "bad_reranker",
            f"Модель переранжирования в папке {folder} не загружается: {exc}. Нужен кросс-энкодер "
            "с весами safetensors и без собственного кода; пустое ZNAYKA_RERANKER отключает переранжирование.",
        ) from exc
    if model.num_labels != 1:
        raise Misconfigured(
            "bad_reranker",
            f"Модель в папке {folder} даёт {model.num_labels} оценок вместо одной: это не модель переранжирования. "
            "Укажите другую в ZNAYKA_RERANKER или оставьте его пустым.",
        )
    return model


def download_cross_encoder(model: str, folder: Path) -> None:
    """Fetch a cross-encoder from the hub (a mirror by HF_ENDPOINT) and write it into `folder`."""
    try:
        CrossEncoder(
            model, device="cpu", trust_remote_code=False, model_kwargs={"use_safetensors": True}
        ).save_pretrained(str(folder))
    except (OSError, ValueError, RuntimeError) as exc:
        raise Misconfigured(
            "reranker_missing",
            f"Модель переранжирования {model} не удалось получить: её нет ни на этой машине, ни на Hugging Face, либо "
            "он недоступен. Проверьте ZNAYKA_RERANKER и сеть (зеркало: HF_ENDPOINT).",
        ) from exc


class SentenceModule(torch.nn.Module):
    """A whole sentence-transformers pipeline as one function of tensors, for tracing."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Unit vectors, (batch, dimension), of token ids and their mask, both (batch, tokens)."""
        output = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
        return torch.nn.functional.normalize(output["sentence_embedding"], dim=-1)


@dataclass(frozen=True, slots=True)
class Exported:
    """A module to convert, an example of its inputs, and the numbers it cannot tell itself."""

    module: SentenceModule
    example: dict[str, torch.Tensor]
    dimension: int
    max_tokens: int


def export(folder: Path, target: Path) -> Exported:
    """Prepare the model in `folder` for tracing, and write its `tokenizer.json` into `target`."""
    model = load_model(folder)
    # Attention written out as matrix products is what quantisation knows how to treat.
    transformer: Any = model[0]
    transformer.auto_model.set_attn_implementation("eager")
    model.tokenizer.save_pretrained(str(target))
    mask = torch.ones((2, 8), dtype=torch.int64)
    mask[1, 5:] = 0
    example = {"input_ids": torch.ones_like(mask), "attention_mask": mask}
    return Exported(SentenceModule(model).eval(), example, _dimension(model), _max_tokens(model))


def _dimension(model: SentenceTransformer) -> int:
    return int(model.get_embedding_dimension() or 0)


def _max_tokens(model: SentenceTransformer) -> int:
    return int(model.max_seq_length or 512)
