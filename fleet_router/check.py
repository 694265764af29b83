# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Holds a cluster report to the contract of `wire/fleet.proto` before anything of it is booked.

Beside types and bounds: per range, the loaded view must add up to the dynamic one (DESIGN 3, law 1).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from fleet_router.errors import ReportRefused
from fleet_router.times import HOUR_S
from wire.report import has_control
from wire.units import NS_PER_HOUR, NS_PER_S, Kind

if TYPE_CHECKING:
    from wire import fleet_pb2 as pb

NODE_ROWS = ("static", "shared", "unattributed", "residual")
FIRST_VIEW = ("dynamic", *NODE_ROWS)
"""Rows whose ``energy_uj`` adds up to what was metered."""
SECOND_VIEW = ("loaded", "unallocated")
"""Rows that exist in the loaded view alone."""

KIND_NAMES: dict[int, Kind] = {1: "measured", 2: "estimated", 3: "modelled"}

# A row covers at most the hours of one range on one node: 2**60 uJ is 320 MWh, 13 MW for a day.
_ROW_LIMIT_UJ = 2**60
_MOST_RANGES = 20_000
_MOST_ROWS = 500_000
# 2,000 reports of 4,096 gaps each is what an extender's batch could hold; honest ones hold a handful.
_MOST_GAPS = 100_000
_HIGHEST_SEQUENCE = 2**62
# Clocks of extenders may be wrong; a day ahead is no clock error but an attack on reports of days to come.
_AHEAD_NS = 24 * NS_PER_HOUR

_IDENTITY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ZONE = re.compile(r"[A-Z]{2}(-[A-Za-z0-9]+)*")
_CURRENCY = re.compile(r"[A-Z]{3}")


def check(report: pb.ClusterReport, *, now_unix_ns: int) -> None:
    """Raises ReportRefused naming the first field that must not be booked."""
    _identity("cluster_id", report.cluster_id)
    _text("cluster_name", report.cluster_name)
    _text("replica", report.replica, empty=True)
    if report.HasField("site"):
        _check_site(report.site)
    if report.HasField("capacity"):
        _check_capacity(report.capacity)
    if len(report.ranges) > _MOST_RANGES:
        raise ReportRefused("ranges", f"{len(report.ranges)} in one report, the limit is {_MOST_RANGES}")
    if sum(len(each.rows) for each in report.ranges) > _MOST_ROWS:
        raise ReportRefused("ranges", f"more than {_MOST_ROWS} rows in one report")
    for at, each in enumerate(report.ranges):
        _check_range(each, path=f"ranges[{at}]", now_unix_ns=now_unix_ns)
    for at, gap in enumerate(report.gaps):
        path = f"gaps[{at}]"
        _stream(gap, path=path)
        _text(f"{path}.reason", gap.reason)


def _stream(each: pb.NodeRange | pb.StreamGap, *, path: str) -> None:
    _text(f"{path}.node", each.node)
    _identity(f"{path}.boot_id", each.boot_id)
    _identity(f"{path}.stream", each.stream)
    if not 1 <= each.first_sequence <= _HIGHEST_SEQUENCE:
        raise ReportRefused(f"{path}.first_sequence", f"{each.first_sequence} is not a sequence; they begin at 1")
    if not each.first_sequence <= each.last_sequence <= _HIGHEST_SEQUENCE:
        raise ReportRefused(f"{path}.last_sequence", f"{each.last_sequence} does not follow {each.first_sequence}")


def _check_range(each: pb.NodeRange, *, path: str, now_unix_ns: int) -> None:
    _stream(each, path=path)
    if each.from_unix_ns < 0:
        raise ReportRefused(f"{path}.from_unix_ns", "is negative")
    if each.to_unix_ns < each.from_unix_ns:
        raise ReportRefused(f"{path}.to_unix_ns", "lies before from_unix_ns")
    if each.to_unix_ns > now_unix_ns + _AHEAD_NS:
        raise ReportRefused(f"{path}.to_unix_ns", "lies more than a day in the future")
    first_uj = loaded_uj = 0
    for at, row in enumerate(each.rows):
        _check_row(row, path=f"{path}.rows[{at}]", span=each)
        first_uj += row.energy_uj
        loaded_uj += row.loaded_uj
    if first_uj != loaded_uj:
        raise ReportRefused(f"{path}.rows", f"{first_uj} uJ in the dynamic view but {loaded_uj} uJ in the loaded view")
    for at, hour in enumerate(each.hours):
        _hour(hour.hour_unix, path=f"{path}.hours[{at}].hour_unix", span=each)
        if not 0 <= hour.seen_ns <= NS_PER_HOUR:
            raise ReportRefused(f"{path}.hours[{at}].seen_ns", f"{hour.seen_ns} is not within an hour")
    if len(each.gaps) > _MOST_GAPS:
        raise ReportRefused(f"{path}.gaps", f"{len(each.gaps)} in one range, the limit is {_MOST_GAPS}")
    for at, gap in enumerate(each.gaps):
        _text(f"{path}.gaps[{at}].domain", gap.domain)
        _text(f"{path}.gaps[{at}].reason", gap.reason)
        # It may lie before the range: what could not be stored is told of later.
        if not 0 <= gap.from_unix_ns <= gap.to_unix_ns:
            raise ReportRefused(f"{path}.gaps[{at}].to_unix_ns", "lies before from_unix_ns, or both before 1970")
        if gap.to_unix_ns > now_unix_ns + _AHEAD_NS:
            raise ReportRefused(f"{path}.gaps[{at}].to_unix_ns", "lies more than a day in the future")


def _check_row(row: pb.EnergyRow, *, path: str, span: pb.NodeRange) -> None:
    _hour(row.hour_unix, path=f"{path}.hour_unix", span=span)
    if row.row not in FIRST_VIEW and row.row not in SECOND_VIEW:
        known = ", ".join((*FIRST_VIEW, *SECOND_VIEW))
        raise ReportRefused(f"{path}.row", f"{row.row!r} is not a row; known are {known}")
    belongs_to_namespace = row.row in ("dynamic", "loaded")
    if belongs_to_namespace:
        _text(f"{path}.namespace", row.namespace)
    elif row.namespace:
        raise ReportRefused(f"{path}.namespace", f"row {row.row!r} belongs to the node, not to {row.namespace!r}")
    _text(f"{path}.component", row.component)
    _text(f"{path}.source", row.source)
    if row.kind not in KIND_NAMES:
        raise ReportRefused(f"{path}.kind", f"{int(row.kind)} is neither measured, estimated nor modelled")
    lowest = -_ROW_LIMIT_UJ if row.row == "residual" else 0
    if not lowest <= row.energy_uj <= _ROW_LIMIT_UJ or (row.energy_uj and row.row in SECOND_VIEW):
        raise ReportRefused(f"{path}.energy_uj", f"{row.energy_uj} uJ cannot be in row {row.row!r}")
    lowest = -_ROW_LIMIT_UJ if row.row == "unallocated" else 0
    if not lowest <= row.loaded_uj <= _ROW_LIMIT_UJ or (row.loaded_uj and row.row in NODE_ROWS):
        raise ReportRefused(f"{path}.loaded_uj", f"{row.loaded_uj} uJ cannot be in row {row.row!r}")
    if not 0 <= row.meter_error_uj <= _ROW_LIMIT_UJ:
        raise ReportRefused(f"{path}.meter_error_uj", f"{row.meter_error_uj} is not a half width in uJ")
    _number(f"{path}.share_error_uj2", row.share_error_uj2, low=0, high=float(_ROW_LIMIT_UJ) ** 2)


def _hour(hour_unix: int, *, path: str, span: pb.NodeRange) -> None:
    if hour_unix % HOUR_S:
        raise ReportRefused(path, f"{hour_unix} is not the start of a UTC hour")
    if not span.from_unix_ns - NS_PER_HOUR <= hour_unix * NS_PER_S <= span.to_unix_ns:
        raise ReportRefused(path, f"{hour_unix} lies outside the range")


def _check_site(site: pb.Site) -> None:
    if site.zone and not (len(site.zone) <= 64 and _ZONE.fullmatch(site.zone)):
        raise ReportRefused("site.zone", f"{site.zone!r} is not a zone key such as DE or US-CAL-CISO")
    if site.pue_ratio != 0:
        _number("site.pue_ratio", site.pue_ratio, low=1, high=10)
    _number("site.price_per_kwh", site.price_per_kwh, low=-1e6, high=1e6)
    if (site.price_known or site.currency) and not _CURRENCY.fullmatch(site.currency):
        raise ReportRefused("site.currency", f"{site.currency!r} is not an ISO 4217 code")


def _check_capacity(capacity: pb.Capacity) -> None:
    for name in ("nodes", "nodes_fresh", "memory_bytes", "as_of_unix_ns"):
        if not 0 <= getattr(capacity, name) < 2**62:
            raise ReportRefused(f"capacity.{name}", f"{getattr(capacity, name)} is out of range")
    for name in ("cpus", "cpus_busy", "power_w", "watts_per_cpu", "watts_per_cpu_error"):
        _number(f"capacity.{name}", getattr(capacity, name), low=0, high=1e12)


def _number(path: str, value: float, *, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ReportRefused(path, f"{value!r} is not a number from {low:g} to {high:g}")


def _identity(path: str, text: str) -> None:
    if not _IDENTITY.fullmatch(text):
        raise ReportRefused(path, f"{text[:80]!r} is not an identity of up to 64 letters, digits, dots or dashes")


def _text(path: str, text: str, *, empty: bool = False) -> None:
    if not text and not empty:
        raise ReportRefused(path, "is empty")
    if len(text) > 253 or has_control(text):
        raise ReportRefused(path, "is longer than 253 characters or holds control characters")
