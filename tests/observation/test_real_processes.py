# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The scan against the kernel's own account of real children: getrusage of processes that the test reaps itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.observe.procfs import ProcfsObserver
from agent.observe.protocol import EXITED, Observation
from plumbing.clock import SystemClock

TICK_S = 0.01
SPIN = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"


def observer() -> ProcfsObserver:
    return ProcfsObserver(procfs=Path("/proc"), cgroupfs=Path("/sys/fs/cgroup"), clock=SystemClock())


def drained(scan: ProcfsObserver) -> Observation:
    observation = scan.drain()
    assert observation is not None
    return observation


def reaped(process: subprocess.Popen[bytes]) -> float:
    """CPU seconds of a child, from wait4."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_a_spinner_is_seen_to_within_two_ticks_however_often_it_is_looked_at() -> None:
    scan = observer()
    scan.drain()
    # The child states its own rusage when it is done and then sleeps on its standard input, so that the last scan and
    # the truth are of one moment: what an interpreter spends on leaving is in neither.
    told = (
        "import resource, sys\n"
        "spent = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(spent.ru_utime + spent.ru_stime, flush=True)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", SPIN.format(seconds=0.6) + told + "sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    run_s = 0.0
    child_s = 0.0
    for look in range(4):
        if look < 3:
            time.sleep(0.15)
        else:
            child_s = float(child.stdout.readline())
        rows = drained(scan).rows
        run_s += float(rows["run_ns"][rows["pid"] == child.pid].sum()) / 1e9
    # User and system time are each cut to a tick, whatever the number of scans; printing takes the rest.
    assert child_s - 2 * TICK_S <= run_s <= child_s + 0.005
    child.stdin.close()
    child.stdout.close()
    assert reaped(child) >= child_s


@pytest.mark.skipif(
    not Path("/sys/fs/cgroup/cpuacct/cpuacct.usage").exists(), reason="needs a cpuacct root that counts every task"
)
def test_short_lived_children_are_recovered_from_their_cgroup() -> None:
    scan = observer()
    scan.drain()
    started = time.monotonic()
    child_s = sum(reaped(subprocess.Popen([sys.executable, "-S", "-c", SPIN.format(seconds=0.02)])) for _ in range(12))
    observation = drained(scan)
    elapsed_s = time.monotonic() - started
    rows = observation.rows
    exited_s = float(rows["run_ns"][rows["kind"] == EXITED].sum()) / 1e9
    # Other processes of this machine may have exited too, and each one alive is known to two ticks; what its
    # neighbours do is bounded by the time that passed.
    assert exited_s >= child_s * 0.9 - 2 * TICK_S
    assert exited_s <= elapsed_s * observation.cpus


def test_rows_idle_and_steal_account_for_the_time_that_passed() -> None:
    scan = observer()
    scan.drain()
    time.sleep(1.0)
    observation = drained(scan)
    accounted_ns = observation.busy_ns + observation.idle_ns + observation.steal_ns
    # Ticks of /proc/stat are samples; a tenth is what one second of them can be off by on a busy machine.
    assert accounted_ns == pytest.approx(observation.cpus * observation.elapsed_ns, rel=0.15)
