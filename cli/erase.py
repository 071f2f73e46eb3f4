"""`znayka erase`: a document gone for good, with a report that proves it. Works beside the service or without it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import typer

from cli.base import opened_base, record
from cli.console import say, table
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ingest.erasure import Report

MODEL_TIMEOUT_S = 120.0
STEPS = {
    "erase_rows": "записи базы, оценки, журнал",
    "erase_bytes": "исходные файлы",
    "erase_vectors": "индекс векторов",
    "erase_derived": "проверки, журналы службы",
    "erase_quotes": "оценки и журнал ещё раз",
    "scour": "перезапись базы без удалённого",
    "look_again": "проверка",
}
FOREIGN_MODEL = "сервер модели по ZNAYKA_LLM_URL: его память и журналы — у того, кто его держит"


def erase(wanted: str, *, collection: str | None, is_sure: bool, output: Path | None) -> bool:
    """Erase after a confirmation, show the report; True when nothing of the document is left."""
    from ingest.erasure import OUTSIDE, Erasure

    settings = load_settings()
    with opened_base() as database:
        erasure = Erasure(
            database,
            settings.data_dir,
            tell=_tell,
            forget_prompts=lambda: _forget_prompts(settings),
            on_step=lambda step: say(f"… {STEPS[step]}"),
            outside=(*OUTSIDE, FOREIGN_MODEL) if settings.llm_url else OUTSIDE,
        )
        plan = erasure.find(wanted, collection)
        for one in plan.documents:
            say(f"«{one.name}», коллекция «{one.collection}», номер {one.id}")
        if not is_sure:
            typer.confirm("Стереть навсегда?", abort=True)
        report = erasure.run(plan)
    _show(report)
    if output is not None:
        told = asdict(report) | {"is_clean": report.is_clean}
        output.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return report.is_clean


def _tell(conn: Connection, ids: tuple[str, ...]) -> None:
    from retrieval.store.audit import Action

    for document_id in ids:
        record(conn, Action.ERASED, document_id)


def _forget_prompts(settings: Settings) -> str:
    """Have our own model process forget; it is no matter when it does not run."""
    if settings.llm_url:
        return ""
    url = f"{settings.model_url.removesuffix('/v1')}/forget"
    try:
        answer = httpx.post(url, timeout=MODEL_TIMEOUT_S, trust_env=False)
    except httpx.ConnectError:
        return ""
    except httpx.HTTPError:
        return "процесс модели не ответил: перезапустите его"
    return "" if answer.is_success else f"процесс модели отказал (код {answer.status_code}): перезапустите его"


def _show(report: Report) -> None:
    say()
    rows = [[place.name, str(place.before), str(place.after), place.how] for place in report.places]
    table(["Где", "Было", "Осталось", "Как проверено"], rows)
    say()
    for one in report.outside:
        say(f"Не проверяется: {one}.")
    said = "Ничего не осталось." if report.is_clean else "Стёрто не всё: см. столбец «Осталось». Повторите команду."
    say(said)
