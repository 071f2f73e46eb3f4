"""Memory and descriptors of the service's processes over time, and whether they grow."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import linregress, t

BLOCKS = 10
CONFIDENCE = 0.95
HOUR_S = 3600.0
KIB = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment: resident memory, what of it is its own (no mapped files), open descriptors."""

    at_s: float
    resident_bytes: int
    own_bytes: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth an hour with the ends of its 95 % interval, by the means of ten stretches of time, which are `levels`."""

    per_hour: float
    low: float
    high: float
    levels: tuple[float, ...]

    @property
    def is_flat(self) -> bool:
        """No growth that can be told from noise, or less than a hundredth of the level an hour."""
        return self.low <= 0 or self.per_hour < self.levels[0] / 100


class Footprints:
    """Samples named processes in a thread while the `with` block lasts."""

    def __init__(self, pids: Mapping[str, int], *, every_s: float = 1.0) -> None:
        self.samples: dict[str, list[Sample]] = {name: [] for name in pids}
        self._pids = dict(pids)
        self._every_s = every_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Footprints:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._is_over.wait(self._every_s):
            self._look()

    def _look(self) -> None:
        for name, pid in self._pids.items():
            self.samples[name].append(sample(pid))


def sample(pid: int) -> Sample:
    """Look at a process of Linux; raise `FileNotFoundError` when it has ended."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    resident, own = (int(lines[name].split()[0]) * KIB for name in ("VmRSS", "RssAnon"))
    return Sample(time.monotonic(), resident, own, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def slope(times_s: Sequence[float], values: Sequence[float]) -> Slope:
    """Fit a line to the means of `BLOCKS` stretches: single samples lean on the one before and would narrow it."""
    hours = np.array([block.mean() for block in np.array_split(np.asarray(times_s) / HOUR_S, BLOCKS)])
    levels = np.array([block.mean() for block in np.array_split(np.asarray(values, float), BLOCKS)])
    told = tuple(round(float(level), 1) for level in levels)
    if len(set(told)) == 1:
        return Slope(0.0, 0.0, 0.0, told)
    fit = linregress(hours, levels)
    margin = float(t.ppf((1 + CONFIDENCE) / 2, BLOCKS - 2)) * float(fit.stderr)
    per_hour = float(fit.slope)
    return Slope(per_hour, per_hour - margin, per_hour + margin, told)
