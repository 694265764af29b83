# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What breaks the contract is refused by the name of its field, and nothing of its report is booked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from fleet_router.check import check
from fleet_router.errors import ReportRefused
from fleet_router.schema import metadata
from tests.fleet.clients import HOUR, NOW_NS, gap, node_range, report, take
from wire import fleet_pb2 as pb
from wire.units import NS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_router.store import Store

nan = float("nan")
CASES: list[tuple[str, Callable[[pb.ClusterReport], object]]] = [
    ("cluster_id", lambda r: setattr(r, "cluster_id", "")),
    ("cluster_id", lambda r: setattr(r, "cluster_id", "no spaces")),
    ("cluster_id", lambda r: setattr(r, "cluster_id", "c-1\n")),
    ("site.zone", lambda r: setattr(r.site, "zone", "DE\n")),
    ("ranges[0].stream", lambda r: setattr(r.ranges[0], "stream", "s1\n")),
    ("ranges[0].rows[0].namespace", lambda r: setattr(r.ranges[0].rows[0], "namespace", "a\x85b")),
    ("ranges[0].gaps[0].domain", lambda r: r.ranges[0].gaps.append(pb.MeterGap(reason="stuck"))),
    (
        "ranges[0].gaps[0].to_unix_ns",
        lambda r: r.ranges[0].gaps.append(pb.MeterGap(domain="d", reason="stuck", from_unix_ns=2, to_unix_ns=1)),
    ),
    ("cluster_name", lambda r: setattr(r, "cluster_name", "")),
    ("cluster_name", lambda r: setattr(r, "cluster_name", "new\nline")),
    ("replica", lambda r: setattr(r, "replica", "x" * 300)),
    ("site.zone", lambda r: setattr(r.site, "zone", "germany")),
    ("site.pue_ratio", lambda r: setattr(r.site, "pue_ratio", 0.5)),
    ("site.pue_ratio", lambda r: setattr(r.site, "pue_ratio", nan)),
    ("site.price_per_kwh", lambda r: setattr(r.site, "price_per_kwh", float("inf"))),
    ("site.currency", lambda r: setattr(r.site, "currency", "euro")),
    ("capacity.nodes", lambda r: setattr(r.capacity, "nodes", -1)),
    ("capacity.power_w", lambda r: setattr(r.capacity, "power_w", nan)),
    ("capacity.watts_per_cpu", lambda r: setattr(r.capacity, "watts_per_cpu", -1.0)),
    ("ranges[0].node", lambda r: setattr(r.ranges[0], "node", "")),
    ("ranges[0].boot_id", lambda r: setattr(r.ranges[0], "boot_id", "a/b")),
    ("ranges[0].stream", lambda r: setattr(r.ranges[0], "stream", "")),
    ("ranges[0].first_sequence", lambda r: setattr(r.ranges[0], "first_sequence", 0)),
    ("ranges[0].last_sequence", lambda r: setattr(r.ranges[0], "last_sequence", 1)),
    ("ranges[0].from_unix_ns", lambda r: setattr(r.ranges[0], "from_unix_ns", -1)),
    ("ranges[0].to_unix_ns", lambda r: setattr(r.ranges[0], "to_unix_ns", 0)),
    ("ranges[0].to_unix_ns", lambda r: setattr(r.ranges[0], "to_unix_ns", NOW_NS + 25 * NS_PER_HOUR)),
    ("ranges[0].rows[0].hour_unix", lambda r: setattr(r.ranges[0].rows[0], "hour_unix", HOUR + 1)),
    ("ranges[0].rows[0].hour_unix", lambda r: setattr(r.ranges[0].rows[0], "hour_unix", HOUR + 7200)),
    ("ranges[0].rows[0].row", lambda r: setattr(r.ranges[0].rows[0], "row", "idle")),
    ("ranges[0].rows[0].namespace", lambda r: setattr(r.ranges[0].rows[0], "namespace", "")),
    ("ranges[0].rows[2].namespace", lambda r: setattr(r.ranges[0].rows[2], "namespace", "web")),
    ("ranges[0].rows[0].component", lambda r: setattr(r.ranges[0].rows[0], "component", "")),
    ("ranges[0].rows[0].source", lambda r: setattr(r.ranges[0].rows[0], "source", "")),
    ("ranges[0].rows[0].kind", lambda r: setattr(r.ranges[0].rows[0], "kind", 0)),
    ("ranges[0].rows[0].energy_uj", lambda r: setattr(r.ranges[0].rows[0], "energy_uj", -1)),
    ("ranges[0].rows[0].energy_uj", lambda r: setattr(r.ranges[0].rows[0], "energy_uj", 2**62)),
    ("ranges[0].rows[6].energy_uj", lambda r: setattr(r.ranges[0].rows[6], "energy_uj", 1)),
    ("ranges[0].rows[2].loaded_uj", lambda r: setattr(r.ranges[0].rows[2], "loaded_uj", 1)),
    ("ranges[0].rows[0].meter_error_uj", lambda r: setattr(r.ranges[0].rows[0], "meter_error_uj", -1)),
    ("ranges[0].rows[0].share_error_uj2", lambda r: setattr(r.ranges[0].rows[0], "share_error_uj2", nan)),
    ("ranges[0].rows", lambda r: setattr(r.ranges[0].rows[0], "energy_uj", 1)),
    ("ranges[0].hours[0].seen_ns", lambda r: setattr(r.ranges[0].hours[0], "seen_ns", NS_PER_HOUR + 1)),
    ("gaps[0].reason", lambda r: setattr(r.gaps[0], "reason", "")),
    ("gaps[0].last_sequence", lambda r: setattr(r.gaps[0], "last_sequence", 0)),
]


@pytest.mark.parametrize(("field", "change"), CASES, ids=[f"{at}-{field}" for at, (field, _) in enumerate(CASES)])
def test_a_bad_field_is_named_and_nothing_changes(
    store: Store, field: str, change: Callable[[pb.ClusterReport], object]
) -> None:
    take(store, report(node_range(1, 1)))
    before = dump(store)
    message = report(node_range(2, 3), gaps=(gap(4, 5),))
    change(message)
    with pytest.raises(ReportRefused) as refused:
        take(store, message)
    assert refused.value.field == field
    assert dump(store) == before


def dump(store: Store) -> list[list[tuple[object, ...]]]:
    """All rows of all tables."""
    with store.read() as connection:
        return [[tuple(row) for row in connection.execute(select(table))] for table in metadata.sorted_tables]


def test_the_report_that_the_cases_break_is_good() -> None:
    check(report(node_range(2, 3), gaps=(gap(4, 5),)), now_unix_ns=NOW_NS)


@given(noise=st.binary(max_size=300))
def test_noise_is_never_taken(noise: bytes) -> None:
    # Even an empty report names no cluster; nothing random does either.
    with pytest.raises((ReportRefused, DecodeError)):
        check(pb.ClusterReport.FromString(noise), now_unix_ns=NOW_NS)
