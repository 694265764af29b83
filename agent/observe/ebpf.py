# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The observer in the kernel: every switch of every cpu, booked by the task clock, drained into columns.

Rows come one per (process, cgroup, cpu) and hold what ran between the edges of that cpu, to the nanosecond of the
kernel's own account; the process may be gone by then. What a full map or a missed event kept from being booked is
``lost_ns``, never silent. This module imports `bpf`, and with it ctypes and libbpf: import it where it is wanted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.errors import ObserverError
from agent.files import read_bytes
from agent.observe.cgroup_ids import CgroupIds
from agent.observe.protocol import KERNEL_THREAD, PROCESS, ROW, Observation
from agent.stat import HostStat, parse_stat
from bpf import cpus
from bpf.errors import BpfError
from bpf.layout import ROW_KERNEL_THREAD
from bpf.sched import Options, Sched

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from bpf.drained import Drained
    from plumbing.clock import Clock

COUNTED_ROW: Final = np.dtype(
    [
        *((name, ROW[name]) for name in ROW.names or ()),
        ("overlap_ns", np.int64),  # run time with the SMT sibling busy; 0 without SMT
        ("cycles", np.int64),  # this and the next two: 0 where `EbpfObserver.signals` does not name them
        ("instructions", np.int64),
        ("llc_misses", np.int64),
        ("mhz2_ns", np.int64),  # integral over the run time of the frequency in MHz, squared
        ("core_type", np.uint8),  # index into `EbpfObserver.core_types`
    ]
)
"""`ROW` and what else the kernel saw."""

_TICK_NS: Final = 1  # the task clock's own resolution
_HOST_STAT_BYTES: Final = 1 << 20
_RECOUNT_DRAINS: Final = 60
_GROW_AFTER: Final = 3
_MOST_ENTRIES: Final = 1 << 20
# Odd numbers from the golden ratio; any would do, what they fold is checked.
_FOLD: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0x3C6EF372FE94F82B))


@dataclass(frozen=True, slots=True)
class Health:
    """Sums since the start, for publishing."""

    drains: int = 0
    interrupts: int = 0
    """Cpus interrupted by drains, all together."""
    switches: int = 0
    misses: int = 0
    overflows: int = 0
    entries: int = 0


class EbpfObserver:
    """Programs attached from construction to `close`. Raises ObserverError with the reason where that cannot be."""

    name = "ebpf"

    def __init__(
        self,
        *,
        procfs: Path,
        cgroupfs: Path,
        sysfs: Path,
        clock: Clock,
        entries: int = 10_000,
    ) -> None:
        self._procfs = str(procfs)
        self._clock = clock
        self._ids = CgroupIds(cgroupfs=cgroupfs, procfs=procfs)
        self._options = Options(
            entries=entries,
            cgroup_v1=self._ids.v1,
            hierarchy_id=self._ids.hierarchy_id,
            sysfs=sysfs,
            procfs=procfs,
        )
        types = cpus.core_types(sysfs)
        self.core_types: tuple[str, ...] = ("", *sorted({name for name, _ in types.values()}))
        self._core_type = np.zeros(cpus.possible(sysfs) if types else 0, dtype=np.uint8)
        for cpu, (name, _) in types.items():
            self._core_type[cpu] = self.core_types.index(name)
        self.health = Health()
        self._at_ns: int | None = None
        self._stat: HostStat | None = None
        self._overflowing = 0
        self._sched = self._open(self._options)
        self._processes = (0, 0, 0)

    def _open(self, options: Options) -> Sched:
        try:
            return Sched(options)
        except (BpfError, OSError) as error:
            raise ObserverError(f"{self.name}: {error}") from error

    @property
    def signals(self) -> frozenset[str]:
        """What was observed beside run time: ``cycles``, ``instructions``, ``llc_misses``, ``frequency``."""
        found = set(self._sched.counters.fds)
        if "cpu_frequency" not in self._sched.left_out:
            found.add("frequency")
        return frozenset(found)

    @property
    def reasons(self) -> dict[str, str]:
        """What this host does not let us see, and why."""
        return {**self._sched.counters.reasons, **self._sched.left_out}

    def drain(self) -> Observation | None:
        """What ran since the last drain. Raises ObserverError."""
        at_ns = self._clock.monotonic_ns()
        try:
            drained = self._sched.drain()
            stat = parse_stat(read_bytes(f"{self._procfs}/stat", limit=_HOST_STAT_BYTES)) if self._split else None
            processes = self._count(drained)
        except (BpfError, OSError, ValueError) as error:
            raise ObserverError(f"{self.name}: {error}") from error
        before, self._stat = self._stat, stat
        from_ns, self._at_ns = self._at_ns, at_ns
        self._note(drained)
        if from_ns is None:
            return None
        rows, comms, cgroups = self._rows(drained)
        table = drained.cpus
        task_ns = int(rows["run_ns"].sum())
        # What no row holds of the task time that the cpus counted, and what nobody knows the owner of.
        lost_ns = max(0, int(table["task_ns"].sum()) - task_ns) + int(table["missed_ns"].sum())
        stolen_ns = max(0, int(table["stolen_ns"].sum()))
        interrupt_ns = _interrupt_ns(stolen_ns, stat, before)
        return Observation(
            from_ns=from_ns,
            to_ns=at_ns,
            rows=rows,
            comms=comms,
            cgroups=cgroups,
            cpus=max(drained.online, 1),
            processes=processes,
            busy_ns=task_ns + lost_ns + interrupt_ns,
            idle_ns=max(0, int(table["idle_ns"].sum())),
            interrupt_ns=interrupt_ns,
            steal_ns=stolen_ns - interrupt_ns,
            lost_ns=lost_ns,
            tick_ns=_TICK_NS,
        )

    @property
    def _split(self) -> bool:
        """Whether stolen time may hold interrupts: asked of /proc/stat until it says so or the first drain is over."""
        return self._at_ns is None or (self._stat is not None and self._stat.hard_interrupt_ns > 0)

    def _note(self, drained: Drained) -> None:
        table, health = drained.cpus, self.health
        overflows = int(table["overflows"].sum())
        self.health = Health(
            drains=health.drains + 1,
            interrupts=health.interrupts + int(table["interrupted"].sum()),
            switches=health.switches + int(table["switches"].sum()),
            misses=health.misses + int(table["misses"].sum()),
            overflows=health.overflows + overflows,
            entries=self._sched.entries,
        )
        self._overflowing = self._overflowing + 1 if overflows else 0
        if self._overflowing >= _GROW_AFTER and self._sched.entries < _MOST_ENTRIES:
            self._grow()

    def _grow(self) -> None:
        """Twice the rows. The larger set runs before the smaller one ends; what ran since the drain is lost once."""
        options = replace(self._options, entries=min(2 * self._sched.entries, _MOST_ENTRIES))
        larger = self._open(options)
        try:
            larger.drain()
        except BpfError as error:
            larger.close()
            raise ObserverError(f"{self.name}: {error}") from error
        self._sched.close()
        self._sched, self._options, self._overflowing = larger, options, 0
        self._processes = (0, 0, 0)

    def _rows(self, drained: Drained) -> tuple[NDArray[Any], tuple[str, ...], tuple[str, ...]]:
        keys, values = drained.keys, drained.rows
        ran = values["run_ns"] > 0
        if not ran.all():
            keys, values = keys[ran], values[ran]
        rows = np.zeros(keys.size, dtype=COUNTED_ROW)
        rows["pid"] = keys["tgid"]
        rows["start_ns"] = _starts(keys)
        rows["cpu"] = keys["cpu"]
        rows["kind"] = np.where(values["flags"] & ROW_KERNEL_THREAD, KERNEL_THREAD, PROCESS)
        rows["run_ns"] = values["run_ns"]
        # Overlap is wall time, which a hypervisor may stretch.
        rows["overlap_ns"] = np.minimum(values["overlap_ns"], values["run_ns"])
        for at, name in enumerate(("cycles", "instructions", "llc_misses")):
            rows[name] = values["counters"][:, at]
        rows["mhz2_ns"] = values["mhz2_ns"]
        if self._core_type.size:
            rows["core_type"] = self._core_type[keys["cpu"]]
        ids, rows["cgroup"] = np.unique(keys["cgroup"], return_inverse=True)
        comms, rows["comm"] = _names(values["comm"])
        return rows, comms, tuple(self._ids.paths(ids.tolist(), drained.removed))

    def _count(self, drained: Drained) -> int:
        """Living processes: listed now and then, and counted on by births and deaths in between."""
        listed, born, died = self._processes
        if self.health.drains % _RECOUNT_DRAINS == 0 or not listed or self._sched.left_out.keys() & _COUNTING:
            listed = sum(name.isdigit() for name in os.listdir(self._procfs))  # noqa: PTH208 - names only
            born, died = drained.forks, drained.exits
            self._processes = (listed, born, died)
        return max(1, listed + (drained.forks - born) - (drained.exits - died))

    def close(self) -> None:
        """Detaches everything."""
        self._sched.close()


_COUNTING: Final = frozenset({"sched_process_fork", "sched_process_exit"})


def _starts(keys: NDArray[Any]) -> NDArray[np.int64]:
    """Start times (n,). A row whose leader was freed has none: it gets that of the same process's other rows."""
    starts = keys["start_ns"].astype(np.int64)
    for at in np.flatnonzero(starts == 0).tolist():
        starts[at] = starts[keys["tgid"] == keys["tgid"][at]].max()
    return starts


def _names(words: NDArray[np.uint64]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The different names among (n, 2) words of 8 bytes, and which of them each row has."""
    folded = (words[:, 0] * _FOLD[0]) ^ (words[:, 1] * _FOLD[1])
    _, first, which = np.unique(folded, return_index=True, return_inverse=True)
    if not np.array_equal(words[first[which]], words):  # two names folded into one number
        _, first, which = np.unique(words, axis=0, return_index=True, return_inverse=True)
    # Old kernels leave junk behind the NUL that ends a name: the same name may be there more than once.
    names: dict[str, int] = {}
    at = np.array(
        [names.setdefault(_text(word), len(names)) for word in words[first]] or [0],
        dtype=np.intp,
    )
    return tuple(names), at[which.reshape(-1)]


def _text(words: NDArray[np.uint64]) -> str:
    return words.tobytes().partition(b"\0")[0].decode("utf-8", "replace")


def _interrupt_ns(stolen_ns: int, now: HostStat | None, before: HostStat | None) -> int:
    """The part of stolen time that interrupts took, where the kernel keeps that apart; by the ratio of its ticks."""
    if now is None or before is None or not now.hard_interrupt_ns:
        return 0
    interrupt_ns = max(0, now.total.interrupt_ns - before.total.interrupt_ns)
    steal_ns = max(0, now.total.steal_ns - before.total.steal_ns)
    return stolen_ns * interrupt_ns // (interrupt_ns + steal_ns) if interrupt_ns else 0
