# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The extender as a process: the real server, signals, and ``kill -9`` between acknowledgement and uplink."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from extender.app import application
from plumbing.http import HttpClient, HttpStatusError, HttpUnreachable
from plumbing.server import Address, Server
from tests.extender.fleet import FakeFleet
from tests.extender.replica import running
from tests.scheduling.pods import args, pod
from tests.wire.reports import report
from wire.report import encode

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def process(**settings: Any) -> AsyncIterator[tuple[Process, HttpClient]]:
    """``python -m extender``, ready; killed at the end if it still runs."""
    port = _free_port()
    document = {"port": port, "parent_pid": os.getpid(), **settings}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "extender",
        env={**os.environ, "PENSTOCK_EXTENDER_SETTINGS_JSON": json.dumps(document)},
        stderr=asyncio.subprocess.PIPE,
    )
    client = HttpClient(f"http://127.0.0.1:{port}")
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(HttpUnreachable):
                    await client.get("/readyz")
                    break
                if child.returncode is not None:
                    raise AssertionError((await child.communicate())[1].decode())
                await asyncio.sleep(0.05)
        yield child, client
    finally:
        await client.close()
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def test_the_real_server_keeps_its_connection_and_answers_everything() -> None:
    async with running() as replica:
        server = Server(application(replica.cluster), address=Address("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve())
        client = HttpClient(f"http://{server.address}")
        try:
            assert json.loads((await client.post("/v1/reports", encode(report()))).body)["acked_sequence"] == 1
            for _ in range(3):
                answer = await client.post("/filter", json.dumps(args(pod(), "node-a")).encode())
                assert json.loads(answer.body)["NodeNames"] == ["node-a"]
            assert json.loads((await client.get("/v1/cluster")).body)["energy_uj"] == 24_000_000
            with pytest.raises(HttpStatusError, match="413"):
                await client.post("/filter", b" " * (10 * 2**20))
            assert (await client.get("/livez")).status == 200
        finally:
            await client.close()
            server.stop()
            await serving


async def test_sigterm_ends_it_in_order_and_a_second_one_on_the_same_state_is_refused(tmp_path: Path) -> None:
    async with process(state=str(tmp_path)) as (child, client):
        await client.post("/v1/reports", encode(report()))
        document = {"port": 0, "state": str(tmp_path)}
        second = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "extender",
            env={**os.environ, "PENSTOCK_EXTENDER_SETTINGS_JSON": json.dumps(document)},
            stderr=asyncio.subprocess.PIPE,
        )
        _, stderr = await second.communicate()
        assert second.returncode == 1
        assert b"in use by another process" in stderr
        child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await child.wait() == 0


async def test_kill_between_acknowledgement_and_uplink_loses_and_doubles_nothing(tmp_path: Path) -> None:
    fleet = FakeFleet(port=_free_port())
    settings = {"state": str(tmp_path), "fleet_target": f"127.0.0.1:{fleet.port}"}
    async with process(**settings) as (child, client):
        for sequence in (1, 2, 3):
            await client.post("/v1/reports", encode(report(sequence=sequence)))
        child.kill()
        await child.wait()
    async with fleet.served(), process(**settings) as (child, client):
        again = json.loads((await client.post("/v1/reports", encode(report(sequence=3)))).body)
        assert again["duplicate"] is True
        await client.post("/v1/reports", encode(report(sequence=4)))
        await fleet.until(4)
        whole = json.loads((await client.get("/v1/cluster")).body)
        assert fleet.energy_uj == whole["energy_uj"] == 4 * 24_000_000
        assert fleet.gaps == []
