"""The service under load, as clients see it: `python -m benchmarks.load --scenario burst|mixed|slow|soak`.

burst: a thousand questions within ten seconds. mixed: twenty questions under way beside twenty searches a second.
slow: clients that send or read a byte a second, at the API and through nginx. soak: mixed use for `--minutes`.
The real processes run in a temporary folder over real documents; clients and service share the machine, and the load
average says how much the figures mean.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import load_asks, load_slow, load_soak
from benchmarks.footprint import Footprints, Sample
from benchmarks.tenants import Tenants, settle
from tests.invariants import wait_for_sentences
from tests.service import Service

PARTS = ("api", "worker", "llm")
SCENARIOS = ("burst", "mixed", "slow", "soak")
ARCHIVE = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "kb" / "yandex_cloud_ru.tar.xz"
TENANTS = 10
ASKS, ASKS_WITHIN_S = 1000, 10.0
ASKERS, SEARCHES_PER_S = 20, 20.0
WATCH_S = 80.0
WARM_UP_S = 5.0
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Level:
    """A process before, after, and at its highest: resident MiB and open descriptors."""

    resident_mib: tuple[int, int, int]
    descriptors: tuple[int, int, int]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Level:
        """Summarise."""
        resident = [one.resident_bytes // MIB for one in samples]
        descriptors = [one.descriptors for one in samples]
        return cls(*((values[0], values[-1], max(values)) for values in (resident, descriptors)))


def main() -> None:
    """Measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="once or more; else all but soak")
    parser.add_argument("--minutes", type=float, default=1.0, help="of mixed and soak")
    parser.add_argument("--asks", type=int, default=ASKS)
    parser.add_argument("--clients", type=int, default=200, help="slow ones")
    parser.add_argument("--archive", type=Path, default=ARCHIVE if ARCHIVE.exists() else None)
    parser.add_argument("--files", type=int, default=300, help="taken from the archive, spread over it")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Service(Path(folder) / "data", PARTS) as service:
        tenants = settle(service.api_url, count=TENANTS, archive=options.archive, files=options.files)
        wait_for_sentences(service.settings.data_dir)
        warm_up(service.settings.api_port, tenants)
        for scenario in options.scenario or SCENARIOS[:-1]:
            for name, figures in measure(service, tenants, scenario, options):
                (options.out / f"load_{name}.json").write_text(json.dumps(figures, ensure_ascii=False, indent=2))
                show(name, figures)


def warm_up(port: int, tenants: Tenants) -> None:
    """Ask once: dictionaries and models are loaded by the first question, and stay."""
    asyncio.run(load_asks.burst(port, tenants, asks=1, within_s=1.0))
    asyncio.run(load_asks.search_evenly(port, tenants, per_s=SEARCHES_PER_S, ends_s=time.monotonic() + WARM_UP_S))


def measure(
    service: Service, tenants: Tenants, scenario: str, options: argparse.Namespace
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run one scenario; its figures by name, with the processes' before, after and peak."""
    port = service.settings.api_port
    if scenario == "slow":
        for way, at in _ways(port):
            doing = load_slow.slow(at, tenants, way=way, clients=options.clients, watch_s=WATCH_S)
            with watched(service) as figures:
                figures |= asdict(asyncio.run(doing))
                # A reader notices nothing until it has read what was under way: these show when it was let go.
                figures["api_descriptors_every_10_s"] = [one.descriptors for one in figures["samples"]["api"]][::10]
            yield f"slow_{way}", figures
        return
    with watched(service) as figures:
        figures |= _figures(port, tenants, scenario, options)
        samples = figures.pop("samples")
    if scenario == "soak":
        warm_up_s = options.minutes * 60 * load_soak.WARM_UP_SHARE
        grown = load_soak.growth(samples, warm_up_s=warm_up_s)
        figures["warm_up_minutes"] = round(warm_up_s / 60, 1)
        figures["growth"] = {name: asdict(one) | {"is_flat": one.memory.is_flat} for name, one in grown.items()}
    yield scenario, figures


def _figures(port: int, tenants: Tenants, scenario: str, options: argparse.Namespace) -> dict[str, Any]:
    seconds = options.minutes * 60
    if scenario == "burst":
        return asdict(asyncio.run(load_asks.burst(port, tenants, asks=options.asks, within_s=ASKS_WITHIN_S)))
    if scenario == "mixed":
        doing = load_asks.mixed(port, tenants, askers=ASKERS, searches_per_s=SEARCHES_PER_S, seconds=seconds)
        return asdict(asyncio.run(doing))
    done, foreign = asyncio.run(load_soak.soak(port, tenants, seconds=seconds))
    return {"minutes": options.minutes, "done": done, "foreign": foreign}


def _ways(port: int) -> Iterator[tuple[str, int]]:
    yield "direct", port
    with tempfile.TemporaryDirectory() as folder, load_slow.nginx(Path(folder), port) as proxy:
        if proxy is not None:
            yield "nginx", proxy


@contextmanager
def watched(service: Service) -> Iterator[dict[str, Any]]:
    """Figures to fill, with what the processes took meanwhile and how busy the machine was."""
    began = os.getloadavg()[0]
    figures: dict[str, Any] = {"cores": psutil.cpu_count() or 1}
    with Footprints({name: service.pid(name) for name in PARTS}) as footprints:
        figures["samples"] = footprints.samples
        yield figures
    figures["load_average"] = [round(began, 1), round(os.getloadavg()[0], 1)]
    figures["processes"] = {name: asdict(Level.of(each)) for name, each in footprints.samples.items()}
    figures.pop("samples", None)


def show(name: str, figures: dict[str, Any]) -> None:
    """Print the figures as a table, a line each."""
    table = Table(name, "value")
    for key, value in _lines(figures):
        table.add_row(key, str(value))
    Console(width=160).print(table)


def _lines(figures: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in figures.items():
        if isinstance(value, dict) and value:
            yield from _lines(value, f"{path}{key}.")
        elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for number, each in enumerate(value):
                yield from _lines(each, f"{path}{key}.{number}.")
        else:
            yield f"{path}{key}", value


if __name__ == "__main__":
    main()
