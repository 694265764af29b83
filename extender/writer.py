# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Group commit: many callers, one thread, one transaction and one fsync per batch.

While a batch is being written, the next one gathers. A caller's future resolves when its batch is on disk; what shall
follow a commit in any case (``then``) runs on the event loop, in the order of the batch, even if the caller has gone.

Jobs of a batch share a transaction, not their fate: each has a savepoint, and what does not fit into the ledger is
refused to its own caller. A bug in one is found by running the batch again, one transaction each.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from extender.errors import EntryRefused, LedgerUnavailable
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
        """Puts ``run`` into the next batch.

        The future raises LedgerUnavailable if the batch is not committed, EntryRefused if only this job is not.
        """
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
            error = await self._write(loop, batch)
            if error is None or isinstance(error, sqlite3.Error):
                continue
            errors = [error] if len(batch) == 1 else [await self._write(loop, [job]) for job in batch]
            for bug in errors:
                if bug is not None and not isinstance(bug, sqlite3.Error):
                    # Its caller has been told; the guard logs it and starts this task again.
                    raise bug

    async def _write(self, loop: asyncio.AbstractEventLoop, batch: list[_Job]) -> BaseException | None:
        """Commits a batch and tells its callers. Returns why it is not committed; a bug among several tells nobody."""
        committing = loop.run_in_executor(self._thread, self._commit, batch)
        await asyncio.wait([committing])
        error = committing.exception()
        if error is None:
            self.last_error = ""
            self.commits += 1
            _settle(batch, committing.result())
            return None
        self.last_error = f"{type(error).__name__}: {error}"
        if len(batch) == 1 or isinstance(error, sqlite3.Error):
            _refuse(batch, self.last_error)
        return error

    def _commit(self, batch: list[_Job]) -> list[Any]:
        self._ledger.begin()
        try:
            results = [self._run_one(job) for job in batch]
            self._ledger.commit()
        finally:
            self._ledger.rollback()
        return results

    def _run_one(self, job: _Job) -> Any:
        self._ledger.mark()
        try:
            result = job.run(self._ledger)
        except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as error:
            self._ledger.back_to_mark()
            return EntryRefused(str(error))
        self._ledger.release_mark()
        return result


def _settle(batch: list[_Job], results: list[Any]) -> None:
    for job, result in zip(batch, results, strict=True):
        if isinstance(result, EntryRefused):
            if not job.future.done():
                job.future.set_exception(result)
            continue
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
