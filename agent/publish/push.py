# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Delivers reports to one extender: at least once, in order, however long it was away.

Each target has its own thread, connection and cursor, so that a dead replica delays nobody. The outbox is only
touched through the one worker that owns it.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from agent.errors import DeadlineExceeded
from agent.publish.delivery import Answer, Cursor, body_of, holes, judge
from agent.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from plumbing.outbox import Message, Outbox
    from wire.report import ReportAck

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

TIMEOUT_S: Final = 5.0
_PATH: Final = "/v1/reports"
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_BATCH: Final = 16
_LARGEST_ANSWER: Final = 64 * 1024
# Below it the gzip header costs more than it saves.
_WORTH_PACKING: Final = 512


@dataclass(slots=True)
class Delivered:
    """Counts of one target, for metrics."""

    accepted_total: int = 0
    failed_total: int = 0
    refused_total: int = 0
    last_error: str = ""


class Target:
    """A keep-alive connection to one base URL; blocking, used from one thread at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        self._make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._address = (parts.hostname or "", parts.port)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> Answer:
        """Posts a report. Raises OSError or HTTPException; the connection is then made anew, name and all."""
        headers = {"content-type": "application/json", "accept": "application/json"}
        if len(body) >= _WORTH_PACKING:
            body = gzip.compress(body, compresslevel=1)
            headers["content-encoding"] = "gzip"
        connection = self._connection or self._make(*self._address, timeout=TIMEOUT_S)
        self._connection = None  # kept only if the exchange ends well
        try:
            connection.request("POST", _PATH, body=body, headers=headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.read(_LARGEST_ANSWER))
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if response.will_close or not response.isclosed():
            connection.close()
        else:
            self._connection = connection
        return answer

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Pusher:
    """Sends what the outbox holds for one target; `run` never returns."""

    def __init__(
        self,
        url: str,
        *,
        outbox: Outbox,
        outbox_worker: Worker,
        on_ack: Callable[[ReportAck], None],
        chance: random.Random | None = None,
    ) -> None:
        self.url = url
        self.counts = Delivered()
        self._target = Target(url)
        self._outbox = outbox
        self._outbox_worker = outbox_worker
        self._worker = Worker(f"push-{urlsplit(url).netloc}", spares=1)
        self._on_ack = on_ack
        self._chance = chance or random.Random()
        self._wake = asyncio.Event()
        self._pause_s = 0.0
        self._cursor: Cursor | None = None
        self.idle = asyncio.Event()
        """Set while there is nothing to send."""

    @property
    def worker(self) -> Worker:
        """The thread that talks to the target."""
        return self._worker

    def wake(self) -> None:
        """Says that the outbox holds something new."""
        self.idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Delivers until cancelled."""
        while True:
            self._wake.clear()
            messages = await self._next_messages()
            if not messages:
                self.idle.set()
                await self._wake.wait()
                continue
            for message in messages:
                if not await self._deliver(message):
                    break

    async def _next_messages(self) -> list[Message]:
        cursor = self._cursor or Cursor(await self._ask(lambda: self._outbox.acked(self.url)))
        self._cursor = cursor
        return await self._ask(lambda: self._outbox.pending(self.url, limit=_BATCH, after=cursor.sequence))

    async def _ask(self, run: Callable[[], _Result]) -> _Result:
        return await self._outbox_worker.call(run, timeout_s=TIMEOUT_S)

    async def _deliver(self, message: Message) -> bool:
        """One report; False where the cursor is no longer right before the next one."""
        cursor = self._cursor or Cursor(0)
        dropped = await self._ask(lambda: self._outbox.dropped_after(cursor.sequence))
        body = body_of(message, holes(cursor, message.sequence, dropped))
        try:
            # Twice the socket's timeout: a slow name server or a trickling answer is not covered by it.
            answer = await self._worker.call(lambda: self._target.post(body), timeout_s=2 * TIMEOUT_S)
        except DeadlineExceeded as error:
            self._target = Target(self.url)  # the old one is the stuck thread's
            await self._failed(str(error))
            return False
        except (OSError, http.client.HTTPException) as error:
            await self._failed(str(error) or type(error).__name__)
            return False
        step = judge(cursor, message, answer)
        self._cursor = step.cursor
        if step.settled:
            await self._ask(lambda: self._outbox.ack(self.url, step.cursor.sequence))
        if step.refused:
            self.counts.refused_total += 1
            about = {"target": self.url, "sequence": message.sequence, "answer": step.reason}
            log.error("Report refused for good and skipped", extra=about)
        if step.ack is not None:
            self.counts.accepted_total += 1
            self._pause_s = 0.0
            self._on_ack(step.ack)
        if step.retry:
            await self._failed(step.reason)
        return step.settled and step.cursor.sequence == message.sequence

    async def _failed(self, reason: str) -> None:
        """Counts, says it once per outage, and waits: doubling, with jitter so that nodes do not return in step."""
        self.counts.failed_total += 1
        if not self._pause_s:
            log.warning("Report not delivered, will try again", extra={"target": self.url, "reason": reason})
        self.counts.last_error = reason
        self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        await asyncio.sleep(self._pause_s * self._chance.uniform(0.5, 1.0))

    def close(self) -> None:
        """Ends the thread."""
        self._worker.close()
        self._target.close()
