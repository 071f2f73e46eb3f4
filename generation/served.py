"""The model that this process serves, and the state it is in while its file is checked and loaded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from core.errors import Misconfigured, ServiceError, TryLater
from core.settings import Settings
from generation.adapters import adapter_of
from generation.catalogue import Model, load_catalogue
from generation.engine import Engine
from generation.formats import Format, make_format
from generation.hub import Shelf, chosen, verify
from generation.json_grammar import JsonGrammars
from generation.json_schema import DEFAULT_LIMITS, SchemaLimits
from generation.model_file import WrongModelFile
from generation.tokens import Special

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """A loaded model with its way of writing conversations."""

    model: Model
    engine: Engine
    format: Format
    grammars: JsonGrammars


@dataclass(frozen=True, slots=True)
class Weights:
    """The model's file and the LoRA adapter over it, if any."""

    path: Path
    adapter: Path | None = None


def load_chosen(settings: Settings) -> Served:
    """Check and load the model that the settings choose. Raises `ServiceError` that says what to do."""
    model = load_catalogue().find(chosen(settings))
    path = verify(model, Shelf.of(settings), trust_stamp=True)
    return load(
        model,
        Weights(path, adapter_of(model, settings.adapter)),
        context_tokens=settings.llm_context_tokens,
        threads=settings.llm_threads,
        limits=SchemaLimits.of(settings),
    )


def load(
    model: Model, weights: Weights, *, context_tokens: int, threads: int = 0, limits: SchemaLimits = DEFAULT_LIMITS
) -> Served:
    """Load files whose hashes are known to be right; `limits` are those of JSON schemas. Raises `Misconfigured`."""
    context_tokens = model.context_for(context_tokens)
    engine = Engine(weights.path, context_tokens=context_tokens, threads=threads, adapter=weights.adapter)
    vocabulary = engine.vocabulary
    bos, eos = (vocabulary.text(vocabulary.special(role)) for role in (Special.BOS, Special.EOS))
    form = make_format(model.format, template=vocabulary.template, bos=bos, eos=eos)
    return Served(model, engine, form, JsonGrammars(vocabulary, limits))


class Loader:
    """Loads in the background; until that is done `served` raises what is the matter."""

    def __init__(self, load_model: Callable[[], Served], *, poll_s: float = 2.0) -> None:
        self._load_model = load_model
        self._poll_s = poll_s
        self._served: Served | None = None
        self._problem: ServiceError = TryLater(
            "model_loading", "Модель ещё загружается. Повторите через несколько секунд.", retry_after_s=5
        )

    @property
    def served(self) -> Served:
        """The loaded model. Raises the `ServiceError` that keeps it from being there."""
        if self._served is None:
            raise self._problem
        return self._served

    async def run(self, executor: ThreadPoolExecutor) -> None:
        """Load in `executor`'s thread; a missing or wrong file is tried again once it has changed."""
        while self._served is None:
            try:
                self._served = await asyncio.get_running_loop().run_in_executor(executor, self._load_model)
            except OSError as exc:
                log.exception("model file not readable")
                self._problem = Misconfigured("model_unreadable", f"Не удалось прочитать файл модели: {exc}.")
                return
            except ServiceError as exc:
                log.error("model not loaded: %s", exc)  # noqa: TRY400 -- a reason for the operator, not a bug
                self._problem = exc
                if not isinstance(exc, WrongModelFile):
                    return
                await self._changed(exc.path)

    def close(self) -> None:
        """Free the model's memory; nobody may be using it any more."""
        if self._served is not None:
            self._served.engine.close()

    async def _changed(self, path: Path) -> None:
        before = _look(path)
        while _look(path) == before:
            await asyncio.sleep(self._poll_s)


def _look(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
