# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m extender``: one replica, settings as JSON in ``PENSTOCK_EXTENDER_SETTINGS_JSON``."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from extender.app import application
from extender.cluster import HOUSEKEEPING_S, Cluster
from extender.errors import LedgerUnusable
from extender.policies import POLL_S
from extender.settings import ExtenderSettings
from plumbing import logs, tasks
from plumbing.clock import SystemClock
from plumbing.lifeline import follow_parent, show_as
from plumbing.server import Address, ListenError, Server, run, until_signal
from plumbing.state import StateError, StateFolder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def main(settings: ExtenderSettings) -> None:
    """Serves until SIGTERM or SIGINT, then stops what takes requests before what they need."""
    stop = until_signal()
    folder = StateFolder(Path(settings.state)) if settings.state else None
    cluster = Cluster(settings, clock=SystemClock())
    await cluster.start()
    server = Server(application(cluster), address=Address(settings.host, settings.port))
    serving = tasks.guard("http", server.serve, restart=False)
    timers = [
        tasks.guard("policies", _every(POLL_S, cluster.refresh_policies)),
        tasks.guard("housekeeping", _every(HOUSEKEEPING_S, _tidy(cluster))),
    ]
    if settings.fleet_target:
        # gRPC takes a third of a second to import; a replica without a fleet never needs it.
        from extender.uplink import Uplink

        uplink = Uplink(
            target=settings.fleet_target, writer=cluster.writer, head=cluster.head, now_unix_ns=cluster.clock.unix_ns
        )
        cluster.uplink_status = uplink.status
        timers.append(tasks.guard("uplink", uplink.run))
    ended = asyncio.ensure_future(stop.wait())
    await asyncio.wait([ended, serving], return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    server.stop()
    await asyncio.wait([serving])
    await tasks.stop(*timers)
    await cluster.close()
    if folder is not None:
        folder.close()
    serving.result()


def _every(pause_s: float, act: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def loop() -> None:
        while True:
            await asyncio.sleep(pause_s)
            await act()

    return loop


def _tidy(cluster: Cluster) -> Callable[[], Awaitable[None]]:
    async def tidy() -> None:
        cluster.tidy()

    return tidy


if __name__ == "__main__":
    given = msgspec.json.decode(os.environ["PENSTOCK_EXTENDER_SETTINGS_JSON"], type=ExtenderSettings)
    logs.configure("extender", level=given.log_level)
    show_as("penstock-ext")
    if given.parent_pid > 0:
        follow_parent(given.parent_pid)
    try:
        run(main(given))
    except (LedgerUnusable, ListenError, StateError) as error:
        logging.getLogger("extender").critical("%s", error)
        sys.exit(1)
