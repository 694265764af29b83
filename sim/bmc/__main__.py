# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m sim.bmc``: a simulated BMC on a port, until SIGTERM.

The settings come as JSON in PENSTOCK_BMC_SETTINGS_JSON; user and password are ``operator`` and ``swordfish``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import msgspec

from plumbing import lifeline, logs, server
from sim.bmc.app import Bmc
from sim.bmc.scenarios import SCENARIOS
from sim.bmc.settings import BmcSettings

log = logging.getLogger("sim.bmc")


async def run(settings: BmcSettings) -> None:
    """Serves until a signal."""
    ended = server.until_signal()
    app = Bmc(vendor=settings.vendor, scenario=SCENARIOS[settings.scenario])
    listening = server.Server(app, address=server.Address(settings.host, settings.port))
    serving = asyncio.create_task(listening.serve(), name="sim.bmc.http")
    log.info("Listening", extra={"address": str(listening.address), "vendor": settings.vendor})
    await ended.wait()
    listening.stop()
    await serving


def main() -> int:
    """0 after a signal, 2 with the reason where the settings are no settings or the port is taken."""
    try:
        settings = msgspec.json.decode(os.environ.get("PENSTOCK_BMC_SETTINGS_JSON", "{}"), type=BmcSettings)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"PENSTOCK_BMC_SETTINGS_JSON: {error}\n")
        return 2
    logs.configure("sim", level=settings.log_level)
    if settings.parent_pid > 0:
        lifeline.follow_parent(settings.parent_pid)
    try:
        server.run(run(settings))
    except server.ListenError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
