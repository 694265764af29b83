# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The HTTP API for people and programs: reads of the ledger, and placement. Errors are problem documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import select

# FastAPI reads the types of parameters when the routes are made.
from carbon.intensity import Method  # noqa: TC001
from fleet_router import views
from fleet_router.html import CONTENT_TYPE as HTML
from fleet_router.html import headers as page_headers
from fleet_router.metrics import families
from fleet_router.placement.request import PlacementRequest  # noqa: TC001
from fleet_router.reports import store as kept_reports
from fleet_router.reports.rendering import to_csv, to_html
from fleet_router.schema import decisions
from fleet_router.sums import ledger_sums
from fleet_router.times import rfc3339
from plumbing import exposition
from plumbing.asgi import JSON, read_body
from plumbing.problem import Problem
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fleet_router.registry import Cluster
    from fleet_router.service import Fleet

_CSV = "text/csv; charset=utf-8"
_DECISIONS_LISTED = 100


class _WholeBody(APIRoute):
    """Reads a body as the hot paths of all roles do, so that it is bounded, may be gzip, and is refused by name."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, on the unpacked body that is known to be JSON."""
        handle = super().get_route_handler()

        async def whole(request: Request) -> Response:
            body = await read_body(request.scope, request.receive, limit_bytes=_body_limit_bytes(request))
            try:
                json.loads(body)
            except (ValueError, RecursionError) as error:
                # Of ValueError: JSONDecodeError, UnicodeDecodeError, and integers beyond what Python converts.
                if body and _is_json(request):
                    raise Problem(400, f"not valid JSON: {error}", field="body") from error

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": body, "more_body": False}

            return await handle(Request(request.scope, receive))

        return whole


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON


def _body_limit_bytes(request: Request) -> int:
    return int(request.app.state.body_limit_bytes)


def routes(fleet: Fleet) -> APIRouter:
    """All ``/v1`` routes and the three that every role has. Plain functions run in a thread each."""
    router = APIRouter()
    _add_service(router, fleet)
    _add_ledger(router, fleet)
    placement = APIRouter(route_class=_WholeBody)
    _add_placement(placement, fleet)
    router.include_router(placement)
    _add_decisions(router, fleet)
    _add_reports(router, fleet)
    return router


def _add_service(router: APIRouter, fleet: Fleet) -> None:
    @router.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        if not fleet.ready:
            raise Problem(503, "the ledger is not open yet, or is closing")
        return {"status": "ready"}

    @router.get("/metrics")
    def metrics() -> Response:
        body = exposition.render(
            families(
                fleet.view(),
                ladder=fleet.ladder,
                counters=fleet.ingest.counters,
                recommendations=fleet.counters["recommendations"],
            )
        )
        return Response(body, media_type=exposition.CONTENT_TYPE)


def _add_ledger(router: APIRouter, fleet: Fleet) -> None:
    @router.get("/v1/fleet")
    def get_fleet() -> dict[str, Any]:
        return views.fleet(fleet.view())

    @router.get("/v1/clusters")
    def list_clusters() -> dict[str, Any]:
        view = fleet.view()
        return {
            "as_of": rfc3339(view.as_of_unix_ns),
            "items": [views.cluster(view, each, ladder=fleet.ladder) for each in view.clusters],
            "watermarks": views.watermark_items(
                view.watermarks, names={each.cluster_id: each.name for each in view.clusters}
            ),
        }

    @router.get("/v1/clusters/{name}")
    def get_cluster(name: str) -> dict[str, Any]:
        view = fleet.view()
        return views.cluster_detail(view, _cluster(view, name), ladder=fleet.ladder)

    @router.get("/v1/namespaces")
    def list_namespaces(cluster: Annotated[str | None, Query(max_length=253)] = None) -> dict[str, Any]:
        with fleet.store.read() as connection:
            view = views.take(connection, now_unix_ns=fleet.clock.unix_ns(), stale_after_s=fleet.settings.stale_after_s)
            only = None if cluster is None else _cluster(view, cluster).cluster_id
            sums = ledger_sums(connection, by=("cluster_id", "namespace", "row", "source", "kind"), cluster_id=only)
        return {
            "as_of": rfc3339(view.as_of_unix_ns),
            "items": views.namespaces(view, sums),
            "watermarks": views.watermark_items(
                [each for each in view.watermarks if only in (None, each.cluster_id)],
                names={each.cluster_id: each.name for each in view.clusters},
            ),
        }

    @router.get("/v1/intensity")
    def list_intensity(
        zone: Annotated[str | None, Query(min_length=1, max_length=64)] = None, method: Method = "direct"
    ) -> dict[str, Any]:
        view = fleet.view()
        zones = [zone] if zone is not None else sorted({each.zone for each in view.clusters if each.zone})
        now_unix_s = view.as_of_unix_ns // NS_PER_S
        return {
            "as_of": rfc3339(view.as_of_unix_ns),
            "items": [
                {"name": each, **views.intensity(fleet.ladder.rate(each, at_unix_s=now_unix_s, method=method))}
                for each in zones
            ],
        }


def _add_placement(router: APIRouter, fleet: Fleet) -> None:
    @router.post("/v1/placements:recommend")
    async def recommend(request: PlacementRequest) -> Response:
        decision = await fleet.recommend(request)
        return Response(decision.answer, media_type=JSON)


def _add_decisions(router: APIRouter, fleet: Fleet) -> None:
    @router.get("/v1/decisions")
    def list_decisions() -> dict[str, Any]:
        newest = (
            select(decisions.c.decision_id, decisions.c.created_unix_ns, decisions.c.workload, decisions.c.first)
            .order_by(decisions.c.created_unix_ns.desc(), decisions.c.decision_id)
            .limit(_DECISIONS_LISTED)
        )
        with fleet.store.read() as connection:
            rows = connection.execute(newest).all()
        return {
            "as_of": rfc3339(fleet.clock.unix_ns()),
            "items": [
                {
                    "name": row.decision_id,
                    "workload": row.workload,
                    "first": row.first or None,
                    "created": rfc3339(row.created_unix_ns),
                }
                for row in rows
            ],
        }

    @router.get("/v1/decisions/{decision_id}")
    def get_decision(decision_id: str) -> Response:
        with fleet.store.read() as connection:
            found = select(decisions.c.answer).where(decisions.c.decision_id == decision_id)
            answer = connection.execute(found).scalar()
        if answer is None:
            raise Problem(404, f"no decision {decision_id[:80]!r} is kept", field="decision_id")
        return Response(bytes(answer), media_type=JSON)


def _add_reports(router: APIRouter, fleet: Fleet) -> None:
    @router.get("/v1/reports")
    def list_reports() -> dict[str, Any]:
        with fleet.store.read() as connection:
            found = kept_reports.listing(connection)
        return {
            "as_of": rfc3339(fleet.clock.unix_ns()),
            "items": [
                {
                    "name": each.report_id,
                    "day": each.day,
                    "status": each.status,
                    "version": each.version,
                    "written": rfc3339(each.written_unix_ns),
                    "energy_uj": each.energy_uj,
                    "sha256": each.sha256,
                    "links": {kind: f"/v1/reports/{each.report_id}.{kind}" for kind in ("json", "csv", "html")},
                }
                for each in found
            ],
        }

    @router.get("/v1/reports/{name}")
    def get_report(name: str) -> Response:
        report_id, dot, kind = name.rpartition(".")
        if not dot or kind not in ("json", "csv", "html"):
            raise Problem(404, "a report is at /v1/reports/{id}.json, .csv or .html", field="name")
        with fleet.store.read() as connection:
            body = kept_reports.body_of(connection, report_id)
        if body is None:
            raise Problem(404, f"there is no report {report_id[:80]!r}", field="name")
        if kind == "json":
            return Response(body, media_type=JSON)
        report = kept_reports.parsed(body)
        if kind == "csv":
            return Response(to_csv(report), media_type=_CSV)
        return Response(to_html(report), media_type=HTML, headers=page_headers())


def _cluster(view: views.View, name: str) -> Cluster:
    """By name, else by id. Raises Problem 404."""
    for each in view.clusters:
        if name in (each.name, each.cluster_id):
            return each
    raise Problem(404, f"no cluster {name[:80]!r} has reported", field="cluster")
