# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""`penstock up` as people and programs start it: live within seconds, honest about its kind, gone after Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from penstock.assembly import AGENT_PORT, FLEET_PORT, Addresses
from tests.flow.stack import eventually, free_port
from tests.parts import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(120)

PENSTOCK = str(Path(os.sys.executable).parent / "penstock")  # type: ignore[attr-defined]


@pytest.fixture
def offset() -> int:
    """A port offset whose agent port is free; the other three are as good as sure to be."""
    while True:
        offset = free_port() - AGENT_PORT
        if 100 < offset < 30_000:
            return offset


def command(tmp_path: Path, offset: int, *more: str) -> tuple[list[str], dict[str, str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_UP_")}
    return [PENSTOCK, "up", "--port-offset", str(offset), *more], environment | {"PENSTOCK_STATE": str(tmp_path)}


def children(pid: int) -> set[int]:
    """All living descendants of a process."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            child = int(path.parent.name)
            found |= {child} | children(child)
    return found


@pytest.fixture
def json_lines(tmp_path: Path, offset: int) -> Iterator[subprocess.Popen[str]]:
    arguments, environment = command(tmp_path, offset, "--json", "--simulate", "nodes=3,pods=12")
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        if process.poll() is None:
            process.kill()


def test_json_lines_say_what_the_machine_draws(json_lines: subprocess.Popen[str], offset: int) -> None:
    started_s = time.monotonic()
    assert json_lines.stdout is not None
    line: dict[str, Any] = {}
    for text in json_lines.stdout:
        line = json.loads(text)
        if line["power_w"] is not None and set(line["roles"].values()) == {"ready"}:
            break
    # The issue asks for 15 s on a machine of its own; tests share two cores, so this only catches a hang.
    assert time.monotonic() - started_s < 45
    assert set(line) == {"time", "node", "power_w", "power_low_w", "power_high_w", "kind", "energy_uj", "top", "roles"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"])
    assert line["power_low_w"] < line["power_w"] < line["power_high_w"]
    assert isinstance(line["energy_uj"], int)
    assert set(line["top"][0]) == {"pid", "comm", "power_w"}
    powers = [item["power_w"] for item in line["top"]]
    assert powers == sorted(powers, reverse=True)
    if not list(Path("/sys/class").glob("powercap/intel-rapl*")):
        assert line["kind"] == "modelled", "a machine without a meter never pretends to have one"

    from penstock.client import ask

    at = Addresses.of(offset)
    nodes = eventually(
        lambda: (lambda items: items if len(items) >= 4 else None)(ask(at.extender, "/v1/nodes")["items"]),
        what="three simulated nodes beside the real one",
    )
    assert {item["kind"] for item in nodes if item["name"].startswith("sim-node-")} == {"modelled"}

    below = children(json_lines.pid)
    assert len(below) == 4
    json_lines.send_signal(signal.SIGINT)
    assert json_lines.wait(timeout=30) == 0
    assert not [pid for pid in below if Path(f"/proc/{pid}").exists()], "Ctrl-C ends all of it"


def test_kill_minus_nine_leaves_nothing_behind(json_lines: subprocess.Popen[str]) -> None:
    eventually(lambda: len(children(json_lines.pid)) == 4, what="four roles run")
    below = children(json_lines.pid)
    json_lines.kill()
    json_lines.wait(timeout=10)
    eventually(
        lambda: not [pid for pid in below if Path(f"/proc/{pid}").exists()], what="all roles are gone", within_s=20
    )


def test_the_same_ports_twice_is_one_sentence(json_lines: subprocess.Popen[str], tmp_path: Path, offset: int) -> None:
    eventually(
        lambda: (tmp_path / f"offset-{offset}" / "lock").exists(), what="the first instance holds its state folder"
    )
    arguments, environment = command(tmp_path, offset, "--json")
    second = subprocess.run(
        arguments, env=environment, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )
    assert second.returncode == 1
    assert "another --port-offset" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--interval", "0"), "interval_s: 0.0 is not within"),
        (("--interval", "nan"), "interval_s: nan is not within"),
        (("--port-offset", "60000"), "port_offset: 60000 is not within"),
        (("--zone", "xx;"), "not an Electricity Maps zone"),
        (("--policies", "nowhere"), "policies: nowhere does not exist"),
        (("--simulate", "nodes=many"), "nodes"),
        (("--set", "prot=1"), "prot"),
        (("--set", "prot"), "write NAME=VALUE"),
    ],
)
def test_a_wrong_flag_is_one_sentence(tmp_path: Path, offset: int, flags: tuple[str, ...], words: str) -> None:
    arguments, environment = command(tmp_path, offset, *flags)
    ended = subprocess.run(
        arguments, env=environment, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )
    assert ended.returncode in (1, 2)
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_somebody_elses_port_is_named(tmp_path: Path, offset: int) -> None:
    # With a state folder of its own, so that only the port is in the way: another user's instance.
    with socket.create_server(("127.0.0.1", FLEET_PORT + offset)):
        arguments, environment = command(tmp_path, offset, "--json")
        ended = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
        )
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{FLEET_PORT + offset}" in ended.stderr
    assert ended.stdout == "", "another instance's watts are never shown as ours"


def test_a_terminal_gets_a_table_in_place(tmp_path: Path, offset: int) -> None:
    arguments, environment = command(tmp_path, offset)
    master, slave = pty.openpty()
    with subprocess.Popen(
        arguments,
        env=environment | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdin=slave,
        stdout=slave,
        cwd=ROOT,
    ) as process:
        os.close(slave)
        seen = b""
        deadline = time.monotonic() + 60
        while b"COMMAND" not in seen and time.monotonic() < deadline:
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        while process.poll() is None:
            # The terminal must be drained, or the last frame blocks the process.
            if select.select([master], [], [], 0.2)[0]:
                try:
                    seen += os.read(master, 65536)
                except OSError:
                    break
        assert process.wait(timeout=30) == 0
    os.close(master)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode(errors="replace"))
    for expected in ("dashboard http://127.0.0.1:", "agent     http", "PID", "COMMAND", "LOW..HIGH W"):
        assert expected in text
