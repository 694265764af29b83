# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m fleet_router`` as a process: settings from JSON, ready, SIGTERM ends it with 0, bad settings with 2."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from fleet_router.__main__ import main
from fleet_router.errors import SettingsRefused
from fleet_router.service import Fleet
from fleet_router.settings import FleetSettings
from plumbing.clock import ManualClock
from plumbing.http import HttpClient
from tests.fleet.conftest import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path


def start(settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "fleet_router"],
        env=os.environ | {"PENSTOCK_FLEET_SETTINGS_JSON": settings},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.anyio
async def test_it_serves_and_ends_on_sigterm(tmp_path: Path) -> None:
    settings = FleetSettings(port=0, grpc_port=0, state=str(tmp_path / "fleet"))
    process = start(msgspec.json.encode(settings).decode())
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r'"http": "([^"]+)"', line):
                break
        else:
            pytest.fail(f"the router ended with {process.wait()}")
        client = HttpClient(f"http://{found[1]}")
        assert json.loads((await client.get("/readyz")).body) == {"status": "ready"}
        assert b"Penstock fleet" in (await client.get("/")).body
        await client.close()
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(timeout=20) == 0
        assert "Traceback" not in rest
    finally:
        process.kill()
        process.communicate()
    assert (tmp_path / "fleet" / "fleet.sqlite").is_file()


def test_settings_of_the_wrong_type_end_it_with_2_and_the_name() -> None:
    process = start('{"port": "x"}')
    _, text = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "port" in text
    assert "Traceback" not in text


def test_what_the_parts_refuse_ends_it_with_2_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_FLEET_SETTINGS_JSON", '{"data_folder": "/nonexistent"}')
    monkeypatch.setattr("plumbing.logs.configure", lambda role, level="info": None)
    assert main() == 2


@pytest.mark.parametrize(
    "bad",
    [
        replace(SETTINGS, carbon_price_per_kg=float("nan")),
        replace(SETTINGS, report_hour_utc=24),
        replace(SETTINGS, stale_after_s=0.0),
        replace(SETTINGS, decisions_kept=0),
        replace(SETTINGS, currency="euro"),
        replace(SETTINGS, data_folder="/nonexistent"),
    ],
)
def test_settings_that_cannot_work_are_refused(bad: FleetSettings) -> None:
    with pytest.raises(SettingsRefused):
        Fleet(bad, clock=ManualClock())
