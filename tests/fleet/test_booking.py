# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Law 10: every interval is in the ledger once, whatever order, repetition or overlap it was sent in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from fleet_router.errors import ReportRefused, StoreError
from fleet_router.registry import read_watermarks
from fleet_router.schema import about, gaps, restatements
from fleet_router.store import Store
from fleet_router.sums import ledger_sums, node_hours, rows_of
from tests.fleet.clients import HOUR, STEP_NS, UNIT_UJ, gap, node_range, report, take

if TYPE_CHECKING:
    from pathlib import Path


def energy_uj(store: Store) -> int:
    with store.read() as connection:
        return sum(rows_of(ledger_sums(connection, by=("row",))).values())


def watermark(store: Store) -> int:
    with store.read() as connection:
        found = read_watermarks(connection)
    return found[0].sequence if found else 0


spans = st.tuples(st.integers(1, 12), st.integers(0, 5)).map(lambda each: (each[0], min(12, each[0] + each[1])))


# Each example makes a ledger of its own, which costs more than what is done with it.
@settings(max_examples=40)
@given(sent=st.lists(spans, min_size=1, max_size=25))
def test_any_order_repeat_or_overlap_books_a_prefix_once(sent: list[tuple[int, int]]) -> None:
    store = Store(None)
    expected = 0
    for first, last in sent:
        take(store, report(node_range(first, last)))
        if first == expected + 1:
            expected = last
    assert watermark(store) == expected
    assert energy_uj(store) == UNIT_UJ * sum(range(1, expected + 1))
    # Whatever is missing can always be sent from the watermark on, and then all of it is there.
    if expected < 12:
        take(store, report(node_range(expected + 1, 12)))
    assert energy_uj(store) == UNIT_UJ * sum(range(1, 13))
    store.close()


@settings(max_examples=40)
@given(
    sent=st.lists(st.tuples(st.booleans(), spans), min_size=1, max_size=25),
)
def test_with_gaps_every_sequence_is_booked_lost_or_still_to_come(sent: list[tuple[bool, tuple[int, int]]]) -> None:
    store = Store(None)
    booked: set[int] = set()
    for lost, (first, last) in sent:
        message = report(gaps=(gap(first, last),)) if lost else report(node_range(first, last))
        outcome = take(store, message)
        if outcome.ranges["booked"] or outcome.ranges["restated"]:
            assert booked.isdisjoint(range(first, last + 1))
            booked |= set(range(first, last + 1))
    with store.read() as connection:
        declared = {
            number
            for row in connection.execute(select(gaps.c.first_sequence, gaps.c.last_sequence))
            for number in range(row[0], row[1] + 1)
        }
    assert booked.isdisjoint(declared)
    assert booked | declared == set(range(1, watermark(store) + 1))
    assert energy_uj(store) == UNIT_UJ * sum(booked)
    store.close()


def test_fates_are_told_and_the_watermark_says_where_to_go_on(store: Store) -> None:
    assert take(store, report(node_range(1, 4))).ranges == {"booked": 1}
    assert take(store, report(node_range(2, 3))).ranges == {"duplicate": 1}
    overlapping = take(store, report(node_range(3, 6)))
    assert overlapping.ranges == {"overlapping": 1}
    assert [each.sequence for each in overlapping.watermarks] == [4]
    assert take(store, report(node_range(7, 8))).ranges == {"early": 1}
    assert take(store, report(node_range(5, 5), node_range(6, 6))).ranges == {"booked": 2}
    assert take(store, report(node_range(2, 2, node="node-b"))).watermarks == ()


def test_a_late_range_fills_its_gap_as_a_restatement(store: Store) -> None:
    take(store, report(gaps=(gap(1, 5),)))
    assert watermark(store) == 5
    assert take(store, report(node_range(2, 3))).ranges == {"restated": 1}
    assert take(store, report(node_range(2, 3))).ranges == {"duplicate": 1}
    with store.read() as connection:
        left = connection.execute(select(gaps.c.first_sequence, gaps.c.last_sequence)).all()
        late = connection.execute(select(restatements.c.first_sequence, restatements.c.last_sequence)).all()
    assert [tuple(row) for row in left] == [(1, 1), (4, 5)]
    assert [tuple(row) for row in late] == [(2, 3)]
    assert energy_uj(store) == UNIT_UJ * 5


def test_two_replicas_send_the_same_and_it_counts_once(store: Store) -> None:
    for _ in range(2):
        take(store, report(node_range(1, 3), node_range(1, 2, node="node-b")))
    assert energy_uj(store) == UNIT_UJ * (6 + 3)


def test_a_restart_keeps_ledger_and_watermarks(tmp_path: Path) -> None:
    first = Store(tmp_path / "fleet.sqlite")
    take(first, report(node_range(1, 3)))
    first.close()
    second = Store(tmp_path / "fleet.sqlite")
    take(second, report(node_range(1, 3)))
    take(second, report(node_range(4, 4)))
    assert energy_uj(second) == UNIT_UJ * 10
    assert watermark(second) == 4
    second.close()


def test_a_refused_sum_leaves_nothing_of_its_report(store: Store) -> None:
    huge = 2**60 // 20_000_000
    for sequence in range(1, 9):
        take(store, report(node_range(sequence, sequence, scale=huge)))
    before = (energy_uj(store), watermark(store))
    # Nine times almost 2**60 would leave 64 bits in the static row.
    with pytest.raises(ReportRefused, match="64 bits"):
        take(store, report(node_range(9, 9, scale=huge), node_range(1, 1, node="node-b")))
    assert (energy_uj(store), watermark(store)) == before


def test_sums_are_exact_beyond_64_bits(store: Store) -> None:
    huge = 2**60 // 20_000_000
    for number in range(30):
        take(store, report(node_range(1, 1, scale=huge), cluster_id=f"c-{number}"))
    assert energy_uj(store) == 30 * huge * UNIT_UJ
    assert energy_uj(store) > 2**64


def test_rows_add_up_to_what_was_metered_in_both_views(store: Store) -> None:
    take(store, report(node_range(1, 5)))
    with store.read() as connection:
        sums = ledger_sums(connection, by=("namespace", "row"))
        seen = node_hours(connection, from_unix_s=HOUR)
    assert rows_of(sums) == {
        "dynamic_uj": 7_000_000 * 15,
        "shared_uj": 1_000_000 * 15,
        "static_uj": 20_000_000 * 15,
        "unattributed_uj": 500_000 * 15,
        "residual_uj": -250_000 * 15,
    }
    assert sum(each.loaded_uj for each in sums) == UNIT_UJ * 15
    assert [each.seen_ns for each in seen] == [5 * STEP_NS]


def test_a_ledger_of_another_schema_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "fleet.sqlite")
    store.write_now(lambda connection: connection.execute(about.update().values(value="99")))
    store.close()
    with pytest.raises(StoreError, match="schema 99"):
        Store(tmp_path / "fleet.sqlite")


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fleet.sqlite").write_bytes(b"not a database, and long enough to be taken for one" * 40)
    with pytest.raises(StoreError, match=r"fleet\.sqlite"):
        Store(tmp_path / "fleet.sqlite")


def test_heartbeats_register_without_energy(store: Store) -> None:
    outcome = take(store, report())
    assert outcome.watermarks == ()
    assert energy_uj(store) == 0
