# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""An observing process for tests that take its privileges or its life: ``python -m tests.bpf.child HOW``.

``hold`` prints its program and map ids and waits. ``bare`` and ``none`` become nobody with BPF and PERFMON alone, or
with nothing, then, like ``plain``, observe one interval and print what came of it.
"""

from __future__ import annotations

import codecs
import ctypes
import json
import os
import sys
import time
from pathlib import Path
from typing import Final

from agent.errors import ObserverError
from agent.observe.ebpf import EbpfObserver
from bpf.host import CAP_BPF, CAP_PERFMON
from bpf.sched import Sched
from plumbing.clock import SystemClock
from tests.bpf.host import CGROUPFS, usual

_NOBODY: Final = 65534
# include/uapi/linux/prctl.h, include/uapi/linux/capability.h
_PR_SET_KEEPCAPS: Final = 8
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_CAPABILITY_VERSION_3: Final = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def become_nobody(*capabilities: int) -> None:
    """Drops root and every capability but these, which are also ambient: an exec would keep them."""
    codecs.lookup("ascii")  # nobody may not be allowed to where the interpreter's modules are
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
    libc.prctl.restype = ctypes.c_int
    libc.capset.argtypes = (ctypes.POINTER(_Header), ctypes.POINTER(_Data))
    libc.capset.restype = ctypes.c_int
    assert libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    data = (_Data * 2)()
    for capability in capabilities:
        bit = 1 << capability % 32
        data[capability // 32].effective |= bit
        data[capability // 32].permitted |= bit
        data[capability // 32].inheritable |= bit
    assert libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), data) == 0
    for capability in capabilities:
        assert libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0


def observe() -> dict[str, object]:
    """One interval in which this process works."""
    try:
        observer = EbpfObserver(procfs=Path("/proc"), cgroupfs=CGROUPFS, sysfs=Path("/sys"), clock=SystemClock())
    except ObserverError as error:
        return {"reason": str(error)}
    observer.drain()
    began_ns = time.process_time_ns()
    until_ns = time.monotonic_ns() + 200_000_000
    while time.monotonic_ns() < until_ns:
        pass
    observation = observer.drain()
    ran_ns = time.process_time_ns() - began_ns
    assert observation is not None
    mine = observation.rows["pid"] == os.getpid()
    capabilities = {
        line.split()[0]: line.split()[1]
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        if line.startswith(("CapEff", "CapAmb", "CapPrm"))
    }
    return {
        "run_ns": int(observation.rows["run_ns"][mine].sum()),
        "own_ns": ran_ns,
        "uid": os.geteuid(),
        "capabilities": capabilities,
        "left_out": observer.reasons,
    }


def hold() -> None:
    """Prints the ids of what is loaded, and waits to be killed."""
    sched = Sched(usual().options())
    # The id is the second word of both info structs.
    ids = {
        kind: [int.from_bytes(sched.library.info(fd, 8)[4:], sys.byteorder) for fd in fds.values()]
        for kind, fds in (("programs", sched.program_fds()), ("maps", sched.map_fds()))
    }
    print(json.dumps(ids), flush=True)
    time.sleep(60)


def main() -> None:
    how = sys.argv[1]
    if how == "hold":
        hold()
        return
    if how != "plain":
        become_nobody(*((CAP_BPF, CAP_PERFMON) if how == "bare" else ()))
    print(json.dumps(observe()), flush=True)


if __name__ == "__main__":
    main()
