# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The page: rendered here, no script, nothing from outside, and nothing that a cluster sends gets through as markup."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from tests.fleet.clients import node_range, report

if TYPE_CHECKING:
    import httpx

    from fleet_router.service import Fleet

pytestmark = pytest.mark.anyio

EVIL = "<script>alert(1)</script>"


async def test_the_page_shows_the_fleet_without_script(fleet: Fleet, http: httpx.AsyncClient) -> None:
    wrong = report(node_range(1, 2), name=f"x{EVIL}")
    for row in wrong.ranges[0].rows:
        if row.namespace == "web":
            row.namespace = EVIL
    for message in (wrong, report(cluster_id="c-2", name="beta", zone="AQ")):
        assert not (await fleet.ingest.take(message.SerializeToString())).error
    await http.post("/v1/placements:recommend", json={"workload": {"name": EVIL, "cpus": 1}})
    answer = await http.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.text
    assert "<script" not in page.lower()
    assert page.count("&lt;script&gt;") >= 3
    for shown in ("200 W", "modelled", "beta", "no figure", "g/kWh", "daily-"):
        assert shown in page
    # Nothing is loaded: every address on the page is a link to this router.
    assert re.findall(r'\bsrc=|url\(|@import|<link|<iframe|\bon\w+="|style="', page) == []
    assert {each[0] for each in re.findall(r'href="([^"]*)"', page)} == {"/"}


async def test_the_policy_allows_exactly_the_style_that_is_there(fleet: Fleet, http: httpx.AsyncClient) -> None:
    await fleet.schedule.write_recent()
    reports = (await http.get("/v1/reports")).json()["items"]
    for path in ("/", reports[0]["links"]["html"]):
        answer = await http.get(path)
        style = answer.text.partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = answer.headers["content-security-policy"]
        assert f"style-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


async def test_an_empty_fleet_has_a_page(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    assert "No cluster has reported yet" in page
    assert "0 / 0" in page
