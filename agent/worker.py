# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Threads for what may block: one per meter, observer, outbox and target (METERING 7).

A call that misses its deadline is abandoned and counted. Its thread cannot be killed, so a fresh one takes over; the
number of abandoned ones is bounded, and when the bound is reached calls are refused until one comes back. A process
that ends with threads still stuck must leave by ``os._exit``, because the interpreter would wait for them.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from agent.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the interpreter while another waits for it, set when an agent starts.

A read of nine zones gives the interpreter up at every system call. At Python's 5 ms a report that is encoded beside it
makes readings 100 ms late at p99, at 0.5 ms 22 ms (docs/benchmarks.md).
"""


class Worker:
    """One thread that runs blocking calls in the order given.

    ``spares`` is how many stuck threads may be replaced; 0 suits work that must never run twice at once.
    """

    def __init__(self, name: str, *, spares: int = 2) -> None:
        self.name = name
        self.abandoned_total = 0
        self._spares = spares
        self._stuck = 0
        self._thread = self._start()

    def _start(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix=self.name)

    @property
    def stuck(self) -> int:
        """Calls that are past their deadline and not back."""
        return self._stuck

    async def call(self, run: Callable[[], Result], *, timeout_s: float) -> Result:
        """Runs ``run`` in the thread. Raises DeadlineExceeded, or whatever ``run`` raises."""
        if self._stuck > self._spares:
            raise DeadlineExceeded(f"{self.name}: {self._stuck} calls are stuck")
        future = asyncio.get_running_loop().run_in_executor(self._thread, run)
        try:
            done, _ = await asyncio.wait((future,), timeout=timeout_s)
        except asyncio.CancelledError:
            # Nobody waits any more, but the thread does: a process that ends now must know.
            self._leave(future)
            raise
        if done:
            return future.result()
        self.abandoned_total += 1
        self._leave(future)
        if self._stuck <= self._spares:
            self._thread.shutdown(wait=False)
            self._thread = self._start()
        raise DeadlineExceeded(f"{self.name}: no answer within {timeout_s:g} s")

    def _leave(self, future: asyncio.Future[Result]) -> None:
        self._stuck += 1
        future.add_done_callback(self._came_back)

    def _came_back(self, future: asyncio.Future[Result]) -> None:
        self._stuck -= 1
        if not future.cancelled():
            future.exception()  # seen, so that asyncio does not report it: nobody waits for it any more

    def close(self) -> None:
        """Ends the thread after the call it has; what waits behind it is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)
