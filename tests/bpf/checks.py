# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold on the real kernel. Each serves twice: its own test, and one that breaks the programs on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.bpf.host import Book, Load, boxes, off_by, record

if TYPE_CHECKING:
    from bpf.sched import Sched
    from tests.bpf.host import Hierarchy

TOLERANCE = 0.01
# HZ = 100, and what a drain may take on a busy machine.
LONGEST_TICK_NS = 30_000_000


def short_lived(sched: Sched, hierarchy: Hierarchy, *, count: int, ms: float) -> None:
    """All that many short processes ran is in their cgroup's rows, and so is what each of them says of itself."""
    with boxes(hierarchy) as (box,):
        loads = [Load(box, "short", count // 2, ms) for _ in range(2)]
        before_ns = box.usage_ns()
        book = record(sched, *loads)
        truth_ns = box.usage_ns() - before_ns
        own_ns = sum(load.result["run_ns"] for load in loads)
        for load in loads:
            load.end()
    assert own_ns > count * ms * 1e6
    children = book.of(cgroup=box.id) & ~np.isin(book.keys["tgid"], [load.pid for load in loads])
    assert np.unique(book.keys[children][["start_ns", "tgid"]]).size == count
    assert off_by(book.run_ns(cgroup=box.id), truth_ns) < TOLERANCE
    assert off_by(int(book.rows["run_ns"][children].sum()), own_ns) < TOLERANCE


def fork_bomb(sched: Sched, hierarchy: Hierarchy, *, count: int) -> None:
    """Processes that do nothing but fork and die: most of their time is spent on the way in and out."""
    with boxes(hierarchy) as (box,):
        load = Load(box, "bomb", count)
        before_ns = box.usage_ns()
        book = record(sched, load)
        truth_ns = box.usage_ns() - before_ns
        load.end()
    assert np.unique(book.keys[book.of(cgroup=box.id)][["start_ns", "tgid"]]).size >= count
    assert off_by(book.run_ns(cgroup=box.id), truth_ns) < TOLERANCE


def never_yields(sched: Sched, hierarchy: Hierarchy) -> None:
    """A task that never yields has in every interval what it ran in that interval."""
    with boxes(hierarchy) as (box,):
        load = Load(box, "spin", 1.3, 0, "alone")
        book = record(sched, load, every_s=0.2)
        marks = np.array(load.result["marks"], dtype=np.float64)
        load.end()
    checked = 0
    for part, until_ns in zip(book.parts, book.until_ns, strict=True):
        cpu = part.cpus[part.cpus["cpu"] == 0][0]
        # The first interval begins with something else on the cpu, the last holds the end.
        if cpu["from_ns"] < marks[0, 0] or until_ns > marks[-1, 0]:
            continue
        assert until_ns - cpu["to_ns"] < LONGEST_TICK_NS
        truth_ns = np.diff(np.interp([cpu["from_ns"], cpu["to_ns"]], marks[:, 0], marks[:, 1]))[0]
        assert off_by(Book([part]).run_ns(cgroup=box.id, cpu=0), truth_ns) < TOLERANCE
        checked += 1
    assert checked >= 2


def pid_reuse(sched: Sched, hierarchy: Hierarchy) -> None:
    """Two processes with one pid in one interval are two."""
    with boxes(hierarchy) as (box,):
        load = Load(box, "reuse", 40, 80)
        book = record(sched, load, every_s=30)
        said = load.result
        load.end()
    mine = book.of(tgid=said["pid"])
    starts = np.unique(book.keys["start_ns"][mine])[-2:]
    found_ns = [book.run_ns(tgid=said["pid"], start_ns=int(start)) for start in starts]
    assert len(found_ns) == 2
    assert np.allclose(found_ns, said["runs_ns"], rtol=TOLERANCE), (found_ns, said)


def migration(sched: Sched, hierarchy: Hierarchy) -> None:
    """A task that is moved while it runs leaves each cgroup what it ran there."""
    with boxes(hierarchy, 2) as (first, second):
        load = Load(first, "spin", 0.9, 1)
        before_ns = first.usage_ns()
        book = Book()
        sched.drain()
        load.begin()
        assert load.working(0.4)
        second.take_in(load.pid)
        while load.working(0.1):
            pass
        book.parts.append(sched.drain())
        load.end()
        book.parts.append(sched.drain())
        truths_ns = [first.usage_ns() - before_ns, second.usage_ns()]
    found_ns = [book.run_ns(cgroup=box.id) for box in (first, second)]
    assert min(truths_ns) > 50_000_000
    assert np.allclose(found_ns, truths_ns, rtol=TOLERANCE), (found_ns, truths_ns)
