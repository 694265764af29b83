# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""LEDGER 3: the same rows give the same bytes, the lines add up, and what is not known says so."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from carbon.source import Ladder
from carbon.static import StaticTable
from fleet_router.reports import store as kept_reports
from fleet_router.reports.daily import UNALLOCATED, document, to_json
from fleet_router.reports.rendering import COLUMNS, to_csv, to_html
from fleet_router.store import Store
from fleet_router.times import day_of
from tests.fleet.clients import NOW_NS, STEP_NS, UNIT_UJ, gap, node_range, report, take
from wire.units import NS_PER_HOUR

if TYPE_CHECKING:
    import httpx

    from fleet_router.reports.daily import DailyInputs
    from fleet_router.service import Fleet
    from wire import fleet_pb2 as pb

DAY = day_of(NOW_NS)
LADDER = Ladder(StaticTable.embedded())


def messages() -> list[pb.ClusterReport]:
    return [
        report(node_range(1, 2), node_range(1, 1, node="node-b")),
        report(node_range(1, 3), cluster_id="c-2", name="beta", zone="AQ", pue_ratio=0.0),
        report(gaps=(gap(4, 6),), cluster_id="c-2", name="beta", zone="AQ", pue_ratio=0.0),
    ]


def inputs(store: Store, *, day: date = DAY) -> DailyInputs:
    with store.read() as connection:
        return kept_reports.read_inputs(connection, day=day, ladder=LADDER, software_version="0.0.0-test")


def filled(store: Store) -> dict[str, Any]:
    for message in messages():
        take(store, message)
    return document(inputs(store))


def test_equal_input_gives_equal_bytes_in_any_order_of_arrival() -> None:
    bodies = []
    for order in (messages(), messages()[:1] + messages()[1:] * 2, messages()[1:] + messages()[:1]):
        store = Store(None)
        for message in order:
            take(store, message)
        bodies.append(to_json(document(inputs(store))))
        store.close()
    assert bodies[0] == bodies[1] == bodies[2]


def test_every_level_adds_up_to_what_was_metered(store: Store) -> None:
    shown = filled(store)
    total_uj = UNIT_UJ * (3 + 1 + 6)
    assert shown["totals"]["energy_uj"] == total_uj == sum(shown["totals"]["rows"].values())
    assert sum(each["energy_uj"] for each in shown["clusters"]) == total_uj
    assert sum(each["loaded_energy_uj"] for each in shown["lines"]) == total_uj
    assert sum(each["loaded_energy_uj"] for each in shown["teams"]) == total_uj
    dynamic_uj = shown["totals"]["rows"]["dynamic_uj"]
    assert sum(each["energy_uj"] for each in shown["lines"]) == dynamic_uj
    assert [each["name"] for each in shown["teams"]] == [UNALLOCATED]
    assert {each["namespace"] for each in shown["lines"]} == {"host", "web", UNALLOCATED}


def test_pue_once_grams_with_interval_and_no_number_without_figure(store: Store) -> None:
    alpha, beta = filled(store)["clusters"]
    assert alpha["facility_kwh"] == pytest.approx(alpha["it_kwh"] * 1.2, abs=2e-9)
    grams = alpha["location_based_g"]
    assert grams["value"] == pytest.approx(alpha["facility_kwh"] * alpha["factor"]["g_per_kwh"], rel=1e-5, abs=1e-6)
    assert grams["low"] < grams["value"] < grams["high"]
    assert (alpha["factor"]["rung"], alpha["factor"]["method"]) == ("annual", "direct")
    assert (beta["factor"]["rung"], beta["factor"]["g_per_kwh"], beta["location_based_g"]) == ("none", None, None)
    assert beta["pue"]["source"].startswith("not stated")


def test_coverage_gaps_and_uncertainty_are_stated(store: Store) -> None:
    shown = filled(store)
    totals = shown["totals"]
    assert totals["coverage"]["energy_ratio_by_kind"] == {"measured": 0.0, "estimated": 0.0, "modelled": 1.0}
    assert totals["coverage"]["node_hours_seen"] == pytest.approx(6 * STEP_NS / NS_PER_HOUR, abs=1e-6)
    assert 0 < totals["coverage"]["node_hours_ratio"] < 1
    assert 0 < totals["carbon_covered_ratio"] < 1
    assert 0 < totals["energy_error_uj"] < totals["energy_uj"]
    assert [(each["cluster"], each["first_sequence"], each["last_sequence"]) for each in shown["gaps"]] == [
        ("beta", 4, 6)
    ]
    assert (shown["status"], shown["report_id"]) == ("provisional", f"daily-{DAY}")


def test_a_day_without_data_is_a_report_of_nothing(store: Store) -> None:
    take(store, report(node_range(1, 2)))
    shown = document(inputs(store, day=DAY - timedelta(days=40)))
    assert shown["totals"]["energy_uj"] == 0
    assert shown["totals"]["coverage"]["node_hours_ratio"] is None
    assert shown["lines"] == []
    assert to_html(shown)


def test_csv_has_a_row_per_line_and_no_formula(store: Store) -> None:
    take(store, report(node_range(1, 2), name="=HYPERLINK(1)"))
    shown = document(inputs(store))
    records = list(csv.DictReader(io.StringIO(to_csv(shown).decode(), newline="")))
    assert tuple(records[0]) == COLUMNS
    assert len(records) == len(shown["lines"]) == 3
    assert {each["cluster"] for each in records} == {"'=HYPERLINK(1)"}
    assert sum(int(each["loaded_energy_uj"]) for each in records) == shown["totals"]["energy_uj"]


def test_a_report_is_rewritten_only_when_its_bytes_change(store: Store) -> None:
    def write(now_unix_ns: int) -> kept_reports.Kept:
        found = inputs(store)
        return store.write_now(lambda writer: kept_reports.write(writer, found, now_unix_ns=now_unix_ns))

    take(store, report(node_range(1, 2)))
    first, again = write(NOW_NS), write(NOW_NS + 10)
    assert first == again
    take(store, report(node_range(3, 3)))
    changed = write(NOW_NS + 20)
    assert (changed.version, changed.energy_uj) == (2, UNIT_UJ * 6)
    with store.read() as connection:
        assert kept_reports.listing(connection) == (changed,)


@pytest.mark.anyio
async def test_the_schedule_writes_yesterday_and_today_and_http_serves_them(
    fleet: Fleet, http: httpx.AsyncClient
) -> None:
    await fleet.ingest.take(report(node_range(1, 2)).SerializeToString())
    kept = await fleet.schedule.write_recent()
    assert [each.day for each in kept] == [str(DAY - timedelta(days=1)), str(DAY)]
    listed = (await http.get("/v1/reports")).json()["items"]
    assert [each["name"] for each in listed] == [f"daily-{DAY}", f"daily-{DAY - timedelta(days=1)}"]
    links = listed[0]["links"]
    body = await http.get(links["json"])
    assert json.loads(body.content)["totals"]["energy_uj"] == listed[0]["energy_uj"] == UNIT_UJ * 3
    assert (await http.get(links["csv"])).headers["content-type"] == "text/csv; charset=utf-8"
    page = await http.get(links["html"])
    assert "<script" not in page.text
    assert "Teams and namespaces" in page.text
