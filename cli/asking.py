"""Asking the service a question and showing the answer as it comes."""

from __future__ import annotations

import asyncio

from cli.console import say
from core.types import Citation
from ui.client import Client
from ui.wire import Answered, Queued, Sources, Token

QUOTE_CHARS = 200


def ask(client: Client, question: str, *, collection: str = "") -> Answered:
    """Stream the answer to the console, then its citations; return the whole of it."""
    return asyncio.run(_ask(client, question, collection))


async def _ask(client: Client, question: str, collection: str) -> Answered:
    answered = Answered("")
    spoken = False
    async for event in client.ask(question, collection=collection, history=[]):
        match event:
            case Queued(position=position) if position > 1:
                say(f"В очереди: {position}.")
            case Token(text=text):
                say(text, end="")
                spoken = True
            case Answered():
                answered = event
            case Sources(interpretation=understood):
                if understood is not None and understood.notice:
                    say(understood.notice)
            case Queued():
                pass
    say("" if spoken else answered.answer)
    show_citations(answered)
    for conflict in answered.conflicts:
        say(f"  ! {conflict.notice}")
    return answered


def show_citations(answered: Answered) -> None:
    """Write each citation as `[n] document, section, page: «quote»`, then how long it took."""
    for citation in answered.citations:
        quote = " ".join(citation.quote.split())
        shown = quote if len(quote) <= QUOTE_CHARS else f"{quote[:QUOTE_CHARS]}…"
        say(f"  [{citation.n}] {_place(citation)}: «{shown}»")
    if answered.timings is not None:
        say(f"  ({answered.timings.total_ms / 1000:.1f} с, модель {answered.model})")


def _place(citation: Citation) -> str:
    page = None if citation.page is None else f"стр. {citation.page}"
    return ", ".join(part for part in (citation.document, citation.section, page) if part)
