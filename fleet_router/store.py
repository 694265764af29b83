# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The database: SQLite in WAL mode, one writer thread, readers beside it.

A write is one transaction that is on disk when `Store.write` returns. Readers see one moment: all their selects run in
one transaction. In memory there is a single connection, which a lock gives to one thread at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event, insert, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from fleet_router import schema
from fleet_router.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

Result = TypeVar("Result")

_BUSY_TIMEOUT_MS = 5000


class Store:
    """The fleet's ledger. ``path`` None keeps it in memory. Raises StoreError."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock() if path is None else None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-writer")
        if path is None:
            self._writer = self._reader = _engine("sqlite://", begin="BEGIN", poolclass=StaticPool)
        else:
            url = f"sqlite:///{path}"
            # Writers take the lock when they begin: one that upgraded later could fail for a concurrent reader's sake.
            self._writer = _engine(url, begin="BEGIN IMMEDIATE")
            self._reader = _engine(url, begin="BEGIN")
        try:
            self.write_now(_prepare)
        except DatabaseError as error:
            raise StoreError(f"{path or 'memory'}: {error.orig}; move the file away to begin a new ledger") from error

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection on which all selects see the same moment; for short reads on any thread."""
        with self._lock or contextlib.nullcontext(), self._reader.connect() as connection:
            yield connection

    def write_now(self, work: Callable[[Connection], Result]) -> Result:
        """Runs ``work`` in one transaction on the calling thread, or on none where it raises."""
        with self._lock or contextlib.nullcontext(), self._writer.begin() as connection:
            return work(connection)

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Runs ``work`` in one transaction on the writer thread; on disk when this returns."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.write_now, work)

    def close(self) -> None:
        """Waits for the write under way and closes the files."""
        self._thread.shutdown(wait=True)
        self._reader.dispose()
        self._writer.dispose()


def _engine(url: str, *, begin: str, **options: Any) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False}, **options)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver would begin transactions late, at the first write; we begin them ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: an acknowledged range must survive a power cut, or it would be lost for good.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _prepare(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    found = connection.execute(select(schema.about.c.value).where(schema.about.c.key == "schema")).scalar()
    if found is None:
        connection.execute(insert(schema.about).values(key="schema", value=str(schema.VERSION)))
    elif found != str(schema.VERSION):
        raise StoreError(f"the ledger has schema {found}, this program knows {schema.VERSION}")
