"""How long a search takes in a large base, the query's vector included.

`python -m benchmarks.search [DATA] [--passages 50000] [--questions 200]`, DATA being a folder with kb/: its documents
are stored again and again, with their words in another order each time, until there are so many passages. The vectors
of passages and sentences are drawn at random, because the time does not depend on where they point; queries are
embedded by the model in use. Beside it the bare work that a plain
hybrid search does: the query's vector, the hundred nearest, BM25, six passages read.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.settings import load_settings
from core.types import Principal
from evaluation.base import Base, open_base
from evaluation.retrieval_sets import Piece, Source, load_kb
from retrieval.chosen_models import chosen_encoder
from retrieval.embedding.encoder import Encoder
from retrieval.index import top
from retrieval.store import keyword, passages
from retrieval.terms import root_text
from retrieval.vector_index import Allowed

_WORDS_MIXED = 20  # neighbours that change places among themselves in an edition
_TOP, _CANDIDATES = 6, 100
_WARM_UP = 8
_ASKING = Principal("benchmark")


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds a question, wall clock and processor time of this process."""

    wall_p50_ms: float
    wall_p95_ms: float
    processor_p50_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The two ways take turns on the same questions; `added` is the difference of each pair."""

    passages: int
    questions: int
    whole: Times
    bare: Times
    added: Times
    load_average: tuple[float, float, float]


class _RandomVectors:
    """An `Encoder` whose queries are the real one's, while passages point anywhere."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._random = np.random.default_rng(0)
        self.name, self.fingerprint = encoder.name, encoder.fingerprint
        self.dimension, self.max_tokens = encoder.dimension, encoder.max_tokens

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._encoder.encode_queries(texts)

    def encode_passages(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        made = self._random.standard_normal((len(texts), self.dimension), dtype=np.float32)
        if on_progress:
            on_progress(len(texts))
        unit: NDArray[np.float32] = made / np.linalg.norm(made, axis=1, keepdims=True)
        return unit


def editions(sources: Sequence[Source], passages_min: int) -> Iterator[Source]:
    """Give the documents as they are, then with their words mixed, until there are so many passages."""
    given = 0
    for edition in count():
        for source in sources:
            if given >= passages_min:
                return
            yield _mixed(source, edition) if edition else source
            given += len(source.pieces)


def _mixed(source: Source, edition: int) -> Source:
    """The same words at other places nearby: the same roots weigh the same, but no passage repeats another."""
    drawn = random.Random(f"{edition} {source.name}")
    parts = re.split(r"(\s+)", source.text)
    words = parts[::2]
    for at in range(0, len(words), _WORDS_MIXED):
        block = words[at : at + _WORDS_MIXED]
        drawn.shuffle(block)
        words[at : at + _WORDS_MIXED] = block
    parts[::2] = words
    text = "".join(parts)
    pieces = (
        Piece(one.section, one.start, one.end, one.embedded.replace(_cut(source.text, one), _cut(text, one)))
        for one in source.pieces
    )
    return Source(f"{edition} {source.name}", source.collection, text, tuple(pieces))


def _cut(text: str, piece: Piece) -> str:
    return text[piece.start : piece.end]


def measure(base: Base, encoder: Encoder, questions: Sequence[str], dense_weight: float) -> tuple[Times, Times, Times]:
    """Ask each question in both ways, one after the other; the first few warm both up and do not count."""
    searcher = base.searcher(encoder, dense_weight=dense_weight)
    ways = (
        partial(searcher.search, principal=_ASKING, collection=None, top_k=_TOP),
        partial(_bare, base, encoder),
    )
    for question in questions[:_WARM_UP]:
        for way in ways:
            way(question)
    taken = np.array([[_timed(partial(way, question)) for way in ways] for question in questions[_WARM_UP:]])
    whole, bare = taken[:, 0], taken[:, 1]
    return _times(whole), _times(bare), _times(whole - bare)


def _bare(base: Base, encoder: Encoder, question: str) -> None:
    vector = encoder.encode_queries([question])[0]
    with base.database.read() as conn:
        near = base.index.refresh(conn).search(vector, _CANDIDATES, Allowed())
        matched = keyword.every(conn, root_text(question))
        both = [*near.ids[:_TOP].tolist(), *matched.ids[top(matched.scores, _TOP)].tolist()]
        passages.show(conn, dict.fromkeys(both[:_TOP], 0.0), _ASKING)


def _timed(act: Callable[[], object]) -> tuple[float, float]:
    wall_s, processor_s = time.perf_counter(), time.process_time()
    act()
    return (time.perf_counter() - wall_s) * 1000, (time.process_time() - processor_s) * 1000


def _times(taken: NDArray[np.float64]) -> Times:
    wall, processor = taken[:, 0], taken[:, 1]
    p50, p95 = np.percentile(wall, [50, 95])
    return Times(round(p50, 1), round(p95, 1), round(float(np.median(processor)), 1))


def main() -> None:
    """Fill a base, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--questions", type=int, default=128, help=f"asked, the first {_WARM_UP} uncounted")
    options = parser.parse_args()
    settings = load_settings()
    encoder = chosen_encoder(settings)
    asked = load_kb(options.data, settings)
    sources = tuple(editions(asked.sources, options.passages))
    with tempfile.TemporaryDirectory() as folder:
        base = open_base(Path(folder) / "base", sources, _RandomVectors(encoder), _tell)
        questions = [question.text for question in asked.questions[: options.questions]]
        times = measure(base, encoder, questions, settings.dense_weight)
        base.close()
    stored = sum(len(source.pieces) for source in sources)
    figures = Figures(stored, len(questions) - _WARM_UP, *times, os.getloadavg())
    sys.stdout.write(json.dumps(asdict(figures), indent=2) + "\n")


def _tell(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total} documents{'' if done < total else chr(10)}")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
