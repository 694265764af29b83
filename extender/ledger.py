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
    from wire.report import Dropped, Gap, Report

# "integer" is checked because SQLite turns a sum beyond 64 bits into a float without a word.
_FIRST = """
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
# 2: reports that fill a gap, what meters missed, holds by namespace and UID.
_SECOND = """
ALTER TABLE streams ADD COLUMN restated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reports ADD COLUMN late INTEGER NOT NULL DEFAULT 0;
CREATE INDEX late_reports ON reports (stream_id, sequence) WHERE late = 1;
CREATE TABLE meter_gaps (
    node TEXT NOT NULL, domain TEXT NOT NULL, reason TEXT NOT NULL,
    gaps INTEGER NOT NULL, gap_ns INTEGER NOT NULL, last_unix_ns INTEGER NOT NULL,
    PRIMARY KEY (node, domain, reason)
);
CREATE TABLE pod_holds (
    namespace TEXT NOT NULL, uid TEXT NOT NULL, name TEXT NOT NULL,
    median_w REAL NOT NULL, high_w REAL NOT NULL, made_unix_ns INTEGER NOT NULL, PRIMARY KEY (namespace, uid)
);
INSERT INTO pod_holds SELECT namespace, uid, name, median_w, high_w, made_unix_ns FROM holds;
DROP TABLE holds;
"""
_FORMATS = (_FIRST, _SECOND)
"""Each makes the next format out of the one before; a new file goes through all of them."""
_VERSION = len(_FORMATS)

# Sums of gap lengths stop here: a made-up length must not refuse honest ones by overflowing.
_LONGEST_GAP_NS = 2**61


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

    status: Literal["booked", "restated", "duplicate", "out_of_order"]
    """``restated``: it came after its sequence had been declared missing."""
    watermark: int
    lost: int = 0
    """Sequences that this entry showed to be missing for good."""
    gap_reason: str = ""
    """Why they are missing; of a restatement, why it was."""


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
    late: tuple[WaitingReport, ...] = ()
    """Reports that fill gaps which the fleet may have been told of: each is a range of its own."""


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
            for number, statements in enumerate(_FORMATS[version:], start=version + 1):
                self._db.executescript(f"BEGIN; {statements} PRAGMA user_version = {number}; COMMIT;")
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

    def mark(self) -> None:
        """Begins one job of the batch."""
        self._db.execute("SAVEPOINT job")

    def back_to_mark(self) -> None:
        """Forgets the job, and only it."""
        self._db.execute("ROLLBACK TO job")
        self._db.execute("RELEASE job")

    def release_mark(self) -> None:
        """Keeps the job; it is on disk with its batch."""
        self._db.execute("RELEASE job")

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
        if stream_id is not None and sequence <= watermark:
            reason = self._fill_gap(stream_id, sequence)
            if reason is None:
                return Outcome("duplicate", watermark)
            self._keep(entry, stream_id=stream_id, late=True)
            return Outcome("restated", watermark, gap_reason=reason)
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
        self._keep(entry, stream_id=stream_id, late=False)
        if missing is None:
            return Outcome("booked", sequence)
        reason = "dropped_by_agent" if declared else "before_first_report"
        self._db.execute("INSERT INTO gaps VALUES (?, ?, ?, ?)", (stream_id, *missing, reason))
        return Outcome("booked", sequence, lost=missing[1] - missing[0] + 1, gap_reason=reason)

    def _fill_gap(self, stream_id: int, sequence: int) -> str | None:
        """Takes a sequence out of the gap that holds it and returns the gap's reason; None where there is none."""
        around = self._db.execute(
            "SELECT first, last, reason FROM gaps WHERE stream_id = ? AND first <= ? AND last >= ?",
            (stream_id, sequence, sequence),
        ).fetchone()
        if around is None:
            return None
        first, last, reason = around
        self._db.execute("DELETE FROM gaps WHERE stream_id = ? AND first = ?", (stream_id, first))
        self._db.executemany(
            "INSERT INTO gaps VALUES (?, ?, ?, ?)",
            [
                (stream_id, *rest, reason)
                for rest in ((first, sequence - 1), (sequence + 1, last))
                if rest[0] <= rest[1]
            ],
        )
        self._db.execute("UPDATE streams SET restated = restated + 1 WHERE id = ?", (stream_id,))
        return str(reason)

    def _keep(self, entry: Entry, *, stream_id: int | None, late: bool) -> None:
        """Totals, what the meters missed, and the body for the fleet."""
        self._add_totals(entry)
        self._db.executemany(
            "INSERT INTO meter_gaps VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET gaps = gaps + excluded.gaps,"
            f" gap_ns = min(gap_ns + excluded.gap_ns, {_LONGEST_GAP_NS}),"
            " last_unix_ns = max(last_unix_ns, excluded.last_unix_ns)",
            [
                (entry.key.node, gap.domain, gap.reason, 1, gap_ns(gap), gap.to_unix_ns + entry.shift_ns)
                for gap in entry.report.gaps
            ],
        )
        if entry.body:
            self._db.execute(
                "INSERT INTO reports (stream_id, sequence, received_unix_ns, shift_ns, body, late)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    stream_id,
                    entry.report.sequence,
                    entry.received_unix_ns,
                    entry.shift_ns,
                    zlib.compress(entry.body, 1),
                    late,
                ),
            )

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

    def lost(self) -> Iterator[tuple[str, str, int]]:
        """(node, reason, how many of its intervals are missing)."""
        yield from self._db.execute(
            "SELECT node, reason, sum(last - first + 1) FROM gaps JOIN streams ON streams.id = stream_id"
            " GROUP BY node, reason"
        )

    def restated(self) -> Iterator[tuple[str, int]]:
        """(node, how many of its intervals came after they had been declared missing)."""
        yield from self._db.execute("SELECT node, sum(restated) FROM streams GROUP BY node HAVING sum(restated) > 0")

    def meter_gaps(self) -> Iterator[tuple[str, str, str, int, int, int]]:
        """(node, domain, reason, gaps, gap_ns, last_unix_ns)."""
        yield from self._db.execute("SELECT * FROM meter_gaps")

    def dismiss_node(self, node: str) -> None:
        """An operator says that the node is gone: nothing is expected of it after a restart either."""
        self._db.execute("UPDATE namespace_totals SET seen_unix_ns = 0 WHERE node = ?", (node,))

    # Towards the fleet

    def waiting(self, *, streams: int, reports_each: int, but: Collection[StreamKey] = frozenset()) -> list[Waiting]:
        """What the fleet should get next, of the streams that are furthest behind, leaving out ``but``."""
        behind = self._db.execute(
            "SELECT id, node, boot_id, stream, fleet_watermark, watermark FROM streams"
            " WHERE fleet_watermark < watermark ORDER BY watermark - fleet_watermark DESC, id LIMIT ?",
            (streams + len(but),),
        ).fetchall()
        # First, because they are rare: nothing else would ever bring them to the front.
        filling = self._db.execute(
            "SELECT DISTINCT streams.id, node, boot_id, stream, fleet_watermark, watermark FROM reports"
            " JOIN streams ON streams.id = stream_id WHERE late = 1 AND sequence <= fleet_watermark LIMIT ?",
            (streams + len(but),),
        ).fetchall()
        wanted = {StreamKey(*row[1:4]): (row[0], *row[4:]) for row in (*filling, *behind)}
        return [
            self._waiting_of(key, stream_id=stream_id, after=after, until=until, limit=reports_each)
            for key, (stream_id, after, until) in wanted.items()
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
        late = self._db.execute(
            "SELECT sequence, shift_ns, body FROM reports WHERE stream_id = ? AND late = 1 AND sequence <= ?"
            " ORDER BY sequence LIMIT ?",
            (stream_id, after, limit),
        ).fetchall()
        return Waiting(
            key=key,
            gap=gap,
            reports=tuple(reports),
            late=tuple(
                WaitingReport(sequence=sequence, shift_ns=shift_ns, body=zlib.decompress(body))
                for sequence, shift_ns, body in late
            ),
        )

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
                "DELETE FROM reports WHERE late = 0 AND sequence <= ? AND stream_id ="
                " (SELECT id FROM streams WHERE node = ? AND boot_id = ? AND stream = ?)",
                (sequence, *key),
            )
        return moved

    def fleet_took(self, ranges: Iterable[tuple[StreamKey, int, int]]) -> None:
        """Lets go of late reports inside ranges that the fleet has looked at: booked, restated, or known to it."""
        self._db.executemany(
            "DELETE FROM reports WHERE late = 1 AND sequence BETWEEN ? AND ? AND stream_id ="
            " (SELECT id FROM streams WHERE node = ? AND boot_id = ? AND stream = ? AND fleet_watermark >= ?)",
            [(first, last, *key, last) for key, first, last in ranges],
        )

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
                "SELECT uid, namespace, name, median_w, high_w, made_unix_ns FROM pod_holds ORDER BY made_unix_ns"
            )
        ]

    def put_hold(self, hold: HoldRow) -> None:
        """Writes a hold in place of an older one of the same pod."""
        self._db.execute(
            "INSERT OR REPLACE INTO pod_holds VALUES (?, ?, ?, ?, ?, ?)",
            (hold.namespace, hold.uid, hold.name, hold.median_w, hold.high_w, hold.made_unix_ns),
        )

    def drop_holds(self, pods: Iterable[tuple[str, str]]) -> None:
        """Forgets the holds of these pods, by namespace and UID."""
        self._db.executemany("DELETE FROM pod_holds WHERE namespace = ? AND uid = ?", pods)


def gap_ns(gap: Gap) -> int:
    """How long nobody metered, bounded so that sums stay within 64 bits."""
    return bounded_gap_ns(gap.to_unix_ns - gap.from_unix_ns)


def bounded_gap_ns(length_ns: int) -> int:
    """A length as far as the ledger counts it."""
    return min(length_ns, _LONGEST_GAP_NS)


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
