# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""One replica's parts, and the rules by which they follow each other; served by `extender.app`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from estimator.curves import CpuIdentity, Table
from extender.admission import Admission
from extender.budgets import Budgets
from extender.capacity import capacity
from extender.decisions import Decisions
from extender.errors import NodeReporting
from extender.holds import Holds
from extender.ingest import Ingest
from extender.ledger import Ledger
from extender.policies import PolicyFolder
from extender.prediction import WattsPerCpu
from extender.state import ClusterState
from extender.totals import Totals
from extender.writer import Writer
from wire import fleet_pb2
from wire.units import NS_PER_HOUR, NS_PER_S

if TYPE_CHECKING:
    from extender.budgets import Budget
    from extender.settings import ExtenderSettings
    from extender.uplink import UplinkStatus
    from plumbing.clock import Clock

log = logging.getLogger(__name__)

HOUSEKEEPING_S = 5.0
PRUNE_S = 60.0
LEDGER_FILE = "ledger.sqlite"


class Cluster:
    """Everything that this replica knows. `start` it on the loop that serves it, `close` it last."""

    def __init__(self, settings: ExtenderSettings, *, clock: Clock) -> None:
        """Opens the ledger, in the folder ``settings.state``, which must exist and be ours. Raises LedgerUnusable."""
        self.settings = settings
        self.clock = clock
        ledger = Ledger(Path(settings.state) / LEDGER_FILE if settings.state else None)
        self.cluster_id = ledger.cluster_id
        self.totals = Totals.load(ledger)
        self.state = ClusterState(forget_after_ns=round(settings.node_forget_s * NS_PER_S))
        self.budgets = Budgets()
        self.holds = Holds()
        self.decisions = Decisions()
        self.policies = PolicyFolder(Path(settings.policies)) if settings.policies else None
        self.uplink_status: UplinkStatus | None = None
        self._pruned_ns = clock.monotonic_ns()
        self._expect_nodes()
        self.holds.restore(ledger.holds(), now_ns=clock.monotonic_ns(), now_unix_ns=clock.unix_ns())
        self.writer = Writer(ledger)
        self.fallback = _any_server()
        self.ingest = Ingest(
            writer=self.writer,
            totals=self.totals,
            state=self.state,
            budgets=self.budgets,
            holds=self.holds,
            clock=clock,
            keep_bodies=bool(settings.fleet_target),
        )
        self.admission = Admission(
            state=self.state,
            budgets=self.budgets,
            holds=self.holds,
            decisions=self.decisions,
            writer=self.writer,
            clock=clock,
            fallback=self.fallback,
            own_namespace=settings.own_namespace,
        )

    def _expect_nodes(self) -> None:
        """Nodes that reported to the process before this one: silent until they report again, so stale."""
        now_unix_ns = self.clock.unix_ns()
        for node, namespaces in self.totals.presence.items():
            silent_ns = now_unix_ns - max(pair.seen_unix_ns for pair in namespaces.values())
            heard = any(pair.seen_unix_ns for pair in namespaces.values())  # else an operator has dismissed it
            if heard and silent_ns <= self.settings.node_forget_s * NS_PER_S:
                self.state.add_silent(node, heard_ns=self.clock.monotonic_ns() - max(0, silent_ns))

    async def start(self) -> None:
        """Starts the ledger's thread and reads the policies."""
        self.writer.start()
        await self.refresh_policies()

    async def close(self) -> None:
        """Writes what has come, then closes the ledger."""
        await self.writer.close()

    async def refresh_policies(self) -> None:
        """Puts the policy folder in force if it has changed."""
        if self.policies is None or not await self.policies.refresh():
            return
        lives = self.state.snapshot()
        silent = [node for node in self.totals.presence if node not in lives]
        counted = [node for node in silent if node in self.state.nodes]
        beyond = [node for node in silent if node not in self.state.nodes]
        self.budgets.put_in_force(
            self.policies.budgets,
            lives=lives,
            expected=lambda budget: [node for node in counted if self._ended_with(budget, node)],
            missing=lambda budget: [node for node in beyond if self._ended_with(budget, node)],
        )
        log.info("Budgets in force", extra={"budgets": len(self.policies.budgets), "revision": self.policies.revision})

    def _ended_with(self, budget: Budget, node: str) -> bool:
        """Whether the budget's namespace was on this node within a window of the last that was heard of it."""
        namespaces = self.totals.presence[node]
        pair = namespaces.get(budget.namespace)
        if pair is None or not pair.seen_unix_ns:
            return False
        last_unix_ns = max(each.seen_unix_ns for each in namespaces.values())
        return last_unix_ns - pair.seen_unix_ns <= budget.window_s * NS_PER_S

    async def dismiss(self, node: str) -> bool:
        """An operator says that a node is gone: it closes no budget any more. False where it was never heard of.

        Its energy stays booked. Raises NodeReporting for one that still reports, LedgerUnavailable.
        """
        if node not in self.totals.nodes and node not in self.state.nodes:
            return False
        if self.state.nodes.fresh(node, now_ns=self.clock.monotonic_ns()):
            raise NodeReporting(f"node {node} reports; stop its agent first")
        await self.writer.submit(lambda ledger: ledger.dismiss_node(node), then=lambda _: self._dismissed(node))
        return True

    def _dismissed(self, node: str) -> None:
        self.totals.dismiss_node(node)
        self.state.dismiss(node)
        self.budgets.dismiss(node)

    def tidy(self) -> None:
        """Ends what has run out: silent nodes, holds, old reports. Called every `HOUSEKEEPING_S`."""
        now_ns, now_unix_ns = self.clock.monotonic_ns(), self.clock.unix_ns()
        for node in self.state.evict(now_ns=now_ns):
            self.budgets.forget(node)
        self.budgets.settle_rounding()
        if over := self.holds.end_expired(now_ns=now_ns):
            self.writer.post(lambda ledger: ledger.drop_holds(over))
        if now_ns - self._pruned_ns >= PRUNE_S * NS_PER_S:
            self._pruned_ns = now_ns
            self._prune(now_unix_ns)

    def _prune(self, now_unix_ns: int) -> None:
        reports_before = now_unix_ns - round(self.settings.report_retention_h * NS_PER_HOUR)
        workloads_before = now_unix_ns - round(self.settings.workload_retention_h * NS_PER_HOUR)
        self.writer.post(
            lambda ledger: ledger.prune(
                reports_before_unix_ns=reports_before, workloads_before_unix_ns=workloads_before
            ),
            then=lambda _: self.totals.forget_workloads(before_unix_ns=workloads_before),
        )

    def head(self) -> fleet_pb2.ClusterReport:
        """A cluster report with everything but its number and energy."""
        settings = self.settings
        return fleet_pb2.ClusterReport(
            cluster_id=self.cluster_id,
            cluster_name=settings.cluster_name,
            replica=settings.replica,
            site=fleet_pb2.Site(
                zone=settings.zone,
                pue_ratio=settings.pue_ratio,
                price_per_kwh=settings.price_per_kwh or 0.0,
                price_known=settings.price_per_kwh is not None,
                currency=settings.currency,
                meter_includes_facility=settings.meter_includes_facility,
            ),
            capacity=capacity(self.state, now_ns=self.clock.monotonic_ns(), now_unix_ns=self.clock.unix_ns()),
        )


def _any_server() -> WattsPerCpu:
    """A busy CPU on a machine of which nothing is known: the estimator's curve for any server."""
    curve = Table.load().choose(CpuIdentity(model_name="", vendor="", family=0, model=0, threads=1)).curve
    median_w = curve.power_w(1.0, threads=1) - curve.static_w(threads=1)
    return WattsPerCpu(median_w=median_w, high_w=median_w * curve.high_ratio)
