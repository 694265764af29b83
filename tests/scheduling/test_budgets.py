# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the three actions let through, and the constant texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from extender.prediction import FLOOR_W_PER_CPU
from tests.scheduling.budgets import FULL, HIGH, UNMEASURED, beat, limited, node_report, write_budget
from tests.scheduling.pods import args, facts, pod
from tests.wire.reports import T0_NS
from wire.report import CurvePoint, Interval, NodeFacts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.extender.replica import Replica

pytestmark = pytest.mark.anyio


async def _admits(replica: Replica, uid: str = "new", **pod_fields: Any) -> bool:
    answer = await replica.post("/filter", args(pod(uid, **pod_fields), "node-a", "node-b"))
    refused = answer["FailedAndUnresolvableNodes"]
    assert answer["FailedNodes"] == {}
    assert answer["Error"] == ""
    assert sorted([*answer["NodeNames"], *refused]) == ["node-a", "node-b"]
    assert len(refused) in {0, 2}
    return not refused


async def _only_node(replica: Replica, uid: str, **pod_fields: Any) -> bool:
    answer = await replica.post("/filter", args(pod(uid, **pod_fields), "node-a"))
    return bool(answer["NodeNames"])


@pytest.mark.parametrize(
    ("action", "limit_w", "admitted"),
    [
        ("throttle", 40.001, True),
        ("throttle", 39.999, False),
        ("reject", 30 + 10 * HIGH + 0.001, True),
        ("reject", 30 + 10 * HIGH - 0.001, False),
        ("alert", 0.001, True),
    ],
)
async def test_measured_and_predicted_must_fit(*, tmp_path: Path, action: str, limit_w: float, admitted: bool) -> None:
    async with limited(tmp_path, limit_w=limit_w, action=action) as replica:
        await beat(replica, 1, old_1=20, old_2=10)
        assert await _only_node(replica, "new") is admitted
        decision = await replica.get("/v1/decisions/new")
        (limit,) = decision["limits"]
        assert decision["result"] == ("admitted" if admitted else "refused")
        assert decision["reason"] == ("" if admitted else FULL)
        assert limit["limit_w"] == limit_w
        assert limit["measured_w"] == pytest.approx(30)
        assert limit["held_w"] == 0
        assert limit["predicted_w"] == pytest.approx(10 * HIGH if action == "reject" else 10)


async def test_the_mean_over_the_window_counts_not_the_moment(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=40, window_s=10) as replica:
        for sequence in range(1, 6):
            await beat(replica, sequence, old=20)
        await beat(replica, 6, old=45)
        # (4 x 20 + 45) / 5 = 25 W over the last 10 s.
        assert await _only_node(replica, "new")
        for sequence in range(7, 11):
            await beat(replica, sequence, old=45)
        assert not await _only_node(replica, "newer")


async def test_room_that_falls_free_is_given_again(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=40, window_s=10) as replica:
        await beat(replica, 1, old=35)
        assert not await _only_node(replica, "new")
        for sequence in range(2, 8):
            await beat(replica, sequence, other=1)
        assert await _only_node(replica, "new")


async def test_a_namespace_that_stops_counts_down_to_nothing(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=40, window_s=10) as replica:
        await beat(replica, 1, old=35)
        for sequence in range(2, 9):
            await beat(replica, sequence)
        (budget,) = (await replica.get("/v1/cluster"))["budgets"]
        assert budget["measured_w"] == 0


async def test_the_text_is_constant_while_the_watts_change(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=20) as replica:
        texts = set()
        for sequence in range(1, 5):
            await beat(replica, sequence, old=15 + sequence)
            answer = await replica.post("/filter", args(pod("new"), "node-a", "node-b", "node-c"))
            texts.update(answer["FailedAndUnresolvableNodes"].values())
        assert texts == {FULL}


async def test_a_silent_agent_closes_hard_budgets_only(tmp_path: Path) -> None:
    for action, admitted in (("reject", False), ("throttle", True), ("alert", True)):
        folder = tmp_path / action
        folder.mkdir()
        async with limited(folder, limit_w=1000, action=action) as replica:
            await beat(replica, 1, old=30)
            assert await _admits(replica, "first")
            replica.clock.advance(6.1)
            assert await _admits(replica, "second") is admitted
            if not admitted:
                assert (await replica.get("/v1/decisions/second"))["reason"] == UNMEASURED
            await beat(replica, 2, old=30)
            assert await _admits(replica, "third")


async def test_a_hard_budget_stays_closed_after_a_restart_until_the_nodes_report(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    async with limited(tmp_path, limit_w=1000, action="reject", state=str(state)) as replica:
        await beat(replica, 1, old=30)
    async with limited(tmp_path, clock=replica.clock, limit_w=1000, action="reject", state=str(state)) as replica:
        assert not await _admits(replica)
        await beat(replica, 2, old=30)
        assert await _admits(replica)


async def _others_report(replica: Replica, sequence: int = 1, *, node: str = "node-b") -> None:
    """An interval that ends now, in which the budget's namespace was not on the node."""
    now_ns = replica.clock.unix
    interval = Interval(from_unix_ns=now_ns - 2_000_000_000, to_unix_ns=now_ns, elapsed_ns=2_000_000_000)
    made = node_report(sequence, watts={"x": 1}, node=node, namespace="team-b")
    await replica.report(replace(made, interval=interval))


async def test_a_node_that_falls_silent_closes_a_hard_budget_for_good_or_until_an_operator_speaks(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    async with limited(tmp_path, limit_w=1000, action="reject", state=str(state)) as replica:
        await beat(replica, 1, old=30)
        assert await replica.dismiss("node-a") == 409
        replica.clock.advance(901)
        replica.cluster.tidy()
        await _others_report(replica)
        assert not await _admits(replica)
        assert (await replica.get("/v1/decisions/new"))["reason"] == UNMEASURED
        assert {item["name"]: item["status"] for item in (await replica.get("/v1/nodes"))["items"]} == {
            "node-a": "gone",
            "node-b": "fresh",
        }
        (budget,) = (await replica.get("/v1/cluster"))["budgets"]
        assert (budget["fresh"], budget["measured_w"], budget["exceeded"]) == (False, None, None)
    async with limited(tmp_path, clock=replica.clock, limit_w=1000, action="reject", state=str(state)) as replica:
        await _others_report(replica, 2)
        assert not await _admits(replica)
        assert await replica.dismiss("node-a") == 200
        assert await _admits(replica)
        assert await replica.dismiss("nobody") == 404
    async with limited(tmp_path, clock=replica.clock, limit_w=1000, action="reject", state=str(state)) as replica:
        await _others_report(replica, 3)
        assert await _admits(replica)
        assert (await replica.get("/v1/nodes/node-a"))["energy_uj"] == 80_000_000


async def test_a_backlog_of_a_silent_node_does_not_open_a_hard_budget(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=1000, action="reject") as replica:
        await beat(replica, 1, old=30)
        replica.clock.advance(901)
        replica.cluster.tidy()
        for sequence in range(2, 5):
            await replica.report(node_report(sequence, watts={}))
        await _others_report(replica)
        assert not await _admits(replica)
        await _others_report(replica, 5, node="node-a")
        await _others_report(replica, 2)
        assert await _admits(replica)


async def test_a_soft_budget_opens_when_a_silent_node_is_forgotten(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=25) as replica:
        await beat(replica, 1, old=30)
        assert not await _admits(replica)
        replica.clock.advance(901)
        replica.cluster.tidy()
        assert await _admits(replica)


async def test_a_hard_budget_is_closed_while_nothing_at_all_is_measured(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100, action="reject") as replica:
        assert not await _admits(replica)
        assert (await replica.get("/v1/decisions/new"))["reason"] == UNMEASURED
        await _others_report(replica)
        assert await _admits(replica)


@pytest.mark.parametrize("action", ["throttle", "reject"])
async def test_a_curve_that_is_flat_at_the_top_admits_no_more_than_the_limit(tmp_path: Path, action: str) -> None:
    points = ((0.0, 10.0), (0.5, 50.0), (1.0, 49.0))
    flat = NodeFacts(cpus=4, busy_cpus=3.9, curve=tuple(CurvePoint(load_ratio=x, power_w=y) for x, y in points))
    async with limited(tmp_path, limit_w=100, action=action) as replica:
        replica.clock.unix = T0_NS + 2_000_000_000
        await replica.report(replace(node_report(1, watts={"old": 50}), facts=flat))
        admitted = [await _only_node(replica, f"pod-{at}", cpu="2") for at in range(60)]
        assert 0 < sum(admitted) < 20
        (budget,) = (await replica.get("/v1/cluster"))["budgets"]
        assert budget["measured_w"] + budget["held_w"] <= 100
        decision = await replica.get("/v1/decisions/pod-0")
        assert 0 < decision["predicted_w"] < decision["predicted_high_w"]


async def test_no_prediction_is_exact(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100) as replica:
        await replica.report(replace(node_report(1, watts={"old": 1}), facts=facts(error=0.0)))
        await _only_node(replica, "new", cpu="2")
        decision = await replica.get("/v1/decisions/new")
        assert decision["predicted_w"] == pytest.approx(20)
        assert decision["predicted_high_w"] == pytest.approx(20 + 2 * FLOOR_W_PER_CPU)


async def test_two_agents_of_one_name_do_not_halve_what_is_measured(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100, window_s=10) as replica:
        for sequence in range(1, 8):
            await beat(replica, sequence, first=60)
            await replica.report(replace(node_report(sequence, watts={"second": 60}), stream="stream-2"))
        (budget,) = (await replica.get("/v1/cluster"))["budgets"]
        assert budget["measured_w"] == pytest.approx(120)
        # The second one ends; its window does not outlive its silence.
        for sequence in range(8, 13):
            await beat(replica, sequence, first=60)
        (budget,) = (await replica.get("/v1/cluster"))["budgets"]
        assert budget["measured_w"] == pytest.approx(60)


async def test_an_agent_that_begins_anew_goes_on_in_its_window(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=100, window_s=10) as replica:
        for sequence in range(1, 4):
            await beat(replica, sequence, old=20)
        replica.clock.advance(2)
        await replica.report(replace(node_report(4, watts={"old": 60}), stream="stream-2", sequence=1))
        (budget,) = (await replica.get("/v1/cluster"))["budgets"]
        assert budget["measured_w"] == pytest.approx((3 * 20 + 60) / 4)


async def test_exempt_pods_pass_a_full_budget(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=0.001) as replica:
        assert not await _admits(replica, "plain")
        assert await _admits(replica, "critical", priorityClassName="system-node-critical")
        assert await _admits(replica, "other", namespace="team-b")
        shadow = pod("shadow")
        shadow["metadata"]["labels"] = {"penstock.dev/scheduling": "shadow"}
        answer = await replica.post("/filter", args(shadow, "node-a"))
        assert answer["NodeNames"] == ["node-a"]
        decision = await replica.get("/v1/decisions/shadow")
        assert (decision["result"], decision["reason"]) == ("shadow", FULL)
        assert await replica.post("/prioritize", args(shadow, "node-a")) == [{"Host": "node-a", "Score": 0}]
        assert len(replica.cluster.holds) == 0


async def test_pods_of_daemon_sets_are_charged_and_never_refused(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=15) as replica:
        await beat(replica, 1)
        for uid in ("d-1", "d-2"):
            daemon = pod(uid)
            daemon["metadata"]["ownerReferences"] = [{"kind": "DaemonSet", "name": "d"}]
            assert (await replica.post("/filter", args(daemon, "node-a")))["NodeNames"] == ["node-a"]
        (budget,) = (await replica.get("/v1/cluster"))["budgets"]
        assert budget["held_w"] == pytest.approx(20)
        assert not await _only_node(replica, "plain")


async def test_a_changed_limit_takes_effect_and_keeps_what_was_measured(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=20) as replica:
        await beat(replica, 1, old=15)
        assert not await _only_node(replica, "new")
        write_budget(tmp_path / "policies", limit_w=2500)
        await replica.cluster.refresh_policies()
        (budget,) = (await replica.get("/v1/cluster"))["budgets"]
        assert budget["measured_w"] == pytest.approx(15)
        assert await _only_node(replica, "new")


async def test_a_new_budget_starts_from_the_latest_interval(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    async with limited(tmp_path, limit_w=1000) as replica:
        (policies / "budget.yaml").unlink()
        await replica.cluster.refresh_policies()
        await beat(replica, 1, old=15)
        write_budget(policies, limit_w=20)
        await replica.cluster.refresh_policies()
        assert not await _only_node(replica, "new")
