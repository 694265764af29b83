# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Group commit: many callers, one thread, one transaction and one fsync per batch.

While a batch is being written, the next one gathers. A caller's future resolves when its batch is on disk; what shall
follow a commit in any case (``then``) runs on the event loop, in the order of the batch, even if the caller has gone.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from extender.errors import LedgerUnavailable
from plumbing.tasks import guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from extender.ledger import Ledger

T = TypeVar("T")

# Bounds how long one transaction lasts: 256 reports of 200 workloads are some 50,000 rows, about half a second here.
_LARGEST_BATCH = 256


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[Ledger], Any]
    then: Callable[[Any], None] | None
    future: asyncio.Future[Any]


class Writer:
    """Owns the ledger's thread from `start` to `close`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._waiting: list[_Job] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.last_error = ""
        """Why the last batch failed; empty while batches are committed."""
        self.commits = 0

    def start(self) -> None:
        """Begins to take jobs."""
        self._task = guard("ledger-writer", self._run)

    def submit(self, run: Callable[[Ledger], T], *, then: Callable[[T], None] | None = None) -> asyncio.Future[T]:
        """Puts ``run`` into the next batch. The future raises LedgerUnavailable if the batch is not committed."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._closing:
            future.set_exception(LedgerUnavailable("the ledger is closing"))
            return future
        self._waiting.append(_Job(run=run, then=then, future=future))
        self._wake.set()
        return future

    def post(self, run: Callable[[Ledger], T], *, then: Callable[[T], None] | None = None) -> None:
        """Like `submit`, for what nobody waits for and may be lost with its batch."""
        self.submit(run, then=then).add_done_callback(_noted)

    async def close(self) -> None:
        """Writes what has been submitted, then closes the ledger."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=True)
        self._ledger.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing or self._waiting:
            await self._wake.wait()
            batch, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
            if not self._waiting and not self._closing:
                self._wake.clear()
            if not batch:
                continue
            committing = loop.run_in_executor(self._thread, self._commit, batch)
            await asyncio.wait([committing])
            if (error := committing.exception()) is not None:
                self.last_error = f"{type(error).__name__}: {error}"
                _refuse(batch, self.last_error)
                if isinstance(error, sqlite3.Error):
                    continue
                # A bug in a job: nobody waits for ever, the guard logs it and starts this task again.
                raise error
            self.last_error = ""
            self.commits += 1
            _settle(batch, committing.result())

    def _commit(self, batch: list[_Job]) -> list[Any]:
        self._ledger.begin()
        try:
            results = [job.run(self._ledger) for job in batch]
            self._ledger.commit()
        finally:
            self._ledger.rollback()
        return results


def _settle(batch: list[_Job], results: list[Any]) -> None:
    for job, result in zip(batch, results, strict=True):
        if job.then is not None:
            job.then(result)
        if not job.future.done():
            job.future.set_result(result)


def _refuse(batch: list[_Job], why: str) -> None:
    for job in batch:
        if not job.future.done():
            job.future.set_exception(LedgerUnavailable(why))


def _noted(future: asyncio.Future[Any]) -> None:
    """Reads the exception, which `last_error` has told already, so that asyncio does not report it as forgotten."""
    if not future.cancelled():
        future.exception()
