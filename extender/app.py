# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: hot paths by hand, everything else through FastAPI, and no answer that is no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.errors import ServerErrorMiddleware

from extender.api import build, unforeseen
from plumbing.asgi import limit_bodies, post

if TYPE_CHECKING:
    from extender.cluster import Cluster
    from plumbing.asgi import App, Receive, Scope, Send

# No read has a body.
_READ_LIMIT_BYTES = 64 * 1024


def application(cluster: Cluster) -> App:
    """Everything that this replica serves."""
    settings = cluster.settings
    hot: dict[str, App] = {
        "/v1/reports": post(cluster.ingest.post, limit_bytes=settings.report_limit_bytes),
        "/filter": post(cluster.admission.filter, limit_bytes=settings.scheduler_limit_bytes),
        "/prioritize": post(cluster.admission.prioritize, limit_bytes=settings.scheduler_limit_bytes),
    }
    reads: App = limit_bodies(build(cluster), limit_bytes=_READ_LIMIT_BYTES)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        app = hot.get(scope["path"], reads) if scope["type"] == "http" else reads
        await app(scope, receive, send)

    # What nobody foresaw: the traceback goes to the log, the client gets a problem document.
    return ServerErrorMiddleware(dispatch, handler=unforeseen)
