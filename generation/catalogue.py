"""The catalogue: which language models there are, what they need, how they are spoken to."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from core.errors import Misconfigured, NotFound
from generation.formats import ChatFormat

SAIGA_SYSTEM_PROMPT = "Ты — Сайга, русскоязычный автоматический ассистент. Ты разговариваешь с людьми и помогаешь им."
WORKING_MEMORY_BYTES = 10**9


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """What the model's card advises; a request may say otherwise."""

    temperature: float
    top_k: int
    top_p: float
    repeat_penalty: float


@dataclass(frozen=True, slots=True)
class Model:
    """One file of one model. `sha256` is empty where only the hub knows it; an empty `repo` means embedded.

    `adapter` names a LoRA that this package carries for it, empty for none.
    """

    name: str
    title: str
    repo: str
    file: str
    quantisation: str
    size_bytes: int
    is_size_estimated: bool
    sha256: str
    context_tokens: int
    kv_bytes_per_token: int
    format: ChatFormat
    answers: Literal["prose", "quotes", "spans"]
    licence: str
    system_prompt: str
    sampling: SamplingDefaults
    adapter: str = ""
    adapter_sha256: str = ""

    @property
    def is_embedded(self) -> bool:
        """Whether a package carries the file, so that no hub is asked."""
        return not self.repo

    def context_for(self, wanted_tokens: int) -> int:
        """Tokens of context to open: as many as wanted, at most what the model was made for."""
        return min(wanted_tokens, self.context_tokens)

    def ram_bytes(self, wanted_tokens: int) -> int:
        """Memory the model takes with that much context: the file, keys and values, about 1 GB to work in."""
        return self.size_bytes + self.context_for(wanted_tokens) * self.kv_bytes_per_token + WORKING_MEMORY_BYTES


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Models by name, and names that are no longer served with those that replace them."""

    models: Mapping[str, Model]
    retired: Mapping[str, str]

    def find(self, name: str) -> Model:
        """The model of this name. Raises `NotFound`, or `Misconfigured` for a file llama.cpp no longer loads."""
        if model := self.models.get(name):
            return model
        if successor := self.retired.get(name):
            raise Misconfigured(
                "model_retired",
                f"Модель {name} есть только в старом формате GGML (.bin): llama.cpp больше его не читает. "
                f"Возьмите {successor}.",
            )
        close = difflib.get_close_matches(name, self.models, n=3, cutoff=0.5) or list(self.models)
        raise NotFound("unknown_model", f"Модели «{name}» нет в каталоге. Похожие имена: {', '.join(close)}.")

    def fits(self, memory_bytes: int, context_tokens: int) -> list[Model]:
        """Models that this much memory can hold, in the catalogue's order."""
        return [model for model in self.models.values() if model.ram_bytes(context_tokens) <= memory_bytes]


def load_catalogue() -> Catalogue:
    """Read the catalogue that the package carries."""
    table = tomllib.loads(files("generation").joinpath("catalogue.toml").read_text(encoding="utf-8"))
    models = {model.name: model for name, entry in table["models"].items() for model in _models(name, entry)}
    return Catalogue(models, table["retired"])


def _models(name: str, entry: dict[str, Any]) -> Iterator[Model]:
    for number, file in enumerate(entry["files"]):
        yield Model(
            name=f"{name}:{file['quantisation'].lower()}" if number else name,
            title=entry["title"],
            repo=entry["repo"],
            file=file["file"],
            quantisation=file["quantisation"],
            size_bytes=round(file["size_gb"] * 10**9),
            is_size_estimated=file.get("about", False),
            sha256=file.get("sha256", ""),
            context_tokens=entry["context_tokens"],
            kv_bytes_per_token=entry["kv_bytes_per_token"],
            format=ChatFormat(entry["format"]),
            answers=entry.get("answers", "prose"),
            licence=entry["licence"],
            system_prompt=entry.get("system_prompt", SAIGA_SYSTEM_PROMPT),
            sampling=SamplingDefaults(**entry["sampling"]),
            adapter=entry.get("adapter", ""),
            adapter_sha256=entry.get("adapter_sha256", ""),
        )
