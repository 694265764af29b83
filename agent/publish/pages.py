# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the agent serves, by path. A page is made from what is known: none of them reads hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import NotYet
from agent.publish import sources
from agent.publish.metrics import families
from agent.publish.server import Page, json_page
from agent.store.query import Query, answer
from plumbing.exposition import CONTENT_TYPE, render
from plumbing.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.ledger import Ledger
    from agent.meters.bank import Bank
    from agent.meters.choice import Survey
    from agent.publish.push import Delivered
    from agent.vitals import Vitals
    from plumbing.clock import Clock


def pages(
    *,
    survey: Survey,
    bank: Bank,
    ledger: Ledger,
    vitals: Vitals,
    clock: Clock,
    delivered: Callable[[], Mapping[str, Delivered]],
    unready: Callable[[], str],
) -> dict[str, Callable[[Mapping[str, str]], Page]]:
    """The routes of the agent's server."""

    def metrics(params: Mapping[str, str]) -> Page:
        _none(params)
        shown = families(
            latest=ledger.ring.latest, totals=ledger.totals, held=ledger.held, vitals=vitals, delivered=delivered()
        )
        return Page(render(shown), CONTENT_TYPE)

    def livez(params: Mapping[str, str]) -> Page:
        _none(params)
        return json_page({"alive": True})

    def readyz(params: Mapping[str, str]) -> Page:
        _none(params)
        reason = unready()
        page = json_page({"ready": not reason, "reason": reason})
        return Page(page.body, page.content_type, 503 if reason else 200)

    def listed(params: Mapping[str, str]) -> Page:
        _none(params)
        bank.wanted()
        latest = ledger.ring.latest
        now = latest.reconciliation if latest else None
        return json_page(sources.document(survey=survey, bank=bank, reconciliation=now, clock=clock))

    def query(params: Mapping[str, str]) -> Page:
        question = Query.parse(params)
        try:
            return json_page(answer(question, ring=ledger.ring, totals=ledger.totals))
        except NotYet as error:
            raise Problem(503, str(error)) from error

    return {"/metrics": metrics, "/livez": livez, "/readyz": readyz, "/v1/sources": listed, "/v1/query": query}


def _none(params: Mapping[str, str]) -> None:
    """Refuses parameters where there are none to give."""
    for name in params:
        raise Problem(400, "no such parameter", field=name)
