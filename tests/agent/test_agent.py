# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The agent whole, on this machine's processes and a tree of simulated meters, reporting to an extender."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.loop import Agent
from agent.meters.simulated import MARKER
from agent.settings import AgentSettings
from tests.agent.extenders import FakeExtender
from tests.meters import trees
from wire.report import ProfileInForce

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

ENERGY_UJ = "class/powercap/intel-rapl:{}/energy_uj"


@pytest.fixture
def extender() -> Iterator[FakeExtender]:
    made = FakeExtender()
    yield made
    made.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    trees.dual_socket(root)
    (root / MARKER).write_text("{}")
    return root


def settings(tmp_path: Path, tree: Path, *targets: str, state: bool = True) -> AgentSettings:
    return AgentSettings(
        node="node-a",
        port=0,
        interval_s=600,
        targets=targets,
        state=str(tmp_path / "state") if state else "",
        meters=("simulated",),
        simulated_root=str(tree),
    )


def burn(tree: Path, joules: int) -> None:
    """Every zone of the tree counts on."""
    for file in tree.glob("class/powercap/*/energy_uj"):
        file.write_text(f"{int(file.read_text()) + joules * 1_000_000}\n")


async def get(agent: Agent, path: str, *, status: int = 200) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", agent.server.port)
    writer.write(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    assert int(head.split(b" ")[1]) == status, body
    return json.loads(body) if b"json" in head else body.decode()


async def based(agent: Agent) -> None:
    """Until the first edge is taken: nothing can be said before the second."""
    for _ in range(500):
        if "observe-procfs" in agent.vitals.parts:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


async def delivered(extender: FakeExtender, count: int) -> None:
    for _ in range(500):
        if len(extender.books.booked) >= count:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{len(extender.books.booked)} of {count} reports came")


async def test_what_the_agent_shows_is_what_the_extender_books(
    tmp_path: Path, tree: Path, extender: FakeExtender
) -> None:
    agent = Agent(settings(tmp_path, tree, extender.url))
    await agent.start()
    assert (await get(agent, "/v1/query", status=503))["detail"] == "no interval has closed yet"
    await get(agent, "/readyz", status=503)
    await based(agent)
    for joules in (3, 5):
        child = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "sum(range(2_000_000))")
        assert await child.wait() == 0
        burn(tree, joules)
        await agent.tick()
    await delivered(extender, 2)
    node = (await get(agent, "/v1/query"))["items"][0]
    booked = extender.books.booked
    assert node["energy_uj"] == 4 * 8_000_000 == sum(row.energy_uj for each in booked for row in each.domains)
    assert sum(node["rows"].values()) == node["energy_uj"]
    assert node["kind"] == "modelled"
    assert node["simulated"]
    assert node["power_low_w"] < node["power_w"] < node["power_high_w"]
    for group in ("namespace", "workload"):
        answer = await get(agent, f"/v1/query?group={group}&limit=10000")
        assert answer["watermarks"][0]["sequence"] == booked[-1].sequence == 2
        assert sum(item["energy_uj"] for item in answer["items"]) == node["rows"]["dynamic_uj"]
        loaded_uj = sum(item["loaded_energy_uj"] for item in answer["items"])
        assert loaded_uj + node["unallocated_uj"] == node["energy_uj"]
    processes = (await get(agent, "/v1/query?group=process&view=loaded&limit=3&window=60"))["items"]
    assert len(processes) <= 3
    assert [item["power_w"] for item in processes] == sorted((item["power_w"] for item in processes), reverse=True)
    assert set(processes[0]) >= {"name", "pid", "comm", "namespace", "workload", "power_w", "kind", "energy_uj"}
    assert {item["chosen"] for item in (await get(agent, "/v1/sources"))["items"] if item["source"] == "simulated"} >= {
        True
    }
    await get(agent, "/readyz")
    await get(agent, "/livez")
    assert (await get(agent, "/v1/query?limit=0", status=400))["field"] == "limit"
    assert (await get(agent, "/v1/query?window=nan", status=400))["field"] == "window"
    assert (await get(agent, "/v1/query?group=pods", status=400))["field"] == "group"
    assert (await get(agent, "/v1/query?colour=red", status=400))["field"] == "colour"
    assert (await get(agent, "/v1/sources?x=1", status=400))["field"] == "x"
    await agent.stop()


async def test_metrics_parse_and_their_joules_are_the_stores(tmp_path: Path, tree: Path) -> None:
    agent = Agent(settings(tmp_path, tree, state=False))
    await agent.start()
    await based(agent)
    burn(tree, 7)
    await agent.tick()
    families = {each.name: each for each in text_string_to_metric_families(await get(agent, "/metrics"))}
    node = families["penstock_node_energy_joules"]
    assert {tuple(sample.labels.values()) for sample in node.samples} == {
        (component, f"socket-{socket}", "simulated", "modelled") for component in ("cpu", "dram") for socket in (0, 1)
    }
    assert sum(sample.value for sample in node.samples) == pytest.approx(28.0)
    workloads_j = sum(sample.value for sample in families["penstock_workload_energy_joules"].samples)
    namespaces_j = sum(sample.value for sample in families["penstock_namespace_energy_joules"].samples)
    assert workloads_j == pytest.approx(namespaces_j, abs=1e-5)
    for name in ("penstock_agent_part_success", "penstock_agent_outbox_messages", "penstock_task_failures"):
        assert name in families
    await agent.stop()


async def test_totals_and_sequences_go_on_after_a_restart(tmp_path: Path, tree: Path, extender: FakeExtender) -> None:
    created: set[float] = set()
    for round_number in (1, 2):
        agent = Agent(settings(tmp_path, tree, extender.url))
        await agent.start()
        await based(agent)
        burn(tree, 2)
        await agent.tick()
        await delivered(extender, len(extender.books.booked))
        await agent.stop()
        assert agent.ledger.totals.energy_uj == round_number * 8_000_000
        created.add(agent.ledger.totals.created_unix_ns)
        burn(tree, 500)
    assert len(created) == 1
    booked = extender.books.booked
    assert [each.sequence for each in booked] == list(range(1, len(booked) + 1))
    assert len({each.stream for each in booked}) == 1
    total_uj = sum(row.energy_uj for each in booked for row in each.domains)
    assert total_uj == 16_000_000, "what was drawn while no agent ran is nobody's spike"


async def test_a_lost_zone_is_a_declared_gap_and_the_others_go_on(
    tmp_path: Path, tree: Path, extender: FakeExtender
) -> None:
    agent = Agent(settings(tmp_path, tree, extender.url))
    await agent.start()
    await based(agent)
    held = (tree / ENERGY_UJ.format(1)).read_text()
    (tree / ENERGY_UJ.format(1)).unlink()
    burn(tree, 2)
    await agent.tick()
    (tree / ENERGY_UJ.format(1)).write_text(held)
    burn(tree, 2)
    await agent.tick()
    burn(tree, 2)
    await agent.tick()
    await delivered(extender, 3)
    lost, back, good = extender.books.booked[:3]
    assert [(gap.domain, gap.reason) for gap in lost.gaps] == [("cpu/socket-1", "vanished")]
    # Away up to the end of the interval before, and a little beyond; then there, but without a base.
    assert [(gap.domain, gap.reason) for gap in back.gaps] == [
        ("cpu/socket-1", "vanished"),
        ("cpu/socket-1", "no_base"),
    ]
    assert {row.domain for row in back.domains} == {"cpu/socket-0", "dram/socket-0", "dram/socket-1"}
    assert {row.domain: row.energy_uj for row in good.domains}["cpu/socket-1"] == 2_000_000
    assert not good.gaps
    await agent.stop()


async def test_the_interval_follows_the_profile_without_a_restart(
    tmp_path: Path, tree: Path, extender: FakeExtender
) -> None:
    extender.books.profile = ProfileInForce(name="full", revision="7", interval_s=0.2)
    agent = Agent(settings(tmp_path, tree, extender.url))
    await agent.start()
    await based(agent)
    await agent.tick()
    await delivered(extender, 4)
    assert agent.interval_s == 0.2
    await agent.stop()
