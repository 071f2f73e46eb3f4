"""How good the answers are: right pages and verbatim quotes over real documents, and XQuAD's questions.

`python -m evaluation.answers --api URL` asks a running service that has the documents of tests/data/questions.jsonl;
`--xquad N` asks N questions of XQuAD's `dev` articles in process, with the model server of the settings, each three
times: with its paragraph in the collection, without it, and with other articles' paragraphs only. `--support` measures
the check that a sentence of a written answer must pass.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from core.settings import load_settings
from evaluation.xquad_answers import measure_xquad
from evaluation.xquad_support import measure_support

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = ROOT / "tests" / "data" / "questions.jsonl"
VERSIONED = ("llama-cpp-python", "sentence-transformers", "langchain-openai")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's outcome. `is_right` is the right page among the citations, or a refusal where none holds it."""

    question: str
    expected: str
    cited: tuple[str, ...]
    is_refused: bool
    is_right: bool
    quotes: int
    verbatim: int


def main() -> None:
    """Measure what the arguments ask for, print one table each, write JSON, compare with the last run."""
    arguments = _arguments()
    figures: dict[str, Any] = {
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED},
        "load_average": os.getloadavg()[0],
    }
    if arguments.api:
        figures["questions"] = measure_questions(arguments.api, arguments.key, arguments.collection)
    if arguments.xquad:
        figures["xquad"] = asyncio.run(measure_xquad(load_settings(), ROOT, arguments.xquad, arguments.seed))
    if arguments.support:
        figures["support"] = measure_support(ROOT)
    report(figures, arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--api", default="", help="base URL of a running service")
    parser.add_argument("--key", default="", help="API key")
    parser.add_argument("--collection", default="default")
    parser.add_argument("--xquad", type=int, default=0, metavar="N", help="questions of XQuAD's dev articles")
    parser.add_argument(
        "--support", action="store_true", help="how well the check of a sentence tells right from wrong"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "benchmarks" / "answers.json")
    return parser.parse_args()


def measure_questions(url: str, key: str, collection: str) -> dict[str, Any]:
    """Ask every question of the file; the share of right pages, of verbatim quotes and of refusals."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    questions = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines() if line]
    with httpx.Client(base_url=url, headers=headers, timeout=600) as client:
        asked = [ask(client, question, collection) for question in questions]
    answerable = [outcome for outcome, question in zip(asked, questions, strict=True) if question["document"]]
    foreign = [outcome for outcome, question in zip(asked, questions, strict=True) if not question["document"]]
    return {
        "answerable": len(answerable),
        "right_page_cited": sum(outcome.is_right for outcome in answerable),
        "wrongly_refused": sum(outcome.is_refused for outcome in answerable),
        "quotes": sum(outcome.quotes for outcome in asked),
        "verbatim_quotes": sum(outcome.verbatim for outcome in asked),
        "unanswerable": len(foreign),
        "unanswerable_refused": sum(outcome.is_refused for outcome in foreign),
        "each": [asdict(outcome) for outcome in asked],
    }


def ask(client: httpx.Client, question: dict[str, Any], collection: str) -> Asked:
    """One question through the stream, so that the passages are there to check the quotes against."""
    body = {"question": question["question"], "collection": collection, "stream": True}
    passages: list[dict[str, Any]] = []
    answer: dict[str, Any] = {}
    with client.stream("POST", "/v1/ask", json=body) as response:
        response.raise_for_status()
        for name, data in _events(response.iter_lines()):
            if name == "error":
                raise SystemExit(f"{question['question']}: {data['detail']}")
            passages = data["passages"] if name == "sources" else passages
            answer = data if name == "done" else answer
    texts: dict[tuple[str, int | None], list[str]] = {}
    for passage in passages:
        texts.setdefault((passage["document_id"], passage["page"]), []).append(passage["text"])
    citations = answer["citations"]
    verbatim = sum(any(c["quote"] in text for text in texts.get((c["document_id"], c["page"]), ())) for c in citations)
    cited = tuple(_place(c["document"], c["page"]) for c in citations)
    expected = _place(question["document"], question["page"]) if question["document"] else ""
    is_right = expected in cited if expected else answer["refused"]
    return Asked(question["question"], expected, cited, answer["refused"], is_right, len(citations), verbatim)


def _place(document: str, page: int | None) -> str:
    return f"{document}, {page}" if page else document


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in lines:
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            yield name, json.loads(line.removeprefix("data:"))


def report(figures: dict[str, Any], out: Path) -> None:
    """Print each group beside the last run's figures and keep them in `out`."""
    last = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    for group in ("questions", "xquad", "support"):
        if group in figures:
            table = Table(group, "now", "last run")
            for name, value in figures[group].items():
                if name != "each":
                    table.add_row(name, f"{value}", f"{last.get(group, {}).get(name, '–')}")
            Console().print(table)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(last | figures, ensure_ascii=False, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
