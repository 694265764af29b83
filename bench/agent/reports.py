# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a node with 10,000 processes, and a thread that encodes it beside what is measured.

The encoder is C and keeps the interpreter lock from its first byte to its last, so that every other thread waits for
it, and again whenever it has given the lock up for a system call. Once a round, each reading meets one whole encoding,
fifty times as often as with an agent's interval of 5 s; without a pause, it meets one at every system call.
"""

from __future__ import annotations

import threading
import time
from typing import Final, Literal

from wire.report import DomainRow, Interval, NodeFacts, Report, ShareColumns, WorkloadColumns, check, encode

Pace = Literal["once-a-round", "without-pause"]

PROCESSES: Final = 10_000

_DOMAINS: Final = ("cpu/socket-0", "cpu/socket-1", "dram/socket-0", "dram/socket-1")
_EACH_UJ: Final = 12_345
_NAMESPACES: Final = 50


def report(processes: int = PROCESSES) -> Report:
    """A report that books: every process, in a pod of its own, drew from every domain of a two-socket machine."""
    numbers = range(processes)
    rows = len(_DOMAINS) * processes
    made = Report(
        node="bench-node",
        boot_id="bench",
        stream="bench",
        sequence=1,
        interval=Interval(from_unix_ns=1, to_unix_ns=5_000_000_001, elapsed_ns=5_000_000_000),
        facts=NodeFacts(cpus=128),
        domains=[
            DomainRow(
                domain=domain,
                component=domain.partition("/")[0],
                scope=domain.partition("/")[2],
                source="rapl-powercap",
                kind="estimated",
                energy_uj=_EACH_UJ * processes,
            )
            for domain in _DOMAINS
        ],
        workloads=WorkloadColumns(
            namespace=[f"namespace-{each % _NAMESPACES}" for each in numbers],
            name=[f"workload-{each:05d}-7d9f8b6c5d-x2x4z" for each in numbers],
            uid=[f"{each:08x}-0000-4000-8000-000000000000" for each in numbers],
            container=["main"] * processes,
            run_ns=[1_000_003 * each for each in numbers],
        ),
        shares=ShareColumns(
            workload=[each for each in numbers for _ in _DOMAINS],
            domain=list(range(len(_DOMAINS))) * processes,
            dynamic_uj=[_EACH_UJ] * rows,
            loaded_uj=[_EACH_UJ] * rows,
            share_error_uj=[_EACH_UJ // 10] * rows,
        ),
    )
    check(made)
    return made


class Encoder:
    """A thread that encodes one report, over and over or once per `begin`."""

    def __init__(self, what: Report, *, pace: Pace) -> None:
        self.took_ms: list[float] = []
        self._what = what
        self._pace = pace
        self._wanted = threading.Event()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="encoding")
        self._thread.start()

    def begin(self) -> None:
        """Encodes once more; without a pause it does anyway."""
        self._wanted.set()

    def stop(self) -> None:
        """Ends the thread after the encoding under way."""
        self._enough.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            if self._pace == "once-a-round":
                self._wanted.wait()
                self._wanted.clear()
            if self._enough.is_set():
                return
            started_ns = time.perf_counter_ns()
            encode(self._what)
            self.took_ms.append((time.perf_counter_ns() - started_ns) / 1e6)
