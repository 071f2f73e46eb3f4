"""Server-sent events, as far as the API uses them: named events with one JSON object each."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

END = "[DONE]"
QUEUED = re.compile(r" queued (\d+) (\d+)")


async def read_events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield (name, decoded data) of each event. OpenAI's closing `[DONE]` ends the stream.

    OpenAI's protocol has no event for a place in the queue: there the API tells it in a comment, others are skipped.
    """
    name, data = "message", []
    async for line in lines:
        field, _, value = line.partition(":")
        if field == "event":
            name = value.strip()
        elif field == "data":
            data.append(value.removeprefix(" "))
        elif not field and (place := QUEUED.fullmatch(value)):
            yield "queued", {"position": int(place[1]), "eta_s": int(place[2])}
        elif not line:
            text = "\n".join(data)
            if text == END:
                return
            if text:
                yield name, _decoded(text)
            name, data = "message", []


def _decoded(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
