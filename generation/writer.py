"""The way of answering that suits a model."""

from __future__ import annotations

from concurrent.futures import Executor

from generation.chain import Writer
from generation.language_model import LanguageModel
from generation.prose import ProseWriter
from generation.quotes import QuotesWriter
from retrieval.embedding.encoder import Encoder


def make_writer(model: LanguageModel, encoder: Encoder, executor: Executor) -> Writer:
    """A writer of prose for a model that follows instructions, of quotations for one that only continues text."""
    if model.server.answers == "prose":
        return ProseWriter(model)
    return QuotesWriter(model, encoder, executor)
