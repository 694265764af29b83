# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A report says what it means, and a wrong one is refused with the field's name."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.wire.reports import report
from wire.report import DomainRow, ReportError, check, decode, encode


def document() -> dict[str, Any]:
    return json.loads(encode(report()))  # type: ignore[no-any-return]


def refused(body: object) -> ReportError:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ReportError) as error:
        decode(text)
    return error.value


def test_a_report_survives_the_wire() -> None:
    assert decode(encode(report(sequence=7))) == report(sequence=7)


def test_malformed_json_names_the_body() -> None:
    assert refused(b'{"node": ').field == "body"
    assert refused(b"\xff\xfe").field == "body"
    assert refused([]).field == "body"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("node",), 7, "node"),
        (("node",), "Not A Name", "node"),
        (("sequence",), 0, "sequence"),
        (("sequence",), "1", "sequence"),
        (("boot_id",), "a b", "boot_id"),
        (("interval", "elapsed_ns"), 0, "interval.elapsed_ns"),
        (("interval", "to_unix_ns"), 1, "interval.to_unix_ns"),
        (("facts", "cpus"), 0, "facts.cpus"),
        (("facts", "curve", 0, "power_w"), -1.0, "facts.curve[0].power_w"),
        (("domains", 0, "energy_uj"), -5, "domains[0].energy_uj"),
        (("domains", 0, "energy_uj"), 1.5, "domains[0].energy_uj"),
        (("domains", 0, "kind"), "guessed", "domains[0].kind"),
        (("domains", 0, "parent"), "nowhere", "domains[0].parent"),
        (("domains", 0, "residual_uj"), 3, "domains[0].residual_uj"),
        (("domains", 0, "unallocated_uj"), 3, "domains[0].unallocated_uj"),
        (("domains", 0, "static_uj"), 19_999_999, "domains[0].energy_uj"),
        (("workloads", "uid"), [""], "workloads.uid"),
        (("shares", "workload"), [0, 2], "shares.workload[1]"),
        (("shares", "domain"), [0, 1], "shares.domain[1]"),
        (("shares", "dynamic_uj"), [3_000_000, 999_999], "domains[0].energy_uj"),
        (("dropped",), [{"first": 1, "last": 1}], "dropped[0]"),
        (("version",), 2, "version"),
    ],
)
def test_a_wrong_value_is_refused_by_name(path: tuple[str | int, ...], value: object, field: str) -> None:
    wrong = document()
    at: Any = wrong
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    assert refused(wrong).field == field


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_not_a_number_is_not_json(number: str) -> None:
    body = encode(report()).replace(b'"busy_cpus":1.0', f'"busy_cpus":{number}'.encode())
    assert refused(body).field == "body"


def test_an_unknown_field_is_refused_by_name() -> None:
    assert refused(document() | {"nodename": "x"}).field == "nodename"
    wrong = document()
    del wrong["stream"]
    assert refused(wrong).field == "stream"


def test_the_same_domain_twice_is_refused() -> None:
    wrong = document()
    wrong["domains"].append(wrong["domains"][0])
    assert refused(wrong).field == "domains[1].domain"


def test_a_platform_is_its_parts_plus_a_signed_residual() -> None:
    base = report()
    part = msgspec.structs.replace(base.domains[0], domain="cpu/socket-0", component="cpu", parent="platform/node")
    for platform_uj, residual_uj in ((part.energy_uj + 5, 5), (part.energy_uj - 5, -5)):
        platform = DomainRow(
            domain="platform/node",
            component="platform",
            scope="node",
            source="rapl-powercap",
            kind="estimated",
            energy_uj=platform_uj,
            residual_uj=residual_uj,
            unallocated_uj=residual_uj,
        )
        shares = msgspec.structs.replace(base.shares, domain=[1, 1])
        good = msgspec.structs.replace(base, domains=[platform, part], shares=shares)
        check(good)
        lost = msgspec.structs.replace(platform, residual_uj=residual_uj + 1)
        with pytest.raises(ReportError, match="uJ booked"):
            check(msgspec.structs.replace(good, domains=[lost, part]))
        with pytest.raises(ReportError, match="listed before it"):
            check(msgspec.structs.replace(good, domains=[part, platform]))
