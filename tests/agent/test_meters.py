# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The agent with meters of every tier: slow ones are waited for, GPUs go to their processes, sources are shown."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.loop import Agent
from agent.meters import nvml_library
from agent.settings import AgentSettings
from plumbing.clock import ManualClock
from sim.gpu import FakeNvml, Gpu, Process, uuid
from tests.agent.extenders import FakeExtender
from tests.agent.test_agent import based, burn, delivered, get
from tests.meters import hwmon_trees, trees

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def extender() -> Iterator[FakeExtender]:
    made = FakeExtender()
    yield made
    made.close()


@contextlib.asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Agent]:
    agent = Agent(AgentSettings(node="node-a", port=0, interval_s=600, **settings))
    await agent.start()
    await based(agent)
    try:
        yield agent
    finally:
        await agent.stop()


async def closed(agent: Agent, count: int, *, within_s: float = 8.0) -> None:
    """Until so many intervals have closed."""
    for _ in range(round(within_s / 0.02)):
        if agent.vitals.intervals_total >= count:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{agent.vitals.intervals_total} of {count} intervals closed")


async def test_an_interval_waits_for_a_slow_gauge_and_is_booked_on_its_time(
    tmp_path: Path, extender: FakeExtender
) -> None:
    trees.dual_socket(tmp_path)
    hwmon_trees.server(tmp_path)
    async with running(sysfs=str(tmp_path), targets=(extender.url,), meters=("rapl-powercap", "acpi")) as agent:
        for _ in range(2):
            burn(tmp_path, 1)
            await agent.tick()
        if agent.vitals.intervals_total < 2:
            shown = await get(agent, "/metrics")
            assert "penstock_agent_provisional_intervals" in shown
        await closed(agent, 2)
        node = (await get(agent, "/v1/query?window=60"))["items"][0]
        platform = next(each for each in node["domains"] if each["name"] == "platform/node")
        assert platform["power_w"] == pytest.approx(214.0)
        assert platform["source"] == "acpi"
        assert {each["parent"] for each in node["domains"] if each is not platform} == {"platform/node"}
        assert node["power_w"] == pytest.approx(214.0, rel=0.01), "only the platform is added up"
        assert node["reconciliation"]["reconciliation_error_ratio"] is None
        residual_w = node["reconciliation"]["residual_w"]
        assert residual_w == pytest.approx(platform["residual_w"], rel=0.01)
        families = {each.name: each.samples for each in text_string_to_metric_families(await get(agent, "/metrics"))}
        # Of the newest interval, whose length and so whose RAPL watts depend on how busy this machine is.
        newest_w = (await get(agent, "/v1/query"))["items"][0]["reconciliation"]["residual_w"]
        assert [each.value for each in families["penstock_node_residual_watts"]] == [pytest.approx(newest_w)]
        assert not families["penstock_node_reconciliation_error_ratio"], "absent is not 0"
        await delivered(extender, 2)
    assert {row.domain for row in extender.books.booked[0].domains} >= {"platform/node", "cpu/socket-0"}


async def test_a_gpu_goes_to_its_processes_by_pid_even_to_one_that_sleeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "input()", stdin=asyncio.subprocess.PIPE)
    clock = ManualClock()
    shared = {sleeper.pid: Process(sm_percent=60), os.getpid(): Process(sm_percent=20), 2**22: Process(sm_percent=20)}
    fake = FakeNvml(clock, [Gpu(uuid(0), power_w=100.0, processes=shared), Gpu(uuid(1), power_w=50.0)])
    monkeypatch.setattr(nvml_library, "load", lambda: fake)
    async with running(sysfs=str(tmp_path), meters=("nvml", "modelled")) as agent:
        await asyncio.sleep(0.5)
        clock.unix = agent._clock.unix_ns()
        fake.run(0.25)
        await agent.tick()
        await closed(agent, 1)
        snapshot = agent.ledger.ring.latest
        assert snapshot is not None
        columns = {split.energy.domain.name: at for at, split in enumerate(snapshot.domains)}
        first = snapshot.domains[columns[f"gpu/{uuid(0)}"]]
        assert first.model == "gpu_sm_ratio"
        by_pid = dict(
            zip(snapshot.rows["pid"].tolist(), snapshot.dynamic_uj[:, columns[f"gpu/{uuid(0)}"]].tolist(), strict=True)
        )
        assert first.energy.energy_uj == pytest.approx(25e6, abs=1e4)
        assert by_pid[sleeper.pid] == pytest.approx(0.6 * first.energy.energy_uj, abs=2)
        assert by_pid[os.getpid()] == pytest.approx(0.2 * first.energy.energy_uj, abs=2)
        assert set(first.unattributed_uj) == {"unseen_holder"}
        second = snapshot.domains[columns[f"gpu/{uuid(1)}"]]
        assert set(second.unattributed_uj) == {"no_holder"}
        assert first.parent is second.parent is None, "the model of the machine's share knows no GPU"
        items = (await get(agent, "/v1/query?group=process&limit=10000"))["items"]
        assert next(item for item in items if item["pid"] == sleeper.pid)["power_w"] > 0
    sleeper.terminate()
    await sleeper.wait()


async def test_a_gpu_that_hangs_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees.dual_socket(tmp_path)
    fake = FakeNvml(ManualClock(), [Gpu(uuid(0))])
    monkeypatch.setattr(nvml_library, "load", lambda: fake)
    release = threading.Event()
    async with running(sysfs=str(tmp_path), meters=("rapl-powercap", "nvml")) as agent:
        fake.gpus[0].hang = release
        burn(tmp_path, 3)
        await agent.tick()
        await closed(agent, 1)
        burn(tmp_path, 3)
        await agent.tick()
        await closed(agent, 2)
        total_uj = sum(
            split.energy.energy_uj
            for snapshot in agent.ledger.ring.window(600)
            for split in snapshot.domains
            if split.energy.domain.component != "gpu"
        )
        assert total_uj == 4 * 6_000_000
        latest = agent.ledger.ring.latest
        assert latest is not None
        assert {gap.reason for gap in latest.gaps if gap.domain.startswith("gpu/")} <= {"deadline", "no_answer"}
        assert not any(split.energy.domain.component == "gpu" for split in latest.domains)
        assert agent.stuck
        release.set()
        await asyncio.sleep(0.1)


async def test_sources_show_age_tier_and_circuit(tmp_path: Path) -> None:
    trees.laptop(tmp_path)
    settings = {"prometheus_url": "http://127.0.0.1:9", "prometheus_query": "outlet_watts"}
    async with running(sysfs=str(tmp_path), meters=("rapl-powercap", "modelled"), **settings) as agent:
        await asyncio.sleep(1.2)
        document = await get(agent, "/v1/sources")
        items = {item["name"]: item for item in document["items"] if item["usable"] or not item["component"]}
        assert items["rapl-powercap:core/socket-0"]["value"] == 0.0
        assert not items["rapl-powercap:core/socket-0"]["chosen"]
        assert 0 <= items["rapl-powercap:cpu/socket-0"]["age_s"] < 10
        assert items["rapl-powercap:cpu/socket-0"]["tier"] == "fast"
        assert items["modelled:platform/share"]["tier"] == "heartbeat", "what nobody books is read for this list alone"
        outlet = items["prometheus:platform/node"]
        assert outlet["usable"]
        assert outlet["value"] is None
        assert outlet["unread"] == outlet["circuit"]["reason"] == "unreachable"
        assert outlet["circuit"]["failures"] >= 1
        assert items["redfish"]["circuit"] is None
        assert document["reconciliation"]["reconciliation_error_ratio"] is None, "psys and packages are one instrument"


def test_meters_of_the_network_are_not_in_the_lean_process() -> None:
    code = (
        "import sys, agent.__main__\n"
        "from agent.meters.choice import survey\nfrom agent.settings import AgentSettings\n"
        "from plumbing.clock import SystemClock\nsurvey(AgentSettings(), clock=SystemClock())\n"
        "print([name for name in sys.modules if name.startswith(('agent.meters.redfish', 'agent.meters.dcgm', "
        "'agent.meters.prometheus', 'agent.meters.ipmi', 'pyghmi', 'httpx', 'plumbing.http'))])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
