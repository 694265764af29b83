# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Whether this host lets us load programs, told before anything is tried, so that the reason is a plain one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from bpf.errors import BpfAbsent

if TYPE_CHECKING:
    from pathlib import Path

# include/uapi/linux/capability.h
CAP_SYS_ADMIN: Final = 21
CAP_PERFMON: Final = 38
CAP_BPF: Final = 39


def require(*, sysfs: Path, procfs: Path) -> None:
    """Raises BpfAbsent with the first thing that is missing."""
    btf = sysfs / "kernel/btf/vmlinux"
    if not os.access(btf, os.R_OK):
        raise BpfAbsent(f"{btf} cannot be read: the kernel was built without BTF, or the mount is missing")
    if _lockdown(sysfs) == "confidentiality":
        raise BpfAbsent("kernel lockdown is 'confidentiality': programs may not read kernel memory")
    held = _capabilities(procfs)
    if not held >> CAP_SYS_ADMIN & 1:
        missing = [name for name, bit in (("BPF", CAP_BPF), ("PERFMON", CAP_PERFMON)) if not held >> bit & 1]
        if missing:
            raise BpfAbsent(f"no capability {' and '.join(missing)}")


def _lockdown(sysfs: Path) -> str:
    """The mode in force, the one in brackets; empty where the kernel has no lockdown or hides it."""
    try:
        text = (sysfs / "kernel/security/lockdown").read_text(encoding="ascii")
    except OSError:
        return ""
    return text.partition("[")[2].partition("]")[0]


def _capabilities(procfs: Path) -> int:
    try:
        for line in (procfs / "self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    except (OSError, ValueError) as error:
        raise BpfAbsent(f"{procfs}/self/status: {error}") from error
    return 0
