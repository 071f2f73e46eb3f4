"""`python -m api`: read the settings, build the parts, serve."""

from __future__ import annotations

import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import uvicorn

from api.app import create_app
from api.dependencies import Parts
from api.metrics import Metrics
from api.readiness import Readiness
from api.turns import QueueLimits, TurnQueue
from core.errors import Misconfigured, ServiceError
from core.settings import Settings, load_settings
from retrieval.store import keys
from retrieval.store.database import Database

SEARCH_THREADS = 2
GRACE_S = 5


def main() -> int:
    """Serve until told to stop; 2 when the settings or the data folder are wrong, with one sentence about it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = load_settings()
        logging.getLogger().setLevel(settings.log_level.upper())
        parts = build(settings)
    except ServiceError as exc:
        sys.stderr.write(f"{exc.detail}\n")
        return 2
    uvicorn.run(
        create_app(parts),
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )
    return 0


def build(settings: Settings) -> Parts:
    """Build every part; raise `Misconfigured` with what is wrong."""
    database = Database(settings.sql_url, busy_timeout_s=settings.database_busy_timeout_s)
    database.migrate()
    with database.read() as conn:
        if settings.needs_key and not keys.exist(conn):
            raise Misconfigured(
                "key_needed",
                f"ZNAYKA_API_HOST={settings.api_host} открывает сервис другим машинам, а ключа нет. "
                "Создайте ключ: znayka keys create ИМЯ.",
            )
    raise NotImplementedError(time, ThreadPoolExecutor, Readiness, Metrics, TurnQueue, QueueLimits, SEARCH_THREADS)


if __name__ == "__main__":
    sys.exit(main())
