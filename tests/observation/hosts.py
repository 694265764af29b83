# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A host made of files: procfs and cgroup trees that a test moves by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.observe.procfs import ProcfsObserver
from plumbing.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

TICKS_PER_S = 100
KTHREAD = 0x00208040


@dataclass
class Host:
    """Writes what the kernel would show; all times in ticks of 10 ms."""

    root: Path
    version: int = 1
    clock: ManualClock = field(default_factory=ManualClock)
    uptime: int = 1_000
    forks: int = 10
    busy: int = 0
    interrupts: tuple[int, int] = (0, 0)
    steal: int = 0

    def __post_init__(self) -> None:
        self.proc = self.root / "proc"
        self.cgroup = self.root / "cgroup"
        self.proc.mkdir(parents=True)
        if self.version == 2:
            self.cgroup.mkdir()
            (self.cgroup / "cgroup.controllers").write_text("cpu memory\n")
        self.usage("/", 0)

    def observer(self) -> ProcfsObserver:
        self.tick(0)
        return ProcfsObserver(procfs=self.proc, cgroupfs=self.cgroup, clock=self.clock)

    def tick(self, ticks: int) -> None:
        """Lets time pass and shows it."""
        self.uptime += ticks
        self.clock.advance(ticks / TICKS_PER_S)
        (self.proc / "uptime").write_text(f"{self.uptime / 100:.2f} 0.00\n")
        hard, soft = self.interrupts
        idle = 2 * self.uptime - self.busy - hard - soft - self.steal
        line = f"{self.busy} 0 0 {idle} 0 {hard} {soft} {self.steal} 0 0\n"
        (self.proc / "stat").write_text(f"cpu  {line}cpu0 {line}cpu1 {line}ctxt 1\nprocesses {self.forks}\n")

    def process(
        self, pid: int, run: int, *, start: int = 1, comm: str = "work", cgroup: str = "/", kernel: bool = False
    ) -> None:
        """A process now: ``run`` ticks spent since ``start``."""
        folder = self.proc / str(pid)
        folder.mkdir(exist_ok=True)
        flags = KTHREAD if kernel else 4194304
        (folder / "stat").write_text(
            f"{pid} ({comm}) S 1 1 1 0 -1 {flags} 9 0 0 0 {run - run // 3} {run // 3} 0 0 20 0 1 0 {start} 1 1 1 1\n"
        )
        (folder / "cgroup").write_text(f"2:cpuacct:{cgroup}\n1:name=systemd:/elsewhere\n0::{cgroup}\n")

    def exit(self, pid: int) -> None:
        """The process is gone."""
        for file in (self.proc / str(pid)).iterdir():
            file.unlink()
        (self.proc / str(pid)).rmdir()

    def usage(self, path: str, ticks: int) -> None:
        """A cgroup's usage, of all below it too."""
        top = self.cgroup if self.version == 2 else self.cgroup / "cpuacct"
        folder = top / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        if self.version == 2:
            (folder / "cpu.stat").write_text(f"usage_usec {ticks * 10_000}\nuser_usec 0\n")
        else:
            (folder / "cpuacct.usage").write_text(f"{ticks * 10_000_000}\n")
        procs = folder / "cgroup.procs"
        if not procs.exists():
            procs.write_text("")

    def members(self, path: str, *pids: int) -> None:
        """Who is in a cgroup."""
        top = self.cgroup if self.version == 2 else self.cgroup / "cpuacct"
        (top / path.lstrip("/") / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))

    def remove(self, path: str) -> None:
        """The cgroup is gone."""
        top = self.cgroup if self.version == 2 else self.cgroup / "cpuacct"
        for file in (top / path.lstrip("/")).iterdir():
            file.unlink()
        (top / path.lstrip("/")).rmdir()
