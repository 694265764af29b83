# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""From waiting reports to what the fleet is told: ranges of intervals, added up per UTC hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extender.rows import Amounts, RowKey, book, hours, split
from wire import fleet_pb2
from wire.report import ReportError, decode
from wire.units import NS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from extender.ledger import StreamKey, Waiting, WaitingReport
    from wire.units import Kind

KINDS: dict[Kind, fleet_pb2.Kind] = {
    "measured": fleet_pb2.KIND_MEASURED,
    "estimated": fleet_pb2.KIND_ESTIMATED,
    "modelled": fleet_pb2.KIND_MODELLED,
}


def aggregate(key: StreamKey, reports: Sequence[WaitingReport]) -> fleet_pb2.NodeRange:
    """Adds up reports of one stream, one or more without holes. An interval over an hour's end is split by time."""
    rows: dict[tuple[int, RowKey], Amounts] = {}
    seen_ns: dict[int, int] = {}
    missed: list[tuple[str, str, int, int]] = []
    starts, ends = [], []
    for waiting in reports:
        report = decode(waiting.body)
        parts = hours(report.interval, shift=waiting.shift_ns)
        weights = [length_ns for _, length_ns in parts]
        starts.append(max(0, report.interval.from_unix_ns + waiting.shift_ns))
        ends.append(max(0, report.interval.to_unix_ns + waiting.shift_ns))
        for gap in report.gaps:
            from_unix_ns, to_unix_ns = gap.from_unix_ns + waiting.shift_ns, gap.to_unix_ns + waiting.shift_ns
            missed.append((gap.domain, gap.reason, max(0, from_unix_ns), max(0, to_unix_ns)))
        for hour_unix, length_ns in parts:
            # A clock that was set back sees an hour twice; an hour is an hour.
            seen_ns[hour_unix] = min(NS_PER_HOUR, seen_ns.get(hour_unix, 0) + length_ns)
        for row_key, amounts in book(report).rows.items():
            for (hour_unix, _), part in zip(parts, split(amounts, weights), strict=True):
                to = rows.setdefault((hour_unix, row_key), Amounts())
                to.energy_uj += part.energy_uj
                to.loaded_uj += part.loaded_uj
                to.meter_error_uj += part.meter_error_uj
                to.share_error_uj2 += part.share_error_uj2
    return fleet_pb2.NodeRange(
        node=key.node,
        boot_id=key.boot_id,
        stream=key.stream,
        first_sequence=reports[0].sequence,
        last_sequence=reports[-1].sequence,
        from_unix_ns=min(starts),
        to_unix_ns=max(ends),
        rows=[_row(hour_unix, row_key, amounts) for (hour_unix, row_key), amounts in sorted(rows.items(), key=_order)],
        hours=[fleet_pb2.HourSeen(hour_unix=hour, seen_ns=seen) for hour, seen in sorted(seen_ns.items())],
        gaps=_merged(missed),
    )


def _merged(missed: Iterable[tuple[str, str, int, int]]) -> list[fleet_pb2.MeterGap]:
    """Gaps of one domain and reason that touch become one: a meter that is away for an hour is one gap, not 1,800."""
    found: list[fleet_pb2.MeterGap] = []
    for domain, reason, from_unix_ns, to_unix_ns in sorted(missed):
        last = found[-1] if found else None
        if last is not None and (last.domain, last.reason) == (domain, reason) and from_unix_ns <= last.to_unix_ns:
            last.to_unix_ns = max(last.to_unix_ns, to_unix_ns)
        else:
            found.append(
                fleet_pb2.MeterGap(domain=domain, reason=reason, from_unix_ns=from_unix_ns, to_unix_ns=to_unix_ns)
            )
    return found


def _order(item: tuple[tuple[int, RowKey], Amounts]) -> tuple[int, RowKey]:
    return item[0]


def _row(hour_unix: int, key: RowKey, amounts: Amounts) -> fleet_pb2.EnergyRow:
    return fleet_pb2.EnergyRow(
        hour_unix=hour_unix,
        namespace=key.namespace,
        row=key.row,
        component=key.component,
        source=key.source,
        kind=KINDS[key.kind],
        energy_uj=amounts.energy_uj,
        loaded_uj=amounts.loaded_uj,
        meter_error_uj=amounts.meter_error_uj,
        share_error_uj2=amounts.share_error_uj2,
    )


def fill(report: fleet_pb2.ClusterReport, waiting: Iterable[Waiting]) -> dict[StreamKey, str]:
    """Puts gaps and ranges into a cluster report; per stream at most one gap, and the range right after it.

    Returns the streams that were left out because a kept report no longer passes its check, and why.
    """
    broken: dict[StreamKey, str] = {}
    for stream in waiting:
        try:
            # One range each: neighbours may lie in two gaps of the fleet's.
            ranges = [aggregate(stream.key, [each]) for each in stream.late]
            if stream.reports:
                ranges.append(aggregate(stream.key, stream.reports))
        except ReportError as error:
            broken[stream.key] = f"a kept report of {stream.key.node} is not valid: {error}"
            continue
        if stream.gap is not None:
            first, last, reason = stream.gap
            report.gaps.append(
                fleet_pb2.StreamGap(
                    node=stream.key.node,
                    boot_id=stream.key.boot_id,
                    stream=stream.key.stream,
                    first_sequence=first,
                    last_sequence=last,
                    reason=reason,
                )
            )
        report.ranges.extend(ranges)
    return broken
