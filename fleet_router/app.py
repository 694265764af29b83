# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: routes, limits, and every error as a problem document that names the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from fleet_router import api, page
from plumbing.asgi import JSON, limit_bodies
from plumbing.problem import CONTENT_TYPE, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from fleet_router.service import Fleet
    from plumbing.asgi import App


def build(fleet: Fleet) -> App:
    """The application over a fleet that the caller starts and stops."""
    app = FastAPI(
        title="Penstock fleet router",
        version=fleet.software_version,
        docs_url=None,  # its page loads scripts from a foreign host
        redoc_url=None,
    )
    app.state.body_limit_bytes = fleet.settings.body_limit_bytes
    app.include_router(api.routes(fleet))
    app.include_router(page.routes(fleet))
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    return limit_bodies(app, limit_bytes=fleet.settings.body_limit_bytes)


def _answer(problem: Problem, *, headers: dict[str, str] | None = None) -> Response:
    return Response(problem.body(), status_code=problem.status, media_type=CONTENT_TYPE, headers=headers)


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and sent != JSON:
        # Other types are what a foreign web page may send without asking; `curl -d` says form data and means JSON.
        return _answer(Problem(415, f"Content-Type is {sent or 'missing'}, send {JSON}", field="Content-Type"))
    found = [(_field(each["loc"]), str(each["msg"]), str(each["type"])) for each in error.errors()]
    field, reason, kind = found[0]
    if kind == "json_invalid":
        return _answer(Problem(400, f"not valid JSON: {reason}", field="body"))
    return _answer(
        Problem(
            422,
            f"{field}: {reason}",
            field=field,
            errors=[{"field": name, "reason": why} for name, why, _ in found],
        )
    )


def _field(place: Sequence[Any]) -> str:
    """``("body", "clusters", 0)`` -> ``clusters[0]``; the caller knows that it sent a body."""
    path = ""
    for part in place[1:]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or (str(place[0]) if place else "body")


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(Problem(error.status_code, str(error.detail)), headers=dict(error.headers or {}))


async def _unexpected(_request: Request, _error: Exception) -> Response:
    # What went wrong is in the log, with its trace; it is nobody else's business.
    return _answer(Problem(500, "an error in the fleet router; its log says more"))
