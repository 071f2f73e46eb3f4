"""What a run is measured on, so that its figures can be had again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.settings import Settings
from evaluation.report import Origin
from generation.adapter_name import name_in
from generation.adapters import adapter_of
from generation.catalogue import Model, load_catalogue
from generation.hub import chosen
from generation.language_model import ModelServer
from generation.model_file import sha256_of
from generation.scales import beside
from retrieval.embedding.encoder import Encoder

_PACKAGES = (
    "znayka",
    "llama-cpp-python",
    "langchain-openai",
    "openvino",
    "sentence-transformers",
    "faiss-cpu",
    "PyStemmer",
    "numpy",
    "scipy",
)
_SETTINGS = (
    "embedding_model",
    "embedding_backend",
    "passage_max_chars",
    "passage_overlap_chars",
    "top_k",
    "dense_weight",
    "reranker",
    "reranker_max_passages",
    "reranker_max_tokens",
    "llm_context_tokens",
    "answer_max_tokens",
    "answer_temperature",
)


def origin_of(settings: Settings, server: ModelServer, encoder: Encoder) -> Origin:
    """Describe this moment, these settings and the model that they choose."""
    return Origin(
        measured_at=datetime.now(UTC).replace(microsecond=0),
        model=server.name,
        encoder=encoder.name,
        encoder_fingerprint=encoder.fingerprint,
        versions=_versions(),
        settings={name: str(getattr(settings, name)) for name in _SETTINGS},
        load_average=round(os.getloadavg()[0], 2),
        model_details={"answers": server.answers} if settings.llm_url else _details(settings),
    )


def _details(settings: Settings) -> Mapping[str, str]:
    """The catalogue's entry, whatever it holds, with one's own adapter in the place of the one that it names.

    Raises `Misconfigured` for an adapter that could not be loaded either.
    """
    model = load_catalogue().find(chosen(settings))
    entry = asdict(model) | (_own_adapter(model, settings.adapter) if settings.adapter else {})
    return {name: str(value) for name, value in entry.items() if isinstance(value, str | int) and value}


def _own_adapter(model: Model, own: Path) -> dict[str, str]:
    """The scale counts as well: another one refuses other questions."""
    path = adapter_of(model, own) or own
    scale = beside(path)
    return {
        "adapter": path.name,
        "adapter_name": name_in(path) or "",
        "adapter_sha256": sha256_of(path),
        "scale_sha256": sha256_of(scale) if scale.is_file() else "",
    }


def _versions() -> Mapping[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
