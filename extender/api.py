# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The reads for people and programs (FastAPI); the scheduler's verbs and the reports do not pass through here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from extender import metrics, views
from extender.errors import LedgerUnavailable, NodeReporting
from plumbing import exposition
from plumbing.problem import CONTENT_TYPE, Problem, title

if TYPE_CHECKING:
    from extender.cluster import Cluster

_encode = msgspec.json.Encoder().encode

Limit = Annotated[int, Query(ge=1, le=10_000, description="how many items at most")]


def _json(document: Any) -> Response:
    return Response(_encode(document), media_type="application/json")


def build(cluster: Cluster) -> FastAPI:
    """The application; all its errors are problem documents."""
    app = FastAPI(title="Penstock extender", docs_url=None, redoc_url=None)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, unforeseen)
    _health(app, cluster)

    @app.get("/v1/cluster")
    async def cluster_view() -> Response:
        return _json(views.cluster_document(cluster))

    @app.get("/v1/namespaces")
    async def namespaces() -> Response:
        return _json(views.namespaces_document(cluster))

    @app.get("/v1/nodes")
    async def nodes() -> Response:
        return _json(views.nodes_document(cluster))

    @app.get("/v1/nodes/{name}")
    async def node(name: str) -> Response:
        document = views.node_document(cluster, name)
        if document is None:
            raise Problem(404, f"no node {name!r} ever reported", field="name")
        return _json(document)

    @app.delete("/v1/nodes/{name}")
    async def dismiss_node(name: str) -> Response:
        """An operator says that a silent node is gone for good, so that it closes no hard budget any more."""
        try:
            known = await cluster.dismiss(name)
        except NodeReporting as error:
            raise Problem(409, str(error), field="name") from error
        except LedgerUnavailable as error:
            raise Problem(503, f"that cannot be written: {error}") from error
        if not known:
            raise Problem(404, f"no node {name!r} ever reported", field="name")
        return _json({"name": name, "status": cluster.state.status(name, now_ns=cluster.clock.monotonic_ns())})

    @app.get("/v1/pods")
    async def pods(namespace: str | None = None, node: str | None = None, limit: Limit = 1000) -> Response:
        return _json(views.pods_document(cluster, namespace=namespace, node=node, limit=limit))

    @app.get("/v1/decisions")
    async def decisions(limit: Limit = 100) -> Response:
        return _json(views.decisions_document(cluster, limit=limit))

    @app.get("/v1/decisions/{uid}")
    async def decision(uid: str) -> Response:
        found = cluster.decisions.get(uid)
        if found is None:
            raise Problem(404, f"no decision about a pod with UID {uid!r} is remembered", field="uid")
        return _json(views.decision_document(found))

    return app


def _health(app: FastAPI, cluster: Cluster) -> None:
    @app.get("/livez")
    async def livez() -> Response:
        return _json({"status": "live"})

    @app.get("/readyz")
    async def readyz() -> Response:
        if cluster.writer.last_error:
            raise Problem(503, f"the ledger cannot be written: {cluster.writer.last_error}")
        return _json({"status": "ready"})

    @app.get("/metrics")
    async def metrics_page() -> Response:
        return Response(exposition.render(metrics.families(cluster)), media_type=exposition.CONTENT_TYPE)


async def unforeseen(request: Request, _: Exception) -> Response:
    """What nobody foresaw; the server logs the traceback."""
    problem = Problem(500, f"{request.method} {request.url.path} failed; the log of the extender says why")
    return Response(problem.body(), status_code=500, media_type=CONTENT_TYPE)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return Response(error.body(), status_code=error.status, media_type=CONTENT_TYPE)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = Problem(error.status_code, f"{request.method} {request.url.path}: {title(error.status_code).lower()}")
    return Response(problem.body(), status_code=error.status_code, media_type=CONTENT_TYPE, headers=error.headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    problem = Problem(422, str(first["msg"]), field=".".join(str(part) for part in first["loc"][1:]))
    return Response(problem.body(), status_code=422, media_type=CONTENT_TYPE)
