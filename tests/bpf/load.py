# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Work with a known account, run as a program of its own: ``load.py KIND [NUMBER...]``.

Says when it is ready, waits for a line on its input, works, and prints one JSON object with what it knows of itself:
run times in ns from the tasks' own clocks (``wait4``, ``CLOCK_THREAD_CPUTIME_ID``), never from the wall.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MS = 1_000_000
_SYS_EXIT = {"x86_64": 60, "aarch64": 93}


def burn(ms: float) -> None:
    """Uses that much of this thread's own clock, never yielding."""
    until = time.thread_time_ns() + round(ms * _MS)
    while time.thread_time_ns() < until:
        pass


def reap(pid: int) -> int:
    """Waits for a child; its run time in ns."""
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, status
    return round((usage.ru_utime + usage.ru_stime) * 1e9)


def child(work: Callable[[], None]) -> int:
    """Forks; the pid of a child that does ``work`` and leaves."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid


def spin(seconds: float, cpu: int, *, alone: bool) -> dict[str, Any]:
    """One task that never yields, and its own clock beside the wall's, about every millisecond."""
    os.sched_setaffinity(0, {cpu})
    if alone:
        # Nobody of the ordinary class takes the cpu from it. Where that is refused it yields only when it must.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    marks = []
    until = time.monotonic_ns() + round(seconds * 1e9)
    while (wall := time.monotonic_ns()) < until:
        marks.append((wall, time.thread_time_ns()))
        burn(1)
    return {"marks": marks}


def short(count: int, ms: float) -> dict[str, Any]:
    """So many processes, one after the other."""
    return {"run_ns": sum(reap(child(partial(burn, ms))) for _ in range(count))}


def bomb(count: int) -> dict[str, Any]:
    """A tree of processes, each of which forks up to two and waits for them."""

    def grow(left: int) -> None:
        shares = ((left - 1) // 2, left - 1 - (left - 1) // 2)
        for pid in [child(partial(grow, share)) for share in shares if share]:
            reap(pid)

    return {"run_ns": reap(child(partial(grow, count)))}


def threads(ms: float) -> dict[str, Any]:
    """A process whose leader ends at once and whose two threads work on."""

    def body() -> None:
        done = threading.Barrier(2)

        def work() -> None:
            burn(ms)
            if done.wait() == 0:
                os._exit(0)

        for _ in range(2):
            threading.Thread(target=work).start()
        ctypes.CDLL(None).syscall(_SYS_EXIT[os.uname().machine], 0)

    pid = child(body)
    return {"pid": pid, "run_ns": reap(pid)}


def rename(ms: float, program: str) -> dict[str, Any]:
    """A process that works, then becomes ``program`` and works on."""

    def body() -> None:
        burn(ms)
        os.execv(program, [program, "-I", "-S", __file__, "burn", str(ms)])

    pid = child(body)
    return {"pid": pid, "run_ns": reap(pid)}


def reuse(first_ms: float, second_ms: float) -> dict[str, Any]:
    """Two processes that have the same pid, one after the other."""
    for _ in range(200):
        pid = child(partial(burn, first_ms))
        first_ns = reap(pid)
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1), encoding="ascii")
        again = child(partial(burn, second_ms))
        second_ns = reap(again)
        if again == pid:
            return {"pid": pid, "runs_ns": [first_ns, second_ns]}
    raise SystemExit("no pid came twice")


def main() -> None:
    kind, *numbers = sys.argv[1:]
    if kind == "burn":
        burn(float(numbers[0]))
        return
    print("ready", flush=True)
    sys.stdin.readline()
    if kind == "spin":
        said = spin(float(numbers[0]), int(numbers[1]), alone="alone" in numbers)
    elif kind == "short":
        said = short(int(numbers[0]), float(numbers[1]))
    elif kind == "bomb":
        said = bomb(int(numbers[0]))
    elif kind == "threads":
        said = threads(float(numbers[0]))
    elif kind == "rename":
        said = rename(float(numbers[0]), numbers[1])
    elif kind == "reuse":
        said = reuse(float(numbers[0]), float(numbers[1]))
    else:
        raise SystemExit(f"no such kind: {kind}")
    print(json.dumps(said), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
