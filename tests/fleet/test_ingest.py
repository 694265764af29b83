# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Reports over a real gRPC connection: acks, refusals, resumption, a port that is taken."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc.aio
import pytest

from fleet_router import views
from fleet_router.service import Fleet
from plumbing.clock import ManualClock
from plumbing.server import ListenError
from tests.fleet.clients import UNIT_UJ, Cluster, node_range, report
from tests.fleet.conftest import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_a_report_is_acked_and_shown(fleet: Fleet) -> None:
    cluster = Cluster(fleet.ingest.address)
    ack = await cluster.send(report(node_range(1, 3), number=7))
    assert (ack.number, ack.error) == (7, "")
    assert [(each.node, each.boot_id, each.stream, each.sequence) for each in ack.watermarks] == [
        ("node-a", "boot-1", "s1", 3)
    ]
    shown = views.fleet(fleet.view())
    assert shown["energy_uj"] == UNIT_UJ * 6 == sum(shown["rows"].values())
    assert shown["watermarks"] == [
        {"cluster": "alpha", "node": "node-a", "boot_id": "boot-1", "stream": "s1", "sequence": 3}
    ]
    await cluster.close()


async def test_a_refusal_names_the_field_and_the_stream_goes_on(fleet: Fleet) -> None:
    cluster = Cluster(fleet.ingest.address)
    wrong = report(node_range(1, 1))
    wrong.ranges[0].rows[1].energy_uj = -5
    assert (await cluster.send(wrong)).error.startswith("ranges[0].rows[1].energy_uj: ")
    assert (await cluster.send(b"\xff\xff\xff")).error.startswith("report: ")
    assert views.fleet(fleet.view())["energy_uj"] == 0
    assert not (await cluster.send(report(node_range(1, 1)))).error
    assert fleet.ingest.counters.reports == {"refused": 2, "taken": 1}
    await cluster.close()


async def test_two_replicas_at_once_book_once(fleet: Fleet) -> None:
    replicas = [Cluster(fleet.ingest.address) for _ in range(2)]
    for sequence in range(1, 11):
        await asyncio.gather(*(each.send(report(node_range(sequence, sequence))) for each in replicas))
    assert views.fleet(fleet.view())["energy_uj"] == UNIT_UJ * 55
    assert fleet.ingest.counters.ranges == {"booked": 10, "duplicate": 10}
    for each in replicas:
        await each.close()


async def test_a_message_too_large_ends_the_call_not_the_router(fleet: Fleet) -> None:
    cluster = Cluster(fleet.ingest.address)
    with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError, AssertionError)):
        await cluster.send(b"\x00" * (33 * 2**20))
    await cluster.close()
    again = Cluster(fleet.ingest.address)
    assert not (await again.send(report(node_range(1, 1)))).error
    await again.close()


async def test_a_restarted_router_goes_on_where_it_was(tmp_path: Path) -> None:
    settings = replace(SETTINGS, state=str(tmp_path / "fleet"))
    for run in range(2):
        fleet = Fleet(settings, clock=ManualClock())
        await fleet.start()
        cluster = Cluster(fleet.ingest.address)
        ack = await cluster.send(report(node_range(1, 2)))
        assert [each.sequence for each in ack.watermarks] == [2]
        assert fleet.ingest.counters.ranges == ({"booked": 1} if run == 0 else {"duplicate": 1})
        assert views.fleet(fleet.view())["energy_uj"] == UNIT_UJ * 3
        await cluster.close()
        await fleet.stop()


async def test_a_taken_port_is_said(fleet: Fleet) -> None:
    second = Fleet(replace(SETTINGS, grpc_port=fleet.ingest.address.port), clock=ManualClock())
    with pytest.raises(ListenError, match="port-offset"):
        await second.start()
    await second.stop()
