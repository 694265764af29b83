# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Delivery is at least once, booking exactly once, whatever the order."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from extender.errors import LedgerUnavailable
from plumbing.http import HttpStatusError
from tests.extender.replica import Replica, running
from tests.wire.reports import T0_NS, report
from wire.report import Dropped, Gap, encode

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_a_report_is_acknowledged_and_booked() -> None:
    async with running() as replica:
        ack = await replica.report(report(sequence=1))
        assert ack["acked_sequence"] == 1
        assert ack["duplicate"] is False
        whole = await replica.get("/v1/cluster")
        assert whole["energy_uj"] == 24_000_000
        assert whole["rows"] == {
            "dynamic_uj": 4_000_000,
            "shared_uj": 0,
            "static_uj": 20_000_000,
            "unattributed_uj": 0,
            "residual_uj": 0,
        }
        assert whole["watermarks"] == [{"node": "node-a", "boot_id": "boot-1", "stream": "stream-1", "sequence": 1}]


async def test_a_repeat_is_acknowledged_and_not_booked() -> None:
    async with running() as replica:
        await replica.report(report(sequence=1))
        await replica.report(report(sequence=2))
        before = await replica.figures()
        again = await replica.report(report(sequence=1))
        assert again["duplicate"] is True
        assert again["acked_sequence"] == 2
        assert await replica.figures() == before


async def test_a_hole_is_refused_and_says_what_is_next() -> None:
    async with running() as replica:
        await replica.report(report(sequence=1))
        before = await replica.figures()
        problem = await replica.refused("/v1/reports", _body(4))
        assert problem["status"] == 409
        assert problem["field"] == "sequence"
        assert problem["expected_sequence"] == 2
        assert await replica.figures() == before


async def test_a_declared_hole_is_passed_over_and_counted() -> None:
    async with running() as replica:
        await replica.report(report(sequence=1))
        partly = replace(report(sequence=6), dropped=[Dropped(first=2, last=3), Dropped(first=5, last=5)])
        with pytest.raises(HttpStatusError, match="409"):
            await replica.report(partly)
        whole = replace(partly, dropped=[*partly.dropped, Dropped(first=3, last=4)])
        assert (await replica.report(whole))["acked_sequence"] == 6
        assert (await replica.get("/v1/cluster"))["energy_uj"] == 2 * 24_000_000
        assert replica.cluster.totals.gaps["node-a"].lost == {"dropped_by_agent": 4}


async def test_an_unknown_stream_starts_anywhere() -> None:
    async with running() as replica:
        assert (await replica.report(report(sequence=17)))["acked_sequence"] == 17
        assert replica.cluster.totals.gaps["node-a"].lost == {"before_first_report": 16}


async def test_a_late_sequence_fills_its_gap_once_and_the_counts_survive(tmp_path: Path) -> None:
    async with running(state=str(tmp_path)) as replica:
        await replica.report(report(sequence=2))
        await replica.report(replace(report(sequence=6), dropped=[Dropped(first=3, last=5)]))
        late = await replica.report(report(sequence=4))
        assert (late["acked_sequence"], late["duplicate"]) == (6, False)
        assert (await replica.report(report(sequence=1)))["duplicate"] is False
        assert (await replica.report(report(sequence=4)))["duplicate"] is True
        node = await replica.get("/v1/nodes/node-a")
        assert node["energy_uj"] == 4 * 24_000_000
        assert node["gaps"]["lost_intervals"] == [{"reason": "dropped_by_agent", "intervals": 2}]
        assert (node["lost_intervals"], node["gaps"]["restated_intervals"]) == (2, 2)
        before = (node, (await replica.http.get("/metrics")).body)
        assert b"penstock_cluster_lost_intervals_total 4\n" in before[1]
        assert b"penstock_cluster_restated_intervals_total 2\n" in before[1]
    async with running(replica.clock, state=str(tmp_path)) as replica:
        after = await replica.get("/v1/nodes/node-a")
        assert (after["energy_uj"], after["gaps"]) == (node["energy_uj"], node["gaps"])
        assert b"penstock_cluster_lost_intervals_total 4\n" in (await replica.http.get("/metrics")).body
        assert (await replica.report(report(sequence=4)))["duplicate"] is True
        assert (await replica.report(report(sequence=5)))["duplicate"] is False


async def test_what_no_meter_saw_is_kept_and_shown(tmp_path: Path) -> None:
    gap = Gap(domain="platform/share", from_unix_ns=T0_NS - 10**10, to_unix_ns=T0_NS, reason="not_stored")
    async with running(state=str(tmp_path)) as replica:
        for sequence in (1, 2, 2):
            await replica.report(replace(report(sequence=sequence), gaps=[gap]))
        shown = (await replica.get("/v1/nodes/node-a"))["gaps"]["meters"]
        assert [(each["domain"], each["reason"], each["gaps"], each["gap_s"]) for each in shown] == [
            ("platform/share", "not_stored", 2, 20)
        ]
        assert (await replica.get("/v1/nodes"))["items"][0]["meter_gaps"] == 2
    async with running(replica.clock, state=str(tmp_path)) as replica:
        assert (await replica.get("/v1/nodes/node-a"))["gaps"]["meters"] == shown
        sample = b'penstock_cluster_meter_gaps_total{node="node-a",reason="not_stored"} 2\n'
        assert sample in (await replica.http.get("/metrics")).body


async def test_one_overflow_is_refused_alone(tmp_path: Path) -> None:
    async with running(state=str(tmp_path)) as replica:
        await replica.report(report(node="giant", sequence=1))
        await replica.cluster.writer.submit(
            lambda ledger: ledger._db.execute("UPDATE node_totals SET energy_uj = ? WHERE row = 'static'", (2**63 - 5,))
        )
        before = await replica.figures()
        outcomes = await asyncio.gather(
            replica.refused("/v1/reports", encode(report(node="giant", sequence=2))),
            *(replica.report(report(node=f"node-{at}", sequence=1)) for at in range(20)),
        )
        assert (outcomes[0]["status"], outcomes[0]["field"]) == (422, "domains.energy_uj")
        assert [ack["acked_sequence"] for ack in outcomes[1:]] == [1] * 20
        after = await replica.figures()
        assert after["cluster"]["energy_uj"] == before["cluster"]["energy_uj"] + 20 * 24_000_000
        marks = {mark["node"]: mark["sequence"] for mark in after["cluster"]["watermarks"]}
        assert marks["giant"] == 1
        assert await replica.get("/readyz") == {"status": "ready"}


async def test_a_bug_in_one_job_leaves_its_neighbours_alone() -> None:
    async with running() as replica:
        writer = replica.cluster.writer
        broken = writer.submit(lambda _: 1 // 0)
        fine = writer.submit(lambda ledger: ledger.cluster_id)
        with pytest.raises(LedgerUnavailable, match="ZeroDivisionError"):
            await broken
        assert await fine == replica.cluster.cluster_id
        assert (await replica.report(report(sequence=1)))["acked_sequence"] == 1


async def test_streams_and_boots_are_numbered_apart() -> None:
    async with running() as replica:
        await replica.report(report(sequence=1))
        await replica.report(report(sequence=1, stream="stream-2"))
        await replica.report(report(sequence=1, boot_id="boot-2"))
        assert (await replica.get("/v1/cluster"))["energy_uj"] == 3 * 24_000_000


async def _deliver(replica: Replica, sequence: int) -> int:
    """What an agent does: on 409 it would go back; here the test decides the order. Returns the status."""
    try:
        await replica.report(report(sequence=sequence, dynamic_uj=(sequence, 7 * sequence), static_uj=1000))
    except HttpStatusError as error:
        if json.loads(error.body)["expected_sequence"] >= sequence:
            raise
        return error.status
    return 200


@settings(max_examples=25)
@given(order=st.lists(st.integers(1, 8), min_size=1, max_size=30), concurrent=st.booleans())
def test_any_order_with_repeats_books_each_interval_once(*, order: list[int], concurrent: bool) -> None:
    async def run() -> None:
        async with running() as replica:
            await _deliver(replica, 1)
            if concurrent:
                await asyncio.gather(*(_deliver(replica, sequence) for sequence in order))
            else:
                for sequence in order:
                    await _deliver(replica, sequence)
            whole = await replica.get("/v1/cluster")
            booked = whole["watermarks"][0]["sequence"]
            if not concurrent:
                assert booked == _watermark(order)
            assert whole["energy_uj"] == sum(8 * sequence + 1000 for sequence in range(1, booked + 1))
            counts = replica.cluster.ingest.counts
            assert counts["booked"] == booked
            assert sum(counts.values()) == len(order) + 1

    asyncio.run(run())


def _watermark(order: list[int]) -> int:
    at = 1
    for sequence in order:
        at = sequence if sequence == at + 1 else at
    return at


async def test_totals_in_memory_are_what_a_restart_reads(tmp_path: Path) -> None:
    async with running(state=str(tmp_path)) as replica:
        for node in ("node-a", "node-b"):
            for sequence in (1, 2, 3):
                await replica.report(report(node=node, sequence=sequence, namespace=f"ns-{sequence}"))
        before = await _totals(replica)
    async with running(replica.clock, state=str(tmp_path)) as replica:
        assert await _totals(replica) == before
        assert (await replica.report(report(sequence=3)))["duplicate"] is True
        assert (await replica.report(report(sequence=4)))["duplicate"] is False


async def _totals(replica: Replica) -> dict[str, Any]:
    whole = await replica.get("/v1/cluster")
    spaces = await replica.get("/v1/namespaces")
    pods = await replica.get("/v1/pods")
    return {
        "cluster_id": whole["cluster_id"],
        "watermarks": whole["watermarks"],
        "rows": whole["rows"],
        "loaded": whole["loaded_rows"],
        "namespaces": {item["name"]: (item["energy_uj"], item["loaded_energy_uj"]) for item in spaces["items"]},
        "pods": sorted((item["node"], item["namespace"], item["name"], item["energy_uj"]) for item in pods["items"]),
    }


def _body(sequence: int) -> bytes:
    return encode(report(sequence=sequence))
