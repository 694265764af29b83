# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a scan sees, and what it recovers of that which ended before it could."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.errors import ObserverError
from agent.observe.protocol import EXITED, KERNEL_THREAD, PROCESS, Observation
from tests.observation.hosts import Host

if TYPE_CHECKING:
    from pathlib import Path

TICK_NS = 10_000_000


def seen(observation: Observation | None) -> dict[tuple[str, int, int], int]:
    """(cgroup, kind, pid) -> ticks."""
    assert observation is not None
    return {
        (observation.cgroups[row["cgroup"]], int(row["kind"]), int(row["pid"])): int(row["run_ns"]) // TICK_NS
        for row in observation.rows
    }


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return Host(tmp_path, version=request.param)


def test_the_first_scan_is_only_a_base(host: Host) -> None:
    host.process(1, 500)
    observer = host.observer()
    assert observer.drain() is None
    host.process(1, 530)
    host.tick(200)
    observation = observer.drain()
    assert seen(observation) == {("/", PROCESS, 1): 30}
    assert observation is not None
    assert (observation.elapsed_ns, observation.cpus, observation.processes) == (2_000_000_000, 2, 1)


def test_a_process_born_since_counts_from_birth_and_an_old_stranger_from_now(host: Host) -> None:
    observer = host.observer()
    observer.drain()
    host.process(7, 40, start=host.uptime + 5)
    host.process(8, 9_000, start=3)
    host.forks += 1
    host.tick(100)
    assert seen(observer.drain()) == {("/", PROCESS, 7): 40}
    host.process(8, 9_010, start=3)
    host.tick(100)
    assert seen(observer.drain()) == {("/", PROCESS, 8): 10}


def test_a_reused_pid_is_another_process(host: Host) -> None:
    host.process(7, 100, start=5)
    observer = host.observer()
    observer.drain()
    host.process(7, 30, start=host.uptime + 1)
    host.tick(100)
    assert seen(observer.drain()) == {("/", PROCESS, 7): 30}


def test_what_exited_lands_on_its_cgroup(host: Host) -> None:
    host.usage("/a", 1_000)
    host.members("/a", 7)
    host.process(7, 100, cgroup="/a")
    observer = host.observer()
    observer.drain()
    host.usage("/a", 1_080)
    host.usage("/", 80)
    host.busy += 80
    host.process(7, 150, cgroup="/a")
    host.forks += 3
    host.tick(100)
    assert seen(observer.drain()) == {("/a", PROCESS, 7): 50, ("/a", EXITED, 0): 30}


def test_a_removed_cgroup_leaves_its_last_time_with_its_parent(host: Host) -> None:
    for path, ticks in (("/pod", 500), ("/pod/c", 400)):
        host.usage(path, ticks)
    host.members("/pod/c", 7)
    host.process(7, 400, cgroup="/pod/c")
    observer = host.observer()
    observer.drain()
    host.exit(7)
    host.remove("/pod/c")
    host.usage("/pod", 560)
    host.usage("/", 60)
    host.busy += 60
    host.tick(100)
    assert seen(observer.drain()) == {("/pod", EXITED, 0): 60}


def test_unfinished_ticks_of_the_living_are_carried_and_not_booked_as_exits(host: Host) -> None:
    host.members("/", 7)
    host.usage("/a", 0)
    host.members("/a", 7)
    host.process(7, 100, cgroup="/a")
    observer = host.observer()
    observer.drain()
    total = 0
    for step in range(1, 6):
        # The cgroup is always one tick ahead of its member.
        host.usage("/a", 10 * step + 1)
        host.usage("/", 10 * step + 1)
        host.busy = 10 * step + 1
        host.process(7, 100 + 10 * step, cgroup="/a")
        host.tick(100)
        observed = seen(observer.drain())
        assert observed == {("/a", PROCESS, 7): 10}
        total += sum(observed.values())
    host.forks += 1
    host.process(7, 150, cgroup="/a")
    host.tick(100)
    assert seen(observer.drain()) == {("/a", EXITED, 0): 1}, "somebody may have exited: the carry is settled"


def test_kernel_threads_stand_apart(host: Host) -> None:
    host.process(2, 10, comm="kthreadd", kernel=True)
    host.process(9, 10, comm="a) S (b", start=4)
    observer = host.observer()
    observer.drain()
    host.process(2, 15, comm="kthreadd", kernel=True)
    host.process(9, 20, comm="a) S (b", start=4)
    host.tick(100)
    observation = observer.drain()
    assert seen(observation) == {("/", KERNEL_THREAD, 2): 5, ("/", PROCESS, 9): 10}
    assert observation is not None
    assert {observation.comms[row["comm"]] for row in observation.rows} == {"kthreadd", "a) S (b"}


def test_interrupts_are_apart_only_where_the_kernel_accounts_them(tmp_path: Path) -> None:
    for name, before, after, expected in (("off", (0, 5), (0, 25), 0), ("on", (3, 5), (13, 25), 30)):
        host = Host(tmp_path / name)
        host.interrupts = before
        observer = host.observer()
        observer.drain()
        host.interrupts = after
        host.tick(100)
        observation = observer.drain()
        assert observation is not None
        assert observation.interrupt_ns == expected * TICK_NS


def test_without_an_exact_total_the_missing_time_is_lost_by_name(tmp_path: Path) -> None:
    host = Host(tmp_path, version=2)
    observer = host.observer()
    observer.drain()
    host.busy += 150
    host.steal += 20
    host.process(5, 50, start=host.uptime + 1)
    host.forks += 1
    host.tick(100)
    observation = observer.drain()
    assert observation is not None
    # Two ticks per CPU may be a matter of when the two files were read.
    assert observation.lost_ns == (100 - 4) * TICK_NS
    assert observation.steal_ns == 20 * TICK_NS


def test_no_procfs_is_an_error_with_a_reason(tmp_path: Path) -> None:
    host = Host(tmp_path)
    observer = host.observer()
    (host.proc / "stat").write_text("nothing\n")
    with pytest.raises(ObserverError, match="cpu"):
        observer.drain()
