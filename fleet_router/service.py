# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The fleet router's parts put together: ledger, carbon ladder, gRPC ingest, report calendar, placement."""

from __future__ import annotations

import math
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from carbon.accounting import decimal_of
from carbon.errors import TableError
from carbon.source import Ladder
from carbon.static import StaticTable
from fleet_router.errors import SettingsRefused
from fleet_router.ingest import Ingest
from fleet_router.placement.candidates import candidates
from fleet_router.placement.decisions import Inputs, decide, keep
from fleet_router.placement.request import ask
from fleet_router.registry import read_clusters
from fleet_router.reports.schedule import ReportSchedule
from fleet_router.store import Store
from fleet_router.views import take
from plumbing.problem import Problem
from plumbing.server import Address
from plumbing.state import StateFolder

if TYPE_CHECKING:
    from fleet_router.placement.decisions import Decision
    from fleet_router.placement.request import PlacementRequest
    from fleet_router.registry import Cluster
    from fleet_router.settings import FleetSettings
    from fleet_router.views import View
    from plumbing.clock import Clock

LEDGER_FILE = "fleet.sqlite"


class Fleet:
    """Everything but HTTP. Raises SettingsRefused, StateError or StoreError where it cannot be built."""

    def __init__(self, settings: FleetSettings, *, clock: Clock) -> None:
        _check(settings)
        self.settings = settings
        self.clock = clock
        self.software_version = version("penstock")
        self.table = _table(settings)
        self.ladder = Ladder(self.table)
        self._folder = StateFolder(Path(settings.state)) if settings.state else None
        self.store = Store(self._folder.path / LEDGER_FILE if self._folder else None)
        self.ingest = Ingest(self.store, clock=clock, address=Address(settings.host, settings.grpc_port))
        self.schedule = ReportSchedule(
            self.store,
            ladder=self.ladder,
            clock=clock,
            hour_utc=settings.report_hour_utc,
            refresh_s=settings.report_refresh_s,
            software_version=self.software_version,
        )
        self.counters: Counter[str] = Counter()
        self.ready = False

    async def start(self) -> None:
        """Listens for clusters and begins the report calendar. Raises ListenError."""
        await self.ingest.start()
        await self.schedule.start()
        self.ready = True

    async def stop(self) -> None:
        """In the order in which data flows: no new reports, no new documents, then the ledger."""
        self.ready = False
        await self.ingest.stop()
        self.schedule.stop()
        self.store.close()
        if self._folder is not None:
            self._folder.close()

    def view(self) -> View:
        """The fleet at this moment."""
        with self.store.read() as connection:
            return take(connection, now_unix_ns=self.clock.unix_ns(), stale_after_s=self.settings.stale_after_s)

    async def recommend(self, request: PlacementRequest) -> Decision:
        """Decides, and keeps the decision. Raises Problem 422 for clusters that nobody knows."""
        now_unix_ns = self.clock.unix_ns()
        question = ask(
            request,
            carbon_price_per_kg=decimal_of(self.settings.carbon_price_per_kg),
            currency=self.settings.currency,
            max_data_age_s=self.settings.stale_after_s,
        )

        def work() -> Decision:
            with self.store.read() as connection:
                known = read_clusters(connection)
            _check_names(request, known)
            every = candidates(known, ladder=self.ladder, ask=question, now_unix_ns=now_unix_ns)
            return decide(Inputs(now_unix_ns, question, every, self.software_version))

        decision = await run_in_threadpool(work)
        await self.store.write(
            lambda writer: keep(
                writer,
                decision,
                workload=question.workload,
                now_unix_ns=now_unix_ns,
                limit=self.settings.decisions_kept,
            )
        )
        self.counters["recommendations"] += 1
        return decision


def _check(settings: FleetSettings) -> None:
    price = settings.carbon_price_per_kg
    if not (math.isfinite(price) and 0 <= price <= 1e6):
        raise SettingsRefused(f"carbon_price_per_kg: {price!r} is not a price from 0 to 1,000,000")
    if not (len(settings.currency) == 3 and settings.currency.isascii() and settings.currency.isupper()):
        raise SettingsRefused(f"currency: {settings.currency!r} is not an ISO 4217 code")
    if not 0 <= settings.report_hour_utc <= 23:
        raise SettingsRefused(f"report_hour_utc: {settings.report_hour_utc} is not an hour from 0 to 23")
    for name in ("stale_after_s", "report_refresh_s"):
        if not getattr(settings, name) >= 1:
            raise SettingsRefused(f"{name}: {getattr(settings, name)!r} is less than a second")
    for name in ("decisions_kept", "body_limit_bytes"):
        if getattr(settings, name) < 1:
            raise SettingsRefused(f"{name}: {getattr(settings, name)} is not positive")


def _table(settings: FleetSettings) -> StaticTable:
    table = StaticTable.embedded()
    if not settings.data_folder:
        return table
    try:
        return table.with_folder(Path(settings.data_folder))
    except TableError as error:
        raise SettingsRefused(f"data_folder: {error}") from error


def _check_names(request: PlacementRequest, known: tuple[Cluster, ...]) -> None:
    names = {each.name for each in known}
    for at, name in enumerate(request.clusters or ()):
        if name not in names:
            raise Problem(422, f"no cluster of this name has reported: {name!r}", field=f"clusters[{at}]")
    current = request.workload.current_cluster
    if current is not None and current not in names:
        raise Problem(422, f"no cluster of this name has reported: {current!r}", field="workload.current_cluster")
