# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A watt is spent once: holds against concurrency, repetition and restart."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.scheduling.budgets import HIGH, beat, limited, node_report
from tests.scheduling.pods import args, pod
from wire.report import Interval

if TYPE_CHECKING:
    from pathlib import Path

    from extender.ledger import Ledger
    from tests.extender.replica import Replica

pytestmark = pytest.mark.anyio


async def _ask(replica: Replica, uid: str, *, cpu: str = "1") -> bool:
    answer = await replica.post("/filter", args(pod(uid, cpu=cpu), "node-a"))
    return bool(answer["NodeNames"])


async def _held_w(replica: Replica) -> float:
    (budget,) = (await replica.get("/v1/cluster"))["budgets"]
    return float(budget["held_w"])


@pytest.mark.parametrize(("action", "fitting"), [("throttle", 7), ("reject", int(70 / (10 * HIGH)))])
async def test_many_at_once_get_no_more_than_the_limit(tmp_path: Path, action: str, fitting: int) -> None:
    async with limited(tmp_path, limit_w=100, action=action) as replica:
        await beat(replica, 1, old=30)
        admitted = await asyncio.gather(*(_ask(replica, f"pod-{at}") for at in range(40)))
        assert sum(admitted) == fitting
        assert len(replica.cluster.holds) == fitting
        counts = replica.cluster.decisions.counts
        assert (counts["admitted"], counts["refused"]) == (fitting, 40 - fitting)


async def test_asking_again_for_the_same_pod_costs_nothing_more(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100) as replica:
        await beat(replica, 1, old=30)
        assert all(await asyncio.gather(*(_ask(replica, "same", cpu="7") for _ in range(20))))
        assert await _held_w(replica) == pytest.approx(70)
        assert not await _ask(replica, "other")
        # It comes back smaller: the newer call replaces the hold.
        assert await _ask(replica, "same", cpu="1")
        assert await _held_w(replica) == pytest.approx(10)
        assert await _ask(replica, "other")


async def test_a_pod_of_another_namespace_does_not_touch_a_hold(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100) as replica:
        await beat(replica, 1, old=30)
        assert await _ask(replica, "same", cpu="7")
        await replica.post("/filter", args(pod("same", namespace="other", cpu="1"), "node-a"))
        assert await _held_w(replica) == pytest.approx(70)
        assert not await _ask(replica, "new")


async def test_a_pod_that_is_refused_later_gives_its_hold_back(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100) as replica:
        await beat(replica, 1, old=30)
        assert await _ask(replica, "same", cpu="2")
        assert not await _ask(replica, "same", cpu="9")
        assert await _held_w(replica) == 0


async def test_an_unseen_hold_ends_after_fifteen_minutes(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100) as replica:
        await beat(replica, 1, old=30)
        assert await _ask(replica, "ghost", cpu="7")
        replica.clock.advance(15 * 60 - 1)
        assert not await _ask(replica, "new")
        replica.clock.advance(2)
        assert await _ask(replica, "new")
        replica.cluster.tidy()
        assert len(replica.cluster.holds) == 1


async def test_a_seen_pod_counts_with_the_larger_of_measured_and_predicted_for_two_windows(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100, window_s=10) as replica:
        await beat(replica, 1, old=30)
        assert await _ask(replica, "new", cpu="4")
        measured_and_held = []
        for sequence in range(2, 14):
            # It draws 25 of the 40 W predicted.
            await beat(replica, sequence, old=30, new=25)
            (budget,) = (await replica.get("/v1/cluster"))["budgets"]
            measured_and_held.append(budget["measured_w"] + budget["held_w"])
        # Until 20 s after it was first seen it counts as 40 W, then as measured.
        assert measured_and_held[:10] == pytest.approx([70] * 10)
        assert measured_and_held[10:] == pytest.approx([55] * 2)


async def test_a_pod_that_draws_more_than_predicted_counts_as_measured(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100, window_s=10) as replica:
        await beat(replica, 1)
        assert await _ask(replica, "new", cpu="1")
        for sequence in range(2, 9):
            await beat(replica, sequence, new=60)
        (budget,) = (await replica.get("/v1/cluster"))["budgets"]
        assert budget["measured_w"] == pytest.approx(60)
        assert budget["held_w"] == 0
        assert not await _ask(replica, "large", cpu="5")


async def test_holds_survive_a_restart_for_the_rest_of_their_time(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    async with limited(tmp_path, limit_w=100, state=str(state)) as replica:
        await beat(replica, 1, old=30)
        assert await _ask(replica, "new", cpu="7")
    clock = replica.clock
    clock.advance(60)
    # A restarted machine counts its monotonic time from another origin.
    clock.monotonic = 5_000_000_000
    async with limited(tmp_path, clock=clock, limit_w=100, state=str(state)) as replica:
        assert await _held_w(replica) == pytest.approx(70)
        now_ns = clock.unix
        current = Interval(from_unix_ns=now_ns - 2_000_000_000, to_unix_ns=now_ns, elapsed_ns=2_000_000_000)
        await replica.report(replace(node_report(2, watts={"old": 30}), interval=current))
        assert not await _ask(replica, "second", cpu="1")
        assert await _ask(replica, "new", cpu="7")
        clock.advance(14 * 60)
        assert await _held_w(replica) == pytest.approx(70)
    async with limited(tmp_path, clock=clock, limit_w=100, state=str(state)) as replica:
        clock.advance(61)
        assert await _held_w(replica) == 0


async def test_nobody_is_let_through_whose_hold_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with limited(tmp_path, limit_w=100, action="reject") as replica:
        await beat(replica, 1, old=30)

        def full(self: Ledger) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as broken:
            broken.setattr("extender.ledger.Ledger.commit", full)
            problem = await replica.refused("/filter", args(pod("new"), "node-a"))
            assert problem["status"] == 503
            assert "disk is full" in problem["detail"]
            assert (await replica.refused_get("/readyz"))["status"] == 503
        assert await _held_w(replica) == 0
        assert await _ask(replica, "new")
        assert await replica.get("/readyz") == {"status": "ready"}


@settings(max_examples=20)
@given(
    calls=st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["0.5", "1", "2", "3.3", "6"])), min_size=1, max_size=40
    ),
    action=st.sampled_from(["throttle", "reject"]),
)
def test_no_sequence_of_calls_holds_more_than_the_limit(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[int, str]], action: str
) -> None:
    async def run() -> None:
        folder = tmp_path_factory.mktemp("budget")
        async with limited(folder, limit_w=100, action=action) as replica:
            await beat(replica, 1, old=30)
            before: set[str] = set()
            for at in range(0, len(calls), 5):
                await asyncio.gather(*(_ask(replica, f"pod-{uid}", cpu=cpu) for uid, cpu in calls[at : at + 5]))
                assert await _held_w(replica) <= 70 + 1e-6
                before |= {f"pod-{uid}" for uid, _ in calls[at : at + 5]}
            assert len(replica.cluster.holds) <= len(before)

    asyncio.run(run())
