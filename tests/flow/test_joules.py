# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The main job: what a process burns is seen, booked to the microjoule, and the same number at every level."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.flow.stack import INTERVAL_S, Stack, eventually, spinners, stack, start

if TYPE_CHECKING:
    from collections.abc import Iterator

# No load keeps a namespace under this: it is full as soon as anything runs.
BUDGET = """\
apiVersion: penstock.dev/v1alpha1
kind: PowerBudget
metadata:
  name: tiny
  namespace: host
spec:
  limitWatts: 0.001
  windowSeconds: 10
  action: throttle
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("joules")
    policies = folder / "policies"
    policies.mkdir()
    (policies / "budget.yaml").write_text(BUDGET, encoding="utf-8")
    with stack(folder, policies=str(policies)) as made:
        made.start()
        eventually(
            lambda: made.agent.get("/v1/query?group=node")["items"],
            what="the agent has an interval",
            log=made.agent.log,
        )
        yield made


def processes(running: Stack) -> dict[int, dict[str, Any]]:
    return {item["pid"]: item for item in running.agent.get("/v1/query?group=process&limit=1000")["items"]}


def power_w(running: Stack) -> dict[int, float]:
    return {pid: item["power_w"] for pid, item in processes(running).items()}


def test_watts_of_a_busy_process_rise_within_two_intervals(running: Stack) -> None:
    with spinners(2, idle=True) as asleep:
        pids = [process.pid for process in asleep]
        # A process that sleeps draws nothing and is no row; its absence is 0 W.
        time.sleep(2 * INTERVAL_S)
        before = power_w(running)
        for process in asleep:
            start(process)
        started_s = time.monotonic()
        eventually(
            lambda: all(power_w(running).get(pid, 0.0) > before.get(pid, 0.0) + 0.05 for pid in pids),
            what="the watts of both have risen",
            log=running.agent.log,
        )
        # Two whole intervals, the rest of the one in which they began, and a slow machine's turn of the loop.
        assert time.monotonic() - started_s < 3 * INTERVAL_S + 1.0
        time.sleep(2 * INTERVAL_S)
        now = processes(running)
        node = running.agent.get("/v1/query?group=node")["items"][0]
    for pid in pids:
        assert before.get(pid, 0.0) < 0.05, "one that sleeps draws next to nothing"
        assert now[pid]["comm"].startswith("python")
        assert now[pid]["power_low_w"] <= now[pid]["power_w"] <= now[pid]["power_high_w"]
        assert now[pid]["power_w"] < node["power_w"]
    assert node["power_low_w"] < node["power_w"] < node["power_high_w"]


def test_the_ledger_closes_to_the_microjoule(running: Stack) -> None:
    def at_one_watermark() -> Any:
        answers = [
            running.agent.get(f"/v1/query?group={group}&limit=1000") for group in ("node", "namespace", "workload")
        ]
        return answers if answers[0]["watermarks"] == answers[1]["watermarks"] == answers[2]["watermarks"] else None

    node, namespaces, workloads = eventually(at_one_watermark, what="three answers about the same interval")
    total = node["items"][0]
    assert isinstance(total["energy_uj"], int)
    assert total["energy_uj"] == sum(total["rows"].values()) > 0
    assert sum(item["energy_uj"] for item in namespaces["items"]) == total["rows"]["dynamic_uj"]
    assert sum(item["energy_uj"] for item in workloads["items"]) == total["rows"]["dynamic_uj"]
    loaded_uj = sum(item["loaded_energy_uj"] for item in namespaces["items"])
    assert loaded_uj + total["unallocated_uj"] == total["energy_uj"]


def totals(role: Any, path: str) -> tuple[list[dict[str, Any]], dict[str, int], int]:
    answer = role.get(path)
    item = answer["items"][0] if "items" in answer else answer
    return answer["watermarks"], item["rows"], item["energy_uj"]


def test_agent_extender_and_fleet_state_the_same_joules_at_equal_watermarks(running: Stack) -> None:
    # Energy is in motion, so the three are asked until all speak of the same interval.
    def same() -> Any:
        agent = totals(running.agent, "/v1/query?group=node")
        extender = totals(running.extender, "/v1/cluster")
        fleet = totals(running.fleet, "/v1/clusters/test")
        return (agent, extender, fleet) if agent[0] == extender[0] == fleet[0] and agent[0] else None

    agent, extender, fleet = eventually(same, what="three equal watermarks", log=running.extender.log)
    assert agent[2] > 0
    assert agent == extender == fleet


def test_a_namespace_above_its_budget_is_refused_with_the_reason(running: Stack) -> None:
    with spinners(1):
        time.sleep(3 * INTERVAL_S)
        pod = {
            "metadata": {"name": "more", "namespace": "host", "uid": "uid-more"},
            "spec": {"containers": [{"name": "c"}]},
        }
        status, answer = running.extender.post("/filter", {"Pod": pod, "Nodes": None, "NodeNames": ["test-node"]})
    assert status == 200
    assert answer["NodeNames"] == []
    assert answer["FailedAndUnresolvableNodes"] == {"test-node": "PowerBudget host/tiny is full"}
    decision = running.extender.get("/v1/decisions/uid-more")
    assert decision is not None
    other = pod | {"metadata": {"name": "more", "namespace": "elsewhere", "uid": "uid-other"}}
    status, answer = running.extender.post("/filter", {"Pod": other, "Nodes": None, "NodeNames": ["test-node"]})
    assert answer["NodeNames"] == ["test-node"], "the budget of one namespace is not another's"


def test_the_recommendation_names_the_cluster_and_its_carbon(running: Stack) -> None:
    # Next to nothing, because a test machine is busy and a cluster without free CPUs is rightly no candidate.
    request = {"workload": {"name": "train", "cpus": 0.001, "duration_hours": 2}}

    def feasible() -> Any:
        status, answer = running.fleet.post("/v1/placements:recommend", request)
        assert status == 200, answer
        return answer if answer["items"] else None

    answer = eventually(feasible, what="the cluster is a candidate", log=running.fleet.log)
    assert [item["name"] for item in answer["items"]] == ["test"]
    assert answer["items"][0]["grams"]["value"] > 0
    assert running.fleet.get(f"/v1/decisions/{answer['decision_id']}") is not None


def test_every_role_answers_its_probes_and_metrics(running: Stack) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    for role in (running.agent, running.extender, running.fleet):
        assert role.request("/livez")[0] == 200
        assert role.request("/readyz")[0] == 200
        status, body = role.request("/metrics")
        families = list(text_string_to_metric_families(body.decode()))
        assert status == 200
        assert any(family.name.startswith("penstock_") for family in families), role.module
        status, body = role.request("/v1/nothing-here")
        assert (status, json.loads(body)["status"]) == (404, 404), role.module


def test_the_page_has_no_script(running: Stack) -> None:
    def with_the_cluster() -> bytes:
        status, body = running.fleet.request("/")
        assert status == 200
        return body if b"/v1/clusters/test" in body else b""

    page = eventually(with_the_cluster, what="the page shows the cluster")
    assert b"<script" not in page.lower()


def test_logs_are_json_lines_without_errors(running: Stack) -> None:
    for role in (running.agent, running.extender, running.fleet):
        for line in Path(role.log).read_text(encoding="utf-8").splitlines():
            assert json.loads(line)["level"] not in {"error", "critical"}, f"{role.module}: {line}"
