# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Three ways to show the status of `penstock up`: a live table, plain lines, JSON lines."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Group as Lines
from rich.live import Live
from rich.text import Text

from penstock.commands.top import COLUMNS, headline
from penstock.output import console, energy, printable, table, watts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console, RenderableType

    from penstock.assembly import Addresses
    from penstock.processes import Running
    from penstock.status import Status

_STYLE = {"ready": "green", "starting": "yellow", "down": "red"}
# Cold imports on two slow cores take a few seconds; a role that is down for longer has something to say in its log.
_PATIENCE_S = 20.0


class Display(Protocol):
    """Where looks at the roles go."""

    def show(self, status: Status) -> None: ...

    def close(self) -> None: ...


class JsonLines:
    """One object per line and second."""

    def show(self, status: Status) -> None:
        sys.stdout.write(status.line() + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        return


class PlainLines:
    """For logs and pipes: the addresses once, then one line per look that has something new."""

    def __init__(self, *, addresses: Addresses, running: Sequence[Running]) -> None:
        self._running = running
        self._shown: object = None
        self._started_s = time.monotonic()
        self._complained = False
        sys.stdout.write("\n".join(_addresses(addresses)) + "\n")
        sys.stdout.flush()

    def show(self, status: Status) -> None:
        if status.node is None:
            if not self._complained and time.monotonic() - self._started_s > _PATIENCE_S:
                self._complained = True
                sys.stdout.write(_complaint(status, self._running) + "\n")
        elif self._shown != (status.node, status.roles):
            self._shown = (status.node, status.roles)
            first = ", ".join(
                f"{printable(item['comm'])}[{item['pid']}] {watts(item['power_w'])}" for item in status.processes[:3]
            )
            roles = " ".join(f"{name}={state}" for name, state in status.roles.items())
            sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {headline(status.node)}  top: {first or '-'}  {roles}\n")
        sys.stdout.flush()

    def close(self) -> None:
        return


class LiveTable:
    """For a terminal: redrawn in place."""

    def __init__(self, screen: Console, *, addresses: Addresses, running: Sequence[Running]) -> None:
        self._screen = screen
        self._addresses = addresses
        self._running = running
        self._started_s = time.monotonic()
        self._live = Live(console=screen, auto_refresh=False, transient=False)
        self._live.start()

    def show(self, status: Status) -> None:
        self._live.update(self.frame(status), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def frame(self, status: Status) -> RenderableType:
        """Header, roles and as many of the top processes as the screen holds."""
        head: list[RenderableType] = [_one_line(line) for line in _addresses(self._addresses)]
        roles = _one_line("roles     ")
        restarts = {each.part.name: each.restarts for each in self._running}
        for name, state in status.roles.items():
            again = f" ({restarts[name]} restarts)" if restarts.get(name) else ""
            roles.append(f"{name} ").append(state, style=_STYLE[state]).append(f"{again}  ")
        head.append(roles)
        if status.cluster is not None:
            nodes = status.cluster.get("nodes", 1)
            total = f"{watts(status.cluster.get('power_w'))}, {energy(status.cluster.get('energy_uj'))} booked"
            plural = "s" if nodes != 1 else ""
            head.append(_one_line(f"cluster   {status.cluster['name']}: {nodes} node{plural}, {total}"))
            head.extend(_one_line(line, style="yellow") for line in _troubles(status.cluster))
        head.append(Text(""))
        if status.node is None:
            waited_s = time.monotonic() - self._started_s
            head.append(
                Text(_complaint(status, self._running) if waited_s > _PATIENCE_S else "waiting for the first interval")
            )
            return Lines(*head)
        head.extend((_one_line(headline(status.node), style="bold"), Text("")))
        room = max(self._screen.height - len(head) - 2, 3)
        return Lines(*head, table(status.processes[:room], COLUMNS["process"], width=self._screen.width))


def display(*, json_lines: bool, addresses: Addresses, running: Sequence[Running]) -> Display:
    """The display that fits standard output."""
    if json_lines:
        return JsonLines()
    screen = console()
    if screen.is_terminal:
        return LiveTable(screen, addresses=addresses, running=running)
    return PlainLines(addresses=addresses, running=running)


def _addresses(addresses: Addresses) -> list[str]:
    return [
        f"dashboard {addresses.fleet}/",
        f"agent     {addresses.agent}/metrics  /v1/query",
        f"extender  {addresses.extender}/filter  /prioritize  /v1/cluster  /v1/namespaces  /v1/nodes  /v1/pods",
        f"fleet     {addresses.fleet}/v1/fleet  /v1/placements:recommend   gRPC {addresses.fleet_grpc}",
    ]


def _one_line(text: str, *, style: str = "") -> Text:
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")


def _troubles(cluster: Mapping[str, Any]) -> list[str]:
    problems = [f"policies  {problem}" for problem in cluster.get("policies", {}).get("problems", [])[:3]]
    error = cluster.get("uplink", {}).get("last_error")
    return [*problems, f"uplink    {error}"] if error else problems


def _complaint(status: Status, running: Sequence[Running]) -> str:
    lines = ["no reading yet"]
    for each in running:
        if status.roles.get(each.part.name, "ready") != "ready":
            lines.append(f"{each.part.name} is not ready; the end of {each.part.log}:")
            lines.extend(f"  {printable(line)}" for line in each.last_words().splitlines())
    return "\n".join(lines)
