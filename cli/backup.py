"""`znayka backup` and `znayka restore`, as the person at the console sees them."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from backup.making import Made, Source, make
from backup.manifest import Manifest
from backup.reading import check, opened
from backup.restoring import Place, restore
from cli.base import event, record
from cli.console import complain, say, size
from core.errors import InvalidRequest, ServiceError
from core.settings import Settings
from generation.progress import progress_bar
from retrieval.store.audit import Action
from retrieval.store.database import Database, newest_schema, path_of

_NAMED = re.compile(r"znayka-\d{8}T\d{6}Z\.tar")
_SHOWN = 5


def back_up(settings: Settings, target: Path, *, keep: int) -> bool:
    """Make a backup and, in a folder, drop older ones; False when documents are missing in it."""
    moment, is_folder = time.time(), target.is_dir()
    if keep and not is_folder:
        raise InvalidRequest("not_a_folder", "--keep убирает старые копии в папке: укажите вместо файла папку.")
    if is_folder:
        target = target / f"znayka-{datetime.fromtimestamp(moment, UTC):%Y%m%dT%H%M%SZ}.tar"
    with closing(Database(settings.sql_url, busy_timeout_s=settings.database_busy_timeout_s)) as database:
        source = Source(database, settings.data_dir, settings.embedding_model)
        say("Копирую базу данных…")
        with progress_bar(target.name) as progress:
            made = make(source, target, moment=moment, progress=progress)
        _write_down(database, made)
    say(f"Копия готова: {target}, {size(target.stat().st_size)}. {_contents(made.manifest)}")
    if made.missing:
        complain(_lacking(made))
        return False
    if keep:
        _drop_older(target, keep)
    return True


def show(path: Path) -> None:
    """Check every sum of a backup and say what is in it."""
    with opened(path) as backup, progress_bar(path.name) as progress:
        check(backup, progress)
    manifest = backup.manifest
    say(
        f"Копия цела: {path}, сделана {manifest.created_at} Знайкой {manifest.application}, "
        f"схема {manifest.schema_version}. {_contents(manifest)}"
    )
    if manifest.missing:
        say(f"Файлов, которых не было уже при её создании: {len(manifest.missing)}.")


def put_back(settings: Settings, path: Path) -> None:
    """Restore a backup to where the settings want the data."""
    database = path_of(settings.sql_url)
    with progress_bar(path.name) as progress:
        done = restore(path, Place(settings.data_dir, database), event(Action.RESTORED, path.name), progress=progress)
    manifest = done.manifest
    say(f"Восстановлено в {settings.data_dir}: копия от {manifest.created_at}. {_contents(manifest)}")
    if done.requeued:
        say(f"Документы, обработка которых не была закончена, начнутся заново: {done.requeued}.")
    if manifest.encoder != settings.embedding_model:
        say(
            f"Копия сделана с моделью поиска {manifest.encoder}, а выбрана {settings.embedding_model}: "
            "база будет пересчитана, или задайте прежнюю в ZNAYKA_EMBEDDING_MODEL."
        )
    say("Индекс поиска строится заново сам. Запустить: znayka run; проверить: znayka doctor.")


def _write_down(database: Database, made: Made) -> None:
    """The backup counts even where no more can be written: on a full disk it is what is wanted most."""
    try:
        if made.manifest.schema_version == newest_schema():
            with database.write() as conn:
                record(conn, Action.BACKED_UP, made.path.name)
    except ServiceError as exc:
        complain(f"Копия не отмечена в журнале: {exc.detail}")


def _contents(manifest: Manifest) -> str:
    counts = manifest.counts
    return (
        f"Документов: {sum(counts.documents.values())}, отрывков: {counts.passages}, "
        f"файлов: {counts.files}, {size(counts.files_bytes)}."
    )


def _lacking(made: Made) -> str:
    names = ", ".join(f"«{one.name}»" for one in made.missing[:_SHOWN])
    return (
        f"В копии нет файлов, которые пропали или повреждены в папке данных: {len(made.missing)}, из них {names}. "
        "Загрузите эти документы снова; старые копии не удалены."
    )


def _drop_older(made: Path, keep: int) -> None:
    """Only files that bear the names this command gives; the one just made stays, whatever the clock says."""
    older = sorted(path for path in made.parent.iterdir() if _NAMED.fullmatch(path.name) and path != made)
    _remove(older[: max(0, len(older) - keep + 1)])


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink()
        say(f"Удалена старая копия {path.name}")
