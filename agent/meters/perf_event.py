# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""perf_event_open(2) for counting events of a whole CPU: the one system call that powercap's absence leaves us.

The seam is `Events`, so that tests run on fixture trees without the hardware. The kernel's numbers and the layout of
``struct perf_event_attr`` are those of include/uapi/linux/perf_event.h, in its first published size (64 bytes), which
every kernel accepts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass
from typing import Final, Protocol

_NUMBERS: Final = {"x86_64": 298, "aarch64": 241, "ppc64le": 319, "s390x": 331, "riscv64": 241}
_CLOEXEC: Final = 8  # PERF_FLAG_FD_CLOEXEC
_TIMES: Final = 1 | 2  # PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING
_ATTR: Final = struct.Struct("=IIQQQQQIIQ")
_COUNT: Final = struct.Struct("=QQQ")


@dataclass(frozen=True, slots=True)
class Count:
    """A counter's value in its own unit, and for how long it was wanted and really counted."""

    value: int
    enabled_ns: int
    running_ns: int


class Events(Protocol):
    """Opens, reads and closes counters. Raises OSError."""

    def open(self, *, kind: int, config: int, cpu: int) -> int: ...

    def read(self, fd: int) -> Count: ...

    def close(self, fd: int) -> None: ...


class KernelEvents:
    """The running kernel's. Needs CAP_PERFMON, or ``perf_event_paranoid`` below 1."""

    def __init__(self) -> None:
        self._number = _NUMBERS.get(os.uname().machine)
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        # number; attr, pid, cpu, group, flags
        self._syscall.argtypes = (
            ctypes.c_long,
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_ulong,
        )
        self._syscall.restype = ctypes.c_long

    def open(self, *, kind: int, config: int, cpu: int) -> int:
        """One event of every task on ``cpu``, counting from now on."""
        if self._number is None:
            raise OSError(errno.ENOSYS, f"perf_event_open: number unknown on {os.uname().machine}")
        body = ctypes.create_string_buffer(attr(kind=kind, config=config))
        fd = self._syscall(self._number, ctypes.addressof(body), -1, cpu, -1, _CLOEXEC)
        if fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"perf_event_open: {os.strerror(code)}")
        return int(fd)

    def read(self, fd: int) -> Count:
        """Now; an event in error reads as nothing at all."""
        body = os.read(fd, _COUNT.size)
        if len(body) != _COUNT.size:
            raise OSError(errno.ENODATA, "perf event: in error state")
        return Count(*_COUNT.unpack(body))

    def close(self, fd: int) -> None:
        """Stops counting."""
        os.close(fd)


def attr(*, kind: int, config: int) -> bytes:
    """``struct perf_event_attr`` of a counter, enabled at once; it excludes nothing, which uncore PMUs would refuse."""
    return _ATTR.pack(kind, _ATTR.size, config, 0, 0, _TIMES, 0, 0, 0, 0)
