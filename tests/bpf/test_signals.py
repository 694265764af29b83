# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What rows hold beside run time. This host lacks SMT, hardware counters and cpufreq: stand-ins take their place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bpf.counters import SOFTWARE, Event
from tests.bpf import checks
from tests.bpf.host import Load, boxes, off_by, record, usual

if TYPE_CHECKING:
    from tests.bpf.conftest import Attach

pytestmark = [
    pytest.mark.part("ebpf"),
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two cpus are needed"),
]


def test_both_siblings_see_the_same_overlap(attach: Attach) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options(siblings={0: 1, 1: 0}))
    with boxes(hierarchy) as (box,):
        loads = [Load(box, "spin", 1, 0), Load(box, "spin", 0.6, 1)]
        book = record(sched, *loads)
        for load in loads:
            load.end()
    overlap_ns = [int(book.rows["overlap_ns"][book.of(cpu=cpu)].sum()) for cpu in (0, 1)]
    assert off_by(overlap_ns[0], overlap_ns[1]) < checks.TOLERANCE
    assert overlap_ns[0] > 0.5e9
    # The second worked while the first did, all the time.
    second = book.of(tgid=loads[1].pid, cgroup=box.id)
    stolen_ns = sum(float(np.abs(part.cpus["stolen_ns"]).sum()) for part in book.parts)
    run_ns = float(book.rows["run_ns"][second].sum())
    assert abs(float(book.rows["overlap_ns"][second].sum()) - run_ns) < 0.02 * run_ns + stolen_ns + 30_000_000


def test_counters_are_booked_to_the_task_that_ran(attach: Attach) -> None:
    hierarchy = usual()
    # PERF_COUNT_SW_CPU_CLOCK and PERF_COUNT_SW_PAGE_FAULTS: the software's own, which every host has.
    events = (Event("cycles", SOFTWARE, 0), Event("instructions", SOFTWARE, 2))
    sched = attach(hierarchy.options(events=events, siblings={}))
    assert set(sched.counters.fds) == {"cycles", "instructions"}
    with boxes(hierarchy) as (box,):
        loads = [Load(box, "spin", 0.6, 0), Load(box, "short", 40, 2)]
        book = record(sched, *loads)
        for load in loads:
            load.end()
    counters = book.rows["counters"].astype(np.int64)
    spinner = book.of(tgid=loads[0].pid, cgroup=box.id)
    stolen_ns = sum(abs(int(part.cpus["stolen_ns"].sum())) for part in book.parts)
    run_ns = int(book.rows["run_ns"][spinner].sum())
    assert (
        abs(int(counters[spinner, 0].sum()) - run_ns) < checks.TOLERANCE * run_ns + stolen_ns + checks.LONGEST_TICK_NS
    )
    # A child copies the pages it writes to; a spinner touches none.
    children = book.of(cgroup=box.id) & ~np.isin(book.keys["tgid"], [load.pid for load in loads])
    assert counters[children, 1].sum() > 40 * 10
    assert (counters[:, 2] == 0).all()
    # Nor is there overlap where no cpu has a sibling.
    assert (book.rows["overlap_ns"] == 0).all()


def test_without_counters_the_reason_is_kept(attach: Attach) -> None:
    # No PMU has such a type.
    sched = attach(usual().options(events=(Event("cycles", 0x7FFFFFFF, 0),)))
    assert not sched.counters.fds
    assert sched.counters.reasons["cycles"]


def test_frequency_is_weighted_with_the_time_it_held(attach: Attach) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options(frequency=True))
    sched.fire("cpu_frequency", 2_000_000, 0)
    sched.fire("cpu_frequency", 3_000_000, 1)
    with boxes(hierarchy) as (box,):
        load = Load(box, "spin", 0.6, 0)
        sched.drain()
        load.begin()
        assert load.working(0.3)
        fast = sched.drain()
        # Announced from whatever cpu this test is on.
        sched.fire("cpu_frequency", 1_000_000, 0)
        while load.working(0.1):
            pass
        slow = sched.drain()
        load.end()
    for part, mhz in ((fast, 2000), (slow, 1000)):
        mine = (part.keys["cgroup"] == box.id) & (part.keys["cpu"] == 0)
        run_ns = float(part.rows["run_ns"][mine].sum())
        stolen_ns = float(np.abs(part.cpus["stolen_ns"]).sum())
        found_ns = float(part.rows["mhz2_ns"][mine].sum()) / mhz**2
        # Within a tick at the edge, where the clock of the integral runs on and the task's is read a tick late.
        assert abs(found_ns - run_ns) < 0.02 * run_ns + stolen_ns + checks.LONGEST_TICK_NS
