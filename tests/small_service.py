"""The whole API in this process over a small base, with an encoder of words and a scripted model, on a real port."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.__main__ import assemble, connection_limits, open_database
from api.app import create_app
from api.connections import guarded
from api.dependencies import Parts
from core.settings import Settings
from core.types import Role
from retrieval.store import keys
from retrieval.store.keys import Terms
from tests.scripted_model_server import ScriptedModel, scripted_model
from tests.service import free_ports
from tests.small_base import SmallBase, WordEncoder


@dataclass
class SmallService:
    """A running API with its base, its model and its application."""

    url: str
    base: SmallBase
    model: ScriptedModel
    app: FastAPI
    parts: Parts
    clients: list[httpx.Client] = field(default_factory=list)

    def key(self, name: str, *collections: str, role: Role = Role.READER, expires_at: float | None = None) -> str:
        """Make a key over these collections, or over all when none is named."""
        with self.base.database.write() as conn:
            terms = Terms(role, expires_at)
            return keys.create(conn, name, collections or None, now=time.time() - 60, terms=terms)

    def client(self, key: str | None = None, **headers: str) -> httpx.Client:
        """Call as the holder of a key, or as nobody; closed with the service."""
        shown = headers | ({"Authorization": f"Bearer {key}"} if key else {})
        self.clients.append(httpx.Client(base_url=self.url, headers=shown, timeout=60, trust_env=False))
        return self.clients[-1]


@contextmanager
def small_service(folder: Path, **settings: Any) -> Iterator[SmallService]:
    """Serve until the block ends."""
    base = SmallBase(folder)
    port = free_ports(1)[0]
    with scripted_model() as model:
        chosen = {"data_dir": folder, "database_url": f"sqlite:///{folder / 'base.db'}", "api_port": port}
        chosen |= {"llm_url": model.url, "embedding_model": WordEncoder.name, **settings}
        made = Settings(**chosen)
        parts = assemble(made, open_database(made), WordEncoder())
        app = create_app(parts)
        protocol = guarded(connection_limits(made))
        served = {"log_config": None, "access_log": False, "proxy_headers": False}
        server = uvicorn.Server(uvicorn.Config(app, port=port, http=protocol, **served))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            running = SmallService(f"http://127.0.0.1:{port}", base, model, app, parts)
            yield running
            for client in running.clients:
                client.close()
        finally:
            server.should_exit = True
            thread.join()
            base.close()
