# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The observer without privileges: a scan of procfs, completed by the cgroups' own counts.

Every process's run time is cumulative, so that a slow or late scan loses nothing. A process is (pid, start time); one
born since the last scan counts from birth. What ended between two scans is in no list, but its cgroup counted it: the
cgroup's growth minus its members' growth is booked as one row of exited processes. Both are cut to ticks of 10 ms at
different moments, so small differences are carried to the next interval instead of being booked as somebody's time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.errors import ObserverError
from agent.files import read_bytes
from agent.observe.cgroup import Hierarchy, Tree, own_growth, path_of
from agent.observe.protocol import EXITED, KERNEL_THREAD, PROCESS, ROW, Observation
from agent.stat import TICK_NS, HostStat, parse_process, parse_stat

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

    from plumbing.clock import Clock

_STAT_BYTES: Final = 1024
_HOST_STAT_BYTES: Final = 1 << 20
EXITED_NAME: Final = "[exited]"

Key = tuple[int, int]


class ProcfsObserver:
    """Scans ``<procfs>`` and the cgroup tree at ``<cgroupfs>``."""

    name = "procfs"

    def __init__(self, *, procfs: Path, cgroupfs: Path, clock: Clock) -> None:
        self._procfs = str(procfs)
        self._hierarchy = Hierarchy(cgroupfs)
        self._clock = clock
        self._at_ns: int | None = None
        self._boot_ns = 0
        self._stat: HostStat | None = None
        self._run_ns: dict[Key, int] = {}
        self._usage_ns: dict[str, int] = {}
        self._carry_ns: dict[str, int] = {}
        self._lost_carry_ns = 0
        self._living: list[tuple[Key, int, int, int]] = []
        self._ran: frozenset[int] = frozenset()

    @property
    def cgroup_reason(self) -> str:
        """Why exited processes cannot be recovered; empty where they are."""
        return self._hierarchy.reason

    def drain(self) -> Observation | None:
        """One scan. Raises ObserverError where procfs cannot be read."""
        at_ns = self._clock.monotonic_ns()
        try:
            boot_ns = _uptime_ns(self._procfs)
            stat = parse_stat(read_bytes(f"{self._procfs}/stat", limit=_HOST_STAT_BYTES))
            tree = self._hierarchy.read()
            scan = _Scan(self._procfs, tree, self._hierarchy.controller)
        except (OSError, ValueError) as error:
            raise ObserverError(f"{self._procfs}: {error}") from error
        before, self._stat = self._stat, stat
        from_ns, self._at_ns = self._at_ns, at_ns
        rows = self._rows(scan, tree, stat, before)
        self._run_ns = scan.run_ns
        self._living, self._ran = scan.living, frozenset(rows["pid"].tolist())
        self._usage_ns = {group.path: group.usage_ns for group in tree.groups if group.usage_ns is not None}
        self._boot_ns = boot_ns
        if before is None or from_ns is None:
            return None
        interrupt_ns, lost_ns = self._unexplained(rows, tree, stat, before)
        task_ns = int(rows["run_ns"].sum())
        return Observation(
            from_ns=from_ns,
            to_ns=at_ns,
            rows=rows,
            comms=tuple(scan.comms),
            cgroups=tuple(scan.cgroups),
            cpus=stat.cpus,
            processes=len(scan.run_ns),
            busy_ns=task_ns + lost_ns + interrupt_ns,
            idle_ns=max(0, stat.total.idle_ns - before.total.idle_ns),
            interrupt_ns=interrupt_ns,
            steal_ns=max(0, stat.total.steal_ns - before.total.steal_ns),
            lost_ns=lost_ns,
            tick_ns=TICK_NS,
        )

    def still(self, pids: Collection[int]) -> NDArray[Any]:
        """Rows with run time 0 of those processes among ``pids`` that lived at the last drain and did not run."""
        wanted = frozenset(pids) - self._ran
        made = [
            (key[0], key[1], cgroup, comm, -1, kind, 0) for key, cgroup, comm, kind in self._living if key[0] in wanted
        ]
        return np.array(made, dtype=ROW)

    def _rows(self, scan: _Scan, tree: Tree, stat: HostStat, before: HostStat | None) -> NDArray[Any]:
        """Rows of everything that ran since the last scan; none for the first."""
        if before is None:
            return np.zeros(0, dtype=ROW)
        made: list[tuple[int, int, int, int, int, int, int]] = []
        explained_ns: dict[int, int] = {}
        members: dict[int, int] = {}
        for key, cgroup, comm, kind in scan.living:
            members[cgroup] = members.get(cgroup, 0) + 1
            run_ns = scan.run_ns[key]
            last_ns = self._run_ns.get(key)
            if last_ns is None:
                # Born since the last scan: all of it. Older, but never seen: nobody knows since when.
                last_ns = 0 if key[1] >= self._boot_ns - TICK_NS else run_ns
            step_ns = run_ns - last_ns
            if step_ns > 0:
                explained_ns[cgroup] = explained_ns.get(cgroup, 0) + step_ns
                made.append((key[0], key[1], cgroup, comm, -1, kind, step_ns))
        churn = stat.forks != before.forks or bool(self._run_ns.keys() - scan.run_ns.keys())
        carry_ns: dict[str, int] = {}
        for path, growth_ns in own_growth(tree, self._usage_ns).items():
            at = scan.cgroup(path)
            surplus_ns = growth_ns - explained_ns.get(at, 0) + self._carry_ns.get(path, 0)
            # Each member's figure may be two ticks short, and each CPU ran on while the tree was read.
            allowed_ns = (2 * members.get(at, 0) + stat.cpus) * TICK_NS
            exited_ns = 0
            if surplus_ns > 0 and churn:
                exited_ns = surplus_ns
            elif surplus_ns > allowed_ns:
                exited_ns = surplus_ns - allowed_ns
            if exited_ns:
                made.append((0, 0, at, scan.comm(EXITED_NAME), -1, EXITED, exited_ns))
            if rest_ns := max(surplus_ns - exited_ns, -allowed_ns):
                carry_ns[path] = rest_ns
        self._carry_ns = carry_ns
        return np.array(made, dtype=ROW)

    def _unexplained(self, rows: NDArray[Any], tree: Tree, stat: HostStat, before: HostStat) -> tuple[int, int]:
        """Interrupt time that is in no task's clock, and task time that no row explains."""
        interrupt_ns = max(0, stat.total.interrupt_ns - before.total.interrupt_ns)
        apart = stat.hard_interrupt_ns > 0
        if tree.exact_total:
            return (interrupt_ns if apart else 0), 0
        # Without interrupt accounting the ticks of softirqs are time that tasks' clocks hold as well.
        counted_ns = max(0, stat.total.task_ns - before.total.task_ns) + (0 if apart else interrupt_ns)
        surplus_ns = counted_ns - int(rows["run_ns"].sum()) + self._lost_carry_ns
        allowed_ns = 2 * stat.cpus * TICK_NS
        lost_ns = max(0, surplus_ns - allowed_ns)
        self._lost_carry_ns = max(surplus_ns - lost_ns, -allowed_ns)
        return (interrupt_ns if apart else 0), lost_ns


class _Scan:
    """One walk over all processes."""

    def __init__(self, procfs: str, tree: Tree, controller: bytes) -> None:
        self.comms: dict[str, int] = {}
        self.cgroups: dict[str, int] = {}
        self.run_ns: dict[Key, int] = {}
        self.living: list[tuple[Key, int, int, int]] = []
        where = {pid: self.cgroup(group.path) for group in tree.groups for pid in group.pids}
        comms: dict[bytes, int] = {}
        for name in os.listdir(procfs):  # noqa: PTH208 - a Path per process would cost more than reading it
            if not name.isdigit():
                continue
            try:
                process = parse_process(read_bytes(f"{procfs}/{name}/stat", limit=_STAT_BYTES))
            except (OSError, ValueError):
                continue  # gone since the listing: its cgroup has its time
            pid = int(name)
            key = (pid, process.start_ns)
            cgroup = where.get(pid)
            if cgroup is None:
                cgroup = self._cgroup_of(f"{procfs}/{name}/cgroup", controller)
            comm = comms.get(process.comm)
            if comm is None:
                comm = comms[process.comm] = self.comm(process.comm.decode("utf-8", "replace"))
            self.run_ns[key] = process.run_ns
            self.living.append((key, cgroup, comm, KERNEL_THREAD if process.kernel_thread else PROCESS))

    def _cgroup_of(self, file: str, controller: bytes) -> int:
        try:
            return self.cgroup(path_of(read_bytes(file), controller) or "/")
        except OSError:
            return self.cgroup("/")

    def cgroup(self, path: str) -> int:
        """The index of a cgroup path."""
        return self.cgroups.setdefault(path, len(self.cgroups))

    def comm(self, name: str) -> int:
        """The index of a command name."""
        return self.comms.setdefault(name, len(self.comms))


def _uptime_ns(procfs: str) -> int:
    seconds, _, _ = read_bytes(f"{procfs}/uptime").partition(b" ")
    return round(float(seconds) * 100) * TICK_NS
