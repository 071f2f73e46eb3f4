"""The way of answering that suits a model."""

from __future__ import annotations

from concurrent.futures import Executor

from generation.chain import Writer
from generation.contrasting import ContrastingWriter
from generation.language_model import LanguageModel
from generation.prose import ProseWriter
from generation.quotes import QuotesWriter
from generation.spans import SpansWriter
from retrieval.embedding.encoder import Encoder


def make_writer(model: LanguageModel, encoder: Encoder, executor: Executor) -> Writer:
    """Prose by a model that follows instructions, words of passages by ours, quotations by one that continues text.

    Whatever it writes, the other documents are asked whether they say otherwise.
    """
    return ContrastingWriter(_writer(model, encoder, executor), encoder, executor)


def _writer(model: LanguageModel, encoder: Encoder, executor: Executor) -> Writer:
    if model.server.answers == "prose":
        return ProseWriter(model, encoder, executor)
    if model.server.answers == "spans" and model.server.scales:
        return SpansWriter(model, encoder, executor, model.server.scales)
    return QuotesWriter(model, encoder, executor)
