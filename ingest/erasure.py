"""Erasing a document: every place where it may stand is emptied, looked at again, and reported."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from core.errors import Misconfigured, NotFound, TryLater
from ingest import erasure_plan, reembed, traces
from ingest.compaction import Compaction
from ingest.erasure_plan import Plan
from ingest.files import FileStore
from ingest.traces import Trace
from ingest.upkeep import remove_unneeded, sweep
from ingest.worker import sole_worker
from retrieval.index import read_index, remove_older
from retrieval.store import erasing, vectors
from retrieval.store.database import Database
from retrieval.store.erasing import Marks

FOLDER = "erasures"
_TERMS_MAX = 200
_INDEX_TIMEOUT_S = 180.0
_POLL_S = 0.2
_TEMPORARY = ("znayka-parser-*", "office-*", "letter-*", "archive-*")
_DERIVED = ("evaluation", "training")  # what `znayka evaluate` and `znayka train` write unless told otherwise
_ROWS = {
    "documents": "запись о документе",
    "pages": "тексты страниц",
    "passages": "отрывки с их векторами",
    "sentences": "векторы предложений",
    "keywords": "строки индекса слов",
    "terms": "слова, которых нет в других документах",
    "feedback": "оценки ответов с цитатами",
    "audit": "имя и вопросы в журнале доступа",
    "grants": "права на документ",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One place: how much of the document it held, how much it holds now, and how that was found out."""

    name: str
    before: int
    after: int
    how: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was erased, place by place; `outside` are places that this cannot reach."""

    documents: tuple[str, ...]
    places: tuple[Place, ...]
    outside: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left anywhere that was looked at."""
        return not any(place.after for place in self.places)


OUTSIDE = (
    "резервные копии: документ в них остаётся, пока их не удалят",
    "то, что уже показано: открытые страницы в браузере и память страницы до закрытия вкладки, скопированные ответы",
    "отчёты, наборы и адаптеры znayka evaluate и znayka train вне папки данных; то, чему модель дообучена",
    "освобождённое место диска: что на нём осталось, решает файловая система; помогает шифрование диска",
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """Works beside the running service. `tell` writes the event down in the transaction that removes the rows.

    `forget_prompts` has the model process drop what it read, and returns why it did not, empty when it did.
    """

    database: Database
    data_dir: Path
    tell: Callable[[Connection, tuple[str, ...]], None]
    forget_prompts: Callable[[], str]
    on_step: Callable[[str], None] = lambda _step: None
    outside: tuple[str, ...] = OUTSIDE

    def find(self, wanted: str, collection: str | None = None) -> Plan:
        """Return what would be erased, an erasure that was cut off included.

        Raises `NotFound`, and `TryLater` while an evaluation runs: its report would quote the document.
        """
        self._require_no_evaluation()
        with self.database.read() as conn:
            found = erasing.doomed(conn, wanted, collection)
            ids = tuple(one.id for one in found)
            passage_ids = erasing.passage_ids(conn, ids)
            names = [one.name for one in found]
            excerpts = traces.excerpts(names, erasing.texts_of(conn, ids), erasing.texts_of_others(conn, ids))
            terms = erasing.own_terms(conn, passage_ids, limit=_TERMS_MAX)
        plans = [plan for plan in erasure_plan.cut_off(self.data_dir / FOLDER) if plan.is_of({wanted, *ids})]
        if found:
            plans.append(Plan(tuple(found), Marks(ids, passage_ids, terms, excerpts)))
        if not plans:
            raise NotFound("document_not_found", f"Документа «{wanted}» нет. Имена и номера: znayka documents.")
        return erasure_plan.together(plans)

    def run(self, plan: Plan) -> Report:
        """Erase and look again. Whatever cuts this off, the same again finishes it."""
        before = {**self._counts(plan), **plan.before}
        plan = Plan(plan.documents, plan.marks, before)
        kept = erasure_plan.keep(self.data_dir / FOLDER, plan)
        for step in (
            self._erase_rows,
            self._erase_bytes,
            self._erase_vectors,
            self._erase_derived,
            self._erase_quotes,
        ):
            self.on_step(step.__name__.strip("_"))
            step(plan)
        unforgotten = self.forget_prompts()
        self.on_step("scour")
        self.database.scour()
        self.on_step("look_again")
        report = self._report(plan, unforgotten)
        if report.is_clean:
            kept.unlink(missing_ok=True)
            with suppress(OSError):
                kept.parent.rmdir()
        return report

    def _erase_rows(self, plan: Plan) -> None:
        with self.database.write() as conn:
            erasing.erase(conn, plan.marks, lambda within: self.tell(within, plan.marks.ids))

    def _erase_bytes(self, plan: Plan) -> None:
        files = FileStore(self.data_dir / "files")
        for sha256 in plan.hashes:
            remove_unneeded(self.database, files, sha256)
        sweep(self.database, files)  # older editions have no row that names their bytes

    def _erase_vectors(self, plan: Plan) -> None:
        reembed.forget(self.data_dir, np.array(plan.marks.passage_ids, np.int64))
        folder, deadline = self.data_dir / "index", time.monotonic() + _INDEX_TIMEOUT_S
        while not self._index_state().is_clean:
            try:
                with sole_worker(self.data_dir):
                    Compaction(self.database, folder, 1).run(is_idle=True)
            except Misconfigured:  # the worker lives and writes it
                time.sleep(_POLL_S)
            if time.monotonic() > deadline:
                return
        if folder.is_dir():
            remove_older(folder, self._index_state().generation)

    def _erase_derived(self, plan: Plan) -> None:
        """Remove evaluations, reports and training data that quote the document; blank its words in logs."""
        logs = self.data_dir / "logs"
        for trace in list(self._traces(plan)):
            parts = trace.path.relative_to(self.data_dir).parts if trace.path.is_relative_to(self.data_dir) else ("",)
            if trace.path.is_relative_to(logs):
                traces.blank([trace])
            elif parts[0] == "evaluations" and len(parts) > 2:
                shutil.rmtree(self.data_dir / parts[0] / parts[1], ignore_errors=True)
            elif parts[0] in _DERIVED:
                trace.path.unlink(missing_ok=True)

    def _erase_quotes(self, plan: Plan) -> None:
        """Once more: what was being answered or noted down meanwhile may have come after the rows were gone."""
        with self.database.write() as conn:
            erasing.forget_quotes(conn, plan.marks)

    def _report(self, plan: Plan, unforgotten: str) -> Report:
        after = self._counts(plan)
        how = dict.fromkeys(_ROWS, "посчитаны строки базы") | {
            "terms": f"{len(plan.marks.terms)} слов искали в словаре индекса",
            "bytes": "нет файла с таким хешем" if not after["bytes"] else self._why_kept(plan),
            "index": "прочитаны номера отрывков в файлах индекса",
            "spool": "прочитаны файлы прежних моделей",
            "raw": f"{len(plan.marks.excerpts)} выдержек искали в файлах папки данных, кроме models (4 кодировки)",
            "temporary": "те же выдержки искали во временных папках службы",
        }
        if not plan.marks.excerpts:
            how["raw"] = "у документа нет слов, которых нет в других; проверено по записям"
        places = [Place(_TITLES[name], plan.before.get(name, 0), after[name], how[name]) for name in _TITLES]
        forgotten = unforgotten or "процесс модели забыл прочитанное или не запущен"
        model = Place("память процесса модели", 0, int(bool(unforgotten)), forgotten)
        return Report(plan.marks.ids, (*places, model), self.outside)

    def _counts(self, plan: Plan) -> dict[str, int]:
        with self.database.read() as conn:
            found = dict(erasing.counts(conn, plan.marks))
        files = FileStore(self.data_dir / "files")
        found["bytes"] = sum(files.path(sha256).exists() for sha256 in plan.hashes)
        found["index"] = self._in_index(plan)
        found["spool"] = reembed.held(self.data_dir, np.array(plan.marks.passage_ids, np.int64))
        found["raw"] = len({trace.path for trace in self._traces(plan)})
        found["temporary"] = len({trace.path for trace in self._temporary_traces(plan)})
        return found

    def _in_index(self, plan: Plan) -> int:
        folder = self.data_dir / "index"
        count = 0
        for path in folder.glob("*.faiss"):
            index = read_index(folder, int(path.stem))
            count += int(np.isin(plan.marks.passage_ids, index.ids).sum()) if index is not None else 1
        return count

    def _why_kept(self, plan: Plan) -> str:
        with self.database.read() as conn:
            others = erasing.same_bytes(conn, plan.hashes, plan.marks.ids)
        if not others:
            return "файл сейчас загружают снова: повторите"
        return f"те же байты у других документов, сотрите и их: {', '.join(others)}"

    def _traces(self, plan: Plan) -> Iterator[Trace]:
        for folder in self._folders():
            left_out = (self.data_dir / FOLDER, self.data_dir / "models")
            yield from traces.search(folder, plan.marks.excerpts, except_in=left_out)

    def _folders(self) -> list[Path]:
        """The data folder, and the database's where that lies elsewhere."""
        elsewhere = self.database.path.parent
        return (
            [self.data_dir]
            if elsewhere.resolve().is_relative_to(self.data_dir.resolve())
            else [self.data_dir, elsewhere]
        )

    def _temporary_traces(self, plan: Plan) -> Iterator[Trace]:
        for pattern in _TEMPORARY:
            for folder in Path(tempfile.gettempdir()).glob(pattern):
                yield from traces.search(folder, plan.marks.excerpts)

    def _index_state(self) -> vectors.IndexState:
        with self.database.read() as conn:
            return vectors.state(conn)

    def _require_no_evaluation(self) -> None:
        for path in (self.data_dir / "evaluations").glob("*/run.json"):
            with suppress(OSError, ValueError):
                if json.loads(path.read_text(encoding="utf-8")).get("status") == "running":
                    raise TryLater(
                        "evaluation_running",
                        "Идёт проверка по вопросам: её отчёт процитировал бы документ. Остановите её или дождитесь.",
                        retry_after_s=60,
                    )


_TITLES = _ROWS | {
    "bytes": "исходный файл",
    "index": "файлы индекса векторов",
    "spool": "векторы прежних моделей",
    "raw": "файлы папки данных с текстом документа",
    "temporary": "временные файлы",
}
