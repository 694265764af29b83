# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Cgroups of a test's own, loads inside them, and everything the programs booked meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bpf.sched import Faults, Options, Sched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bpf.drained import Drained

LOAD = Path(__file__).parent / "load.py"
CGROUPFS = Path("/sys/fs/cgroup")
_NUMBER = itertools.count()


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A cgroup hierarchy whose cgroups count their members' run time."""

    name: str
    top: Path
    hierarchy_id: int

    def options(self, *, faults: Faults | None = None, **more: Any) -> Options:
        return Options(cgroup_v1=self.name == "v1", hierarchy_id=self.hierarchy_id, faults=faults or Faults(), **more)


def hierarchies() -> dict[str, Hierarchy]:
    """Those of this host, by ``v1`` and ``v2``."""
    found: dict[str, Hierarchy] = {}
    for top in (CGROUPFS, CGROUPFS / "unified"):
        if (top / "cgroup.controllers").exists():
            found["v2"] = Hierarchy("v2", top, 0)
    if (CGROUPFS / "cpuacct" / "cpuacct.usage").exists():
        for line in Path("/proc/cgroups").read_text(encoding="ascii").splitlines():
            name, number, *_ = line.split()
            if name == "cpuacct":
                found["v1"] = Hierarchy("v1", CGROUPFS / "cpuacct", int(number))
    return found


def usual() -> Hierarchy:
    """The one an agent would use here."""
    here = hierarchies()
    return here.get("v1") or here["v2"]


class Box:
    """One cgroup of the test's own."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self.folder = hierarchy.top / f"penstock-test-{os.getpid()}-{next(_NUMBER)}"
        self.folder.mkdir()
        self.id = self.folder.stat().st_ino

    def take_in(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def usage_ns(self) -> int:
        """What the kernel says its members ran, dead ones included."""
        v1 = self.folder / "cpuacct.usage"
        if v1.exists():
            return int(v1.read_text(encoding="ascii"))
        line = (self.folder / "cpu.stat").read_text(encoding="ascii").splitlines()[0]
        return int(line.split()[1]) * 1000


@contextmanager
def boxes(hierarchy: Hierarchy, count: int = 1) -> Iterator[list[Box]]:
    """So many, removed afterwards."""
    made = [Box(hierarchy) for _ in range(count)]
    try:
        yield made
    finally:
        for box in made:
            box.folder.rmdir()


@dataclass(slots=True)
class Book:
    """All that was drained, and when each drain began."""

    parts: list[Drained] = field(default_factory=list)
    until_ns: list[int] = field(default_factory=list)

    def drain(self, sched: Sched) -> None:
        self.until_ns.append(time.monotonic_ns())
        self.parts.append(sched.drain())

    @property
    def keys(self) -> NDArray[Any]:
        return np.concatenate([part.keys for part in self.parts])

    @property
    def rows(self) -> NDArray[Any]:
        return np.concatenate([part.rows for part in self.parts])

    def of(self, **wanted: int) -> NDArray[np.bool_]:
        """Which rows have these key fields."""
        keys = self.keys
        chosen = np.ones(keys.size, dtype=np.bool_)
        for name, value in wanted.items():
            chosen &= keys[name] == value
        return chosen

    def run_ns(self, **wanted: int) -> int:
        return int(self.rows["run_ns"][self.of(**wanted)].sum())


class Load:
    """A load in its own process, in ``box``: begun by `begin`, its account in `result`."""

    def __init__(self, box: Box | None, *arguments: object, program: str = sys.executable) -> None:
        self._process = subprocess.Popen(
            [program, "-I", "-S", str(LOAD), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._said = ""
        self._reader = threading.Thread(target=self._read)
        if box is not None:
            box.take_in(self.pid)
        # What an interpreter uses to start is over before anybody looks.
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._said = self._process.stdout.readline()

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._reader.start()

    def end(self) -> int:
        """Waits until it is gone; its own run time, without its children's, in ns."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._process.stdout.close()
        assert self._process.returncode == 0
        return round((usage.ru_utime + usage.ru_stime) * 1e9)

    def working(self, pause_s: float) -> bool:
        """Waits that long; whether it is still at work."""
        self._reader.join(pause_s)
        return self._reader.is_alive()

    @property
    def result(self) -> dict[str, Any]:
        said = json.loads(self._said)
        assert isinstance(said, dict)
        return said


def record(sched: Sched, *loads: Load, every_s: float = 0.25) -> Book:
    """Drains while the loads work and once after; whatever ran before is dropped."""
    book = Book()
    sched.drain()
    for load in loads:
        load.begin()
    for load in loads:
        while load.working(every_s):
            book.drain(sched)
    book.drain(sched)
    return book


def off_by(found: float, truth: float) -> float:
    """Relative error."""
    return abs(found - truth) / truth
