# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The cgroup tree: who belongs where, and how much CPU time each cgroup has spent, exited members included.

On a host with cgroup v2 alone that tree is used; on v1 and hybrid hosts the cpuacct hierarchy is, where the pods'
time is kept. Usage counts are of a cgroup and all below it and go on counting what dead members and removed
sub-groups spent, which is how time is recovered that no process list shows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.files import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_PROCS = 8 << 20


@dataclass(frozen=True, slots=True)
class Group:
    """One cgroup now: its path (``/`` for the root), its members, and its usage or None where the kernel gives none."""

    path: str
    pids: tuple[int, ...]
    usage_ns: int | None


@dataclass(frozen=True, slots=True)
class Tree:
    """All cgroups, parents before children. ``exact_total``: the root's usage is the sum of all tasks' run time."""

    groups: tuple[Group, ...]
    exact_total: bool


class Hierarchy:
    """The hierarchy to read under ``root``; its version is looked at once."""

    def __init__(self, root: Path) -> None:
        self._v2 = (root / "cgroup.controllers").exists()
        self._top = str(root)
        if not self._v2:
            for name in ("cpuacct", "cpu,cpuacct"):
                if (root / name / "cpuacct.usage").exists():
                    self._top = str(root / name)
                    break
            else:
                self._top = ""

    @property
    def reason(self) -> str:
        """Why there is no hierarchy to read; empty where there is one."""
        return "" if self._top else "no cgroup v2 and no cpuacct hierarchy"

    @property
    def controller(self) -> bytes:
        """What stands between the colons of this hierarchy's line in ``/proc/<pid>/cgroup``."""
        return b"" if self._v2 else b"cpuacct"

    def read(self) -> Tree:
        """The tree now. A cgroup that vanishes under the walk is left out."""
        groups: list[Group] = []
        if not self._top:
            return Tree((), exact_total=False)
        waiting = [(self._top, "/")]
        while waiting:
            folder, path = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    below = sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
            except OSError:
                continue
            # Usage before members: a child born in between is then found as a process, not as a debt.
            usage_ns = self._usage_ns(folder, root=path == "/")
            groups.append(Group(path, self._pids(folder), usage_ns))
            prefix = "/" if path == "/" else path + "/"
            waiting.extend((f"{folder}/{name}", prefix + name) for name in reversed(below))
        return Tree(tuple(groups), exact_total=not self._v2 and bool(groups) and groups[0].usage_ns is not None)

    def _usage_ns(self, folder: str, *, root: bool) -> int | None:
        try:
            if not self._v2:
                return int(read_bytes(f"{folder}/cpuacct.usage"))
            if root:
                # The v2 root's figure is made from /proc/stat, steal and interrupts included: not task time.
                return None
            for line in read_bytes(f"{folder}/cpu.stat").splitlines():
                if line.startswith(b"usage_usec "):
                    return int(line[11:]) * 1000
        except (OSError, ValueError):
            pass
        return None

    @staticmethod
    def _pids(folder: str) -> tuple[int, ...]:
        try:
            # 0 stands for a process outside the agent's PID namespace. Threaded v2 cgroups answer EOPNOTSUPP.
            return tuple(
                int(pid) for pid in read_bytes(f"{folder}/cgroup.procs", limit=_LARGEST_PROCS).split() if pid != b"0"
            )
        except (OSError, ValueError):
            return ()


def path_of(body: bytes, controller: bytes) -> str | None:
    """The cgroup path that ``/proc/<pid>/cgroup`` states for a controller (empty: the v2 line); None if it has none."""
    for line in body.splitlines():
        _, controllers, path = [*line.split(b":", 2), b"", b""][:3]
        if (controller in controllers.split(b",")) if controller else controllers == b"":
            return path.decode("utf-8", "replace")
    return None


def own_growth(now: Tree, before: dict[str, int]) -> dict[str, int]:
    """Nanoseconds that each cgroup itself, without those below, spent since ``before`` (usage by path).

    A new cgroup counts from its birth. What a removed one spent last stays in its parent's figure. A step may come
    out below zero by what ran while the tree was walked; the caller carries it over.
    """
    growth: dict[str, int] = {}
    usable = {group.path: group.usage_ns for group in now.groups if group.usage_ns is not None}
    for path, usage_ns in usable.items():
        step_ns = usage_ns - before.get(path, 0)
        growth[path] = growth.get(path, 0) + step_ns
        if path != "/":
            above = path.rpartition("/")[0] or "/"
            if above in usable:
                growth[above] = growth.get(above, 0) - step_ns
    return growth
