# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m agent`` as the house starts it: quick, lean, honest about its settings, and gone on SIGTERM."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from agent.settings import AgentSettings, dns_name

VARIABLE = "PENSTOCK_AGENT_SETTINGS_JSON"
FORBIDDEN = (
    "fastapi", "kubernetes", "sklearn", "pandas", "grpc", "pydantic", "typer", "rich", "structlog", "httpx", "uvicorn",
    "prometheus_client",
)  # fmt: skip


def start(**settings: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent"],
        env={**os.environ, VARIABLE: json.dumps({"port": 0, **settings})},
        stderr=subprocess.PIPE,
    )


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=2) as answer:
        return json.loads(answer.read())


def test_it_is_up_within_an_interval_lean_and_ends_with_0() -> None:
    started = time.monotonic()
    process = start(interval_s=2, node="node-a")
    assert process.stderr is not None
    try:
        port = 0
        for line in process.stderr:
            if found := re.search(rb'"port": (\d+)', line):
                port = int(found[1])
                break
        ready_s = time.monotonic() - started
        node: Any = None
        while node is None and time.monotonic() < started + 20:
            try:
                node = ask(f"http://127.0.0.1:{port}/v1/query")["items"][0]
            except urllib.error.HTTPError as error:
                error.close()
                time.sleep(0.1)
        assert node["name"] == "node-a"
        assert node["power_low_w"] <= node["power_w"] <= node["power_high_w"]
        status = Path(f"/proc/{process.pid}/status").read_text()
        rss_kb = int(status.partition("VmRSS:")[2].split()[0])
        assert rss_kb < 64 * 1024
        # 1.5 s is the target on an idle machine; a shared one is given four times as long before it is a failure.
        assert ready_s < 6
    finally:
        process.send_signal(signal.SIGTERM)
        process.stderr.close()
        assert process.wait(10) == 0


def test_nothing_heavy_is_in_the_process() -> None:
    code = f"import sys, agent.__main__; print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"interval_s": -1}, "interval_s"),
        ({"interval_s": "soon"}, "interval_s"),
        ({"meters": ["crystal-ball"]}, "meters"),
        ({"targets": ["extender:8080"]}, "targets"),
        ({"node": "Not A Name"}, "node"),
    ],
)
def test_settings_that_cannot_be_used_end_it_with_2(settings: dict[str, Any], named: str) -> None:
    process = start(**settings)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    assert named in json.loads(said.splitlines()[-1])["reason"]


def test_a_simulated_tree_without_its_marker_ends_it_with_1(tmp_path: Path) -> None:
    process = start(meters=["simulated"], simulated_root=str(tmp_path))
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "penstock-simulated.json" in json.loads(said.splitlines()[-1])["reason"]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("VM-1.Example.COM", "vm-1.example.com"),
        ("my_host", "my-host"),
        ("-a-", "a"),
        ("", "localhost"),
        ("äö", "localhost"),
    ],
)
def test_any_host_name_becomes_a_node_name(given: str, made: str) -> None:
    assert dns_name(given) == made


@pytest.mark.parametrize(
    "field",
    [
        {"port": 70_000},
        {"ring_length": 0},
        {"outbox_limit_bytes": 1},
        {"log_level": "loud"},
        {"meters": ("simulated",)},
    ],
)
def test_each_setting_is_checked(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(field)).replace("meters", "simulated_root")):
        AgentSettings(**field)
