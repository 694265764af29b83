# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m agent``: the lean process. Settings come checked, as JSON in PENSTOCK_AGENT_SETTINGS_JSON."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import msgspec

from agent import blas  # noqa: F401 - first, before NumPy comes in
from agent.errors import AgentError
from agent.loop import Agent
from agent.settings import AgentSettings
from agent.worker import SWITCH_INTERVAL_S
from plumbing import logs
from plumbing.lifeline import follow_parent, show_as
from plumbing.state import StateError

_ENVIRONMENT = "PENSTOCK_AGENT_SETTINGS_JSON"

log = logging.getLogger("agent")


async def serve(settings: AgentSettings) -> bool:
    """Runs until SIGTERM or SIGINT; True where a thread hangs and will not end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    agent = Agent(settings)
    try:
        await agent.start()
        log.info("Agent ready", extra={"node": settings.node_name, "host": settings.host, "port": agent.server.port})
        await ended.wait()
    finally:
        await agent.stop()
    return agent.stuck


def main() -> int:
    """The process's exit status: 0 after a signal, 1 where it cannot run here, 2 for settings it cannot use."""
    try:
        settings = msgspec.json.decode(os.environ.get(_ENVIRONMENT, "{}"), type=AgentSettings)
    except msgspec.DecodeError as error:
        logs.configure("agent")
        log.error("Settings cannot be used", extra={"variable": _ENVIRONMENT, "reason": str(error)})
        return 2
    logs.configure("agent", level=settings.log_level)
    show_as("penstock-agent")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if settings.parent_pid > 0:
        follow_parent(settings.parent_pid)
    try:
        stuck = asyncio.run(serve(settings))
    except (AgentError, StateError, OSError) as error:
        log.error("Agent cannot run", extra={"reason": str(error)})
        return 1
    if stuck:
        os._exit(0)  # the interpreter would wait for the thread that hangs
    return 0


if __name__ == "__main__":
    sys.exit(main())
