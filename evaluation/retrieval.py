"""Measures how often the right document is found: by words alone, by meaning alone, and by both as the service does.

`python -m evaluation.retrieval --data ../shared/data` builds a real base, asks every question and prints one table.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import TextIO

from core.settings import Settings, load_settings
from core.types import Principal
from evaluation.base import open_base
from evaluation.measures import hit, reciprocal_rank
from evaluation.retrieval_sets import Question, QuestionSet, load_kb, load_xquad
from retrieval.chosen_models import chosen_encoder
from retrieval.embedding.encoder import Encoder
from retrieval.searcher import Searcher

DEPTH = 100  # passages looked at, so that ten files are among them
BEST = "oracle"  # the best of the weights for each question: what no way to choose them by the question can exceed


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares in per cent: right document first, among the first five, and the mean reciprocal rank within ten."""

    hit_1: float
    hit_5: float
    mrr_10: float


def measure(ranks: Sequence[int | None]) -> Quality:
    """Reduce the ranks of the right documents (from 1; None where it was not found) to the three figures."""
    return Quality(
        _per_cent(hit(rank, 1) for rank in ranks),
        _per_cent(hit(rank, 5) for rank in ranks),
        _per_cent(reciprocal_rank(rank) for rank in ranks),
    )


def _per_cent(values: Iterable[float]) -> float:
    return round(100 * fmean(values), 1)


def rank_of(question: Question, searcher: Searcher, collections: frozenset[str]) -> int | None:
    """Return the place of the right document among those found; the best passage counts for its document."""
    asking = Principal("evaluation", collections - question.hidden)
    found = searcher.search(question.text, principal=asking, collection=None, top_k=DEPTH).passages
    names = list(dict.fromkeys(passage.document for passage in found))
    return names.index(question.answer) + 1 if question.answer in names else None


def compare(folder: Path, asked: QuestionSet, encoder: Encoder, weights: dict[str, float]) -> dict[str, Quality]:
    """Measure each weight of meaning, and the best of them for each question, on one base in `folder`.

    The base is filled first if it is not there yet.
    """
    base = open_base(folder, asked.sources, encoder, _show_filled)
    collections = frozenset(source.collection for source in asked.sources)
    ranks = {}
    for name, weight in weights.items():
        searcher = base.searcher(encoder, dense_weight=weight)
        ranks[name] = [rank_of(question, searcher, collections) for question in asked.questions]
    base.close()
    best = [min((rank for rank in each if rank), default=None) for each in zip(*ranks.values(), strict=True)]
    return {name: measure(each) for name, each in ranks.items()} | {BEST: measure(best)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    asked = _arguments(arguments)
    settings = load_settings()
    encoder = chosen_encoder(settings)
    weights = {"words": 0.0, "meaning": 1.0, "both": settings.dense_weight}
    if asked.weights:
        weights = {str(weight): weight for weight in asked.weights}
    report: dict[str, object] = {
        "model": encoder.name,
        "fingerprint": encoder.fingerprint,
        "backend": settings.embedding_backend,
        "versions": {name: version(name) for name in ("openvino", "sentence-transformers", "faiss-cpu", "PyStemmer")},
        "seed": asked.seed,
        "load_average": os.getloadavg(),
        "dense_weight": settings.dense_weight,
    }
    for name in asked.sets:
        chosen = _sampled(_load(name, asked.data, settings), asked.limit, asked.seed)
        with tempfile.TemporaryDirectory() as fresh:
            folder = (asked.keep or Path(fresh)) / chosen.name
            measured = compare(folder, chosen, encoder, weights)
        report[name] = {"questions": len(chosen.questions)} | {way: asdict(q) for way, q in measured.items()}
        _show(name, chosen, measured)
    asked.json.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with xquad/ and kb/")
    parser.add_argument("--sets", nargs="+", choices=("xquad", "kb", "kb-verbatim"), default=("xquad", "kb"))
    parser.add_argument("--limit", type=int, help="ask only so many questions of each set")
    parser.add_argument("--seed", type=int, default=0, help="chooses which ones")
    parser.add_argument("--weights", nargs="+", type=float, help="of meaning, instead of 0, 1 and that of settings")
    parser.add_argument("--keep", type=Path, help="keep the filled bases here, and use those kept before")
    parser.add_argument("--json", type=Path, default=Path("retrieval.json"))
    return parser.parse_args(arguments)


def _load(name: str, data: Path, settings: Settings) -> QuestionSet:
    return load_xquad(data) if name == "xquad" else load_kb(data, settings, is_verbatim=name == "kb-verbatim")


def _sampled(asked: QuestionSet, limit: int | None, seed: int) -> QuestionSet:
    if limit is None or limit >= len(asked.questions):
        return asked
    return replace(asked, questions=tuple(random.Random(seed).sample(asked.questions, limit)))


def _show(name: str, asked: QuestionSet, measured: dict[str, Quality]) -> None:
    _say(f"\n{name}: {len(asked.questions)} questions, {len(asked.sources)} documents\n")
    _say(f"{'':10}{'hit@1':>8}{'hit@5':>8}{'MRR@10':>8}\n")
    for way, quality in measured.items():
        _say(f"{way:10}{quality.hit_1:8}{quality.hit_5:8}{quality.mrr_10:8}\n")


def _show_filled(done: int, total: int) -> None:
    _say(f"\r{done} of {total} documents{'' if done < total else chr(10)}", sys.stderr)


def _say(text: str, stream: TextIO = sys.stdout) -> None:
    stream.write(text)
    stream.flush()


if __name__ == "__main__":
    main()
