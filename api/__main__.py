"""`python -m api`: read the settings, build the parts, serve."""

from __future__ import annotations

import gc
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import uvicorn

from api.app import create_app
from api.audit_log import AuditLog
from api.connections import ConnectionLimits, guarded
from api.dependencies import Parts
from api.door import Door
from api.evaluation_runs import RunStore
from api.evaluations import Asking, Evaluations
from api.identity_tokens import IdentityTokens, Provider
from api.metrics import Metrics
from api.readiness import Readiness
from api.routes import extract
from api.turns import QueueLimits, TurnQueue
from api.uploads import UploadDesk
from core import faults
from core.errors import Misconfigured, ServiceError
from core.logs import log_to_stderr
from core.settings import Settings, load_settings
from evaluation.origin import origin_of
from generation.chain import Answerer
from generation.extraction import ExtractionLimits, Extractor, Sources
from generation.follow_up import FollowUps
from generation.language_model import LanguageModel
from generation.model_choice import server_of
from generation.writer import make_writer
from ingest.files import FileStore
from ingest.limits import Limits
from ingest.reembed import share_done
from ingest.sandbox import Sandbox
from ingest.upkeep import sweep
from retrieval.chosen_models import chosen_reranker, encoder_maker
from retrieval.embedding.encoder import Encoder
from retrieval.embedding.encoders import Encoders, FindEncoder, KnownModels
from retrieval.query.reader import QueryReader
from retrieval.query.vocabulary import Vocabulary
from retrieval.searcher import Searcher
from retrieval.store import keys, vectors
from retrieval.store.database import Database
from retrieval.vector_index import VectorIndex

log = logging.getLogger("api")  # also when run as __main__
SEARCH_THREADS = 2
ANSWER_THREADS = 1  # checks of answers, which must not keep a search waiting
GRACE_S = 5


def main() -> int:
    """Serve until told to stop; 2 when the settings or the data folder are wrong, with one sentence about it."""
    log_to_stderr()
    try:
        settings = load_settings()
        faults.arm(settings.faults)
        logging.getLogger().setLevel(settings.log_level.upper())
        parts = build(settings)
    except ServiceError as exc:
        log.critical("%s", exc.detail)
        return 2
    app = create_app(parts)
    freeze_loaded()
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        http=guarded(connection_limits(settings)),
        log_config=None,
        access_log=False,
        # Who calls is who is at the other end: a header that says otherwise could make anybody a trusted proxy.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )
    return 0


def freeze_loaded() -> None:
    """Keep what is loaded for good out of garbage collections: a whole one stopped every request for 0.2 s."""
    gc.collect()
    gc.freeze()


def connection_limits(settings: Settings) -> ConnectionLimits:
    """How many connections the API takes, and how slow they may be."""
    return ConnectionLimits(
        connections_max=settings.api_connections_max,
        header_timeout_s=settings.api_header_timeout_s,
        send_timeout_s=settings.api_send_timeout_s,
    )


def build(settings: Settings) -> Parts:
    """Build every part; raise `Misconfigured` with what is wrong."""
    database = open_database(settings)
    make = encoder_maker(settings, threads=1)  # beside the worker and the model, which want the others
    find = partial(KnownModels(settings.data_dir).load, make=make)
    return assemble(settings, database, make(settings.embedding_model), find)


def open_database(settings: Settings) -> Database:
    """Bring the database up to date; raise `Misconfigured` when the service would be open to anybody."""
    database = Database(settings.sql_url, busy_timeout_s=settings.database_busy_timeout_s)
    database.migrate()
    with database.read() as conn:
        if settings.needs_key and not settings.has_sign_in and not keys.exist(conn):
            raise Misconfigured(
                "key_needed",
                f"ZNAYKA_API_HOST={settings.api_host} открывает сервис другим машинам, а ключа нет. "
                "Создайте ключ: znayka keys create ИМЯ — или настройте вход (docs/operations.md).",
            )
    return database


def assemble(settings: Settings, database: Database, encoder: Encoder, find: FindEncoder = lambda _: None) -> Parts:
    """Put the parts together around a database and an encoder; `find` loads that of another model's vectors."""
    encoders = Encoders(encoder, find)
    _load_for(database, encoders)
    index = VectorIndex(settings.data_dir / "index")
    vocabulary = Vocabulary(database, ThreadPoolExecutor(1, thread_name_prefix="words"))
    vocabulary.keep_up()
    reader = QueryReader(vocabulary)
    searcher = Searcher(
        database, encoders, index, dense_weight=settings.dense_weight, reader=reader, reranker=chosen_reranker(settings)
    )
    search_pool = ThreadPoolExecutor(SEARCH_THREADS, thread_name_prefix="search")
    language_model = LanguageModel(server_of(settings))
    answer_pool = ThreadPoolExecutor(ANSWER_THREADS, thread_name_prefix="answer")
    answerer = Answerer(
        searcher.search,
        make_writer(language_model, encoder, answer_pool),
        search_pool,
        escalate_below=settings.escalate_below_confidence,
        follow_ups=FollowUps(language_model),
    )
    turns = TurnQueue(_queue_limits(settings), time.monotonic, language_model.wait_until_up)
    asking = Asking(answerer, searcher.search, database, turns, settings.top_k)
    return Parts(
        settings=settings,
        database=database,
        files=_swept_files(settings, database),
        searcher=searcher,
        search_pool=search_pool,
        answer_pool=answer_pool,
        uploads=UploadDesk(settings.uploads_max, wait_max_s=settings.uploads_wait_max_s),
        answerer=answerer,
        extractor=Extractor(
            Sources(searcher.search, partial(extract.read_document, database)),
            language_model,
            ExtractionLimits(settings.extract_max_passages, settings.extract_max_tokens),
            search_pool,
        ),
        language_model=language_model,
        sandbox=Sandbox(Limits.of(settings)),
        turns=turns,
        evaluations=_evaluations(settings, asking, encoder),
        metrics=Metrics(),
        reembedding=partial(share_done, database, encoder, settings.data_dir),
        readiness=Readiness(database, settings.data_dir, settings.model_url, reserve_bytes=settings.disk_reserve_bytes),
        door=_door(settings, database),
        audit=AuditLog(database, time.time, keeps_questions=settings.audit_questions),
    )


def _door(settings: Settings, database: Database) -> Door:
    provider = Provider.of(settings)
    return Door(
        database,
        time.time,
        is_open_to_owner=not settings.needs_key and not settings.has_sign_in,
        trusted=settings.trusted_networks,
        tokens=IdentityTokens(provider) if provider else None,
    )


def _swept_files(settings: Settings, database: Database) -> FileStore:
    files = FileStore(settings.data_dir / "files")
    with suppress(ServiceError, OSError):  # a full or busy disk keeps nobody from reading; the worker sweeps as well
        sweep(database, files)
    return files


def _load_for(database: Database, encoders: Encoders) -> None:
    """Load the model of the stored vectors now rather than at the first question."""
    with database.read() as conn:
        fingerprint = vectors.state(conn).fingerprint
    encoders.of(fingerprint)


def _evaluations(settings: Settings, asking: Asking, encoder: Encoder) -> Evaluations:
    origin = partial(origin_of, settings, server_of(settings), encoder)
    return Evaluations(RunStore(settings.data_dir / "evaluations"), asking, origin, time.monotonic)


def _queue_limits(settings: Settings) -> QueueLimits:
    return QueueLimits(
        slots=settings.llm_slots,
        waiting_max=settings.queue_max,
        wait_max_s=settings.queue_max_s,
        per_caller_max=settings.queue_max_per_key,
    )


if __name__ == "__main__":
    sys.exit(main())
