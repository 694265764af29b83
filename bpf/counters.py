# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Hardware counters per cpu, opened for the programs to read at every switch.

The numbers are those of include/uapi/linux/perf_event.h. On hybrid hosts a generic event must name the PMU of the
core's type in its upper half. Where a host has no such counter (most VMs) the reason is kept and nothing is opened.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

HARDWARE: Final = 0  # PERF_TYPE_HARDWARE
SOFTWARE: Final = 1  # PERF_TYPE_SOFTWARE
_NUMBERS: Final = {"x86_64": 298, "aarch64": 241, "ppc64le": 319, "s390x": 331, "riscv64": 241}
_CLOEXEC: Final = 8  # PERF_FLAG_FD_CLOEXEC
_TIMES: Final = 1 | 2  # PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING
_ATTR: Final = struct.Struct("=IIQQQQQIIQ")  # PERF_ATTR_SIZE_VER0, 64 bytes: every kernel takes it
_SPARE_FILES: Final = 64


@dataclass(frozen=True, slots=True)
class Event:
    """One counter: the map that the programs read it from, and what perf_event_open is told."""

    map_name: str
    kind: int
    config: int


HARDWARE_EVENTS: Final = (
    Event("cycles", HARDWARE, 0),  # PERF_COUNT_HW_CPU_CYCLES
    Event("instructions", HARDWARE, 1),  # PERF_COUNT_HW_INSTRUCTIONS
    Event("llc_misses", HARDWARE, 3),  # PERF_COUNT_HW_CACHE_MISSES
)
"""In the order of the bits of ``config.counters``."""


class Counters:
    """The file descriptors of one event set. Empty where the host has none; ``reasons`` then says why."""

    def __init__(self) -> None:
        self.fds: dict[str, dict[int, int]] = {}
        self.reasons: dict[str, str] = {}

    def open(self, events: Collection[Event], *, cpus: Collection[int], core_types: Mapping[int, int]) -> None:
        """Opens each event on all ``cpus``, or on none. ``core_types`` gives the PMU type of hybrid cores."""
        _make_room(len(events) * len(cpus))
        for event in events:
            opened: dict[int, int] = {}
            try:
                for cpu in cpus:
                    opened[cpu] = _perf_event_open(event, cpu=cpu, pmu=core_types.get(cpu, 0))
            except OSError as error:
                self.reasons[event.map_name] = error.strerror or str(error)
                for fd in opened.values():
                    os.close(fd)
                continue
            self.fds[event.map_name] = opened

    def close(self) -> None:
        """Stops counting."""
        for opened in self.fds.values():
            for fd in opened.values():
                os.close(fd)
        self.fds.clear()


def _make_room(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files + len(os.listdir("/proc/self/fd")) + _SPARE_FILES if files else 0  # noqa: PTH208 - a count only
    if soft != resource.RLIM_INFINITY and soft < wanted:
        top = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))


def _perf_event_open(event: Event, *, cpu: int, pmu: int) -> int:
    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(0, f"the number of perf_event_open on {os.uname().machine} is not known")
    config = event.config | (pmu << 32 if event.kind == HARDWARE else 0)
    attr = ctypes.create_string_buffer(_ATTR.pack(event.kind, _ATTR.size, config, 0, 0, _TIMES, 0, 0, 0, 0))
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.argtypes = (ctypes.c_long, ctypes.c_void_p, *(ctypes.c_int,) * 3, ctypes.c_ulong)
    syscall.restype = ctypes.c_long
    fd = int(syscall(number, ctypes.addressof(attr), -1, cpu, -1, _CLOEXEC))
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd
