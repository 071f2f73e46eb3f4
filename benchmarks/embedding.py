"""How much faster passages are embedded than by `SentenceTransformer.encode` at its defaults, in one run.

`python -m benchmarks.embedding TEXTS [--passages N] [--rounds N]`, TEXTS being a UTF-8 file with a passage a line.
The two take turns on the same passages, so that the ratio holds on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.settings import load_settings
from retrieval.chosen_models import chosen_encoder
from retrieval.embedding.encoder import find_weights
from retrieval.embedding.sentence_transformers import load_model

Vectors = NDArray[np.float32]
WARM_UP = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """`ratio` is the median over the rounds of library time by ours; `cosine` the mean likeness of the vectors."""

    passages: int
    ours_s: list[float]
    library_s: list[float]
    ratio: float
    cosine: float
    query_p50_ms: float
    load_average: list[float]
    openvino: str
    sentence_transformers: str


def compare(passages: Sequence[str], rounds: int) -> Comparison:
    """Embed the same passages in turns with the service's encoder, as set, and with the library at its defaults."""
    settings = load_settings()
    encoder = chosen_encoder(settings)
    weights = find_weights(settings.embedding_model, settings.cache_dir)
    library = load_model(weights.folder)
    prompted = [weights.passage_prompt + passage for passage in passages]
    encoder.encode_passages(passages[:WARM_UP])
    library.encode(prompted[:WARM_UP])
    ours, theirs = [], []
    for _ in range(rounds):
        vectors, seconds = _timed(lambda: encoder.encode_passages(passages))
        ours.append(seconds)
        reference, seconds = _timed(lambda: library.encode(prompted, show_progress_bar=False))
        theirs.append(seconds)
    queries = [_timed(partial(encoder.encode_queries, [passage[:80]]))[1] for passage in passages[:50]]
    return Comparison(
        passages=len(passages),
        ours_s=ours,
        library_s=theirs,
        ratio=statistics.median(b / a for a, b in zip(ours, theirs, strict=True)),
        cosine=float((vectors * reference).sum(axis=1).mean()),
        query_p50_ms=statistics.median(queries) * 1000,
        load_average=list(os.getloadavg()),
        openvino=version("openvino"),
        sentence_transformers=version("sentence-transformers"),
    )


def _timed(embed: Callable[[], Vectors]) -> tuple[Vectors, float]:
    started_s = time.perf_counter()
    vectors = embed()
    return vectors, time.perf_counter() - started_s


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--passages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("embedding.json"))
    asked = parser.parse_args()
    passages = [line for line in asked.texts.read_text(encoding="utf-8").splitlines() if line.strip()]
    measured = asdict(compare(passages[: asked.passages], asked.rounds))
    asked.json.write_text(json.dumps(measured, indent=1), encoding="utf-8")
    sys.stdout.write("".join(f"{name:24}{value}\n" for name, value in measured.items()))


if __name__ == "__main__":
    main()
