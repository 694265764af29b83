# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The HTTP API: shapes of DESIGN 11, and every bad request a problem document that names the field."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from fleet_router.schema import metadata
from tests.fleet.clients import HOUR, UNIT_UJ, gap, node_range, report
from wire import fleet_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from fleet_router.service import Fleet

pytestmark = pytest.mark.anyio

RECOMMEND = "/v1/placements:recommend"
WORKLOAD = {"workload": {"name": "train", "cpus": 4, "duration_hours": 2}}


async def feed(fleet: Fleet, *messages: pb.ClusterReport) -> None:
    for message in messages:
        assert not (await fleet.ingest.take(message.SerializeToString())).error


async def get(http: httpx.AsyncClient, path: str) -> Any:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_empty_fleet_answers_everything(http: httpx.AsyncClient) -> None:
    fleet = await get(http, "/v1/fleet")
    assert (fleet["energy_uj"], fleet["power_w"], fleet["kind"], fleet["watermarks"]) == (0, None, None, [])
    for path in ("/v1/clusters", "/v1/namespaces", "/v1/intensity", "/v1/decisions"):
        assert (await get(http, path))["items"] == []
    answer = (await http.post(RECOMMEND, json=WORKLOAD)).json()
    assert (answer["items"], answer["rejected"]) == ([], [])
    assert (await get(http, "/livez"))["status"] == "ok"
    assert (await get(http, "/readyz"))["status"] == "ready"


async def test_clusters_namespaces_and_fleet_show_the_same_joules(fleet: Fleet, http: httpx.AsyncClient) -> None:
    await feed(
        fleet,
        report(node_range(1, 2)),
        report(node_range(1, 1), cluster_id="c-2", name="beta", zone="XX-1", power_w=50.0),
    )
    whole = await get(http, "/v1/fleet")
    assert whole["energy_uj"] == UNIT_UJ * 4 == sum(whole["rows"].values())
    assert (whole["power_w"], whole["clusters"], whole["nodes"]) == (150.0, 2, 4)
    assert whole["power_low_w"] < whole["power_w"] < whole["power_high_w"]
    assert whole["kind"] == "modelled"
    clusters = await get(http, "/v1/clusters")
    assert [each["name"] for each in clusters["items"]] == ["alpha", "beta"]
    assert sum(each["energy_uj"] for each in clusters["items"]) == whole["energy_uj"]
    assert clusters["watermarks"] == whole["watermarks"]
    namespaces = (await get(http, "/v1/namespaces"))["items"]
    assert [each["name"] for each in namespaces] == ["host", "web"]
    assert namespaces[0]["clusters"] == ["alpha", "beta"]
    assert sum(each["energy_uj"] for each in namespaces) == whole["rows"]["dynamic_uj"]
    loaded = sum(each["loaded_energy_uj"] for each in namespaces)
    assert loaded + whole["unallocated_uj"] == whole["energy_uj"]
    # 4 J x (1 + 2) in 4 s of alpha, 4 J in 2 s of beta
    assert namespaces[0]["power_w"] == pytest.approx(3.0 + 2.0)
    only = (await get(http, "/v1/namespaces?cluster=beta"))["items"]
    assert [each["energy_uj"] for each in only] == [4_000_000, 3_000_000]


async def test_one_cluster_by_name_or_id_with_its_streams(fleet: Fleet, http: httpx.AsyncClient) -> None:
    await feed(fleet, report(node_range(1, 2)))
    by_name, by_id = await get(http, "/v1/clusters/alpha"), await get(http, "/v1/clusters/c-1")
    assert by_name == by_id
    assert by_name["watermarks"] == [{"node": "node-a", "boot_id": "boot-1", "stream": "s1", "sequence": 2}]
    assert by_name["site"]["price_per_kwh"] == "0.3"
    assert by_name["intensity"]["rung"] == "annual"
    assert by_name["grams"]["low"] < by_name["grams"]["value"] < by_name["grams"]["high"]


async def test_clusters_of_one_name_stay_apart(fleet: Fleet, http: httpx.AsyncClient) -> None:
    await feed(fleet, report(), report(cluster_id="c-2"))
    assert [each["name"] for each in (await get(http, "/v1/clusters"))["items"]] == ["alpha-c-1", "alpha-c-2"]


async def test_a_zone_without_figure_shows_rung_none_and_no_grams(fleet: Fleet, http: httpx.AsyncClient) -> None:
    await feed(fleet, report(zone="AQ"), report(cluster_id="c-2", name="beta", zone=""))
    for name in ("alpha", "beta"):
        shown = await get(http, f"/v1/clusters/{name}")
        assert (shown["intensity"]["rung"], shown["intensity"]["g_per_kwh"], shown["grams"]) == ("none", None, None)
    item = (await get(http, "/v1/intensity?zone=AQ"))["items"][0]
    assert (item["name"], item["rung"], item["g_per_kwh"]) == ("AQ", "none", None)
    assert (await get(http, "/v1/intensity?zone=DE&method=lifecycle"))["items"][0]["method"] == "lifecycle"


async def test_recommend_and_read_the_decision_again(fleet: Fleet, http: httpx.AsyncClient) -> None:
    await feed(fleet, report(zone="DE"), report(cluster_id="c-2", name="beta", zone="FR"))
    answer = await http.post(RECOMMEND, json=WORKLOAD)
    document = answer.json()
    assert [item["name"] for item in document["items"]] == ["beta", "alpha"]
    assert document["saving"]["grams"] > 0
    again = await http.get(f"/v1/decisions/{document['decision_id']}")
    assert again.content == answer.content
    # The clock stands still: the same question is the same decision, kept once.
    assert (await http.post(RECOMMEND, json=WORKLOAD)).content == answer.content
    assert [each["first"] for each in (await get(http, "/v1/decisions"))["items"]] == ["beta"]


BAD: list[tuple[str, str | bytes, int, str]] = [
    ("malformed", b'{"workload":', 400, "body"),
    ("not an object", b"[]", 422, "body"),
    ("no workload", b"{}", 422, "workload"),
    ("no name", '{"workload": {"cpus": 1}}', 422, "workload.name"),
    ("wrong type", '{"workload": {"name": "x", "cpus": "many"}}', 422, "workload.cpus"),
    ("negative", '{"workload": {"name": "x", "cpus": -1}}', 422, "workload.cpus"),
    ("nan", '{"workload": {"name": "x", "cpus": NaN}}', 422, "workload.cpus"),
    (
        "infinite price",
        '{"workload": {"name": "x", "cpus": 1}, "carbon_price_per_kg": Infinity}',
        422,
        "carbon_price_per_kg",
    ),
    ("unknown field", '{"workload": {"name": "x", "cpus": 1}, "colour": "green"}', 422, "colour"),
    ("unknown field below", '{"workload": {"name": "x", "cpus": 1, "gpu": 1}}', 422, "workload.gpu"),
    ("half a distribution", '{"workload": {"name": "x", "cpus": 1, "duration_p50_hours": 1}}', 422, "workload"),
    ("unknown cluster", '{"workload": {"name": "x", "cpus": 1}, "clusters": ["alpha", "nope"]}', 422, "clusters[1]"),
    (
        "unknown current",
        '{"workload": {"name": "x", "cpus": 1, "current_cluster": "nope"}}',
        422,
        "workload.current_cluster",
    ),
    (
        "bad country",
        '{"workload": {"name": "x", "cpus": 1}, "constraints": {"countries": ["Germany"]}}',
        422,
        "constraints.countries[0]",
    ),
    ("bad method", '{"workload": {"name": "x", "cpus": 1}, "method": "marginal"}', 422, "method"),
    ("not utf-8", b'{"workload": {"name": "\xff", "cpus": 1}}', 400, "body"),
    ("too deep", b"[" * 4000, 400, "body"),
    ("a number of 4,000 digits and more", b'{"workload": ' + b"1" * 4070 + b"}", 422, "workload"),
    ("too large", b" " * 5000, 413, "body"),
]


@pytest.mark.parametrize(("body", "status", "field"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
async def test_bad_requests_name_the_field_and_change_nothing(
    fleet: Fleet, http: httpx.AsyncClient, body: str | bytes, status: int, field: str
) -> None:
    await feed(fleet, report())
    before = dump(fleet)
    answer = await http.post(RECOMMEND, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().get("field", "") == field
    assert dump(fleet) == before


def dump(fleet: Fleet) -> list[list[tuple[object, ...]]]:
    with fleet.store.read() as connection:
        return [[tuple(row) for row in connection.execute(select(table))] for table in metadata.sorted_tables]


async def test_a_long_body_without_length_is_too_long_and_a_packed_one_is_read(http: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    json_type = {"content-type": "application/json"}
    answer = await http.post(RECOMMEND, content=chunks(), headers=json_type)
    assert (answer.status_code, answer.json()["field"]) == (413, "body")
    packed = gzip.compress(json.dumps(WORKLOAD).encode())
    answer = await http.post(RECOMMEND, content=packed, headers=json_type | {"content-encoding": "gzip"})
    assert answer.status_code == 200
    answer = await http.post(RECOMMEND, content=packed, headers=json_type)
    assert (answer.status_code, answer.json()["field"]) == (400, "body")
    bomb = gzip.compress(b" " * 100_000)
    answer = await http.post(RECOMMEND, content=bomb, headers=json_type | {"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["field"]) == (413, "body")


async def test_meter_gaps_are_stored_once_and_shown(fleet: Fleet, http: httpx.AsyncClient) -> None:
    start = HOUR * 10**9
    first, second = node_range(1, 2), node_range(3, 4)
    for part, offset_s in ((first, 0), (second, 10)):
        part.gaps.append(
            pb.MeterGap(
                domain="cpu/socket-0",
                reason="stuck",
                from_unix_ns=start + offset_s * 10**9,
                to_unix_ns=start + (offset_s + 10) * 10**9,
            )
        )
    await feed(fleet, report(first), report(first), report(second, gaps=(gap(5, 7),)))
    shown = await get(http, "/v1/clusters/alpha")
    assert shown["gaps"] == [
        {"node": "node-a", "domain": None, "reason": "outbox_full", "lost_intervals": 3},
        {"node": "node-a", "domain": "cpu/socket-0", "reason": "stuck", "gaps": 1, "gap_s": 20.0},
    ]
    assert (shown["lost_intervals"], shown["meter_gaps"]) == (3, 1)
    assert 'penstock_fleet_gaps{cluster="alpha",of="interval"} 3' in (await http.get("/metrics")).text


async def test_form_data_is_told_how_to_say_json(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        RECOMMEND, content=json.dumps(WORKLOAD), headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status_code, answer.json()["field"]) == (415, "Content-Type")


MISSING = [
    ("GET", "/nope", 404),
    ("GET", "/v1/clusters/nope", 404),
    ("GET", "/v1/namespaces?cluster=nope", 404),
    ("GET", "/v1/decisions/nope", 404),
    ("GET", "/v1/reports/nope", 404),
    ("GET", "/v1/reports/daily-1999-01-01.json", 404),
    ("DELETE", "/v1/fleet", 405),
    ("GET", RECOMMEND, 405),
    ("GET", "/v1/intensity?method=marginal", 422),
    ("GET", "/v1/intensity?zone=", 422),
]


@pytest.mark.parametrize(("method", "path", "status"), MISSING)
async def test_what_is_not_there_is_a_problem_too(http: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


async def test_an_error_of_ours_tells_nothing(fleet: Fleet, http: httpx.AsyncClient) -> None:
    fleet.store.close()
    fleet.store.read = None  # type: ignore[method-assign, assignment]
    answer = await http.get("/v1/fleet")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "an error in the fleet router; its log says more"


async def test_metrics_parse_and_rows_add_up(fleet: Fleet, http: httpx.AsyncClient) -> None:
    await feed(fleet, report(node_range(1, 2)), report(cluster_id="c-2", name='be"ta\\', zone="AQ"))
    text = (await http.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    energy = families["penstock_fleet_energy_joules"].samples
    assert sum(each.value for each in energy if each.labels["cluster"] == "alpha") == UNIT_UJ * 3 / 1e6
    assert {each.labels["cluster"] for each in energy} == {"alpha", 'be"ta\\'}
    assert [
        each.labels["cluster"] for each in families["penstock_fleet_intensity_grams_per_kilowatt_hour"].samples
    ] == ["alpha"]
    taken = {each.labels["outcome"]: each.value for each in families["penstock_fleet_reports"].samples}
    assert taken == {"taken": 2, "refused": 0, "failed": 0}


async def test_the_api_describes_itself(http: httpx.AsyncClient) -> None:
    document = await get(http, "/openapi.json")
    assert RECOMMEND in document["paths"]
    assert "PlacementRequest" in document["components"]["schemas"]
