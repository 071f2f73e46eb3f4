"""Drives uploads, replacements, deletions, searches and questions while processes die: `make crash SECONDS=300 SEED=7`.

Prints its seed; the same seed gives the same operations and kills in the same order. See docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.crash_client import CrashClient
from tests.crash_ledger import Ledger
from tests.crash_plan import CLIENTS, Step, canary, steps, subject
from tests.invariants import check_folder, wait_for_sentences
from tests.service import Service

PARTS = ("api", "worker", "llm")
CHECK_EVERY_STEPS = 120
SETTLE_S = 900.0
ATTEMPTS_MAX = 3
POLL_S = 0.05
SUBJECTS = (
    "ежегодный отпуск", "служебная командировка", "больничный лист", "пропуск на склад", "пожарная тревога",
    "ремонт насоса", "поверка весов", "выдача спецодежды", "закупка бумаги", "аренда зала",
    "охрана труда", "приём на работу", "увольнение по соглашению", "премия за квартал", "обучение водителей",
    "хранение архива", "уборка помещений", "заправка картриджей", "доставка обедов", "парковка машин",
)  # fmt: skip


Line = queue.Queue[Step | None]


@dataclass
class Crasher:
    """One run on one data folder. Processes are started by the thread that made it."""

    service: Service
    seed: int
    log: Path
    ledger: Ledger = field(default_factory=Ledger)
    outcomes: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    steady: dict[str, list[str]] = field(default_factory=dict)
    _lines: list[Line] = field(default_factory=lambda: [Line(maxsize=1) for _ in range(CLIENTS)])
    _failures: list[BaseException] = field(default_factory=list)
    _armed: set[str] = field(default_factory=set)

    def run(self, seconds: float) -> None:
        """Work for so long, then check everything. Raises AssertionError for the first thing that does not hold."""
        with self._client() as self._own:
            self._prepare()
            clients = [threading.Thread(target=self._serve, args=(line,), daemon=True) for line in self._lines]
            for client in clients:
                client.start()
            deadline = time.monotonic() + seconds
            for step in steps(self.seed):
                if time.monotonic() > deadline:
                    break
                self._issue(step)
                if step.number % CHECK_EVERY_STEPS == 0:
                    self._check()
            self._check()
            for line, client in zip(self._lines, clients, strict=True):
                line.put(None)
                client.join()
            self._clear_away()

    def _client(self) -> CrashClient:
        return CrashClient(self.service.api_url, self.ledger, self.outcomes)

    def _prepare(self) -> None:
        """Bring twenty documents that nobody touches, and note what twenty questions find."""
        folder = self.service.settings.data_dir.parent / "steady"
        folder.mkdir()
        for n, asked in enumerate(SUBJECTS, 1):
            (folder / f"{asked}.txt").write_text(f"{asked}: заявку №{n} подают за {n} дней, решает отдел {n}.")
        for document in self.service.upload(*sorted(folder.iterdir()), collection="steady"):
            assert self.service.wait_for_end(document.id).status == "ready"
        wait_for_sentences(self.service.settings.data_dir)
        self.steady = {asked: self._steady(asked) for asked in SUBJECTS}

    def _steady(self, query: str) -> list[str]:
        return self._own.found(query, collection="steady")

    def _issue(self, step: Step) -> None:
        """Hand a step out in its turn, keeping the parts alive while its client is still busy with the one before."""
        with self.log.open("a") as file:
            file.write(json.dumps(asdict(step), ensure_ascii=False) + "\n")
        if step.client < 0:
            self._kill(step)
            return
        while True:
            self._keep_alive()
            with suppress(queue.Full):
                self._lines[step.client].put(step, timeout=POLL_S)
                return

    def _serve(self, line: Line) -> None:
        with self._client() as client:
            while (step := line.get()) is not None:
                try:
                    client.do(step)
                except BaseException as exc:  # noqa: BLE001 -- raised again by the thread that issues
                    exc.add_note(f"seed {self.seed}, step {step}")
                    self._failures.append(exc)
                finally:
                    line.task_done()

    def _kill(self, step: Step) -> None:
        self._keep_alive()
        self.service.kill(step.name)
        self.kills[step.name] += 1
        self.service.start(step.name, faults=step.fault)
        if step.fault:
            self._armed.add(step.name)

    def _keep_alive(self) -> None:
        """Start again what died, as the supervisor does, and raise what a client found."""
        if self._failures:
            raise self._failures[0]
        for name in PARTS:
            if not self.service.is_running(name):
                self.kills[f"{name} at a point"] += 1
                self.service.kill(name)
                self.service.start(name)
                self._armed.discard(name)

    def _check(self) -> None:
        """I1 to I6 when every client has stopped and the queue is empty."""
        while any(line.unfinished_tasks for line in self._lines):
            self._keep_alive()
            time.sleep(POLL_S)
        for name in ("api", "worker"):  # disarmed, and the worker sweeps at its start
            self.service.restart(name)
            self._armed.discard(name)
        deadline = time.monotonic() + SETTLE_S
        for name in self.ledger.names:
            ends = self._ends(name, deadline)
            in_force = self.ledger.settle(name, ends)
            found = self._own.search(subject(name)).get(name, [])
            assert set(found) <= set(in_force), f"I3: {name}: editions {in_force} are in force, found: {found}"
            for edition in in_force:
                found = self._own.search(f"{subject(name)} {canary(name, edition)}").get(name, [])
                assert edition in found, f"I3: {name}: edition {edition} is not found, but {found}"
        self._check_folder(deadline)
        wait_for_sentences(self.service.settings.data_dir)
        for asked in SUBJECTS:
            found = self._steady(asked)
            assert found[0] == self.steady[asked][0], f"I6: {asked}: {found[:2]}"
            assert set(found) == set(self.steady[asked]), f"I6: {asked}: {found}"
        self.checks += 1

    def _ends(self, name: str, deadline: float) -> dict[str, str]:
        """Wait until every document of a name is at its end; return the states by id."""
        while True:
            self._keep_alive()
            listed = self._own.listed(name)
            if all(one["status"] in ("ready", "partial", "failed") for one in listed):
                break
            assert time.monotonic() < deadline, f"I2: {name} does not end: {listed}"
            time.sleep(POLL_S)
        for one in listed:
            if one["status"] == "failed":
                assert one["error"]["code"] == "poison", f"I2: {one}"
                self.outcomes["poison"] += 1
        return {one["id"]: one["status"] for one in listed}

    def _check_folder(self, deadline: float) -> None:
        """I3 and I5; the worker needs a moment to sweep."""
        while True:
            try:
                check_folder(self.service.settings.data_dir)
            except AssertionError:
                if time.monotonic() > deadline - SETTLE_S / 2:
                    raise
                time.sleep(1)
            else:
                return

    def _clear_away(self) -> None:
        """Delete all that the clients brought: the twenty questions find exactly what they found at first."""
        for name in self.ledger.names:
            self._own.do(Step(0, 0, "delete", name))
            assert name not in self._own.search(subject(name)), f"I4: {name}"
        self._check_folder(time.monotonic() + SETTLE_S)
        wait_for_sentences(self.service.settings.data_dir)
        assert {asked: self._steady(asked) for asked in SUBJECTS} == self.steady


def crash(folder: Path, seed: int, seconds: float) -> Crasher:
    """Run the crasher in an empty folder; the service's logs are kept there."""
    with Service(
        folder / "data",
        parts=PARTS,
        attempts_max=ATTEMPTS_MAX,
        index_compact_passages=20,
        queue_max_per_key=20,
        answer_max_tokens=48,
        test_mode=True,
    ) as service:
        crasher = Crasher(service, seed, folder / "steps.jsonl")
        crasher.run(seconds)
    return crasher


def issued(crasher: Crasher) -> Iterator[Step]:
    """The steps of a run, from its log."""
    for line in crasher.log.read_text().splitlines():
        yield Step(**json.loads(line))


def main() -> None:
    """Entry point of `make crash`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--hours", type=float, default=0)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed
    seconds = arguments.hours * 3600 or arguments.seconds
    folder = Path(tempfile.mkdtemp(prefix=f"znayka-crash-{seed}-"))
    sys.stdout.write(f"SEED={seed}, {seconds:.0f} s, {folder}\n")
    sys.stdout.flush()
    crasher = crash(folder, seed, seconds)
    sys.stdout.write(report(crasher))


def report(crasher: Crasher) -> str:
    """What was done and what came of it."""
    done = sum(1 for _ in issued(crasher))
    lines = [f"seed {crasher.seed}: {done} steps, {crasher.checks} checks of I1-I6, all hold"]
    lines += [f"  killed: {name}: {count}" for name, count in sorted(crasher.kills.items())]
    lines += [f"  {name}: {count}" for name, count in sorted(crasher.outcomes.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
