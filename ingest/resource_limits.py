"""Limits of this process and of what it starts, within those that whoever started us has set for good."""

from __future__ import annotations

import resource


def set_soft(kind: int, wanted: int) -> int:
    """Set the soft limit of a kind (`resource.RLIMIT_…`) and give what holds then.

    The hard limit stays; where it is the lower one it is taken, which `setrlimit` alone would refuse.
    """
    _, hard = resource.getrlimit(kind)
    soft = _lower(wanted, hard)
    resource.setrlimit(kind, (soft, hard))
    return soft


def _lower(first: int, second: int) -> int:
    """Of two limits; the constant for none is -1 here, so `min` would take it for the lowest."""
    bounds = [limit for limit in (first, second) if limit != resource.RLIM_INFINITY]
    return min(bounds, default=resource.RLIM_INFINITY)
