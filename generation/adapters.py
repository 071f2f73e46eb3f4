"""LoRA adapters: the one that the package carries for its embedded model, or one's own."""

from __future__ import annotations

import logging
from importlib.resources import files
from pathlib import Path

from core.errors import Misconfigured
from generation.catalogue import Model
from generation.embedded import TAUGHT
from generation.model_file import WrongModelFile, sha256_of
from generation.scales import Scales, beside, read_scales

log = logging.getLogger(__name__)

ADVICE = "Переустановите Знайку."


def adapter_of(model: Model, own: Path | None) -> Path | None:
    """The adapter to load over `model`, checked; None when it takes none. `own` replaces the one it comes with.

    Raises `Misconfigured` when `own` is missing or `model` takes no adapter, `WrongModelFile` when ours is damaged.
    """
    if own is None:
        return _carried(model) if model.adapter else None
    if not model.adapter:
        detail = (
            f"ZNAYKA_ADAPTER не подходит к модели {model.name}: у неё нет адаптера, который можно заменить. "
            f"Уберите эту настройку или выберите встроенную: znayka models use {TAUGHT}."
        )
        raise Misconfigured("adapter_misplaced", detail)
    if not own.is_file():
        detail = f"Нет файла адаптера {own}. Проверьте ZNAYKA_ADAPTER; адаптер делает команда `znayka train export`."
        raise Misconfigured("adapter_missing", detail)
    return own


def scales_of(model: Model, own: Path | None) -> Scales | None:
    """The scales of the adapter over `model`, None where it takes none.

    Those of ours serve an adapter of one's own that has none beside it. Raises `Misconfigured` for a damaged file.
    """
    if not model.adapter:
        return None
    fitted = beside(own) if own else None
    if own and fitted and not fitted.is_file():
        log.warning("no scale beside %s: that of the embedded adapter is used (znayka train calibrate makes one)", own)
        fitted = None
    return read_scales(fitted or beside(_place(model)))


def _place(model: Model) -> Path:
    return Path(str(files("generation").joinpath("adapters", model.adapter)))


def _carried(model: Model) -> Path:
    path = _place(model)
    actual = sha256_of(path) if path.is_file() else ""
    if actual != model.adapter_sha256:
        detail = f"Адаптер модели {path} испорчен или пропал: его SHA-256 не {model.adapter_sha256}. {ADVICE}"
        raise WrongModelFile("adapter_corrupt", detail, path=path, expected_sha256=model.adapter_sha256)
    return path
