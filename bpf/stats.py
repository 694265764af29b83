# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the programs cost, in the kernel's own account: runs, time, skipped runs, and memory of the maps.

The kernel times programs only while somebody asks for it; the question ends with its file descriptor, so that nothing
is left switched on by a process that was killed.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpf.libbpf import Library

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpf.sched import Sched

# Offsets in struct bpf_prog_info, include/uapi/linux/bpf.h; a kernel that is older than a field leaves it 0.
_RUN_TIME_AT: Final = 192
_INFO_BYTES: Final = 232


@dataclass(frozen=True, slots=True)
class Cost:
    """One program since it was loaded; ``runs`` and ``run_ns`` count only while timing was on."""

    program: str
    runs: int
    run_ns: int
    skipped: int
    """Runs that the kernel left out because the program was running on that cpu already."""


@contextmanager
def timing(library: Library | None = None) -> Iterator[None]:
    """Has the kernel time all programs meanwhile; that itself costs some 20 ns a run. Raises BpfFailed."""
    fd = (library or Library()).enable_stats()
    try:
        yield
    finally:
        os.close(fd)


def costs(sched: Sched) -> tuple[Cost, ...]:
    """Each loaded program's account."""
    return tuple(_cost(sched, name, fd) for name, fd in sched.program_fds().items())


def _cost(sched: Sched, name: str, fd: int) -> Cost:
    body = sched.library.info(fd, _INFO_BYTES)
    run_ns, runs, skipped = (
        int.from_bytes(body[at : at + 8], sys.byteorder) for at in range(_RUN_TIME_AT, _RUN_TIME_AT + 24, 8)
    )
    return Cost(name, runs, run_ns, skipped)


def map_bytes(sched: Sched) -> dict[str, int]:
    """Kernel memory of each map as its ``fdinfo`` states it."""
    found: dict[str, int] = {}
    for name, fd in sched.map_fds().items():
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:  # noqa: PTH123 - procfs of this very process
            for line in lines:
                if line.startswith("memlock:"):
                    found[name] = int(line.split()[1])
    return found
