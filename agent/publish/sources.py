# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``/v1/sources``: every source with its newest figure, the age of it, its tier, and how its circuit stands.

Lines are those of the discovery, and what a meter found since: a BMC tells its parts only once it was walked through.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent.meters.breaker import Circuit
from agent.meters.choice import Source, rfc3339
from agent.meters.protocol import Skipped
from agent.meters.selection import select

if TYPE_CHECKING:
    from agent.meters.bank import Bank
    from agent.meters.choice import Survey
    from agent.meters.reconciliation import Reconciliation
    from agent.meters.seat import Seat
    from plumbing.clock import Clock


def document(*, survey: Survey, bank: Bank, reconciliation: Reconciliation | None, clock: Clock) -> dict[str, Any]:
    """The list document (DESIGN 11)."""
    seats = {seat.meter.source: seat for seat in bank.seats}
    now_ns = clock.monotonic_ns()
    items = [_item(line, seats.get(line.source), bank, now_ns) for line in _lines(survey, bank)]
    return {
        "as_of": rfc3339(clock.unix_ns()),
        "reconciliation": asdict(reconciliation) if reconciliation else None,
        "items": items,
    }


def _lines(survey: Survey, bank: Bank) -> list[Source]:
    lines = list(survey.sources)
    known = {(line.source, line.domain) for line in lines if line.usable}
    for seat in bank.seats:
        source = seat.meter.source
        found = [(source, each) for each in seat.meter.metered if (source, each.domain.name) not in known]
        refused = select(found).refused
        for _, each in found:
            reason = refused.get((source, each.domain.name), "found since the start; what is booked was chosen then")
            domain = each.domain
            lines.append(Source(source, domain.component, domain.scope, each.quality.kind, True, False, reason))  # noqa: FBT003
        for passed in getattr(seat.meter, "skipped", ()):
            if isinstance(passed, Skipped):
                line = Source(
                    passed.source, passed.component, passed.scope, passed.kind or "", False, False, passed.reason  # noqa: FBT003
                )  # fmt: skip
                if line not in lines:
                    lines.append(line)
    return lines


def _item(line: Source, seat: Seat | None, bank: Bank, now_ns: int) -> dict[str, Any]:
    figure = bank.figures.get((line.source, line.domain)) if line.usable else None
    circuit = getattr(seat.meter, "circuit", None) if seat else None
    return line.item(figure.power_w if figure else None) | {
        "age_s": (now_ns - figure.at_ns) / 1e9 if figure and figure.power_w is not None else None,
        "unread": figure.reason if figure else "",
        "tier": seat.tier if seat else None,
        "circuit": asdict(circuit) if isinstance(circuit, Circuit) else None,
    }
