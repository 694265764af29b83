# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The page at ``/``: the fleet at a glance, rendered here, refreshed by the browser, without a line of script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from sqlalchemy import select

from fleet_router import views
from fleet_router.html import CONTENT_TYPE, headers, render
from fleet_router.reports import store as kept_reports
from fleet_router.schema import decisions
from fleet_router.sums import ledger_sums
from fleet_router.times import rfc3339

if TYPE_CHECKING:
    from fleet_router.service import Fleet

_NAMESPACES = 15
_PLACEMENTS = 8
_REPORTS = 7
REFRESH_S = 5


def routes(fleet: Fleet) -> APIRouter:
    """The page's route."""
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    def page() -> Response:
        return Response(render_page(fleet), media_type=CONTENT_TYPE, headers=headers())

    return router


def render_page(fleet: Fleet) -> bytes:
    """The page at this moment; all figures are of one transaction."""
    newest = select(decisions).order_by(decisions.c.created_unix_ns.desc()).limit(_PLACEMENTS)
    with fleet.store.read() as connection:
        view = views.take(connection, now_unix_ns=fleet.clock.unix_ns(), stale_after_s=fleet.settings.stale_after_s)
        sums = ledger_sums(connection, by=("cluster_id", "namespace", "row", "source", "kind"))
        placements = connection.execute(newest).all()
        reports = kept_reports.listing(connection)[:_REPORTS]
    namespaces = views.namespaces(view, sums)
    return render(
        "page.html.jinja",
        refresh_s=REFRESH_S,
        as_of=rfc3339(view.as_of_unix_ns),
        fleet=views.fleet(view),
        clusters=[views.cluster(view, each, ladder=fleet.ladder) for each in view.clusters],
        namespaces=namespaces[:_NAMESPACES],
        namespaces_more=max(0, len(namespaces) - _NAMESPACES),
        largest_w=max((item["power_w"] or 0.0 for item in namespaces), default=0.0),
        placements=[
            {
                "decision_id": row.decision_id,
                "workload": row.workload,
                "first": row.first,
                "created": rfc3339(row.created_unix_ns),
            }
            for row in placements
        ],
        reports=reports,
        software_version=fleet.software_version,
    )
