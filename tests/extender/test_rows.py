# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Law 1 on the way through the extender: rows add up to the meter, in both views, over hours too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.ledger import StreamKey, WaitingReport
from extender.ranges import aggregate
from extender.rows import book, hours, shift_ns
from tests.wire.reports import T0_NS, facts
from wire import fleet_pb2
from wire.report import DomainRow, Interval, Report, ShareColumns, WorkloadColumns, check, encode
from wire.units import NS_PER_HOUR

HOUR_NS = T0_NS // NS_PER_HOUR * NS_PER_HOUR
energies = st.integers(0, 10**9)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """A socket and its DRAM under a platform with a signed residual, any number of workloads, both views closing."""
    count = draw(st.integers(0, 4))
    shares: dict[str, list[int]] = {"workload": [], "domain": [], "dynamic_uj": [], "loaded_uj": [], "error": []}
    rows: list[DomainRow] = []
    residual_uj = draw(st.integers(-(10**6), 10**9))
    leaves: list[tuple[int, int, int]] = [draw(st.tuples(energies, energies, energies)) for _ in range(2)]
    leaf_uj: list[int] = []
    for domain, (static_uj, shared_uj, unattributed_uj) in enumerate(leaves, start=1):
        dynamic_uj = [draw(energies) for _ in range(count)]
        loaded_uj = [draw(energies) for _ in range(count)]
        energy_uj = sum(dynamic_uj) + static_uj + shared_uj + unattributed_uj
        leaf_uj.append(energy_uj)
        shares["workload"] += range(count)
        shares["domain"] += [domain] * count
        shares["dynamic_uj"] += dynamic_uj
        shares["loaded_uj"] += loaded_uj
        shares["error"] += [draw(energies) for _ in range(count)]
        name = f"{'cpu' if domain == 1 else 'dram'}/socket-0"
        rows.append(
            DomainRow(
                domain=name,
                component=name.split("/")[0],
                scope="socket-0",
                source="rapl",
                kind="measured",
                parent="platform/node",
                energy_uj=energy_uj,
                static_uj=static_uj,
                shared_uj=shared_uj,
                unattributed_uj={"irq": unattributed_uj},
                unallocated_uj=energy_uj - sum(loaded_uj),
                meter_error_uj=draw(energies),
            )
        )
    residual_uj = max(residual_uj, -sum(leaf_uj))
    platform = DomainRow(
        domain="platform/node",
        component="platform",
        scope="node",
        source="psys",
        kind="estimated",
        energy_uj=sum(leaf_uj) + residual_uj,
        residual_uj=residual_uj,
        unallocated_uj=residual_uj,
        meter_error_uj=draw(energies),
    )
    start_ns = HOUR_NS + draw(st.integers(0, 2 * NS_PER_HOUR))
    length_ns = draw(st.integers(0, 3 * NS_PER_HOUR))
    made = Report(
        node="node-a",
        boot_id="boot-1",
        stream="stream-1",
        sequence=1,
        interval=Interval(from_unix_ns=start_ns, to_unix_ns=start_ns + length_ns, elapsed_ns=max(1, length_ns)),
        facts=facts(),
        domains=[platform, *rows],
        workloads=WorkloadColumns(
            namespace=[draw(st.sampled_from(["a", "b"])) for _ in range(count)],
            name=[f"w-{at}" for at in range(count)],
            uid=[""] * count,
            container=[""] * count,
            run_ns=[0] * count,
        ),
        shares=ShareColumns(
            workload=shares["workload"],
            domain=shares["domain"],
            dynamic_uj=shares["dynamic_uj"],
            loaded_uj=shares["loaded_uj"],
            share_error_uj=shares["error"],
        ),
    )
    check(made)
    return made


@given(reports())
def test_rows_add_up_to_the_meter_in_both_views(made: Report) -> None:
    booking = book(made)
    total_uj = made.domains[0].energy_uj
    assert booking.energy_uj == total_uj
    assert sum(row.energy_uj for row in booking.rows.values()) == total_uj
    assert sum(row.loaded_uj for row in booking.rows.values()) == total_uj
    assert sum(row.meter_error_uj for row in booking.rows.values()) == sum(row.meter_error_uj for row in made.domains)
    dynamic_uj = sum(row.energy_uj for key, row in booking.rows.items() if key.row == "dynamic")
    assert sum(share.dynamic_uj for share in booking.namespaces.values()) == dynamic_uj
    assert sum(share.dynamic_uj for share in booking.workloads.values()) == dynamic_uj
    loaded_uj = sum(row.loaded_uj for key, row in booking.rows.items() if key.row == "dynamic")
    assert sum(share.loaded_uj for share in booking.workloads.values()) == loaded_uj
    assert {key.kind for key in booking.rows if key.row == "residual"} <= {"estimated"}


@given(st.lists(reports(), min_size=1, max_size=3))
def test_what_the_fleet_gets_adds_up_to_what_was_booked(made: list[Report]) -> None:
    waiting = [WaitingReport(sequence=at, shift_ns=0, body=encode(each)) for at, each in enumerate(made, start=1)]
    node_range = aggregate(StreamKey("node-a", "boot-1", "stream-1"), waiting)
    assert (node_range.first_sequence, node_range.last_sequence) == (1, len(made))
    booked: dict[tuple[str, str, str], int] = {}
    for each in made:
        for key, row in book(each).rows.items():
            place = (key.namespace, key.row, key.component)
            booked[place] = booked.get(place, 0) + row.energy_uj
    sent: dict[tuple[str, str, str], int] = {}
    for part in node_range.rows:
        place = (part.namespace, part.row, part.component)
        sent[place] = sent.get(place, 0) + part.energy_uj
        assert part.hour_unix % 3600 == 0
        assert node_range.from_unix_ns - NS_PER_HOUR < part.hour_unix * 10**9 <= node_range.to_unix_ns
        assert part.kind == (fleet_pb2.KIND_ESTIMATED if part.component == "platform" else fleet_pb2.KIND_MEASURED)
    assert sent == booked
    assert sum(part.energy_uj for part in node_range.rows) == sum(part.loaded_uj for part in node_range.rows)
    assert all(0 <= hour.seen_ns <= NS_PER_HOUR for hour in node_range.hours)


def test_an_interval_over_the_hour_is_split_by_time() -> None:
    interval = Interval(from_unix_ns=HOUR_NS - 500_000_000, to_unix_ns=HOUR_NS + 1_500_000_000, elapsed_ns=2 * 10**9)
    assert hours(interval) == [(HOUR_NS // 10**9 - 3600, 500_000_000), (HOUR_NS // 10**9, 1_500_000_000)]


def test_an_interval_in_which_the_clock_was_set_back_is_placed_where_it_began() -> None:
    interval = Interval(from_unix_ns=HOUR_NS + 5, to_unix_ns=HOUR_NS + 5, elapsed_ns=2 * 10**9)
    assert hours(interval) == [(HOUR_NS // 10**9, 2 * 10**9)]


@pytest.mark.parametrize(("ahead_s", "shift_s"), [(-3600, 0), (0, 0), (5, 0), (5.001, -5.001), (86_400, -86_400)])
def test_a_clock_that_runs_ahead_is_placed_by_the_receiver(ahead_s: float, shift_s: float) -> None:
    interval = Interval(from_unix_ns=T0_NS - 2 * 10**9, to_unix_ns=T0_NS, elapsed_ns=2 * 10**9)
    assert shift_ns(interval, received_unix_ns=T0_NS - round(ahead_s * 1e9)) == round(shift_s * 1e9)
