# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""When reports are written: at start, through the day, and after each day's end; the calendar is APScheduler's."""

from __future__ import annotations

import logging
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from fleet_router.reports import store as kept_reports
from fleet_router.times import day_of

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection

    from carbon.source import Ladder
    from fleet_router.reports.store import Kept
    from fleet_router.store import Store
    from plumbing.clock import Clock

log = logging.getLogger(__name__)

# A job that could not run on time, because the machine slept, runs once when it wakes.
_LATE_S = 12 * 3600


class ReportSchedule:
    """Writes daily reports; `start` from within the event loop."""

    def __init__(
        self,
        store: Store,
        *,
        ladder: Ladder,
        clock: Clock,
        hour_utc: int,
        refresh_s: float,
        software_version: str,
    ) -> None:
        self._store = store
        self._ladder = ladder
        self._clock = clock
        self._software_version = software_version
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": _LATE_S}
        self._scheduler.add_job(self.write_recent, CronTrigger(hour=hour_utc, timezone=UTC), id="daily", **options)
        self._scheduler.add_job(
            self.write_recent, IntervalTrigger(seconds=int(refresh_s), timezone=UTC), id="refresh", **options
        )

    async def start(self) -> None:
        """Writes yesterday's and today's so far, then follows the calendar."""
        await self.write_recent()
        self._scheduler.start()

    def stop(self) -> None:
        """No report begins after this."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def write_recent(self) -> tuple[Kept, ...]:
        """Yesterday's report, which late data may still change, and today's so far."""
        today = day_of(self._clock.unix_ns())
        return await self.write(today - timedelta(days=1)), await self.write(today)

    async def write(self, day: date) -> Kept:
        """One day's report; the same ledger gives the same bytes."""

        def work(connection: Connection) -> Kept:
            inputs = kept_reports.read_inputs(
                connection, day=day, ladder=self._ladder, software_version=self._software_version
            )
            return kept_reports.write(connection, inputs, now_unix_ns=self._clock.unix_ns())

        kept = await self._store.write(work)
        log.info("Report written", extra={"report": kept.report_id, "version": kept.version, "sha256": kept.sha256})
        return kept
