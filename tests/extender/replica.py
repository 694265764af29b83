# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A replica of the extender inside the test's process, on a clock that the test moves."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from extender.app import application
from extender.cluster import Cluster
from extender.settings import ExtenderSettings
from plumbing.clock import ManualClock
from plumbing.http import HttpClient, HttpStatusError
from tests.wire.reports import T0_NS
from wire.report import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wire.report import Report


class Replica:
    """A running cluster with a client to its application."""

    def __init__(self, cluster: Cluster, clock: ManualClock) -> None:
        self.cluster = cluster
        self.clock = clock
        self.http = HttpClient("http://extender", transport=httpx.ASGITransport(app=application(cluster)))

    async def report(self, report: Report) -> dict[str, Any]:
        """Delivers a report; the answer is its ack."""
        ack: dict[str, Any] = await self.post("/v1/reports", encode(report))
        return ack

    async def post(self, path: str, body: bytes | dict[str, Any]) -> Any:
        """POSTs and reads the JSON of a 200."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return json.loads((await self.http.post(path, sent)).body)

    async def refused(self, path: str, body: bytes | dict[str, Any]) -> dict[str, Any]:
        """POSTs what must not be taken and reads the problem."""
        with pytest.raises(HttpStatusError) as refusal:
            await self.post(path, body)
        problem: dict[str, Any] = json.loads(refusal.value.body)
        assert problem["status"] == refusal.value.status
        return problem

    async def refused_get(self, path: str) -> dict[str, Any]:
        """GETs what must not be answered and reads the problem."""
        with pytest.raises(HttpStatusError) as refusal:
            await self.get(path)
        problem: dict[str, Any] = json.loads(refusal.value.body)
        return problem

    async def get(self, path: str) -> Any:
        """GETs JSON."""
        return json.loads((await self.http.get(path)).body)

    async def dismiss(self, node: str) -> int:
        """Says that a node is gone; the answer's status."""
        transport = httpx.ASGITransport(app=application(self.cluster))
        async with httpx.AsyncClient(transport=transport, base_url="http://extender") as client:
            return (await client.delete(f"/v1/nodes/{node}")).status_code

    async def figures(self) -> dict[str, Any]:
        """All that a refused request must leave as it was."""
        whole = await self.get("/v1/cluster")
        del whole["as_of"]
        return {
            "cluster": whole,
            "namespaces": (await self.get("/v1/namespaces"))["items"],
            "pods": (await self.get("/v1/pods"))["items"],
            "holds": len(self.cluster.holds),
            "decisions": (await self.get("/v1/decisions"))["items"],
        }


@contextlib.asynccontextmanager
async def running(clock: ManualClock | None = None, **settings: Any) -> AsyncIterator[Replica]:
    """Starts a replica, by default in memory and 5 s after the first report's interval began; closes it at the end."""
    clock = clock or ManualClock(unix=T0_NS + 5_000_000_000)
    cluster = Cluster(replace(ExtenderSettings(), **settings), clock=clock)
    await cluster.start()
    replica = Replica(cluster, clock)
    try:
        yield replica
    finally:
        await replica.http.close()
        await cluster.close()
