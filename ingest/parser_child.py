"""The process that parsers run in: does one job after another, within limits, until its parent closes or kills it.

Started by `ingest.parser_process` as `python -m ingest.parser_child`; speaks frames over its standard streams.
"""

from __future__ import annotations

import json
import logging
import math
import os
import resource
import select
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, cast

from core.errors import ServiceError
from core.logs import log_to_stderr
from ingest import frames, parsed_json, readers
from ingest.frames import Kind
from ingest.limits import Limits
from ingest.readers.contract import OnProgress
from ingest.reasons import too_much_memory
from ingest.resource_limits import set_soft

_LOG = logging.getLogger(__name__)
_REQUEST_MAX_BYTES = 2**20

Job = Callable[[dict[str, Any], Limits, OnProgress], bytes]


def parse(arguments: dict[str, Any], limits: Limits, on_progress: OnProgress) -> bytes:
    """Read the document at `path`, uploaded as `name`; gives JSON."""
    return parsed_json.dumps(readers.read(Path(arguments["path"]), arguments["name"], limits, on_progress))


def render_page(arguments: dict[str, Any], _limits: Limits, _on_progress: OnProgress) -> bytes:
    """Draw a page with the quote marked; gives a PNG."""
    render = cast(Callable[..., bytes], import_module("ingest.page_image").render)
    return render(Path(arguments["path"]), **{name: value for name, value in arguments.items() if name != "path"})


JOBS: MappingProxyType[str, Job] = MappingProxyType({"parse": parse, "render_page": render_page})


def main() -> None:
    """Serve requests from standard input until it closes."""
    log_to_stderr("warning")
    folder, limits = Path(sys.argv[1]), Limits(**json.loads(sys.argv[2]))
    _limit_resources(limits)
    requests, replies = 0, _claim_stdout()
    watch = threading.Thread(target=_die_with_parent, args=(requests, folder), daemon=True)
    watch.start()
    try:
        _serve(requests, replies, limits)
    except (EOFError, BrokenPipeError):
        watch.join()  # it sees the same, and ends us all


def _serve(requests: int, replies: int, limits: Limits) -> NoReturn:
    """Answer one request after another; raises `EOFError` or `BrokenPipeError` once the parent is gone."""
    frames.send(replies, Kind.READY)
    while True:
        _, payload = frames.receive(requests, max_bytes=_REQUEST_MAX_BYTES)
        _allow_cpu(limits.cpu_s)
        frames.send(replies, *_reply(json.loads(payload), limits, replies))


def _reply(request: dict[str, Any], limits: Limits, replies: int) -> tuple[Kind, bytes]:
    def on_progress(done: int, total: int) -> None:
        frames.send(replies, Kind.PROGRESS, json.dumps([done, total]).encode())

    try:
        return Kind.RESULT, JOBS[request["job"]](request["arguments"], limits, on_progress)
    except ServiceError as exc:
        return _refusal(exc)  # not kept in a variable: its traceback would keep the document in memory with it
    except MemoryError:
        return _refusal(too_much_memory(limits))


def _refusal(error: ServiceError) -> tuple[Kind, bytes]:
    value = {"type": type(error).__name__, "code": error.code, "detail": error.detail}
    return Kind.ERROR, json.dumps(value).encode()


def _limit_resources(limits: Limits) -> None:
    """Soft limits only: programs that the child starts (LibreOffice, Tesseract) are given their own."""
    set_soft(resource.RLIMIT_AS, limits.memory_bytes)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _allow_cpu(cpu_s: int) -> None:
    """Move the limit on: it counts from the start of the process, and each job has its own allowance."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    set_soft(resource.RLIMIT_CPU, math.ceil(usage.ru_utime + usage.ru_stime) + cpu_s)


def _claim_stdout() -> int:
    """Keep the replies' pipe to ourselves, and let what libraries print go to the log."""
    replies = os.dup(1)
    os.dup2(2, 1)
    return replies


def _die_with_parent(requests: int, folder: Path) -> None:
    """Kill the whole process group once the parent's end of the pipe closes, programs started for a document included.

    Not PR_SET_PDEATHSIG: it fires when the parent's *thread* ends, and reaches the child alone.
    """
    poll = select.poll()
    poll.register(requests, 0)
    poll.poll()
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def command(folder: str, limits: Limits) -> list[str]:
    """The command that starts a child; what it leaves in `folder` goes when it ends."""
    return [sys.executable, "-m", "ingest.parser_child", folder, json.dumps(asdict(limits))]


if __name__ == "__main__":
    main()
