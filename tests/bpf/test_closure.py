# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Every nanosecond of every cpu is somebody's, also where the programs could not do as they should."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bpf.sched import Faults
from tests.bpf import checks
from tests.bpf.host import Book, Load, boxes, record, usual

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from tests.bpf.conftest import Attach

pytestmark = pytest.mark.part("ebpf")

_PER_CPU = Path("/sys/fs/cgroup/cpuacct/cpuacct.usage_percpu")


def _task_clock_ns() -> NDArray[np.int64]:
    """What the kernel says all tasks ran, by cpu."""
    return np.array(_PER_CPU.read_text(encoding="ascii").split(), dtype=np.int64)


def _sums(book: Book) -> NDArray[Any]:
    """(cpus, 5): the rows, overflow, idle, stolen and missed time, and the elapsed time in the last column."""
    tables = np.concatenate([part.cpus for part in book.parts])
    found = []
    for cpu in np.unique(tables["cpu"]):
        mine = tables[tables["cpu"] == cpu]
        assert (mine["from_ns"][1:] == mine["to_ns"][:-1]).all()
        found.append(
            [
                book.run_ns(cpu=int(cpu)),
                mine["overflow_ns"].sum(),
                mine["idle_ns"].sum(),
                mine["stolen_ns"].sum(),
                mine["missed_ns"].sum(),
                mine["to_ns"][-1] - mine["from_ns"][0],
            ]
        )
    return np.array(found, dtype=np.float64)


def test_tasks_idle_and_stolen_time_are_the_elapsed_time_of_each_cpu(attach: Attach) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options())
    with boxes(hierarchy) as (box,):
        loads = [Load(box, "short", 100, 2), Load(box, "spin", 1, 0), Load(box, "bomb", 60)]
        sched.drain()
        book = record(sched, *loads)
        for load in loads:
            load.end()
    sums = _sums(book)
    assert np.allclose(sums[:, :5].sum(axis=1), sums[:, 5], rtol=0.001)
    # None of them makes up for another: an edge may lie a tick off what it should be.
    assert (sums[:, :5] >= -0.001 * sums[:, 5:] - checks.LONGEST_TICK_NS).all()


@pytest.mark.skipif(not _PER_CPU.exists(), reason="no cpuacct hierarchy: nothing else counts all tasks by cpu")
def test_the_rows_of_a_cpu_are_the_kernels_own_count(attach: Attach) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options())
    with boxes(hierarchy) as (box,):
        loads = [Load(box, "short", 100, 2), Load(box, "spin", 1, 0)]
        sched.drain()
        early_ns = _task_clock_ns()
        book = record(sched, *loads)
        late_ns = _task_clock_ns()
        for load in loads:
            load.end()
    sums = _sums(book)
    # The kernel's count steps at ticks, at either end.
    assert np.abs(sums[:, 0] - (late_ns - early_ns)).max() < 2 * checks.LONGEST_TICK_NS


def test_what_finds_no_row_is_counted_and_kept(attach: Attach) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options(entries=1))
    assert sched.entries == 64 * (os.cpu_count() or 1)
    with boxes(hierarchy) as (box,):
        load = Load(box, "short", 400, 1)
        before_ns = box.usage_ns()
        book = record(sched, load, every_s=30)
        truth_ns = box.usage_ns() - before_ns
        load.end()
    tables = np.concatenate([part.cpus for part in book.parts])
    overflow_ns = int(tables["overflow_ns"].sum())
    assert tables["overflows"].sum() > 200
    assert overflow_ns > 0.3 * truth_ns
    assert int(tables["task_ns"].sum()) == int(book.rows["run_ns"].sum()) + overflow_ns
    # Whoever else ran is in the overflow too.
    assert book.run_ns(cgroup=box.id) + overflow_ns > (1 - checks.TOLERANCE) * truth_ns
    # The next drain has room again.
    with boxes(hierarchy) as (box,):
        load = Load(box, "short", 10, 1)
        again = record(sched, load)
        load.end()
    assert sum(int(part.cpus["overflows"].sum()) for part in again.parts) == 0


def test_missed_events_cost_little_and_are_counted(attach: Attach) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options(faults=Faults(skip_every=97)))
    with boxes(hierarchy) as (box,):
        loads = [Load(box, "short", 200, 2), Load(box, "spin", 0.5, 0)]
        before_ns = box.usage_ns()
        book = record(sched, *loads)
        truth_ns = box.usage_ns() - before_ns
        for load in loads:
            load.end()
    tables = np.concatenate([part.cpus for part in book.parts])
    assert tables["misses"].sum() > 0
    # What is missing was missed, and nothing is there twice. Others ran too and were missed as well.
    found_ns = book.run_ns(cgroup=box.id)
    assert found_ns < (1 + 2 * checks.TOLERANCE) * truth_ns
    assert found_ns + int(tables["missed_ns"].sum()) > (1 - 2 * checks.TOLERANCE) * truth_ns
    sums = _sums(book)
    assert np.allclose(sums[:, :5].sum(axis=1), sums[:, 5], rtol=0.001)


def test_an_idle_cpu_is_not_interrupted(attach: Attach) -> None:
    sched = attach(usual().options())
    sched.drain()
    idle = [part for part in (sched.drain() for _ in range(20)) if (part.cpus["switches"] == 0).any()]
    for part in idle:
        still = (part.cpus["switches"] == 0) & (part.cpus["idle_ns"] > 0) & (part.cpus["task_ns"] == 0)
        assert not part.cpus["interrupted"][still].any()
    # The cpu that drains is busy: it is always interrupted, unless it switched just then.
    assert sum(int(part.cpus["interrupted"].sum()) for part in idle) <= len(idle) * (os.cpu_count() or 1)
