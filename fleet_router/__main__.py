# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m fleet_router``: runs the router on the settings in ``PENSTOCK_FLEET_SETTINGS_JSON`` until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import msgspec

from fleet_router.app import build
from fleet_router.errors import FleetError
from fleet_router.service import Fleet
from fleet_router.settings import FleetSettings
from plumbing import logs
from plumbing.clock import SystemClock
from plumbing.lifeline import follow_parent, show_as
from plumbing.server import Address, ListenError, Server, run, until_signal
from plumbing.state import StateError
from plumbing.tasks import guard, stop

log = logging.getLogger("fleet_router")

_REFUSED = 2  # as usage errors of most commands


async def serve(settings: FleetSettings) -> None:
    """Runs all parts until a signal; stops them in the order in which data flows."""
    ended = until_signal()
    fleet = Fleet(settings, clock=SystemClock())
    try:
        server = Server(build(fleet), address=Address(settings.host, settings.port))
        await fleet.start()
        http = guard("http", server.serve, restart=False)
        log.info("Listening", extra={"http": str(server.address), "grpc": str(fleet.ingest.address)})
        waiting = asyncio.ensure_future(ended.wait())
        await asyncio.wait({http, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        server.stop()
        await http
        await stop(http)
    finally:
        await fleet.stop()


def main() -> int:
    """Exit status: 0 after a signal, 2 for settings, state or ports that cannot be used."""
    try:
        settings = msgspec.json.decode(os.environ.get("PENSTOCK_FLEET_SETTINGS_JSON", "{}"), type=FleetSettings)
    except msgspec.DecodeError as error:
        logs.configure("fleet")
        log.error("PENSTOCK_FLEET_SETTINGS_JSON: %s", error)
        return _REFUSED
    logs.configure("fleet", level=settings.log_level)
    show_as("penstock-fleet")
    if settings.parent_pid > 0:
        follow_parent(settings.parent_pid)
    try:
        run(serve(settings))
    except (FleetError, StateError, ListenError) as error:
        log.error("%s", error)
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
