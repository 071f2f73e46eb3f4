"""The embedded encoder, loaded once for all tests of a run."""

from __future__ import annotations

from functools import cache

from core.settings import Settings
from retrieval.chosen_models import chosen_encoder
from retrieval.embedding.encoder import Encoder


@cache
def embedded_encoder() -> Encoder:
    """One thread, as in the API."""
    settings = Settings()
    return chosen_encoder(settings, threads=1)
