"""The packages that only training needs: a service that only answers is installed without them."""

from __future__ import annotations

from importlib.util import find_spec

from core.errors import Misconfigured

PACKAGES = ("peft", "gguf")


def require_extra() -> None:
    """Raise `Misconfigured` that says how to install what is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise Misconfigured(
            "no_training_extra",
            f"Для обучения не хватает пакетов: {', '.join(missing)}. Установите их в папке Знайки: "
            'pip install -e ".[training]"',
        )
