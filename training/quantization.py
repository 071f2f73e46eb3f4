"""llama.cpp's own quantisation of model files: K-quants are written by it alone."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest
from generation.engine import c_library


def quantize(source: Path, target: Path, types: Mapping[str, int], *, file_type: int) -> None:
    """Write `source` anew with each tensor in the type that `types` (ggml's numbers, by name) says.

    A tensor that has its type already is copied byte by byte. `file_type` is llama.cpp's number for the whole, as in
    `general.file_type`. Raises `InvalidRequest` when llama.cpp refuses.
    """
    llama_cpp = c_library()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = file_type
    params.allow_requantize = True
    overrides = _overrides(types, llama_cpp)
    params.tt_overrides = ctypes.cast(overrides, ctypes.POINTER(llama_cpp.llama_model_tensor_override))
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    if failed:
        target.unlink(missing_ok=True)
        detail = f"llama.cpp не смог сжать {source.name} так же, как исходную модель. Хватает ли места на диске?"
        raise InvalidRequest("not_quantized", detail)


def _overrides(types: Mapping[str, int], llama_cpp: Any) -> Any:
    """As llama.cpp wants them: regular expressions for names, and one without a pattern at the end."""
    override = llama_cpp.llama_model_tensor_override
    made = [override(f"^{re.escape(name)}$".encode(), kind) for name, kind in types.items()]
    return (override * (len(made) + 1))(*made, override(None, 0))
