# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``/proc/stat`` and ``/proc/<pid>/stat`` from bytes to numbers, in nanoseconds.

The kernel states CPU time in ticks of USER_HZ = 100 on every architecture that Linux has users on; a process's user
and system time are scaled to its exact run time before they are cut to ticks (kernel/sched/cputime.c), so that their
sum is never more than two ticks short and the error does not add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TICK_NS: Final = 10_000_000
_KERNEL_THREAD: Final = 0x00200000  # PF_KTHREAD, include/linux/sched.h


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Nanoseconds since boot that one CPU, or all, spent in each state."""

    task_ns: int
    idle_ns: int
    interrupt_ns: int
    steal_ns: int

    def load_ratio_since(self, earlier: CpuTimes) -> float:
        """Share of the time that was worked, 0..1; 0 where no time passed. Counters that step back count as still."""
        busy = max(0, self.task_ns - earlier.task_ns) + max(0, self.interrupt_ns - earlier.interrupt_ns)
        rest = max(0, self.idle_ns - earlier.idle_ns) + max(0, self.steal_ns - earlier.steal_ns)
        return busy / (busy + rest) if busy + rest else 0.0


@dataclass(frozen=True, slots=True)
class HostStat:
    """What ``/proc/stat`` says: all CPUs together, how many there are, and the forks since boot."""

    total: CpuTimes
    cpus: int
    forks: int
    hard_interrupt_ns: int
    """More than 0 only where the kernel accounts interrupt time apart from the tasks it interrupts."""


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """What a drain needs of ``/proc/<pid>/stat``."""

    comm: bytes
    kernel_thread: bool
    run_ns: int
    start_ns: int
    """Since boot."""


def parse_stat(body: bytes) -> HostStat:
    """Raises ValueError for anything that is not ``/proc/stat``."""
    total: CpuTimes | None = None
    hard_ns = 0
    cpus = 0
    forks = 0
    for line in body.splitlines():
        if line.startswith(b"cpu"):
            if line.startswith(b"cpu "):
                user, nice, system, idle, iowait, hard, soft, steal = (
                    int(each) * TICK_NS for each in (line.split()[1:9] + [b"0"] * 8)[:8]
                )
                # Guest time is part of user and nice already.
                total = CpuTimes(user + nice + system, idle + iowait, hard + soft, steal)
                hard_ns = hard
            else:
                cpus += 1
        elif line.startswith(b"processes "):
            forks = int(line.split()[1])
    if total is None:
        raise ValueError("no line 'cpu' in stat")
    return HostStat(total=total, cpus=max(cpus, 1), forks=forks, hard_interrupt_ns=hard_ns)


def parse_process(body: bytes) -> ProcessStat:
    """Raises ValueError for a text that is not ``/proc/<pid>/stat``."""
    # A command name may hold spaces and parentheses; the last one closes it.
    opened = body.find(b"(")
    closed = body.rfind(b")")
    fields = body[closed + 2 :].split(None, 20)
    if opened < 0 or closed < opened or len(fields) < 20:
        raise ValueError("not a process stat")
    return ProcessStat(
        comm=body[opened + 1 : closed],
        kernel_thread=bool(int(fields[6]) & _KERNEL_THREAD),
        run_ns=(int(fields[11]) + int(fields[12])) * TICK_NS,
        start_ns=int(fields[19]) * TICK_NS,
    )
