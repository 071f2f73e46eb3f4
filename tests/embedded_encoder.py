"""The embedded encoder, loaded once for all tests of a run."""

from __future__ import annotations

from functools import cache

from core.settings import Settings
from retrieval.embedding.encoder import Encoder, make_encoder


@cache
def embedded_encoder() -> Encoder:
    """One thread, as in the API."""
    settings = Settings()
    return make_encoder(
        settings.embedding_model, backend=settings.embedding_backend, cache_dir=settings.cache_dir, threads=1
    )
