# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Unix nanoseconds to the texts and hours that people and reports use; everything is UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from wire.units import NS_PER_S

HOUR_S = 3600
DAY_S = 24 * HOUR_S


def rfc3339(unix_ns: int) -> str:
    """``2026-11-22T04:00:00.123Z``; milliseconds, cut and not rounded, so that a moment never lies in the future."""
    seconds, rest_ns = divmod(unix_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1_000_000:03d}Z"


def day_of(unix_ns: int) -> date:
    """The UTC day of a moment."""
    return datetime.fromtimestamp(unix_ns // NS_PER_S, UTC).date()


def day_bounds_unix_s(day: date) -> tuple[int, int]:
    """First second of a UTC day and of the next one."""
    start = datetime.combine(day, time(), UTC)
    return int(start.timestamp()), int((start + timedelta(days=1)).timestamp())
