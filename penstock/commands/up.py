# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""`penstock up`: agent, extender and fleet router on this machine, live on its real processes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.output import fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.assembly import UpSettings
    from penstock.processes import Part

_EVERY_S = 1.0


class RoleFailed(RuntimeError):
    """A role that cannot be started here."""


def up(
    simulate: Annotated[
        str | None, typer.Option("--simulate", help="Add a simulated cluster: nodes=50,pods=500.")
    ] = None,
    policies: Annotated[str | None, typer.Option("--policies", help="Folder of policy files.")] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", help="Electricity Maps zone of this machine, such as DE.")
    ] = None,
    interval_s: Annotated[float | None, typer.Option("--interval", help="Length of an interval in seconds.")] = None,
    port_offset: Annotated[int | None, typer.Option("--port-offset", help="Added to every port.")] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="One machine-readable status line per second.")] = False,
    more: Annotated[list[str] | None, typer.Option("--set", help="Any other setting, NAME=VALUE; repeatable.")] = None,
) -> None:
    """Start agent, extender and fleet router on loopback and show the watts of this machine; Ctrl-C ends all of it."""
    from penstock.assembly import UpSettings, check_ports, parts
    from penstock.commands.roles import settings_of
    from plumbing.server import ListenError
    from plumbing.state import StateError, StateFolder, instance_folder, state_root
    from sim.spec import SpecError

    flags = {
        "simulate": simulate,
        "policies": policies,
        "zone": zone,
        "interval_s": interval_s,
        "port_offset": port_offset,
    }
    settings: UpSettings = settings_of(UpSettings, role="up", flags=flags, more=more, config=None)
    try:
        folder = StateFolder(instance_folder(state_root(), port_offset=settings.port_offset))
        chosen = parts(settings, folder=folder.path)
        check_ports(settings.port_offset)
    except (StateError, SpecError, ListenError) as error:
        fail(str(error))
    try:
        asyncio.run(_main(settings, chosen, json_lines=json_lines))
    except RoleFailed as error:
        fail(str(error))


async def _main(settings: UpSettings, chosen: Sequence[Part], *, json_lines: bool) -> None:
    from penstock.assembly import Addresses
    from penstock.display import display
    from penstock.processes import Running
    from penstock.status import Watcher
    from plumbing.server import until_signal

    stop = until_signal()
    addresses = Addresses.of(settings.port_offset)
    running = [Running(part) for part in chosen]
    watcher = Watcher(addresses)
    shown = display(json_lines=json_lines, addresses=addresses, running=running)
    try:
        await asyncio.gather(*(each.start() for each in running))
        while not stop.is_set():
            started_s = time.monotonic()
            shown.show(await watcher.look(running))
            for each in running:
                if each.hopeless:
                    raise RoleFailed(f"{each.part.name} does not start; its log ends:\n{each.last_words()}")
            await _pause(stop, _EVERY_S - (time.monotonic() - started_s))
    finally:
        shown.close()
        for each in running:
            await each.stop()
        await watcher.close()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.05)):
            await stop.wait()
    except TimeoutError:
        return
