# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What each role really has in memory: started for real, asked by the interpreter's own import log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.commands.roles import environment
from tests.flow.stack import Role, eventually, stack
from tests.parts import ROOT

HEAVY = {"sklearn", "scipy", "pandas", "matplotlib"}
FORBIDDEN = {
    "agent": HEAVY
    | {
        "fastapi",
        "starlette",
        "uvicorn",
        "kubernetes",
        "grpc",
        "google",
        "pydantic",
        "pydantic_settings",
        "typer",
        "rich",
    }
    | {
        "httpx",
        "prometheus_client",
        "structlog",
        "sqlalchemy",
        "apscheduler",
        "extender",
        "fleet_router",
        "sim",
    },
    "extender": HEAVY | {"sqlalchemy", "apscheduler", "agent", "fleet_router", "sim", "typer", "rich"},
    "fleet_router": HEAVY | {"agent", "extender", "sim", "typer", "rich"},
}


def imported(role: Role, log: Path) -> set[str]:
    """Top-level names that a running role has imported (``-X importtime`` writes one line per module)."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", role.module],
            env=environment(role.module, role.settings),
            stderr=sink,
            cwd=ROOT,
        )
        role.process = process
        eventually(role.ready, what=f"{role.module} is ready", within_s=60, log=log)
        process.terminate()
        assert process.wait(timeout=20) == 0
    lines = (line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("import time:"))
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_a_role_imports_nothing_it_must_not(name: str, tmp_path: Path) -> None:
    with stack(tmp_path) as made:
        role = {"agent": made.agent, "extender": made.extender, "fleet_router": made.fleet}[name]
        if name == "fleet_router":
            found = imported(role, tmp_path / "imports.log")
        else:
            made.start(made.fleet)
            if name == "agent":
                made.start(made.extender)
            found = imported(role, tmp_path / "imports.log")
    assert "msgspec" in found
    wrong = sorted(found & FORBIDDEN[name])
    assert not wrong


def test_memory_of_the_agent_stays_small(tmp_path: Path) -> None:
    with stack(tmp_path) as made:
        made.start(made.fleet, made.extender, made.agent)
        eventually(
            lambda: (made.agent.get("/v1/query?group=node") or {}).get("items"), what="an interval", log=made.agent.log
        )
        assert made.agent.process is not None
        status = Path(f"/proc/{made.agent.process.pid}/status").read_text()
    rss_mb = int(status.split("VmRSS:")[1].split()[0]) / 1024
    # METERING 9: 64 MB is the standard profile's limit in steady state; this is right after the start.
    assert rss_mb < 64
