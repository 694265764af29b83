# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What people read adds up, carries its uncertainty, and says up to which interval it counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from tests.extender.replica import Replica, running
from tests.scheduling.budgets import beat, limited
from tests.scheduling.pods import args, pod
from tests.wire.reports import T0_NS, facts, report

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def _two_nodes(replica: Replica) -> None:
    for node in ("node-a", "node-b"):
        for sequence in (1, 2):
            await replica.report(report(node=node, sequence=sequence, namespace=f"ns-{node[-1]}", interval_s=1.0))
            await replica.report(report(node=node, sequence=sequence, stream="second", namespace="shared"))


async def test_levels_add_up_and_name_the_same_watermarks() -> None:
    async with running() as replica:
        await _two_nodes(replica)
        whole = await replica.get("/v1/cluster")
        nodes = await replica.get("/v1/nodes")
        spaces = await replica.get("/v1/namespaces")
        pods = await replica.get("/v1/pods")
        assert whole["energy_uj"] == sum(whole["rows"].values()) == sum(whole["loaded_rows"].values())
        assert whole["energy_uj"] == sum(item["energy_uj"] for item in nodes["items"]) == 8 * 24_000_000
        assert whole["rows"]["dynamic_uj"] == sum(item["energy_uj"] for item in spaces["items"])
        assert whole["rows"]["dynamic_uj"] == sum(item["energy_uj"] for item in pods["items"])
        assert whole["loaded_rows"]["workloads_uj"] == sum(item["loaded_energy_uj"] for item in spaces["items"])
        assert [item["name"] for item in spaces["items"]] == ["ns-a", "ns-b", "shared"]
        assert whole["watermarks"] == nodes["watermarks"] == spaces["watermarks"] == pods["watermarks"]
        assert len(whole["watermarks"]) == 4
        for document in (nodes, spaces, pods):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["as_of"])
            for item in document["items"]:
                if item["power_w"] is None:  # of the other agent of this name, whose interval came first
                    assert (item["power_low_w"], item["power_high_w"], item["kind"]) == (None, None, None)
                else:
                    assert item["power_low_w"] <= item["power_w"] <= item["power_high_w"]
                    assert item["kind"] == "modelled"
                assert item["name"]


async def test_a_node_shows_its_interval_and_goes_stale() -> None:
    async with running() as replica:
        await replica.report(replace(report(sequence=1), facts=replace(facts(), simulated=True)))
        node = await replica.get("/v1/nodes/node-a")
        assert node["power_w"] == pytest.approx(12)
        # The meter is good to a quarter.
        assert (node["power_low_w"], node["power_high_w"]) == (pytest.approx(9), pytest.approx(15))
        assert (node["status"], node["simulated"], node["cpus"]) == ("fresh", True, 4)
        assert node["curve"] == [{"load_ratio": 0.0, "power_w": 10.0}, {"load_ratio": 1.0, "power_w": 50.0}]
        assert [item["name"] for item in node["namespaces"]] == ["host"]
        assert (await replica.get("/v1/cluster"))["power_w"] == pytest.approx(12)
        replica.clock.advance(6.5)
        assert (await replica.get("/v1/nodes/node-a"))["status"] == "stale"
        whole = await replica.get("/v1/cluster")
        assert (whole["power_w"], whole["kind"], whole["nodes"], whole["nodes_fresh"]) == (None, None, 1, 0)
        assert whole["energy_uj"] == 24_000_000


async def test_a_backlog_is_old_even_when_it_has_just_come() -> None:
    async with running() as replica:
        for sequence in range(1, 20):
            await replica.report(report(sequence=sequence))
        replica.clock.advance(60)
        assert (await replica.get("/v1/nodes/node-a"))["status"] == "stale"
        # The agent was cut off and sends what it kept, oldest first.
        await replica.report(report(sequence=20))
        assert (await replica.get("/v1/nodes/node-a"))["status"] == "stale"


async def test_a_numbering_is_stale_until_it_delivers_in_time() -> None:
    async with running() as replica:
        replica.clock.advance(7200)
        await replica.report(report(sequence=1))
        node = await replica.get("/v1/nodes/node-a")
        assert node["status"] == "stale"
        assert node["age_s"] == pytest.approx(7203)
        replica.clock.unix = T0_NS + 3 * 2_000_000_000 + 4_000_000_000
        await replica.report(report(sequence=2))
        assert (await replica.get("/v1/nodes/node-a"))["status"] == "stale"
        await replica.report(report(sequence=3))
        assert (await replica.get("/v1/nodes/node-a"))["status"] == "fresh"


async def test_no_node_is_no_data_and_not_zero_watts() -> None:
    async with running() as replica:
        whole = await replica.get("/v1/cluster")
        assert [whole[name] for name in ("power_w", "power_low_w", "power_high_w", "kind")] == [None] * 4
        assert b"\npenstock_cluster_power_watts " not in (await replica.http.get("/metrics")).body


async def test_two_agents_of_one_name_are_a_conflict_and_one_after_the_other_is_none() -> None:
    async with running() as replica:
        for sequence in (1, 2):
            await replica.report(report(sequence=sequence))
        await replica.report(report(sequence=1, stream="again", start_ns=T0_NS + 4_000_000_000))
        assert (await replica.get("/v1/nodes/node-a"))["conflict"] is False
        await replica.report(report(sequence=3))
        assert (await replica.get("/v1/nodes/node-a"))["conflict"] is True
        page = (await replica.http.get("/metrics")).body
        assert b'penstock_cluster_node_conflicts_total{node="node-a"} 1\n' in page
        assert b"penstock_cluster_nodes_in_conflict 1\n" in page
        replica.clock.advance(6.1)
        assert (await replica.get("/v1/nodes/node-a"))["conflict"] is False


async def test_unknown_names_paths_methods_and_parameters_are_problems() -> None:
    async with running() as replica:
        assert (await replica.refused_get("/v1/nodes/nobody"))["status"] == 404
        assert (await replica.refused_get("/v1/decisions/nobody"))["field"] == "uid"
        assert (await replica.refused_get("/nothing"))["status"] == 404
        assert (await replica.refused_get("/filter"))["status"] == 405
        assert (await replica.refused("/v1/cluster", b"{}"))["status"] == 405
        limit = await replica.refused_get("/v1/pods?limit=0")
        assert (limit["status"], limit["field"]) == (422, "limit")


async def test_pods_are_selected_and_bounded() -> None:
    async with running() as replica:
        await _two_nodes(replica)
        assert len((await replica.get("/v1/pods?namespace=ns-a"))["items"]) == 2
        assert {item["node"] for item in (await replica.get("/v1/pods?node=node-b"))["items"]} == {"node-b"}
        one = await replica.get("/v1/pods?limit=1")
        assert (len(one["items"]), one["total"]) == (1, 8)


async def test_workloads_go_after_their_retention_and_their_energy_stays() -> None:
    async with running(workload_retention_h=1) as replica:
        await replica.report(report(sequence=1))
        replica.clock.advance(3601)
        replica.cluster.tidy()
        await replica.report(report(sequence=2, namespace="later"))
        assert {item["namespace"] for item in (await replica.get("/v1/pods"))["items"]} == {"later"}
        spaces = {item["name"]: item["energy_uj"] for item in (await replica.get("/v1/namespaces"))["items"]}
        assert spaces == {"host": 4_000_000, "later": 4_000_000}


async def test_metrics_parse_and_agree_with_the_reads(tmp_path: Path) -> None:
    async with limited(tmp_path, limit_w=45) as replica:
        await beat(replica, 1, old=30)
        await replica.post("/filter", args(pod("new"), "node-a"))
        await replica.post("/filter", args(pod("more"), "node-a"))
        text = (await replica.http.get("/metrics")).body.decode()
        whole = await replica.get("/v1/cluster")
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert all(name.startswith("penstock_") for name, _ in samples)
    joules = [value for (name, _), value in samples.items() if name == "penstock_cluster_energy_joules_total"]
    assert sum(joules) == pytest.approx(whole["energy_uj"] / 1e6)
    assert samples["penstock_cluster_power_watts", ()] == pytest.approx(whole["power_w"])
    budget = (("action", "throttle"), ("budget", "prod"), ("namespace", "team-a"))
    assert samples["penstock_cluster_budget_limit_watts", budget] == 45
    assert samples["penstock_cluster_budget_measured_watts", budget] == pytest.approx(30)
    assert samples["penstock_cluster_budget_held_watts", budget] == pytest.approx(10)
    assert samples["penstock_cluster_decisions_total", (("result", "admitted"),)] == 1
    assert samples["penstock_cluster_decisions_total", (("result", "refused"),)] == 1
    assert samples["penstock_cluster_reports_total", (("outcome", "booked"),)] == 1


async def test_what_nobody_foresaw_is_a_problem_document_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    from extender.app import application
    from plumbing.http import HttpClient, HttpStatusError

    async with running() as replica:
        monkeypatch.setattr("extender.views.cluster_document", lambda _: 1 / 0)
        app = application(replica.cluster)
        client = HttpClient("http://extender", transport=httpx.ASGITransport(app=app, raise_app_exceptions=False))
        with pytest.raises(HttpStatusError, match="500") as failure:
            await client.get("/v1/cluster")
        assert b'"title": "Internal error"' in failure.value.body
        await client.close()
