"""The way of docs/training.md from first to last command, over the real model: two lessons are a whole course."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.training import app
from evaluation.base import fill
from evaluation.report import Measure, load
from evaluation.retrieval_sets import Piece, Source
from generation.adapter_name import name_in
from generation.embedded import NAME, TAUGHT
from retrieval.embedding.encoder import Encoder
from retrieval.store.database import Database
from tests.service import service_environment
from training.card import read_card
from training.dataset import is_dev

COLLECTION = "склад"
LIMIT_S = 580.0
FACTS = (
    ("Пропуск водителю выдаёт охрана, срок его 12 часов.", "Каков срок пропуска водителя?", "12 часов"),
    ("Возврат брака оформляет кладовщик актом ТОРГ-2.", "Каким актом оформляют возврат брака?", "актом ТОРГ-2"),
    ("Погрузчик заряжают ночью, а осматривает его механик.", "Кто осматривает погрузчик?", "механик"),
)

pytestmark = pytest.mark.real_model


@dataclass(frozen=True, slots=True)
class Place:
    """Where a company's documents and questions are."""

    folder: Path
    env: dict[str, str]
    pairs: Path

    def train(self, *arguments: object) -> Result:
        done = CliRunner(env=self.env).invoke(app, [*map(str, arguments)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done


@pytest.fixture
def place(tmp_path: Path, encoder: Encoder) -> Place:
    """A base with three documents, the last of them one that is kept for checking, and a question on each."""
    env = service_environment({"data_dir": tmp_path})
    names = [_name(is_kept=position == len(FACTS) - 1, after=100 * position) for position in range(len(FACTS))]
    texts = [text for text, _, _ in FACTS]
    database = Database(f"sqlite:///{tmp_path / 'znayka.db'}")
    database.migrate()
    sources = [
        Source(name, COLLECTION, text, (Piece(None, 0, len(text), f"{name}\n{text}"),))
        for name, text in zip(names, texts, strict=True)
    ]
    fill(database, sources, encoder, lambda _done, _total: None)
    database.close()
    rows = [f"{question};{answer};{name}" for (_, question, answer), name in zip(FACTS, names, strict=True)]
    pairs = tmp_path / "вопросы.csv"
    pairs.write_text("\n".join(["вопрос;ответ;документ", *rows]), encoding="utf-8")
    return Place(tmp_path, env, pairs)


def _name(*, is_kept: bool, after: int) -> str:
    return next(name for n in count(after) if is_dev(name := f"Правила {n}.txt") is is_kept)


def test_ones_own_documents_become_an_adapter_that_answers_beside_the_bare_model(place: Place) -> None:
    data, run, adapter = place.folder / "set", place.folder / "run", place.folder / "склад.gguf"
    gather = ("--collection", COLLECTION, "--pairs", place.pairs, "--no-own", "--no-mine", "--passes", 1)
    place.train("dataset", *gather, "--output", data)
    card = read_card(data)
    assert (card.train.lessons, card.dev.lessons) == (2, 1)

    taught = place.train("run", data, "--output", run, "--rank", 4, "--alpha", 4, "--lessons", 2)
    assert re.search(r"Уроков 2, вопросов \d", taught.output)
    written = place.train("export", run, "--to", adapter, "--name", "Склад")
    assert f"ZNAYKA_ADAPTER={adapter} znayka run" in written.output
    assert name_in(adapter) == "Склад"

    compared = compare(place, adapter)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    ours = load(place.folder / "out" / "run.json")
    bare = load(place.folder / "out" / f"run-{NAME}.json")
    assert (bare.origin.model, ours.origin.model) == (NAME, TAUGHT)
    assert ours.origin.model_details["adapter_sha256"] == sha256(adapter.read_bytes()).hexdigest()
    assert f"{TAUGHT} + {adapter.name}" in compared.stdout
    assert all(Measure.FIRST_TOKEN in one.scores and one.got for one in ours.questions)
    assert len(ours.questions) == len(bare.questions) == len(FACTS)


def compare(place: Place, adapter: Path) -> subprocess.CompletedProcess[str]:
    """One command, with the adapter where a service would have it: the bare model must not get it."""
    wanted = ("--pairs", place.pairs, "--collection", COLLECTION, "--compare", NAME, TAUGHT)
    command = [sys.executable, "-m", "cli.main", "evaluate", *map(str, wanted), "--output", str(place.folder / "out")]
    env = place.env | {"ZNAYKA_ADAPTER": str(adapter), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=env)
