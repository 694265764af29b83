# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A durable outbox: numbered messages on disk until every target has acknowledged them.

SQLite in WAL mode. The stream id is made with the file, so a lost file shows as a new stream. Bounded by bytes: when
full, the oldest messages go, and what went is remembered as ranges for the sender to declare. Used from one thread.
"""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    one INTEGER PRIMARY KEY CHECK (one = 1), stream TEXT NOT NULL, last INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS cursors (target TEXT PRIMARY KEY, acked INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS dropped (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Message:
    """One message and its place in the stream."""

    sequence: int
    body: bytes


class Outbox:
    """Messages of one stream; ``path`` None keeps them in memory, bounded all the same."""

    def __init__(self, path: Path | None, *, targets: tuple[str, ...], limit_bytes: int = 64 * 2**20) -> None:
        self.durable = path is not None
        self._limit_bytes = limit_bytes
        self._db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        # FULL: a message that was numbered must survive a power cut, or its number would be given twice.
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._db.execute("INSERT OR IGNORE INTO outbox VALUES (1, ?, 0)", (uuid.uuid4().hex,))
        self.stream, self._last = self._db.execute("SELECT stream, last FROM outbox").fetchone()
        with self._db:
            self._db.execute("BEGIN")
            known = {name for (name,) in self._db.execute("SELECT target FROM cursors")}
            for gone in known - set(targets):
                self._db.execute("DELETE FROM cursors WHERE target = ?", (gone,))
            for new in set(targets) - known:
                self._db.execute("INSERT INTO cursors VALUES (?, 0)", (new,))
        self._bytes = int(self._db.execute("SELECT coalesce(sum(length(body)), 0) FROM messages").fetchone()[0])

    @property
    def last_sequence(self) -> int:
        """The sequence of the newest message; 0 before the first."""
        return int(self._last)

    @property
    def size_bytes(self) -> int:
        """Bytes of bodies held."""
        return self._bytes

    def depth(self) -> int:
        """How many messages are held."""
        return int(self._db.execute("SELECT count(*) FROM messages").fetchone()[0])

    def dropped_total(self) -> int:
        """How many messages of this stream were dropped unsent."""
        return int(self._db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM dropped").fetchone()[0])

    def append(self, encode: Callable[[int], bytes]) -> int:
        """Stores ``encode(sequence)`` under the next sequence, which is returned; drops the oldest if it must."""
        sequence = self.last_sequence + 1
        body = encode(sequence)
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("UPDATE outbox SET last = ?", (sequence,))
            self._db.execute("INSERT INTO messages VALUES (?, ?)", (sequence, body))
            freed = self._make_room(self._bytes + len(body))
        self._last = sequence
        self._bytes += len(body) - freed
        return sequence

    def _make_room(self, size_bytes: int) -> int:
        freed = 0
        while size_bytes - freed > self._limit_bytes:
            row = self._db.execute("SELECT sequence, length(body) FROM messages ORDER BY sequence LIMIT 1").fetchone()
            if row is None:
                break
            self._db.execute("DELETE FROM messages WHERE sequence = ?", (row[0],))
            extended = self._db.execute("UPDATE dropped SET last = ? WHERE last = ?", (row[0], row[0] - 1))
            if extended.rowcount == 0:
                self._db.execute("INSERT INTO dropped VALUES (?, ?)", (row[0], row[0]))
            freed += row[1]
        return freed

    def acked(self, target: str) -> int:
        """The highest sequence that ``target`` has acknowledged."""
        row = self._db.execute("SELECT acked FROM cursors WHERE target = ?", (target,)).fetchone()
        return int(row[0]) if row else 0

    def pending(self, target: str, *, limit: int = 64, after: int | None = None) -> list[Message]:
        """The oldest messages that ``target`` has not acknowledged, in order; or all that are held ``after`` one."""
        rows = self._db.execute(
            "SELECT sequence, body FROM messages WHERE sequence > ? ORDER BY sequence LIMIT ?",
            (self.acked(target) if after is None else after, limit),
        )
        return [Message(sequence=sequence, body=body) for sequence, body in rows]

    def dropped_after(self, sequence: int) -> list[tuple[int, int]]:
        """Ranges (first, last) that were dropped and lie after ``sequence``."""
        rows = self._db.execute("SELECT first, last FROM dropped WHERE last > ? ORDER BY first", (sequence,))
        return [(max(first, sequence + 1), last) for first, last in rows]

    def ack(self, target: str, sequence: int) -> None:
        """Records that ``target`` has everything up to ``sequence``; what all targets have is deleted."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "UPDATE cursors SET acked = max(acked, ?) WHERE target = ?", (min(sequence, self.last_sequence), target)
            )
            (done,) = self._db.execute("SELECT min(acked) FROM cursors").fetchone()
            (freed,) = self._db.execute(
                "SELECT coalesce(sum(length(body)), 0) FROM messages WHERE sequence <= ?", (done,)
            ).fetchone()
            self._db.execute("DELETE FROM messages WHERE sequence <= ?", (done,))
        self._bytes -= freed

    def close(self) -> None:
        """Closes the file."""
        self._db.close()
