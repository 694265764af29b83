# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m sim``: simulated nodes that report, and a simulated machine's sysfs tree, until SIGTERM.

The settings come as JSON in PENSTOCK_SIM_SETTINGS_JSON; ``penstock sim`` and ``penstock up --simulate`` fill it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import uuid
from pathlib import Path

import msgspec

from plumbing import lifeline, logs, server, tasks
from plumbing.clock import Clock, SystemClock
from plumbing.http import HttpClient
from sim import cluster
from sim.agents import Agents
from sim.load import HostLoad, Load, ScriptedLoad
from sim.machine import Machine
from sim.settings import SimSettings
from wire.units import NS_PER_S

log = logging.getLogger("sim")

# RAPL moves every millisecond; agents read once a second, so this is fine enough and costs nothing to speak of.
_MACHINE_STEP_S = 0.1


async def run(settings: SimSettings, *, clock: Clock, end: asyncio.Event | None = None) -> None:
    """Runs until a signal, or ``end``; then stops what makes reports before what sends them."""
    ended = end or server.until_signal()
    http = HttpClient(settings.extender)
    agents = Agents(
        cluster.build(seed=settings.seed, nodes=settings.nodes, pods=settings.pods),
        http=http,
        clock=clock,
        interval_s=settings.interval_s,
        # A new run is a new boot with new streams: what the last one had not delivered is gone with its memory.
        run_id=uuid.uuid4().hex[:12],
    )
    running = [tasks.guard("sim.fill", agents.fill), tasks.guard("sim.push", agents.push)]
    if settings.machine_root:
        load: Load = HostLoad(Path("/proc"))
        if settings.fixed_load is not None:
            load = ScriptedLoad((0.0, settings.fixed_load))
        machine = Machine(Path(settings.machine_root))
        running.insert(0, tasks.guard("sim.machine", lambda: turn(machine, load, clock=clock)))
    log.info("Simulating", extra={"nodes": settings.nodes, "pods": settings.pods, "extender": settings.extender})
    await ended.wait()
    await tasks.stop(*running)
    await http.close()
    log.info("Ended", extra={"undelivered": agents.waiting, "dropped": agents.dropped})


async def turn(machine: Machine, load: Load, *, clock: Clock) -> None:
    """Moves the machine's counters by the time that really passes."""
    begun_ns = last_ns = clock.monotonic_ns()
    while True:
        await asyncio.sleep(_MACHINE_STEP_S)
        now_ns = clock.monotonic_ns()
        ratio = load.ratio((now_ns - begun_ns) / NS_PER_S)
        machine.advance((now_ns - last_ns) / NS_PER_S, load_ratio=ratio)
        last_ns = now_ns


def main() -> int:
    """0 after a signal, 2 with the reason where the settings are no settings."""
    try:
        settings = msgspec.json.decode(os.environ.get("PENSTOCK_SIM_SETTINGS_JSON", "{}"), type=SimSettings)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"PENSTOCK_SIM_SETTINGS_JSON: {error}\n")
        return 2
    logs.configure("sim", level=settings.log_level)
    lifeline.show_as("penstock-sim")
    if settings.parent_pid > 0:
        lifeline.follow_parent(settings.parent_pid)
    server.run(run(settings, clock=SystemClock()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
