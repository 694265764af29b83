# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Known work is accounted to within 1 % of its own clock, on the running kernel."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.bpf import checks
from tests.bpf.host import Load, boxes, hierarchies, off_by, record, usual

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bpf.conftest import Attach

pytestmark = pytest.mark.part("ebpf")


def test_a_thousand_short_processes_lose_nothing(attach: Attach) -> None:
    hierarchy = usual()
    checks.short_lived(attach(hierarchy.options()), hierarchy, count=1000, ms=5)


def test_a_fork_bomb_is_accounted_to_the_last_exit(attach: Attach) -> None:
    hierarchy = usual()
    checks.fork_bomb(attach(hierarchy.options()), hierarchy, count=2000)


def test_a_task_that_never_yields_is_accounted_in_the_interval_it_ran_in(attach: Attach) -> None:
    hierarchy = usual()
    checks.never_yields(attach(hierarchy.options()), hierarchy)


def test_a_reused_pid_is_another_process(attach: Attach) -> None:
    hierarchy = usual()
    checks.pid_reuse(attach(hierarchy.options()), hierarchy)


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_both_hierarchies_keep_their_own(attach: Attach, name: str) -> None:
    hierarchy = hierarchies().get(name)
    if hierarchy is None:
        pytest.skip(f"no cgroup {name} here")
    sched = attach(hierarchy.options())
    with boxes(hierarchy, 2) as (first, second):
        loads = [Load(first, "short", 20, 5), Load(second, "spin", 0.4, 1)]
        before_ns = [box.usage_ns() for box in (first, second)]
        book = record(sched, *loads)
        for load in loads:
            load.end()
        book.parts.append(sched.drain())
        truths_ns = [box.usage_ns() - was for box, was in zip((first, second), before_ns, strict=True)]
    found_ns = [book.run_ns(cgroup=box.id) for box in (first, second)]
    assert np.allclose(found_ns, truths_ns, rtol=checks.TOLERANCE)


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_a_task_moved_while_it_runs_leaves_each_cgroup_its_own(attach: Attach, name: str) -> None:
    hierarchy = hierarchies().get(name)
    if hierarchy is None:
        pytest.skip(f"no cgroup {name} here")
    checks.migration(attach(hierarchy.options()), hierarchy)


def test_threads_are_one_process_after_their_leader_is_gone(attach: Attach) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options())
    with boxes(hierarchy) as (box,):
        load = Load(box, "threads", 150)
        book = record(sched, load)
        said = load.result
        load.end()
    mine = book.of(tgid=said["pid"], cgroup=box.id)
    assert np.unique(book.keys["start_ns"][mine]).size == 1
    assert off_by(book.run_ns(tgid=said["pid"], cgroup=box.id), said["run_ns"]) < checks.TOLERANCE


def test_an_exec_renames_and_stays_the_same_process(attach: Attach, tmp_path: Path) -> None:
    hierarchy = usual()
    program = tmp_path / "penstock-probe"
    # The base interpreter: one of a virtual environment would not find its home under another name.
    program.symlink_to(os.path.realpath(sys.executable))
    sched = attach(hierarchy.options())
    with boxes(hierarchy) as (box,):
        load = Load(box, "rename", 60, program)
        book = record(sched, load, every_s=30)
        said = load.result
        load.end()
    mine = book.of(tgid=said["pid"], cgroup=box.id)
    assert np.unique(book.keys["start_ns"][mine]).size == 1
    assert off_by(int(book.rows["run_ns"][mine].sum()), said["run_ns"]) < checks.TOLERANCE
    names = {comm.tobytes().partition(b"\0")[0] for comm in book.rows["comm"][mine]}
    assert b"penstock-probe" in names


def test_the_whole_group_must_be_dead_to_be_gone(attach: Attach) -> None:
    from bpf.layout import ROW_EXITED

    hierarchy = usual()
    sched = attach(hierarchy.options())
    with boxes(hierarchy) as (box,):
        load = Load(box, "threads", 300)
        book = record(sched, load, every_s=0.1)
        said = load.result
        load.end()
    gone = [
        bool((part.rows["flags"][part.keys["tgid"] == said["pid"]] & ROW_EXITED).any())
        for part in book.parts
        if (part.keys["tgid"] == said["pid"]).any()
    ]
    # The leader left in the first of them.
    assert gone[0] is False
    assert gone[-1] is True
