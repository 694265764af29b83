# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""From the kernel's cgroup ids to paths.

A cgroup's id is the inode of its folder, and never used again. Ids of different hierarchies collide, so that all ids
here are of one hierarchy: v2 where it holds the processes, else cpuacct's (on hybrid hosts every task is in the v2
root). The tree is walked only when an id turns up that is not known; what was removed before the walk is known from
the kernel's own announcement, if at all.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from agent.errors import ObserverError
from agent.files import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_MOST_NAMELESS: Final = 4096


class CgroupIds:
    """The hierarchy to name ids of: ``v1`` says which kind it is, ``hierarchy_id`` its number (v2: 0)."""

    def __init__(self, *, cgroupfs: Path, procfs: Path) -> None:
        self.v1 = False
        self.hierarchy_id = 0
        self._top = str(cgroupfs)
        if not (cgroupfs / "cgroup.controllers").exists():
            for name in ("cpuacct", "cpu,cpuacct"):
                if (cgroupfs / name / "cpuacct.usage").exists():
                    self._top = str(cgroupfs / name)
                    self.v1 = True
                    self.hierarchy_id = _hierarchy_id(procfs)
        self._paths: dict[int, str] = {}
        self._nameless: set[int] = set()

    def paths(self, ids: Sequence[int], removed: Mapping[int, str]) -> list[str]:
        """A path for each id; ``[cgroup N]`` for one that was gone before anybody could learn its name."""
        if any(each not in self._paths and each not in removed and each not in self._nameless for each in ids):
            self._paths = dict(_walk(self._top))
            if len(self._nameless) > _MOST_NAMELESS:
                self._nameless.clear()
            self._nameless.update(each for each in ids if each not in self._paths and each not in removed)
        return [self._paths.get(each) or removed.get(each) or f"[cgroup {each}]" for each in ids]


def _walk(top: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    try:
        found.append((os.stat(top).st_ino, "/"))  # noqa: PTH116 - a string as below
    except OSError:
        return found
    waiting = [(top, "/")]
    while waiting:
        folder, path = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                below = [(each.name, each.inode()) for each in entries if each.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # gone since its parent was listed
        prefix = "/" if path == "/" else path + "/"
        found.extend((inode, prefix + name) for name, inode in below)
        waiting.extend((f"{folder}/{name}", prefix + name) for name, _ in below)
    return found


def _hierarchy_id(procfs: Path) -> int:
    """Raises ObserverError where the kernel does not number cpuacct's hierarchy."""
    try:
        for line in read_bytes(f"{procfs}/cgroups").splitlines():
            name, number, *_ = [*line.split(), b"", b""]
            if name == b"cpuacct":
                return int(number)
    except (OSError, ValueError) as error:
        raise ObserverError(f"{procfs}/cgroups: {error}") from error
    raise ObserverError(f"{procfs}/cgroups does not name cpuacct")
