# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Reads what a report is made from, and keeps the report."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from fleet_router.registry import newest_interval_unix_ns, read_clusters
from fleet_router.reports.daily import Account, DailyInputs, Gap, Period, document, report_id, to_json
from fleet_router.schema import gaps, reports
from fleet_router.sums import ledger_sums, node_hours
from fleet_router.times import day_bounds_unix_s
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection

    from carbon.intensity import Method
    from carbon.source import Ladder

# Statutory scope 2 takes direct factors; lifecycle minus direct is scope 3 (LEDGER 2).
_METHOD: Method = "direct"


@dataclass(frozen=True, slots=True)
class Kept:
    """A report in the store, without its body."""

    report_id: str
    day: str
    status: str
    written_unix_ns: int
    energy_uj: int
    sha256: str
    version: int


def read_inputs(connection: Connection, *, day: date, ladder: Ladder, software_version: str) -> DailyInputs:
    """Everything that a day's report depends on, in one transaction."""
    first, last = day_bounds_unix_s(day)
    clusters = read_clusters(connection)
    declared = (
        select(
            gaps.c.cluster_id,
            gaps.c.node,
            gaps.c.boot_id,
            gaps.c.stream,
            gaps.c.first_sequence,
            gaps.c.last_sequence,
            gaps.c.reason,
        )
        .where(gaps.c.declared_unix_ns >= first * NS_PER_S, gaps.c.declared_unix_ns < last * NS_PER_S)
        .order_by(gaps.c.cluster_id, gaps.c.node, gaps.c.boot_id, gaps.c.stream, gaps.c.first_sequence)
    )
    return DailyInputs(
        period=Period(
            day=day,
            from_unix_s=first,
            to_unix_s=last,
            until_unix_ns=min(newest_interval_unix_ns(connection), last * NS_PER_S),
        ),
        accounts=tuple(
            Account(
                cluster_id=each.cluster_id,
                name=each.name,
                pue=each.pue(),
                carbon=ladder.rate(each.zone, at_unix_s=first, method=_METHOD),
            )
            for each in clusters
        ),
        rows=ledger_sums(
            connection,
            by=("cluster_id", "namespace", "row", "component", "source", "kind"),
            from_unix_s=first,
            to_unix_s=last,
        ),
        seen=node_hours(connection, from_unix_s=first, to_unix_s=last),
        gaps=tuple(Gap(*row) for row in connection.execute(declared)),
        method=_METHOD,
        software_version=software_version,
    )


def write(connection: Connection, inputs: DailyInputs, *, now_unix_ns: int) -> Kept:
    """Keeps the day's report; bytes that did not change stay as they were."""
    report = document(inputs)
    body = to_json(report)
    sha256 = hashlib.sha256(body).hexdigest()
    name = report_id(inputs.period.day)
    before = find(connection, name)
    if before is not None and before.sha256 == sha256:
        return before
    kept = Kept(
        report_id=name,
        day=inputs.period.day.isoformat(),
        status=report["status"],
        written_unix_ns=now_unix_ns,
        energy_uj=report["totals"]["energy_uj"],
        sha256=sha256,
        version=1 if before is None else before.version + 1,
    )
    connection.execute(delete(reports).where(reports.c.report_id == name))
    connection.execute(
        insert(reports).values(
            report_id=kept.report_id,
            day=kept.day,
            status=kept.status,
            written_unix_ns=kept.written_unix_ns,
            energy_uj=str(kept.energy_uj),
            sha256=kept.sha256,
            version=kept.version,
            body=body,
        )
    )
    return kept


_COLUMNS = (
    reports.c.report_id,
    reports.c.day,
    reports.c.status,
    reports.c.written_unix_ns,
    reports.c.energy_uj,
    reports.c.sha256,
    reports.c.version,
)


def listing(connection: Connection) -> tuple[Kept, ...]:
    """All reports, newest day first."""
    rows = connection.execute(select(*_COLUMNS).order_by(reports.c.day.desc()))
    return tuple(_kept(row) for row in rows)


def find(connection: Connection, name: str) -> Kept | None:
    """One report, without its body."""
    row = connection.execute(select(*_COLUMNS).where(reports.c.report_id == name)).one_or_none()
    return None if row is None else _kept(row)


def body_of(connection: Connection, name: str) -> bytes | None:
    """The bytes of a report as they were written."""
    body = connection.execute(select(reports.c.body).where(reports.c.report_id == name)).scalar()
    return None if body is None else bytes(body)


def parsed(body: bytes) -> dict[str, Any]:
    """The document of a report's bytes."""
    report: dict[str, Any] = json.loads(body)
    return report


def _kept(row: Any) -> Kept:
    return Kept(
        report_id=row.report_id,
        day=row.day,
        status=row.status,
        written_unix_ns=row.written_unix_ns,
        energy_uj=int(row.energy_uj),
        sha256=row.sha256,
        version=row.version,
    )
