# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped BMC as a process, and its scenarios as functions of time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from plumbing.http import BlockingHttpClient, HttpUnreachable
from sim.bmc.app import VENDORS
from sim.bmc.documents import Draw, Flow
from sim.bmc.scenarios import SCENARIOS, Scenario, halve
from sim.bmc.settings import BmcSettings
from tests.parts import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bmc_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    settings = {"port": 0, "vendor": "lenovo"}
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "sim.bmc"],
            cwd=ROOT,
            env=os.environ | {"PENSTOCK_BMC_SETTINGS_JSON": json.dumps(settings)},
            stderr=subprocess.PIPE,
            stdout=sink,
        )
    assert process.stderr is not None
    try:
        line = json.loads(process.stderr.readline())
        assert line["vendor"] == "lenovo"
        client = BlockingHttpClient(f"http://{line['address']}", timeout_s=10)
        assert json.loads(root_of(client))["Vendor"] == "Lenovo"
        client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait(timeout=20)
        process.stderr.close()


def root_of(client: BlockingHttpClient) -> bytes:
    """The service root, as soon as the port that the log names is listened on."""
    until_s = time.monotonic() + 20
    while True:
        try:
            return client.request("GET", "/redfish/v1/").body
        except HttpUnreachable:
            assert time.monotonic() < until_s
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"vendor": "acme"}, "vendor"),
        ({"scenario": "sad"}, "scenario"),
        ({"port": 70000}, "port"),
        ({"log_level": "x"}, "log_level"),
    ],
)
def test_settings_that_are_none_name_the_field(given: dict[str, object], field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.json.decode(json.dumps(given), type=BmcSettings)


def test_a_vanishing_bmc_goes_once_and_a_flapping_one_again_and_again() -> None:
    vanishing = Scenario(up_s=10, down_s=5, returns=True)
    assert [vanishing.is_up(at) for at in (0, 9.9, 10, 14.9, 15, 100)] == [True, True, False, False, True, True]
    flapping = Scenario(up_s=2, down_s=3)
    assert [flapping.is_up(at) for at in (0, 1.9, 2, 4.9, 5, 6.9, 7)] == [True, True, False, False, True, True, False]
    assert SCENARIOS["healthy"].is_up(1e9)


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_half_of_the_figures_are_missing_and_the_rest_is_untouched(vendor: str) -> None:
    whole, half = (json.dumps(tree) for tree in (VENDORS[vendor](Draw()), halve(VENDORS[vendor](Draw()))))
    assert whole != half
    assert len(half) > len(whole) // 2
    assert half.count("null") > whole.count("null")


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_every_document_is_linked_under_its_own_name(vendor: str) -> None:
    tree = VENDORS[vendor](Draw(supplies=(Flow(100.0, 90.0),)))
    assert {uri for uri, document in tree.items() if document["@odata.id"] != uri} == set()
    assert all(document["@odata.type"].startswith("#") and document["Name"] for document in tree.values())
