# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The real roles as processes on free loopback ports, for tests that drive the whole flow from outside."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.settings import AgentSettings
from extender.settings import ExtenderSettings
from fleet_router.settings import FleetSettings
from penstock.commands.roles import command_line, environment
from tests.parts import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

INTERVAL_S = 1.0


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass(slots=True)
class Role:
    """One role's process, which can be killed and started again with the same settings."""

    module: str
    settings: Any
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    def start(self) -> None:
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                command_line(self.module),
                env=environment(self.module, self.settings),
                stdout=sink,
                stderr=sink,
                cwd=ROOT,
            )

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends a signal and returns the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=15)

    def ready(self) -> bool:
        return self.request("/readyz")[0] == 200

    def get(self, path: str) -> Any:
        """The parsed JSON of a 200 answer, or None."""
        status, body = self.request(path)
        return json.loads(body) if status == 200 else None

    def post(self, path: str, document: object) -> tuple[int, Any]:
        """Status and parsed JSON of the answer."""
        status, body = self.request(path, body=json.dumps(document).encode())
        return status, json.loads(body)

    def request(self, path: str, *, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body; status 0 where nobody answers."""
        request = urllib.request.Request(self.url + path, data=body, headers={"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return 0, b""


@dataclass(frozen=True, slots=True)
class Stack:
    """Agent, extender and fleet router that know each other's addresses; nothing is started."""

    agent: Role
    extender: Role
    fleet: Role

    def start(self, *roles: Role) -> None:
        """Starts roles (all by default) and waits until each is ready."""
        chosen = roles or (self.fleet, self.extender, self.agent)
        for role in chosen:
            role.start()
        for role in chosen:
            eventually(role.ready, what=f"{role.module} is ready", log=role.log)


@contextlib.contextmanager
def stack(folder: Path, *, policies: str = "", interval_s: float = INTERVAL_S) -> Iterator[Stack]:
    """A stack whose processes are gone afterwards."""
    ports = {"agent": free_port(), "extender": free_port(), "fleet": free_port(), "grpc": free_port()}
    fleet = FleetSettings(port=ports["fleet"], grpc_port=ports["grpc"], state=str(folder / "fleet"))
    extender = ExtenderSettings(
        port=ports["extender"],
        state=str(folder / "extender"),
        fleet_target=f"127.0.0.1:{ports['grpc']}",
        policies=policies,
        cluster_name="test",
        zone="DE",
    )
    agent = AgentSettings(
        port=ports["agent"],
        state=str(folder / "agent"),
        node="test-node",
        targets=(f"http://127.0.0.1:{ports['extender']}",),
        interval_s=interval_s,
    )
    made = Stack(
        agent=Role("agent", agent, folder / "agent.log"),
        extender=Role("extender", extender, folder / "extender.log"),
        fleet=Role("fleet_router", fleet, folder / "fleet.log"),
    )
    try:
        yield made
    finally:
        for role in (made.agent, made.extender, made.fleet):
            if role.process is not None and role.process.poll() is None:
                role.process.kill()
                role.process.wait()


def eventually(condition: Callable[[], object], *, what: str, within_s: float = 30.0, log: Path | None = None) -> Any:
    """The first truthy answer of ``condition``; fails with ``what`` and the end of ``log``."""
    deadline = time.monotonic() + within_s
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-3000:] if log is not None and log.exists() else ""
            raise AssertionError(f"not within {within_s:g} s: {what}\n{tail}")
        time.sleep(0.05)


@contextlib.contextmanager
def spinners(count: int, *, idle: bool = False) -> Iterator[list[subprocess.Popen[bytes]]]:
    """``count`` processes that do nothing but burn CPU, at once or, where ``idle``, from `start` on."""
    code = ("input()\n" if idle else "") + "while True: pass"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def start(process: subprocess.Popen[bytes]) -> None:
    """Lets an idle spinner burn."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
