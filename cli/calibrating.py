"""`znayka train calibrate`: asks the kept lessons of an adapter and fits its scales of confidence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cli.console import say, size, table
from cli.model_process import free_port, model_process
from core.errors import InvalidRequest
from core.settings import Settings
from generation import embedded
from generation.language_model import LanguageModel
from generation.model_choice import server_of
from generation.scales import Scales, beside
from generation.spans import SpansWriter
from retrieval.chosen_models import chosen_encoder
from training.calibration import Observation, fit_scales, held_out, observe, outcomes
from training.card import DEV, read_card
from training.lessons import read_lessons

OnAsked = Callable[[int, int], None]


def calibrate(settings: Settings, adapter: Path, data: Path, on_asked: OnAsked) -> None:
    """Write the scales beside the adapter's file and show what thresholds would refuse."""
    if not adapter.is_file():
        raise InvalidRequest("adapter_missing", f"Нет файла адаптера {adapter}. Его пишет znayka train export.")
    read_card(data)
    # A port of its own: a service that runs has another adapter, or none.
    chosen = settings.model_copy(update={"model": embedded.TAUGHT, "adapter": adapter, "llm_port": free_port()})
    with model_process(chosen) as served:
        observations = asyncio.run(_observed(served, data / DEV, on_asked))
    scales = fit_scales(observations)
    scales.write(beside(adapter))
    _show(scales, observations)
    say(f"Вопросов: {len(observations)}. Шкала: {beside(adapter)} ({size(beside(adapter).stat().st_size)}).")


def _show(scales: Scales, observations: Sequence[Observation]) -> None:
    """Show what the thresholds do, to questions that the scales shown have not seen if there are enough."""
    held = held_out(observations)
    rows = [
        [f"{o.threshold:.2f}", *map(_percent, (o.refused_unanswerable, o.refused_answerable, o.f1))]
        for o in (held[0] if held else outcomes(scales, observations))
    ]
    table(["Порог", "Отказов без ответа в отрывке, %", "Отказов при ответе, %", "F1, %"], rows)
    if held:
        say(
            f"В таблице {held[1]} вопросов половины уроков; шкалу для них подобрали по другой половине. "
            "В файле шкала по всем вопросам."
        )
    else:
        say("Вопросов мало: таблица по тем же вопросам, по которым подобрана шкала, и показывает лучше, чем будет.")


async def _observed(settings: Settings, lessons: Path, on_asked: OnAsked) -> list[Observation]:
    server = server_of(settings)
    model = LanguageModel(server)
    try:
        if server.scales is None:
            raise InvalidRequest("no_adapter", "Шкала нужна только модели с адаптером.")
        with ThreadPoolExecutor(1) as executor:
            writer = SpansWriter(model, chosen_encoder(settings), executor, server.scales)
            return await observe(writer, tuple(read_lessons(lessons)), on_asked)
    finally:
        await model.aclose()


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
