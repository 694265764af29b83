# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The cluster's ledger in SQLite: watermarks, totals, waiting reports, gaps and holds.

A report, its stream's watermark and all totals it adds to change in one transaction, so that ``kill -9`` at any moment
neither loses nor doubles an interval. All methods but `close` are called from the writer's thread (`extender.writer`),
inside its transaction; none commits.
"""

from __future__ import annotations

import sqlite3
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from extender.errors import LedgerUnusable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from extender.rows import Booking
    from wire.report import Dropped, Report

_VERSION = 1
# "integer" is checked because SQLite turns a sum beyond 64 bits into a float without a word.
_SCHEMA = """
CREATE TABLE cluster (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL);
CREATE TABLE streams (
    id INTEGER PRIMARY KEY, node TEXT NOT NULL, boot_id TEXT NOT NULL, stream TEXT NOT NULL,
    watermark INTEGER NOT NULL, fleet_watermark INTEGER NOT NULL, received_unix_ns INTEGER NOT NULL,
    UNIQUE (node, boot_id, stream)
);
CREATE TABLE reports (
    id INTEGER PRIMARY KEY, stream_id INTEGER NOT NULL, sequence INTEGER NOT NULL,
    received_unix_ns INTEGER NOT NULL, shift_ns INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (stream_id, sequence)
);
CREATE INDEX reports_by_age ON reports (received_unix_ns);
CREATE TABLE gaps (
    stream_id INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (stream_id, first)
);
CREATE TABLE node_totals (
    node TEXT NOT NULL, row TEXT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL,
    energy_uj INTEGER NOT NULL CHECK (typeof(energy_uj) = 'integer'),
    loaded_uj INTEGER NOT NULL CHECK (typeof(loaded_uj) = 'integer'),
    meter_error_uj INTEGER NOT NULL CHECK (typeof(meter_error_uj) = 'integer'),
    PRIMARY KEY (node, row, source, kind)
);
CREATE TABLE namespace_totals (
    node TEXT NOT NULL, namespace TEXT NOT NULL,
    dynamic_uj INTEGER NOT NULL CHECK (typeof(dynamic_uj) = 'integer'),
    loaded_uj INTEGER NOT NULL CHECK (typeof(loaded_uj) = 'integer'),
    seen_unix_ns INTEGER NOT NULL, PRIMARY KEY (node, namespace)
);
CREATE TABLE workload_totals (
    node TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
    dynamic_uj INTEGER NOT NULL CHECK (typeof(dynamic_uj) = 'integer'),
    loaded_uj INTEGER NOT NULL CHECK (typeof(loaded_uj) = 'integer'),
    seen_unix_ns INTEGER NOT NULL, PRIMARY KEY (node, namespace, name, uid)
);
CREATE TABLE holds (
    uid TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL,
    median_w REAL NOT NULL, high_w REAL NOT NULL, made_unix_ns INTEGER NOT NULL
);
"""


class StreamKey(NamedTuple):
    """One uninterrupted numbering of one boot of one node."""

    node: str
    boot_id: str
    stream: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A checked report on its way into the ledger."""

    key: StreamKey
    report: Report
    booking: Booking
    body: bytes
    """JSON as received; empty where no fleet will ever ask for it."""
    received_unix_ns: int
    shift_ns: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an entry."""

    status: Literal["booked", "duplicate", "out_of_order"]
    watermark: int
    lost: int = 0
    """Sequences that this entry showed to be missing for good."""


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream as the ledger knows it."""

    key: StreamKey
    watermark: int
    received_unix_ns: int


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """A booked report that the fleet has not acknowledged."""

    sequence: int
    shift_ns: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of one stream the fleet should get next: a gap, then reports without holes; either may be missing."""

    key: StreamKey
    gap: tuple[int, int, str] | None
    reports: tuple[WaitingReport, ...]


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold as it survives a restart."""

    uid: str
    namespace: str
    name: str
    median_w: float
    high_w: float
    made_unix_ns: int


class Ledger:
    """One file; ``path`` None keeps it in memory."""

    def __init__(self, path: Path | None) -> None:
        self._db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            # FULL: an acknowledged report survives a power cut; the agent will not send it again.
            self._db.execute("PRAGMA synchronous=FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise LedgerUnusable(
                    f"{path}: written by a newer Penstock (format {version}, this one knows {_VERSION})"
                )
            if version == 0:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
            self._db.execute("INSERT OR IGNORE INTO cluster VALUES (1, ?)", (str(uuid.uuid4()),))
        except sqlite3.Error as error:
            self._db.close()
            raise LedgerUnusable(f"{path}: {error}") from error
        except LedgerUnusable:
            self._db.close()
            raise
        self.cluster_id = str(self._db.execute("SELECT id FROM cluster").fetchone()[0])

    def begin(self) -> None:
        """Opens the transaction of a batch."""
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Everything since `begin` is on disk when this returns."""
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Forgets everything since `begin`."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    # Reports

    def book(self, entry: Entry) -> Outcome:
        """Takes an entry exactly once; anything but ``booked`` changes nothing."""
        sequence = entry.report.sequence
        found = self._db.execute(
            "SELECT id, watermark FROM streams WHERE node = ? AND boot_id = ? AND stream = ?", entry.key
        ).fetchone()
        stream_id, watermark = found or (None, 0)
        if sequence <= watermark:
            return Outcome("duplicate", watermark)
        missing = (watermark + 1, sequence - 1) if sequence > watermark + 1 else None
        declared = missing is not None and _covered(missing, entry.report.dropped)
        if stream_id is None:
            stream_id = self._db.execute(
                "INSERT INTO streams (node, boot_id, stream, watermark, fleet_watermark, received_unix_ns)"
                " VALUES (?, ?, ?, ?, 0, ?)",
                (*entry.key, sequence, entry.received_unix_ns),
            ).lastrowid
        elif missing is not None and not declared:
            return Outcome("out_of_order", watermark)
        else:
            self._db.execute(
                "UPDATE streams SET watermark = ?, received_unix_ns = ? WHERE id = ?",
                (sequence, entry.received_unix_ns, stream_id),
            )
        if missing is not None:
            self._db.execute(
                "INSERT INTO gaps VALUES (?, ?, ?, ?)",
                (stream_id, *missing, "dropped_by_agent" if declared else "before_first_report"),
            )
        self._add_totals(entry)
        if entry.body:
            self._db.execute(
                "INSERT INTO reports (stream_id, sequence, received_unix_ns, shift_ns, body) VALUES (?, ?, ?, ?, ?)",
                (stream_id, sequence, entry.received_unix_ns, entry.shift_ns, zlib.compress(entry.body, 1)),
            )
        return Outcome("booked", sequence, lost=missing[1] - missing[0] + 1 if missing else 0)

    def _add_totals(self, entry: Entry) -> None:
        node, seen = entry.key.node, entry.received_unix_ns
        self._db.executemany(
            "INSERT INTO node_totals VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " energy_uj = energy_uj + excluded.energy_uj, loaded_uj = loaded_uj + excluded.loaded_uj,"
            " meter_error_uj = meter_error_uj + excluded.meter_error_uj",
            [
                (node, key.row, key.source, key.kind, row.energy_uj, row.loaded_uj, row.meter_error_uj)
                for key, row in entry.booking.rows.items()
            ],
        )
        self._db.executemany(
            "INSERT INTO namespace_totals VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " dynamic_uj = dynamic_uj + excluded.dynamic_uj, loaded_uj = loaded_uj + excluded.loaded_uj,"
            " seen_unix_ns = excluded.seen_unix_ns",
            [
                (node, namespace, share.dynamic_uj, share.loaded_uj, seen)
                for namespace, share in entry.booking.namespaces.items()
            ],
        )
        self._db.executemany(
            "INSERT INTO workload_totals VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " dynamic_uj = dynamic_uj + excluded.dynamic_uj, loaded_uj = loaded_uj + excluded.loaded_uj,"
            " seen_unix_ns = excluded.seen_unix_ns",
            [(node, *key, share.dynamic_uj, share.loaded_uj, seen) for key, share in entry.booking.workloads.items()],
        )

    # Reading back at start

    def streams(self) -> Iterator[StreamRow]:
        """All streams ever seen."""
        for *key, watermark, received in self._db.execute(
            "SELECT node, boot_id, stream, watermark, received_unix_ns FROM streams ORDER BY id"
        ):
            yield StreamRow(key=StreamKey(*key), watermark=watermark, received_unix_ns=received)

    def node_totals(self) -> Iterator[tuple[str, str, str, str, int, int, int]]:
        """(node, row, source, kind, energy_uj, loaded_uj, meter_error_uj)."""
        yield from self._db.execute("SELECT * FROM node_totals")

    def namespace_totals(self) -> Iterator[tuple[str, str, int, int, int]]:
        """(node, namespace, dynamic_uj, loaded_uj, seen_unix_ns)."""
        yield from self._db.execute("SELECT * FROM namespace_totals")

    def workload_totals(self) -> Iterator[tuple[str, str, str, str, int, int, int]]:
        """(node, namespace, name, uid, dynamic_uj, loaded_uj, seen_unix_ns)."""
        yield from self._db.execute("SELECT * FROM workload_totals")

    # Towards the fleet

    def waiting(self, *, streams: int, reports_each: int, but: Collection[StreamKey] = frozenset()) -> list[Waiting]:
        """What the fleet should get next, of the streams that are furthest behind, leaving out ``but``."""
        behind = self._db.execute(
            "SELECT id, node, boot_id, stream, fleet_watermark, watermark FROM streams"
            " WHERE fleet_watermark < watermark ORDER BY watermark - fleet_watermark DESC, id LIMIT ?",
            (streams + len(but),),
        ).fetchall()
        wanted = [(StreamKey(*key), *rest) for key, rest in ((row[1:4], (row[0], *row[4:])) for row in behind)]
        return [
            self._waiting_of(key, stream_id=stream_id, after=after, until=until, limit=reports_each)
            for key, stream_id, after, until in wanted
            if key not in but
        ][:streams]

    def _waiting_of(self, key: StreamKey, *, stream_id: int, after: int, until: int, limit: int) -> Waiting:
        found = self._db.execute(
            "SELECT sequence, shift_ns, body FROM reports WHERE stream_id = ? AND sequence > ?"
            " ORDER BY sequence LIMIT ?",
            (stream_id, after, limit),
        ).fetchall()
        first = found[0][0] if found else until + 1
        gap = None
        if first > after + 1:
            known = self._db.execute(
                "SELECT reason FROM gaps WHERE stream_id = ? AND first <= ? AND last >= ?",
                (stream_id, first - 1, after + 1),
            ).fetchone()
            gap = (after + 1, first - 1, known[0] if known else "not_kept")
        reports = []
        for at, (sequence, shift_ns, body) in enumerate(found):
            if sequence != first + at:
                break
            reports.append(WaitingReport(sequence=sequence, shift_ns=shift_ns, body=zlib.decompress(body)))
        return Waiting(key=key, gap=gap, reports=tuple(reports))

    def fleet_has(self, watermarks: Iterable[tuple[StreamKey, int]]) -> int:
        """Sets the fleet's watermarks to what it says it has; returns how many of them moved."""
        moved = 0
        for key, sequence in watermarks:
            changed = self._db.execute(
                "UPDATE streams SET fleet_watermark = ? WHERE node = ? AND boot_id = ? AND stream = ?"
                " AND fleet_watermark <> ?",
                (sequence, *key, sequence),
            )
            moved += changed.rowcount
            self._db.execute(
                "DELETE FROM reports WHERE sequence <= ? AND stream_id ="
                " (SELECT id FROM streams WHERE node = ? AND boot_id = ? AND stream = ?)",
                (sequence, *key),
            )
        return moved

    def backlog(self) -> tuple[int, int]:
        """(reports that wait for the fleet, when the oldest of them came in Unix ns or 0)."""
        count, oldest = self._db.execute("SELECT count(*), coalesce(min(received_unix_ns), 0) FROM reports").fetchone()
        return int(count), int(oldest)

    # Retention

    def prune(self, *, reports_before_unix_ns: int, workloads_before_unix_ns: int) -> int:
        """Drops reports and workload totals last touched before these moments; returns how many reports went.

        The holes become gaps towards the fleet; totals of namespaces and nodes stay for ever.
        """
        gone = self._db.execute("DELETE FROM reports WHERE received_unix_ns < ?", (reports_before_unix_ns,)).rowcount
        self._db.execute("DELETE FROM workload_totals WHERE seen_unix_ns < ?", (workloads_before_unix_ns,))
        return gone

    # Holds

    def holds(self) -> list[HoldRow]:
        """All holds, oldest first."""
        return [
            HoldRow(*row)
            for row in self._db.execute(
                "SELECT uid, namespace, name, median_w, high_w, made_unix_ns FROM holds ORDER BY made_unix_ns"
            )
        ]

    def put_hold(self, hold: HoldRow) -> None:
        """Writes a hold in place of an older one of the same pod."""
        self._db.execute(
            "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?)",
            (hold.uid, hold.namespace, hold.name, hold.median_w, hold.high_w, hold.made_unix_ns),
        )

    def drop_holds(self, uids: Sequence[str]) -> None:
        """Forgets the holds of these pods."""
        self._db.executemany("DELETE FROM holds WHERE uid = ?", [(uid,) for uid in uids])


def _covered(missing: tuple[int, int], dropped: Sequence[Dropped]) -> bool:
    """Whether the declared ranges leave no hole in first..last of ``missing``."""
    at, last = missing
    for each in sorted(dropped, key=lambda entry: entry.first):
        if each.first > at:
            return False
        at = max(at, each.last + 1)
        if at > last:
            return True
    return False
