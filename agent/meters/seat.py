# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""One meter at its desk: its thread, its tier, and one read at a time.

A read that is asked for while one is under way begins when that one has ended, so that it is never older than the
question; all who ask in the meantime share it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from agent.errors import DeadlineExceeded, MeterError
from agent.meters.gpu_activity import Activity, GpuMeter
from agent.meters.protocol import Closable, Unread
from agent.meters.tiers import DEADLINE_S, tier_of
from agent.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.meters.protocol import Meter, Reading
    from agent.meters.tiers import Tier
    from agent.vitals import Vitals
    from plumbing.clock import Clock

Answer = tuple["Reading | Unread", ...]

# A call that is out for so long has trouble, whatever its deadline: nobody else waits for it.
_PROMPT_NS: Final = 250_000_000
_WATCH_TIMEOUT_S: Final = 0.5
_LEAVE_TIMEOUT_S: Final = 2.0


class Seat:
    """One meter and its thread; used from the event loop."""

    def __init__(
        self, meter: Meter, *, tier: Tier | None = None, clock: Clock, vitals: Vitals, on_answer: Callable[[Seat], None]
    ) -> None:
        self.meter = meter
        self.tier: Tier = tier or tier_of(meter)
        self.answer: Answer = ()
        self.asked_ns = 0
        """When the read that gave `answer` was begun."""
        self._clock = clock
        self._vitals = vitals
        self._on_answer = on_answer
        self._worker = Worker(f"meter-{meter.source}")
        vitals.workers.append(self._worker)
        self._watcher = Worker(f"watch-{meter.source}") if isinstance(meter, GpuMeter) else None
        if self._watcher is not None:
            vitals.workers.append(self._watcher)
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._begun_ns: int | None = None
        self._missed = False

    @property
    def in_trouble(self) -> bool:
        """Whether it missed its last deadline, or is about to: nobody waits for it then."""
        out = self._begun_ns is not None and self._clock.monotonic_ns() - self._begun_ns > _PROMPT_NS
        return self._missed or out

    def ask(self, *, timeout_s: float | None = None) -> asyncio.Task[None]:
        """A read that begins after this call; when it is done, `answer` is its answer or a newer one's."""
        if self._next is not None and not self._next.done():
            return self._next
        if self._running is not None and not self._running.done():
            self._next = asyncio.create_task(self._follow(self._running, timeout_s), name=f"read {self.meter.source}")
            return self._next
        self._running = asyncio.create_task(self._read(timeout_s), name=f"read {self.meter.source}")
        return self._running

    async def _follow(self, first: asyncio.Task[None], timeout_s: float | None) -> None:
        await asyncio.wait((first,))
        self._running, self._next = self._next, None
        await self._read(timeout_s)

    async def _read(self, timeout_s: float | None) -> None:
        meter = self.meter
        self._begun_ns = started_ns = self._clock.monotonic_ns()
        answer: Answer
        try:
            answer = await self._worker.call(meter.read, timeout_s=timeout_s or DEADLINE_S[self.tier])
            self._missed = False
        except DeadlineExceeded:
            answer = tuple(Unread(each.domain.name, "deadline") for each in meter.metered)
            self._missed = True
        except (MeterError, OSError, ValueError):
            answer = tuple(Unread(each.domain.name, "unreadable") for each in meter.metered)
            self._missed = False
        finally:
            self._begun_ns = None
        unread = sorted({each.reason for each in answer if isinstance(each, Unread)})
        self._vitals.note(f"meter-{meter.source}", started_ns=started_ns, reason=", ".join(unread))
        self.answer, self.asked_ns = answer, started_ns
        self._on_answer(self)

    async def watch(self) -> tuple[Activity, ...]:
        """Who uses the GPUs since the last call; nothing from a meter without any, or one that does not answer."""
        if self._watcher is None or not isinstance(self.meter, GpuMeter):
            return ()
        started_ns = self._clock.monotonic_ns()
        try:
            found = await self._watcher.call(self.meter.activity, timeout_s=_WATCH_TIMEOUT_S)
        except (DeadlineExceeded, MeterError, OSError, ValueError) as error:
            self._vitals.note(self._watcher.name, started_ns=started_ns, reason=str(error) or type(error).__name__)
            return ()
        unread = sorted({each.reason for each in found if isinstance(each, Unread)})
        self._vitals.note(self._watcher.name, started_ns=started_ns, reason=", ".join(unread))
        return tuple(each for each in found if isinstance(each, Activity))

    async def leave(self) -> None:
        """Closes the meter in its own thread: a logout may take a while, and one that hangs is left."""
        if isinstance(self.meter, Closable) and not self._worker.stuck:
            with contextlib.suppress(DeadlineExceeded, MeterError, OSError):
                await self._worker.call(self.meter.close, timeout_s=_LEAVE_TIMEOUT_S)

    def close(self) -> None:
        """Ends the threads."""
        self._worker.close()
        if self._watcher is not None:
            self._watcher.close()
