# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Bodies are bounded before and after unpacking, and every refusal is a problem document."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest

from plumbing.asgi import Answer, limit_bodies, post, send
from plumbing.problem import Problem
from plumbing.server import Address, Server

if TYPE_CHECKING:
    from plumbing.asgi import App, Message, Receive, Scope, Send

pytestmark = pytest.mark.anyio


async def call(
    app: App, chunks: list[bytes], *, method: str = "POST", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[int, dict[str, str], bytes]:
    messages = [
        {"type": "http.request", "body": chunk, "more_body": at < len(chunks) - 1} for at, chunk in enumerate(chunks)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def collect(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "path": "/", "headers": list(headers)}, receive, collect)
    start, body = sent[0], sent[1]
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]


def echo(body: bytes) -> Answer:
    if body == b"no":
        raise Problem(422, "not this", field="body", more_here=1)
    return Answer(body)


async def test_body_in_answer_out() -> None:
    status, headers, body = await call(post(echo), [b"he", b"llo"])
    assert (status, headers["content-length"], body) == (200, "5", b"hello")
    packed = gzip.compress(b"hello" * 100)
    assert (await call(post(echo), [packed], headers=((b"content-encoding", b"gzip"),)))[2] == b"hello" * 100


@pytest.mark.parametrize(
    ("chunks", "headers", "status", "words"),
    [
        ([b"no"], (), 422, "not this"),
        ([b"x" * 60, b"x" * 60], (), 413, "limit of 100"),
        ([b"x"], ((b"content-length", b"101"),), 413, "limit is 100"),
        ([gzip.compress(b"x" * 101)], ((b"content-encoding", b"gzip"),), 413, "when unpacked"),
        ([gzip.compress(b"x" * 50)[:-4]], ((b"content-encoding", b"gzip"),), 400, "ends early"),
        ([b"plain"], ((b"content-encoding", b"gzip"),), 400, "not valid gzip"),
        ([b"x"], ((b"content-encoding", b"br"),), 415, "use gzip"),
    ],
)
async def test_refusals(chunks: list[bytes], headers: tuple[tuple[bytes, bytes], ...], status: int, words: str) -> None:
    code, sent, body = await call(post(echo, limit_bytes=100), chunks, headers=headers)
    problem = json.loads(body)
    assert (code, problem["status"], sent["content-type"]) == (status, status, "application/problem+json")
    assert words in problem["detail"]
    assert problem["field"] in {"body", "Content-Encoding"}


async def test_only_post() -> None:
    status, _, _ = await call(post(echo), [b""], method="GET")
    assert status == 405


async def test_a_body_that_is_cut_off_is_refused() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    sent: list[Message] = []

    async def collect(message: Message) -> None:
        sent.append(message)

    await post(echo)({"type": "http", "method": "POST", "headers": []}, receive, collect)
    assert sent[0]["status"] == 400


async def test_the_middleware_bounds_every_application() -> None:
    async def inner(scope: Scope, receive: Receive, to: Send) -> None:
        size = 0
        while True:
            message = await receive()
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await send(to, Answer(str(size).encode()))

    app: Any = limit_bodies(inner, limit_bytes=10)
    assert (await call(app, [b"12345", b"67890"]))[2] == b"10"
    assert (await call(app, [b"12345", b"678901"]))[0] == 413
    assert (await call(app, [b""], headers=((b"content-length", b"11"),)))[0] == 413


async def test_what_a_client_is_still_sending_is_taken_before_it_is_told_no() -> None:
    """Over a real socket: an answer with the connection's end before the body would be a reset for the client."""
    server = Server(limit_bodies(post(echo), limit_bytes=1000), address=Address("127.0.0.1", 0))
    serving = asyncio.ensure_future(server.serve())
    try:
        for _ in range(1000):
            if server._server.started:
                break
            await asyncio.sleep(0.01)
        for headers in ({}, {"transfer-encoding": "chunked"}):
            answer = await asyncio.to_thread(_send_all, server.address.port, headers)
            assert answer == (413, b"body")
    finally:
        server.stop()
        await serving


def _send_all(port: int, headers: dict[str, str]) -> tuple[int, bytes]:
    """Writes the whole body before it reads, as most clients do."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = b"x" * 10_000_000
    connection.request("POST", "/", iter([body]) if headers else body, headers, encode_chunked=bool(headers))
    response = connection.getresponse()
    found = response.status, json.loads(response.read())["field"].encode()
    connection.close()
    return found


async def test_a_client_that_asks_first_is_told_at_once() -> None:
    asked = ((b"content-length", b"5000"), (b"expect", b"100-continue"))
    status, headers, _ = await call(limit_bodies(post(echo), limit_bytes=10), [], headers=asked)
    assert (status, headers["connection"]) == (413, "close")
