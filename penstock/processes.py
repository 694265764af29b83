# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of `penstock up`: started together, watched, restarted when they die, ended in order.

Each role runs in a process group of its own, so that Ctrl-C reaches only `up`, which then ends the agent first: what
it measured last still gets through the extender to the fleet router.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from penstock.commands.roles import command_line, environment

if TYPE_CHECKING:
    from pathlib import Path

_STOP_WITHIN_S = 8.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One role to run: its name for people, its module, its settings and where its log goes."""

    name: str
    module: str
    settings: Any
    log: Path


@dataclass(slots=True)
class Running:
    """A part and its process of the moment."""

    part: Part
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    was_ready: bool = False
    last_status: int | None = None
    _watch: asyncio.Task[None] | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Starts the process and keeps it running until `stop`."""
        await self._spawn()
        self._watch = asyncio.create_task(self._keep(), name=f"keep-{self.part.name}")

    async def _spawn(self) -> None:
        self.part.log.parent.mkdir(parents=True, exist_ok=True)
        with self.part.log.open("ab") as sink:
            self.process = await self._exec(sink)

    async def _exec(self, sink: IO[bytes]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *command_line(self.part.module),
            env=environment(self.part.module, self.part.settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            process_group=0,
        )

    async def _keep(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while self.process is not None:
            self.last_status = await self.process.wait()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            self.restarts += 1
            await self._spawn()

    async def stop(self) -> None:
        """Asks the process to end; insists after eight seconds."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    @property
    def alive(self) -> bool:
        """Whether the process of the moment runs. A port that answers says nothing: it may be somebody else's."""
        return self.process is not None and self.process.returncode is None

    @property
    def hopeless(self) -> bool:
        """Whether the role has died again and again without ever having been ready."""
        return not self.was_ready and self.restarts >= _TRIES

    def last_words(self, lines: int = 5) -> str:
        """The end of the log, for people whose role does not start."""
        try:
            text = self.part.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])
