# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The agent's observer on top: names, processes, what is lost, and agreement with the one that needs no privileges."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.errors import ObserverError
from agent.observe.cgroup_ids import CgroupIds
from agent.observe.ebpf import COUNTED_ROW, EbpfObserver
from agent.observe.procfs import ProcfsObserver
from agent.observe.protocol import KERNEL_THREAD, PROCESS, ROW
from bpf.stats import costs, map_bytes, timing
from plumbing.clock import SystemClock
from tests.bpf.host import CGROUPFS, Load, boxes, off_by, usual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.observe.protocol import Observation
    from tests.bpf.conftest import Attach

pytestmark = pytest.mark.part("ebpf")


@pytest.fixture
def observer() -> Iterator[EbpfObserver]:
    made = EbpfObserver(procfs=Path("/proc"), cgroupfs=CGROUPFS, sysfs=Path("/sys"), clock=SystemClock())
    yield made
    made.close()


def _run_ns(observation: Observation, cgroup: str) -> int:
    if cgroup not in observation.cgroups:
        return 0
    mine = observation.rows["cgroup"] == observation.cgroups.index(cgroup)
    return int(observation.rows["run_ns"][mine].sum())


def _drain(observer: EbpfObserver | ProcfsObserver) -> Observation:
    observation = observer.drain()
    assert observation is not None
    return observation


def test_the_first_drain_is_the_base_and_the_second_an_interval(observer: EbpfObserver) -> None:
    assert observer.drain() is None
    time.sleep(0.1)
    observation = _drain(observer)
    assert observation.rows.dtype == COUNTED_ROW
    assert set(ROW.names or ()) <= set(COUNTED_ROW.names or ())
    assert observation.elapsed_ns > 90_000_000
    assert (observation.rows["run_ns"] > 0).all()
    capacity_ns = observation.elapsed_ns * observation.cpus
    spent_ns = observation.busy_ns + observation.idle_ns + observation.steal_ns
    assert abs(spent_ns - capacity_ns) < 0.05 * capacity_ns + 20_000_000 * observation.cpus
    listed = sum(entry.name.isdigit() for entry in Path("/proc").iterdir())
    assert abs(observation.processes - listed) < 0.2 * listed + 20
    me = observation.rows["pid"] == os.getpid()
    assert me.any()
    stat = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    assert int(observation.rows["start_ns"][me][0]) // 10_000_000 == int(stat[19])
    assert (observation.rows["kind"][me] == PROCESS).all()
    assert (observation.rows["kind"] == KERNEL_THREAD).any()


def test_it_agrees_with_procfs_on_the_same_load(observer: EbpfObserver) -> None:
    procfs = ProcfsObserver(procfs=Path("/proc"), cgroupfs=CGROUPFS, clock=SystemClock())
    with boxes(usual(), 2) as (steady, brief):
        loads = [Load(steady, "spin", 1, 0), Load(brief, "short", 150, 3)]
        truths_ns = [-box.usage_ns() for box in (steady, brief)]
        for each in (observer, procfs):
            each.drain()
        for load in loads:
            load.begin()
        for load in loads:
            while load.working(0.05):
                pass
        seen, scanned = _drain(observer), _drain(procfs)
        truths_ns = [truth + box.usage_ns() for truth, box in zip(truths_ns, (steady, brief), strict=True)]
        for load in loads:
            load.end()
    for box, truth_ns in zip((steady, brief), truths_ns, strict=True):
        path = f"/{box.folder.name}"
        assert off_by(_run_ns(seen, path), truth_ns) < 0.01
        # Two ticks of 10 ms for each process, and what was running before the first scan.
        assert abs(_run_ns(scanned, path) - truth_ns) < 0.1 * truth_ns + 60_000_000


def test_a_cgroup_that_is_gone_by_the_drain_keeps_its_name(observer: EbpfObserver) -> None:
    observer.drain()
    with boxes(usual()) as (box,):
        load = Load(box, "short", 3, 2)
        load.begin()
        while load.working(0.01):
            pass
        load.end()
    observation = _drain(observer)
    assert _run_ns(observation, f"/{box.folder.name}") > 6_000_000


def test_an_unknown_cgroup_has_a_name_too() -> None:
    ids = CgroupIds(cgroupfs=CGROUPFS, procfs=Path("/proc"))
    root, gone, nameless = ids.paths([usual().top.stat().st_ino, 10**12, 10**12 + 1], {10**12: "/was/here"})
    assert (root, gone, nameless) == ("/", "/was/here", "[cgroup 1000000000001]")


def test_repeated_overflow_makes_the_map_grow() -> None:
    small = EbpfObserver(procfs=Path("/proc"), cgroupfs=CGROUPFS, sysfs=Path("/sys"), clock=SystemClock(), entries=1)
    try:
        small.drain()
        entries = small.health.entries
        with boxes(usual()) as (box,):
            for _ in range(3):
                load = Load(box, "bomb", 150)
                load.begin()
                while load.working(0.05):
                    pass
                load.end()
                observation = small.drain()
                assert observation is not None
                assert observation.lost_ns > 0
        assert small.health.overflows > 0
        small.drain()
        assert small.health.entries == 2 * entries
    finally:
        small.close()


def test_no_btf_is_an_observer_error(tmp_path: Path) -> None:
    with pytest.raises(ObserverError, match=r"ebpf: .*BTF"):
        EbpfObserver(procfs=Path("/proc"), cgroupfs=CGROUPFS, sysfs=tmp_path, clock=SystemClock())


def test_costs_are_the_kernels_own_account(attach: Attach) -> None:
    sched = attach(usual().options())
    with timing(sched.library):
        before = {cost.program: cost for cost in costs(sched)}
        for _ in range(20):
            time.sleep(0.001)
        sched.drain()
        after = {cost.program: cost for cost in costs(sched)}
    switch, was = after["sched_switch"], before["sched_switch"]
    assert switch.runs - was.runs >= 20
    # The whole of a switch takes microseconds; a program that took as long would be felt.
    assert 10 < (switch.run_ns - was.run_ns) / (switch.runs - was.runs) < 20_000
    assert switch.skipped == 0
    sizes = map_bytes(sched)
    # Each row: key, value and what the kernel hangs them up with.
    assert all(sched.entries * 96 < sizes[name] < sched.entries * 300 for name in ("rows_even", "rows_odd"))
    assert np.isclose(sizes["rows_even"], sizes["rows_odd"])
