# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``POST /v1/reports``: from an agent's bytes to the ledger, and from the commit to everything that follows it.

A report is acknowledged when it is on this replica's disk. What it changes in memory changes in the same turn of the
event loop in which its commit became known, in commit order, whether or not the agent is still listening.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from extender.errors import EntryRefused, LedgerUnavailable
from extender.ledger import Entry, StreamKey
from extender.rows import book, plausible, shift_ns
from plumbing.asgi import Answer
from plumbing.problem import Problem
from wire.report import ReportAck, ReportError, decode

if TYPE_CHECKING:
    from extender.budgets import Budgets
    from extender.holds import Holds
    from extender.ledger import Outcome
    from extender.state import ClusterState
    from extender.totals import Totals
    from extender.writer import Writer
    from plumbing.clock import Clock

_encode = msgspec.json.Encoder().encode


class Ingest:
    """Takes reports; `counts` by what became of them."""

    def __init__(
        self,
        *,
        writer: Writer,
        totals: Totals,
        state: ClusterState,
        budgets: Budgets,
        holds: Holds,
        clock: Clock,
        keep_bodies: bool,
    ) -> None:
        self._writer = writer
        self._totals = totals
        self._state = state
        self._budgets = budgets
        self._holds = holds
        self._clock = clock
        self._keep_bodies = keep_bodies
        self.counts: Counter[str] = Counter()
        self.replaced = 0
        """Reports whose wall time ran ahead and that were placed by ours."""

    async def post(self, body: bytes) -> Answer:
        """ReportAck. Raises Problem 400 or 422 naming the field, 409 with ``expected_sequence``, 503."""
        entry = self._entry(body)
        received_ns = self._clock.monotonic_ns()
        try:
            outcome = await self._writer.submit(
                lambda ledger: ledger.book(entry), then=lambda done: self._follow(entry, done, received_ns=received_ns)
            )
        except EntryRefused as error:
            self.counts["refused"] += 1
            raise Problem(
                422, f"the node's totals cannot take this interval: {error}", field="domains.energy_uj"
            ) from error
        except LedgerUnavailable as error:
            self.counts["unavailable"] += 1
            raise Problem(503, f"the report cannot be written: {error}") from error
        if outcome.status == "out_of_order":
            expected = outcome.watermark + 1
            raise Problem(
                409,
                f"sequence {entry.report.sequence} came, {expected} is next and was not declared as dropped",
                field="sequence",
                expected_sequence=expected,
            )
        return Answer(_encode(ReportAck(acked_sequence=outcome.watermark, duplicate=outcome.status == "duplicate")))

    def _entry(self, body: bytes) -> Entry:
        try:
            report = decode(body)
            plausible(report)
        except ReportError as error:
            self.counts["refused"] += 1
            raise Problem(400 if error.field == "body" else 422, error.reason, field=error.field) from error
        received_unix_ns = self._clock.unix_ns()
        return Entry(
            key=StreamKey(report.node, report.boot_id, report.stream),
            report=report,
            booking=book(report),
            body=body if self._keep_bodies else b"",
            received_unix_ns=received_unix_ns,
            shift_ns=shift_ns(report.interval, received_unix_ns=received_unix_ns),
        )

    def _follow(self, entry: Entry, outcome: Outcome, *, received_ns: int) -> None:
        self.counts[outcome.status] += 1
        self._totals.apply(entry, outcome)
        self.replaced += outcome.status in {"booked", "restated"} and entry.shift_ns != 0
        if outcome.status != "booked":
            # A restatement is about the past: it changes totals, not what is drawn now.
            return
        live = self._state.apply(entry, received_ns=received_ns)
        self._budgets.feed(live, entry.booking, now_ns=received_ns)
        self._holds.feed(live, entry.booking, budgets=self._budgets, now_ns=received_ns)
