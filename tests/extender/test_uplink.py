# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The uplink over real gRPC: the fleet gets every interval once, whatever breaks on the way."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from extender.uplink import Uplink
from plumbing import tasks
from tests.extender.fleet import FakeFleet, eventually
from tests.extender.replica import Replica, running
from tests.wire.reports import T0_NS, report
from wire.report import Dropped, Gap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

STREAM = ("node-a", "boot-1", "stream-1")
EACH_UJ = 24_000_000


@contextlib.asynccontextmanager
async def uplink(replica: Replica, fleet: FakeFleet) -> AsyncIterator[Uplink]:
    """Runs an uplink that looks every 20 ms."""
    cluster = replica.cluster
    line = Uplink(
        target=f"127.0.0.1:{fleet.port}",
        writer=cluster.writer,
        head=cluster.head,
        now_unix_ns=cluster.clock.unix_ns,
        poll_s=0.02,
        aside_s=0.5,
    )
    cluster.uplink_status = line.status
    failures = tasks.failures["uplink"]
    task = tasks.guard("uplink", line.run)
    try:
        yield line
    finally:
        await tasks.stop(task)
        assert tasks.failures["uplink"] == failures


async def _backlog(replica: Replica) -> int:
    count, _ = await replica.cluster.writer.submit(lambda ledger: ledger.backlog())
    return count


async def _until_acked(replica: Replica, *, left: int = 0) -> None:
    for _ in range(2000):
        if await _backlog(replica) <= left:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the fleet did not acknowledge everything")


async def test_the_fleet_gets_what_the_cluster_booked_and_reports_are_let_go() -> None:
    async with (
        FakeFleet().served() as fleet,
        running(fleet_target="x", zone="DE", price_per_kwh=-0.01, cluster_name="berlin") as replica,
    ):
        for node in ("node-a", "node-b"):
            for sequence in range(1, 6):
                await replica.report(report(node=node, sequence=sequence))
        assert await _backlog(replica) == 10
        async with uplink(replica, fleet):
            await fleet.until(10)
            await replica.report(report(sequence=6))
            await fleet.until(11)
            await _until_acked(replica)
            whole = await replica.get("/v1/cluster")
        assert fleet.energy_uj == fleet.loaded_uj == whole["energy_uj"] == 11 * EACH_UJ
        assert fleet.last.cluster_id == whole["cluster_id"]
        assert whole["uplink"]["connected"] is True
        assert (fleet.last.site.zone, fleet.last.site.price_known, fleet.last.cluster_name) == ("DE", True, "berlin")
        assert fleet.last.site.price_per_kwh == -0.01
        assert (fleet.last.capacity.nodes_fresh, fleet.last.capacity.cpus) == (2, 8)
        # The reports' curve: 10 W idle, 50 W at 4 CPUs.
        assert fleet.last.capacity.watts_per_cpu == pytest.approx(10)


async def test_a_lost_acknowledgement_books_nothing_twice() -> None:
    async with FakeFleet(lose_acks=2).served() as fleet, running(fleet_target="x") as replica:
        await replica.report(report(sequence=1))
        async with uplink(replica, fleet):
            await fleet.until(1)
            # Grown in the meantime: the range that is sent again overlaps what the fleet has.
            await replica.report(report(sequence=2))
            await fleet.until(2)
            await _until_acked(replica)
        assert fleet.booked == 2
        assert fleet.energy_uj == 2 * EACH_UJ


async def test_an_outage_of_the_fleet_loses_nothing() -> None:
    async with running(fleet_target="x") as replica:
        async with FakeFleet().served() as fleet:
            port = fleet.port
        await replica.report(report(sequence=1))
        async with uplink(replica, fleet) as line:
            await eventually(lambda: bool(line.status.last_error))
            assert not line.status.connected
            await replica.report(report(sequence=2))
            async with FakeFleet(port=port).served() as fleet:
                await fleet.until(2)
                await _until_acked(replica)
            assert fleet.energy_uj == 2 * EACH_UJ


async def test_gaps_are_declared_with_their_reason() -> None:
    async with FakeFleet().served() as fleet, running(fleet_target="x") as replica:
        await replica.report(report(sequence=4))
        await replica.report(replace(report(sequence=7), dropped=[Dropped(first=5, last=6)]))
        async with uplink(replica, fleet):
            await fleet.until(2)
        assert fleet.gaps == [(1, 3, "before_first_report"), (5, 6, "dropped_by_agent")]
        assert fleet.watermarks[STREAM] == 7


async def test_reports_past_their_retention_become_a_gap() -> None:
    async with FakeFleet().served() as fleet, running(fleet_target="x", report_retention_h=1) as replica:
        await replica.report(report(sequence=1))
        await replica.report(report(sequence=2))
        replica.clock.advance(3700)
        await replica.report(report(sequence=3))
        replica.cluster.tidy()
        async with uplink(replica, fleet):
            await fleet.until(1)
        assert fleet.gaps == [(1, 2, "not_kept")]
        # What the cluster says it used does not shrink.
        assert (await replica.get("/v1/cluster"))["energy_uj"] == 3 * EACH_UJ


async def test_a_fleet_that_lost_its_store_is_told_what_is_left() -> None:
    async with FakeFleet().served() as fleet, running(fleet_target="x") as replica:
        await replica.report(report(sequence=1))
        async with uplink(replica, fleet):
            await fleet.until(1)
            await _until_acked(replica)
            fleet.watermarks.clear()
            await replica.report(report(sequence=2))
            await fleet.until(2)
        assert fleet.gaps == [(1, 1, "not_kept")]
        assert fleet.watermarks[STREAM] == 2


async def test_one_refused_range_does_not_hold_up_the_others() -> None:
    async with FakeFleet(refuse_node="node-c").served() as fleet, running(fleet_target="x") as replica:
        for at, node in enumerate(("node-a", "node-b", "node-c", "node-d")):
            for sequence in range(1, 2 + at):
                await replica.report(report(node=node, sequence=sequence))
        async with uplink(replica, fleet) as line:
            await fleet.until(1 + 2 + 4)
            await _until_acked(replica, left=3)
            assert line.status.last_error == "ranges[0].rows: not to our taste"
            fleet.refuse_node = ""
            await fleet.until(1 + 2 + 3 + 4)


async def test_a_late_report_reaches_a_fleet_that_was_told_of_its_gap() -> None:
    async with FakeFleet().served() as fleet, running(fleet_target="x") as replica:
        await replica.report(report(sequence=4))
        async with uplink(replica, fleet):
            await fleet.until(1)
            await _until_acked(replica)
            for sequence in (1, 3):
                await replica.report(report(sequence=sequence))
            await fleet.until(3)
            await _until_acked(replica)
        assert fleet.energy_uj == 3 * EACH_UJ
        assert fleet.missing[STREAM] == {2}
        assert fleet.watermarks[STREAM] == 4


async def test_what_meters_missed_goes_up_with_the_range() -> None:
    async with FakeFleet().served() as fleet, running(fleet_target="x") as replica:
        for sequence in (1, 2):
            start_ns = T0_NS + (sequence - 1) * 2_000_000_000
            gap = Gap(domain="cpu/0", from_unix_ns=start_ns, to_unix_ns=start_ns + 2_000_000_000, reason="stuck")
            await replica.report(replace(report(sequence=sequence), gaps=[gap]))
        async with uplink(replica, fleet):
            await fleet.until(2)
        assert fleet.meter_gaps == [("cpu/0", "stuck", T0_NS, T0_NS + 4_000_000_000)]


async def test_a_range_that_breaks_the_stream_does_not_hold_up_the_others() -> None:
    async with FakeFleet(choke_on_node="node-b").served() as fleet, running(fleet_target="x") as replica:
        for at, node in enumerate(("node-a", "node-b", "node-c")):
            for sequence in range(1, 2 + at):
                await replica.report(report(node=node, sequence=sequence))
        async with uplink(replica, fleet) as line:
            await fleet.until(1 + 3)
            await eventually(lambda: line.status.connected and line.status.streams_aside == 1)
            assert line.status.last_error == "too much"
            fleet.choke_on_node = ""
            await fleet.until(1 + 2 + 3)
            await eventually(lambda: line.status.connected and not line.status.last_error)
            assert line.status.streams_aside == 0


async def test_between_acknowledgement_and_uplink_everything_may_die(tmp_path: Path) -> None:
    state = str(tmp_path)
    async with running(state=state, fleet_target="x") as replica:
        for sequence in (1, 2, 3):
            await replica.report(report(sequence=sequence))
    async with FakeFleet().served() as fleet:
        async with running(replica.clock, state=state, fleet_target="x") as replica, uplink(replica, fleet):
            await fleet.until(3)
            await _until_acked(replica)
        async with running(replica.clock, state=state, fleet_target="x") as replica, uplink(replica, fleet):
            await replica.report(report(sequence=4))
            await fleet.until(4)
        assert fleet.energy_uj == 4 * EACH_UJ
        assert fleet.gaps == []
