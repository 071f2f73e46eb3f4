"""The four real processes write JSON lines and nothing else, uvicorn's and Streamlit's included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service import EVERY_PART, Service

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(1800)]

SERVED_BY = {"api": "uvicorn.error", "llm": "uvicorn.error", "ui": "uvicorn.error", "worker": "ingest.worker"}


def test_every_line_of_every_log_is_json_that_the_process_itself_wrote(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "журнал\u202e\u2028.txt"
    path.write_text("Журнал ведут по-русски.")
    # Its own start: the first on a machine converts the models, over which their libraries print.
    assert service.is_running("api")
    with Service(tmp_path / "data", EVERY_PART) as started:
        started.wait_for_end(started.upload(path, collection="журналы")[0].id)
        logs = {part: started.log(part).read_text(encoding="utf-8").splitlines() for part in EVERY_PART}
    for part, lines in logs.items():
        told = [json.loads(line) for line in lines]
        assert all(line.isprintable() for line in lines)
        assert SERVED_BY[part] in {one["logger"] for one in told}, part
        # What a process printed past its loggers stands under this name: its supervisor has put it into the form.
        assert [one["message"] for one in told if one["logger"] == "output"] == [], part
