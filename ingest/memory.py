"""Memory given back to the system: tensors of a hundred sizes leave holes that glibc would keep for itself."""

from __future__ import annotations

import ctypes
import sys

# Parameters of glibc's mallopt(3).
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8

TRIM_BYTES = 2**16
MMAP_BYTES = 2**17  # its default; set by hand, glibc stops raising it with every large block that is freed
ARENAS = 2


def bound_pools() -> None:
    """Have few pools, and large blocks mapped by themselves; called once, before threads start."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_ARENA_MAX, ARENAS)
        libc.mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)


def give_back() -> None:
    """Return what is free; takes some milliseconds."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
