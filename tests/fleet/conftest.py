# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A ledger in memory, a router over it, and HTTP to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from fleet_router.app import build
from fleet_router.service import Fleet
from fleet_router.settings import FleetSettings
from fleet_router.store import Store
from plumbing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SETTINGS = FleetSettings(port=0, grpc_port=0)


@pytest.fixture
def store() -> Iterator[Store]:
    """In memory."""
    ledger = Store(None)
    yield ledger
    ledger.close()


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """Everything but its HTTP server, listening for gRPC on a free port."""
    router = Fleet(replace(SETTINGS, body_limit_bytes=4096), clock=ManualClock())
    await router.start()
    yield router
    await router.stop()


@pytest.fixture
async def http(fleet: Fleet) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the ASGI application, which answers unexpected errors as a server would."""
    transport = httpx.ASGITransport(app=build(fleet), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://fleet") as client:
        yield client
