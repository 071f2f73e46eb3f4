"""The encoder and the reranker that the settings choose: one way to load them, for services, commands and measures."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from core.settings import Settings
from retrieval.embedding.encoder import Encoder, make_encoder
from retrieval.reranking import Reranker, make_reranker


def encoder_maker(settings: Settings, *, threads: int = 0) -> Callable[[str], Encoder]:
    """Return what loads a model by its name; `threads` 0 takes all cores, unless the settings say how many."""
    return partial(
        make_encoder,
        backend=settings.embedding_backend,
        cache_dir=settings.cache_dir,
        threads=settings.embedding_threads or threads or os.cpu_count() or 1,
    )


def chosen_encoder(settings: Settings, *, threads: int = 0) -> Encoder:
    """Load the model of the settings. Raises `Misconfigured` when it cannot be had or run."""
    return encoder_maker(settings, threads=threads)(settings.embedding_model)


def chosen_reranker(settings: Settings) -> Reranker | None:
    """Load the cross-encoder of the settings; None when they name none."""
    return make_reranker(
        settings.reranker,
        cache_dir=settings.cache_dir,
        limit=settings.reranker_max_passages,
        max_tokens=settings.reranker_max_tokens,
        threads=settings.embedding_threads or os.cpu_count() or 1,
    )
