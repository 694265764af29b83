# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The host's cpus as sysfs tells: which may exist, which are online, which must be left in peace, who shares a core.

Buffers that the kernel fills per cpu are sized by the *possible* cpus; the number of online ones is smaller on many
hosts, and a buffer of that size is overrun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpf.errors import BpfAbsent

if TYPE_CHECKING:
    from pathlib import Path


def parse_list(text: str) -> frozenset[int]:
    """The cpus of a list as the kernel prints it: ``0-3,8``; empty and ``(null)`` are none. Raises ValueError."""
    text = text.strip()
    cpus: set[int] = set()
    if text in ("", "(null)"):
        return frozenset()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        cpus.update(range(int(first), int(last if dash else first) + 1))
    return frozenset(cpus)


def _read(path: Path) -> frozenset[int]:
    try:
        return parse_list(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return frozenset()


def possible(sysfs: Path) -> int:
    """How many slots a per-cpu array has: the highest possible cpu and one. Raises BpfAbsent."""
    cpus = _read(sysfs / "devices/system/cpu/possible")
    if not cpus:
        raise BpfAbsent(f"{sysfs}/devices/system/cpu/possible cannot be read")
    return max(cpus) + 1


def online(sysfs: Path) -> frozenset[int]:
    """Cpus that run now; none where that cannot be read."""
    return _read(sysfs / "devices/system/cpu/online")


def quiet(sysfs: Path) -> frozenset[int]:
    """Cpus that nobody may interrupt: isolated, or without a tick."""
    folder = sysfs / "devices/system/cpu"
    return _read(folder / "isolated") | _read(folder / "nohz_full")


def siblings(sysfs: Path) -> dict[int, int]:
    """For each cpu the next hardware thread of its core; cpus alone on theirs are not in it."""
    found: dict[int, int] = {}
    for cpu in online(sysfs):
        threads = sorted(_read(sysfs / f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))
        if cpu in threads and len(threads) > 1:
            found[cpu] = threads[(threads.index(cpu) + 1) % len(threads)]
    return found


def core_types(sysfs: Path) -> dict[int, tuple[str, int]]:
    """On hybrid hosts the name and PMU type of each cpu's core: ``cpu_core``, ``cpu_atom``; elsewhere nothing."""
    found: dict[int, tuple[str, int]] = {}
    for name in ("cpu_core", "cpu_atom", "cpu_lowpower"):
        folder = sysfs / "devices" / name
        try:
            kind = int((folder / "type").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        found.update(dict.fromkeys(_read(folder / "cpus"), (name, kind)))
    return found


def frequencies_mhz(sysfs: Path) -> dict[int, int]:
    """Where cpufreq is in charge, what each cpu runs at now: the events tell changes only."""
    found: dict[int, int] = {}
    for cpu in online(sysfs):
        try:
            khz = int((sysfs / f"devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        found[cpu] = khz // 1000
    return found
