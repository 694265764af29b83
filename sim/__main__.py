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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from plumbing import lifeline, logs, server, tasks
from plumbing.clock import Clock, SystemClock
from plumbing.http import HttpClient
from sim import cluster
from sim.agents import Agents
from sim.load import HostWork, steady
from sim.settings import SimSettings
from sim.silicon import classes, presets, trace
from sim.silicon.run import Run
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from sim.silicon.work import Work

log = logging.getLogger("sim")

# RAPL moves every millisecond; agents read once a second, so this is fine enough and costs nothing to speak of.
_MACHINE_STEP_S = 0.1
# When this host was asleep, so was the machine: an hour at once would take it minutes.
_LONGEST_S = 10.0


async def run(
    settings: SimSettings, *, clock: Clock, machine: Run | None = None, end: asyncio.Event | None = None
) -> None:
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
    if machine is not None:
        running.insert(0, tasks.guard("sim.machine", partial(turn, machine, clock=clock)))
    log.info("Simulating", extra={"nodes": settings.nodes, "pods": settings.pods, "extender": settings.extender})
    await ended.wait()
    await tasks.stop(*running)
    await http.close()
    if machine is not None and settings.machine_trace:
        trace.write(machine.trace(), Path(settings.machine_trace))
    log.info("Ended", extra={"undelivered": agents.waiting, "dropped": agents.dropped})


def machine_run(settings: SimSettings) -> Run | None:
    """The machine of the settings, with its tree written; None where none is wanted. Raises OSError, ValueError."""
    if not settings.machine_root:
        return None
    machine = presets.draw(settings.machine, seed=settings.seed)
    kinds = classes.draw(settings.seed)
    ratio = settings.fixed_load
    work: Work = HostWork(Path("/proc"), machine=machine, classes=kinds)
    if ratio is not None:
        work = steady(ratio, machine=machine, classes=kinds)
    return Run(machine, work, seed=settings.seed, root=Path(settings.machine_root))


async def turn(machine: Run, *, clock: Clock) -> None:
    """Lets as much time pass for the machine as really passes."""
    last_ns = clock.monotonic_ns()
    while True:
        await asyncio.sleep(_MACHINE_STEP_S)
        now_ns = clock.monotonic_ns()
        machine.advance(min((now_ns - last_ns) / NS_PER_S, _LONGEST_S))
        last_ns = now_ns


def main() -> int:
    """0 after a signal, 2 with the reason where the settings are no settings, or name a folder of somebody else."""
    try:
        settings = msgspec.json.decode(os.environ.get("PENSTOCK_SIM_SETTINGS_JSON", "{}"), type=SimSettings)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"PENSTOCK_SIM_SETTINGS_JSON: {error}\n")
        return 2
    logs.configure("sim", level=settings.log_level)
    lifeline.show_as("penstock-sim")
    if settings.parent_pid > 0:
        lifeline.follow_parent(settings.parent_pid)
    try:
        machine = machine_run(settings)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"machine_root: {error}\n")
        return 2
    server.run(run(settings, clock=SystemClock(), machine=machine))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
