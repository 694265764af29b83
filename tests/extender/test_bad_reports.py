# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Bad reports: a 4xx that names the field, and nothing changes."""

from __future__ import annotations

import copy
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from plumbing.http import HttpStatusError
from tests.extender.replica import running
from tests.wire.reports import report
from wire.report import encode

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

GOOD: dict[str, Any] = json.loads(encode(report(sequence=2)))


def _with(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = copy.deepcopy(GOOD)
    change(document)
    return json.dumps(document).encode()


def _set(*path: str | int, value: object) -> bytes:
    def change(document: dict[str, Any]) -> None:
        at: Any = document
        for part in path[:-1]:
            at = at[part]
        at[path[-1]] = value

    return _with(change)


CASES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "body"),
    "not json": (b"{", "body"),
    "not utf-8": (b'{"node": "\xff"}', "body"),
    "a list": (b"[]", "body"),
    "deep": (b"[" * 100_000, "body"),
    "nan watts": (_set("facts", "curve", 0, "power_w", value=1).replace(b'"power_w": 1', b'"power_w": NaN', 1), "body"),
    "negative watts": (_set("facts", "curve", 0, "power_w", value=-1.0), "facts.curve[0].power_w"),
    "infinite watts": (_set("facts", "curve", 0, "power_w", value=1e300), "facts.curve[0].power_w"),
    "negative energy": (_set("domains", 0, "energy_uj", value=-1), "domains[0].energy_uj"),
    "fractional energy": (_set("domains", 0, "energy_uj", value=1.5), "domains[0].energy_uj"),
    "energy as text": (_set("domains", 0, "energy_uj", value="1"), "domains[0].energy_uj"),
    "beyond 64 bits": (_set("domains", 0, "energy_uj", value=2**70), "domains[0].energy_uj"),
    "unknown field": (_with(lambda document: document.update(colour="red")), "colour"),
    "unknown field below": (_set("facts", "colour", value="red"), "facts.colour"),
    "missing field": (_with(lambda document: document.pop("interval")), "interval"),
    "wrong version": (_set("version", value=2), "version"),
    "unknown kind": (_set("domains", 0, "kind", value="guessed"), "domains[0].kind"),
    "bad node name": (_set("node", value="Node_A"), "node"),
    "sequence zero": (_set("sequence", value=0), "sequence"),
    "no time": (_set("interval", "elapsed_ns", value=0), "interval.elapsed_ns"),
    "columns": (_set("workloads", "uid", value=[""]), "workloads.uid"),
    "share columns": (_set("shares", "loaded_uj", value=[1]), "shares.loaded_uj"),
    "index": (_set("shares", "workload", value=[0, 9]), "shares.workload[1]"),
    "equation": (_set("domains", 0, "static_uj", value=19_999_999), "domains[0].energy_uj"),
    "loaded equation": (_set("domains", 0, "unallocated_uj", value=1), "domains[0].unallocated_uj"),
    "a node name with a newline": (_set("node", value="node-a\n"), "node"),
    "an identity with a newline": (_set("stream", value="stream-1\n"), "stream"),
    "a span of 56 years": (_set("interval", "from_unix_ns", value=0), "interval"),
    "a span far shorter than it lasted": (_set("interval", "elapsed_ns", value=3600 * 10**9), "interval"),
    "a gap that ends before it begins": (
        _set("gaps", value=[{"domain": "d", "from_unix_ns": 2, "to_unix_ns": 1, "reason": "r"}]),
        "gaps[0].to_unix_ns",
    ),
    "control characters in a name": (_set("workloads", "name", 1, value="p\x00\x1b[31m"), "workloads.name[1]"),
    "control characters in a container": (_set("workloads", "container", 0, value="\n"), "workloads.container[0]"),
    "control characters in a UID": (_set("workloads", "uid", 0, value="\x85"), "workloads.uid[0]"),
    "control characters in a reason": (
        _set("gaps", value=[{"domain": "d", "from_unix_ns": 1, "to_unix_ns": 1, "reason": "r\n"}]),
        "gaps[0].reason",
    ),
    "control characters": (_set("workloads", "namespace", 1, value="a\nb"), "workloads.namespace[1]"),
    "a megawatt": (
        encode(report(sequence=2, dynamic_uj=(0,), static_uj=10**13)),
        "domains.energy_uj",
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_it_is_refused_with_the_field_and_changes_nothing(case: str) -> None:
    body, field = CASES[case]
    async with running() as replica:
        await replica.report(report(sequence=1))
        before = await replica.figures()
        problem = await replica.refused("/v1/reports", body)
        assert problem["status"] in {400, 422}
        assert problem["field"] == field
        assert problem["detail"]
        assert await replica.figures() == before
        assert (await replica.report(report(sequence=2)))["acked_sequence"] == 2


async def test_large_bodies_are_refused_packed_and_unpacked() -> None:
    large = b" " * (10 * 2**20)
    async with running() as replica:
        before = await replica.figures()
        for path in ("/v1/reports", "/filter", "/prioritize"):
            problem = await replica.refused(path, large)
            assert (problem["status"], problem["field"]) == (413, "body")
        with pytest.raises(HttpStatusError, match="413"):
            await replica.http.post("/v1/reports", gzip.compress(large), headers={"content-encoding": "gzip"})
        assert await replica.figures() == before


async def test_gzip_is_taken_and_bad_gzip_refused() -> None:
    packed = gzip.compress(encode(report(sequence=1)))
    async with running() as replica:
        with pytest.raises(HttpStatusError, match="400"):
            await replica.http.post("/v1/reports", packed[:-9], headers={"content-encoding": "gzip"})
        answer = await replica.http.post("/v1/reports", packed, headers={"content-encoding": "gzip"})
        assert json.loads(answer.body)["acked_sequence"] == 1


async def test_sums_of_a_report_stay_within_64_bits() -> None:
    """Every field within its own range, the sum beyond what the ledger's integers may ever get near."""
    document = copy.deepcopy(GOOD)
    count = 3
    document["domains"][0] |= {"energy_uj": 0, "static_uj": 0, "unallocated_uj": -(2**53), "meter_error_uj": 0}
    document["shares"] = {
        "workload": [0] * count,
        "domain": [0] * count,
        "dynamic_uj": [0] * count,
        "loaded_uj": [2**53, 0, 0],
        "share_error_uj": [0] * count,
    }
    second = document["domains"][0] | {"domain": "dram/socket-0"}
    document["domains"].append(second)
    document["shares"]["domain"][1] = 1
    document["shares"]["loaded_uj"][1] = 2**53
    async with running() as replica:
        problem = await replica.refused("/v1/reports", json.dumps(document).encode())
        assert problem["status"] == 422
        assert problem["field"] in {"domains.unallocated_uj", "shares.loaded_uj"}
