"""How many values of invented documents are drawn right: `python -m benchmarks.extraction`, with the model process up.

The documents are ours and in nobody's training data. A value is right when it equals the expected one; null is right
where the document says nothing. Every answer is held against its schema: the share of valid ones must be 1.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.extraction_documents import DOCUMENTS, InventedDocument
from core.settings import load_settings
from core.types import Interpretation, Passage, Principal
from generation.extraction import Extraction, ExtractionLimits, ExtractionRequest, Extractor, Sources
from generation.json_schema import SchemaLimits, resolve
from generation.language_model import LanguageModel
from generation.model_choice import server_of
from generation.validity import Validity
from retrieval.searcher import SearchResult, SearchTimings

INSTRUCTION = "Выпиши реквизиты документа"
LIMITS = ExtractionLimits(max_passages=60, max_tokens=1000)
NOBODY = Principal("benchmark")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One document: right and all values, whether the JSON was valid and the quotes verbatim, seconds."""

    name: str
    right: int
    values: int
    is_valid: bool
    is_verbatim: bool
    wrong: dict[str, Any]
    took_s: float


def _no_search(query: str, **_wanted: Any) -> SearchResult:
    del query
    return SearchResult((), SearchTimings(0.0, 0.0), Interpretation(""))


async def measure(document: InventedDocument, model: LanguageModel) -> Outcome:
    """Draw the facts of one document and compare them."""
    passage = Passage(1, "d", document.name, 1, None, document.text, 0, len(document.text))
    node = resolve(document.schema, SchemaLimits())
    with ThreadPoolExecutor(1) as executor:
        extractor = Extractor(Sources(_no_search, lambda _id, _who: (passage,)), model, LIMITS, executor)
        request = ExtractionRequest(INSTRUCTION, node, NOBODY, document_id="d")
        started = time.perf_counter()
        drawn = await extractor.extract(request, await extractor.read(request))
    return _outcome(document, node, drawn, time.perf_counter() - started)


def _outcome(document: InventedDocument, node: dict[str, Any], drawn: Extraction, took_s: float) -> Outcome:
    got = drawn.data or {}
    wrong = {name: got.get(name) for name, value in document.expected.items() if not _is_equal(got.get(name), value)}
    return Outcome(
        name=document.name,
        right=len(document.expected) - len(wrong),
        values=len(document.expected),
        is_valid=drawn.refused or Validity()(drawn.data, node),
        is_verbatim=all(citation.quote in document.text for citation in drawn.citations),
        wrong=wrong,
        took_s=took_s,
    )


def _is_equal(got: Any, expected: Any) -> bool:
    if isinstance(got, str) and isinstance(expected, str):
        return got.strip(' .«»"').casefold() == expected.strip(' .«»"').casefold()
    return bool(got == expected)


async def run() -> list[Outcome]:
    """Measure and print every document, one after the other."""
    model = LanguageModel(server_of(load_settings()))
    outcomes: list[Outcome] = []
    try:
        for document in DOCUMENTS:
            each = await measure(document, model)
            outcomes.append(each)
            line = {"document": each.name, "right": each.right, "of": each.values, "s": round(each.took_s, 1)}
            line |= {"valid": each.is_valid, "verbatim": each.is_verbatim, "wrong": each.wrong}
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
            sys.stdout.flush()
    finally:
        await model.aclose()
    return outcomes


def main() -> None:
    """Print each document's figures, then those of all."""
    outcomes = asyncio.run(run())
    total = {
        "valid": sum(each.is_valid for each in outcomes) / len(outcomes),
        "verbatim": sum(each.is_verbatim for each in outcomes) / len(outcomes),
        "right": round(sum(each.right for each in outcomes) / sum(each.values for each in outcomes), 3),
        "values": sum(each.values for each in outcomes),
        "median_s": round(statistics.median(each.took_s for each in outcomes), 1),
    }
    sys.stdout.write(json.dumps(total) + "\n")


if __name__ == "__main__":
    main()
