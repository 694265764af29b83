# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Takes each interval of each stream into the ledger once, whoever sends it and however often (LEDGER 1).

A range is taken only where it begins right after its stream's watermark, or lies inside a gap that was declared
earlier: then it restates. Everything of one report happens in one transaction, watermarks included.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, insert, select, update

from fleet_router.check import KIND_NAMES
from fleet_router.errors import ReportRefused
from fleet_router.schema import clusters, gaps, hourly, meter_gaps, restatements, seen, watermarks
from wire import fleet_pb2 as pb
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Table

Stream = tuple[str, str, str]
"""node, boot id, stream"""
_Key = tuple[Any, ...]

_SUM_LIMIT = 2**63
# Gaps of one meter that are this close are one: where intervals meet, an agent that smooths its clock leaves seams.
_SEAM_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class Watermark:
    """The stream has everything up to ``sequence``, booked or declared lost."""

    node: str
    boot_id: str
    stream: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a report: watermarks of the streams it names (none where nothing is booked), ranges by fate."""

    watermarks: tuple[Watermark, ...]
    ranges: Counter[str] = field(default_factory=Counter)
    """``booked``, ``restated``, ``duplicate``, ``overlapping`` or ``early``."""


@dataclass(slots=True)
class _Position:
    sequence: int
    to_unix_ns: int
    known: bool


def book(connection: Connection, report: pb.ClusterReport, *, now_unix_ns: int) -> Outcome:
    """Books a report that `check` has passed. Raises ReportRefused where a sum leaves 64 bits; then nothing is kept."""
    _register(connection, report, now_unix_ns=now_unix_ns)
    by_stream: dict[Stream, list[pb.NodeRange | pb.StreamGap]] = defaultdict(list)
    parts_sent: list[pb.NodeRange | pb.StreamGap] = [*report.gaps, *report.ranges]
    for each in parts_sent:
        by_stream[(each.node, each.boot_id, each.stream)].append(each)
    positions = _positions(connection, report.cluster_id, by_stream)
    fates: Counter[str] = Counter()
    taken: list[pb.NodeRange] = []
    for stream, parts in by_stream.items():
        place = positions[stream]
        ledger = _StreamLedger(connection, report.cluster_id, stream, place, now_unix_ns)
        # A gap before a range that begins with the same sequence: it can only be there by mistake, and the energy wins.
        for part in sorted(parts, key=lambda each: (each.first_sequence, isinstance(each, pb.StreamGap))):
            if isinstance(part, pb.NodeRange):
                fate = ledger.range(part)
                fates[fate] += 1
                if fate in ("booked", "restated"):
                    taken.append(part)
            else:
                ledger.gap(part)
        ledger.close()
    _add_energy(connection, report.cluster_id, taken)
    _add_seen(connection, report.cluster_id, taken)
    _add_meter_gaps(connection, report.cluster_id, taken)
    return Outcome(
        tuple(Watermark(*stream, sequence=place.sequence) for stream, place in positions.items() if place.sequence),
        fates,
    )


class _StreamLedger:
    """One stream within one transaction."""

    def __init__(
        self, connection: Connection, cluster_id: str, stream: Stream, place: _Position, now_unix_ns: int
    ) -> None:
        self._connection = connection
        self._key = dict(zip(("cluster_id", "node", "boot_id", "stream"), (cluster_id, *stream), strict=True))
        self._place = place
        self._before = (place.sequence, place.to_unix_ns)
        self._now_unix_ns = now_unix_ns

    def range(self, part: pb.NodeRange) -> str:
        """Moves the watermark over ``part`` if it may be taken; returns its fate."""
        first, last = part.first_sequence, part.last_sequence
        if first == self._place.sequence + 1:
            self._place.sequence = last
            self._place.to_unix_ns = max(self._place.to_unix_ns, part.to_unix_ns)
            return "booked"
        if first > self._place.sequence:
            return "early"
        if last > self._place.sequence:
            return "overlapping"
        return "restated" if self._fill_gap(first, last) else "duplicate"

    def gap(self, part: pb.StreamGap) -> None:
        """Moves the watermark over sequences that will never come, and remembers them."""
        if part.first_sequence > self._place.sequence + 1 or part.last_sequence <= self._place.sequence:
            return
        self._connection.execute(
            insert(gaps).values(
                **self._key,
                first_sequence=self._place.sequence + 1,
                last_sequence=part.last_sequence,
                reason=part.reason,
                declared_unix_ns=self._now_unix_ns,
            )
        )
        self._place.sequence = part.last_sequence

    def _fill_gap(self, first: int, last: int) -> bool:
        """Takes first..last out of the declared gap that contains it; False where none does."""
        mine = and_(*(gaps.c[name] == value for name, value in self._key.items()))
        around = self._connection.execute(
            select(gaps).where(mine, gaps.c.first_sequence <= first, gaps.c.last_sequence >= last)
        ).one_or_none()
        if around is None:
            return False
        self._connection.execute(delete(gaps).where(mine, gaps.c.first_sequence == around.first_sequence))
        for rest in ((around.first_sequence, first - 1), (last + 1, around.last_sequence)):
            if rest[0] <= rest[1]:
                self._connection.execute(
                    insert(gaps).values(
                        **self._key,
                        first_sequence=rest[0],
                        last_sequence=rest[1],
                        reason=around.reason,
                        declared_unix_ns=around.declared_unix_ns,
                    )
                )
        self._connection.execute(
            insert(restatements).values(
                **self._key, first_sequence=first, last_sequence=last, booked_unix_ns=self._now_unix_ns
            )
        )
        return True

    def close(self) -> None:
        """Writes the watermark if it moved."""
        if (self._place.sequence, self._place.to_unix_ns) == self._before:
            return
        values = {"sequence": self._place.sequence, "to_unix_ns": self._place.to_unix_ns}
        if self._place.known:
            mine = and_(*(watermarks.c[name] == value for name, value in self._key.items()))
            self._connection.execute(update(watermarks).where(mine).values(**values))
        else:
            self._connection.execute(insert(watermarks).values(**self._key, **values))


def _positions(connection: Connection, cluster_id: str, streams: Iterable[Stream]) -> dict[Stream, _Position]:
    wanted = dict.fromkeys(streams)
    found: dict[Stream, _Position] = {}
    columns = (
        watermarks.c.node,
        watermarks.c.boot_id,
        watermarks.c.stream,
        watermarks.c.sequence,
        watermarks.c.to_unix_ns,
    )
    nodes = sorted({node for node, _, _ in wanted})
    for start in range(0, len(nodes), 500):
        chosen = watermarks.c.node.in_(nodes[start : start + 500])
        for row in connection.execute(select(*columns).where(watermarks.c.cluster_id == cluster_id, chosen)):
            found[(row.node, row.boot_id, row.stream)] = _Position(row.sequence, row.to_unix_ns, known=True)
    return {stream: found.get(stream) or _Position(0, 0, known=False) for stream in wanted}


def _add_energy(connection: Connection, cluster_id: str, taken: Iterable[pb.NodeRange]) -> None:
    sums: dict[_Key, list[Any]] = {}
    for part in taken:
        for row in part.rows:
            key = (row.hour_unix, row.namespace, row.row, row.component, row.source, KIND_NAMES[row.kind])
            have = sums.setdefault(key, [0, 0, 0, 0.0])
            have[0] += row.energy_uj
            have[1] += row.loaded_uj
            have[2] += row.meter_error_uj
            have[3] += row.share_error_uj2
    _merge(
        connection,
        hourly,
        cluster_id,
        keys=("hour_unix", "namespace", "row", "component", "source", "kind"),
        values=("energy_uj", "loaded_uj", "meter_error_uj", "share_error_uj2"),
        sums=sums,
    )


def _add_seen(connection: Connection, cluster_id: str, taken: Iterable[pb.NodeRange]) -> None:
    sums: dict[_Key, list[Any]] = {}
    for part in taken:
        for hour in part.hours:
            sums.setdefault((hour.hour_unix, part.node), [0])[0] += hour.seen_ns
    _merge(connection, seen, cluster_id, keys=("hour_unix", "node"), values=("seen_ns",), sums=sums)


def _add_meter_gaps(connection: Connection, cluster_id: str, taken: Iterable[pb.NodeRange]) -> None:
    for part in taken:
        for gap in part.gaps:
            mine = and_(
                meter_gaps.c.cluster_id == cluster_id,
                meter_gaps.c.node == part.node,
                meter_gaps.c.domain == gap.domain,
                meter_gaps.c.reason == gap.reason,
            )
            touching = connection.execute(
                select(meter_gaps.c.from_unix_ns, meter_gaps.c.to_unix_ns).where(
                    mine,
                    meter_gaps.c.from_unix_ns <= gap.to_unix_ns + _SEAM_NS,
                    meter_gaps.c.to_unix_ns >= gap.from_unix_ns - _SEAM_NS,
                )
            ).all()
            if touching:
                starts = [row.from_unix_ns for row in touching]
                connection.execute(delete(meter_gaps).where(mine, meter_gaps.c.from_unix_ns.in_(starts)))
            connection.execute(
                insert(meter_gaps).values(
                    cluster_id=cluster_id,
                    node=part.node,
                    domain=gap.domain,
                    reason=gap.reason,
                    from_unix_ns=min([gap.from_unix_ns, *(row.from_unix_ns for row in touching)]),
                    to_unix_ns=max([gap.to_unix_ns, *(row.to_unix_ns for row in touching)]),
                )
            )


def _merge(
    connection: Connection,
    table: Table,
    cluster_id: str,
    *,
    keys: tuple[str, ...],
    values: tuple[str, ...],
    sums: dict[_Key, list[Any]],
) -> None:
    """Adds ``sums`` to the rows of ``table``; in Python: a 64-bit sum that overflows is a float in SQLite."""
    have: set[_Key] = set()
    columns = [table.c[name] for name in (*keys, *values)]
    for hour in sorted({key[0] for key in sums}):
        mine = and_(table.c.cluster_id == cluster_id, table.c.hour_unix == hour)
        for row in connection.execute(select(*columns).where(mine)):
            key = tuple(row[: len(keys)])
            if key in sums:
                have.add(key)
                sums[key] = [old + new for old, new in zip(row[len(keys) :], sums[key], strict=True)]
    for key, totals in sums.items():
        for name, total in zip(values, totals, strict=True):
            if isinstance(total, int) and not -_SUM_LIMIT <= total < _SUM_LIMIT:
                raise ReportRefused("ranges", f"{name} of hour {key[0]} would leave 64 bits")
    new = [
        {"cluster_id": cluster_id, **dict(zip((*keys, *values), (*key, *totals), strict=True))}
        for key, totals in sums.items()
        if key not in have
    ]
    old = [
        dict(
            zip(
                (*(f"key_{name}" for name in keys), *(f"new_{name}" for name in values)),
                key + tuple(totals),
                strict=True,
            )
        )
        for key, totals in sums.items()
        if key in have
    ]
    if new:
        connection.execute(insert(table), new)
    if old:
        mine = and_(table.c.cluster_id == cluster_id, *(table.c[name] == bindparam(f"key_{name}") for name in keys))
        statement = update(table).where(mine).values({name: bindparam(f"new_{name}") for name in values})
        connection.execute(statement, old)


def _register(connection: Connection, report: pb.ClusterReport, *, now_unix_ns: int) -> None:
    values: dict[str, Any] = {
        "name": report.cluster_name,
        "replica": report.replica,
        "last_seen_unix_ns": now_unix_ns,
    }
    if report.HasField("site"):
        site = report.site
        values |= {
            "zone": site.zone,
            "pue_ratio": site.pue_ratio,
            "price_per_kwh": repr(site.price_per_kwh) if site.price_known else "",
            "currency": site.currency if site.price_known else "",
            "meter_includes_facility": site.meter_includes_facility,
        }
    if report.HasField("capacity"):
        capacity = report.capacity
        values |= {
            "nodes": capacity.nodes,
            "nodes_fresh": capacity.nodes_fresh,
            "cpus": capacity.cpus,
            "cpus_busy": capacity.cpus_busy,
            "memory_bytes": capacity.memory_bytes,
            "power_w": capacity.power_w,
            "watts_per_cpu": capacity.watts_per_cpu,
            "watts_per_cpu_error": capacity.watts_per_cpu_error,
            "capacity_as_of_unix_ns": now_unix_ns,
        }
    mine = clusters.c.cluster_id == report.cluster_id
    if connection.execute(update(clusters).where(mine).values(**values)).rowcount == 0:
        connection.execute(
            insert(clusters).values(cluster_id=report.cluster_id, first_seen_unix_ns=now_unix_ns, **values)
        )
