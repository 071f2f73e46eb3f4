"""A document's words are found, and blanked, in the form in which a log has them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from core.logs import JsonLines
from ingest import traces

NAME = 'Отчёт "тайна"\u202e\x1b[31m\u2028 2026.txt'


def test_a_name_is_found_in_log_lines_in_messages_and_in_exceptions_and_only_those_lines_are_blanked(
    tmp_path: Path,
) -> None:
    log = logging.Logger("test")
    handler = logging.FileHandler(tmp_path / "worker.log", encoding="utf-8")
    handler.setFormatter(JsonLines())
    log.addHandler(handler)
    log.info("before")
    log.info("document %s", NAME)
    try:
        (tmp_path / NAME).stat()
    except FileNotFoundError:
        log.exception("lost")
    log.info("after")
    handler.close()

    found = list(traces.search(tmp_path, [NAME]))
    assert len(found) == 2
    traces.blank(found)

    lines = (tmp_path / "worker.log").read_text(encoding="utf-8").splitlines()
    assert [bool(line.strip()) for line in lines] == [True, False, False, True]
    assert [json.loads(line)["message"] for line in (lines[0], lines[3])] == ["before", "after"]
