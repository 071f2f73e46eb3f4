"""Keys: none needed on loopback until there is one, then always; and never open to other machines without."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from retrieval.store import keys
from retrieval.store.database import Database
from tests.service import Service, service_environment

pytestmark = pytest.mark.real_model


def test_a_key_is_asked_for_once_there_is_one_and_ends_with_its_revocation(tmp_path: Path) -> None:
    with Service(tmp_path, parts=("api",)) as service:
        documents = f"{service.api_url}/v1/documents"
        assert httpx.get(documents, trust_env=False).status_code == 200
        database = Database(service.settings.sql_url)
        with database.write() as conn:
            secret = keys.create(conn, "helpdesk", ["hr"], now=time.time())
        header = {"Authorization": f"Bearer {secret}"}
        assert httpx.get(documents, trust_env=False).status_code == 401
        assert httpx.get(documents, headers={"Authorization": "Bearer wrong"}, trust_env=False).status_code == 401
        assert httpx.get(documents, headers=header, trust_env=False).status_code == 200
        sent = {"files": {"file": ("a.txt", b"text")}, "headers": header, "trust_env": False}
        assert httpx.post(documents, data={"collection": "law"}, **sent).status_code == 404
        assert httpx.post(documents, data={"collection": "hr"}, **sent).status_code == 202
        assert httpx.get(f"{service.api_url}/live", trust_env=False).status_code == 200
        with database.write() as conn:
            keys.revoke(conn, keys.listing(conn)[0].id, now=time.time())
            keys.create(conn, "other", None, now=time.time())
        assert httpx.get(documents, headers=header, trust_env=False).status_code == 401
        database.close()


def test_it_refuses_to_listen_to_other_machines_without_a_key(tmp_path: Path) -> None:
    env = service_environment({"data_dir": tmp_path, "api_host": "0.0.0.0", "api_port": 1})
    ended = subprocess.run([sys.executable, "-m", "api"], env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "znayka keys create" in ended.stderr
    assert "Traceback" not in ended.stderr
