# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A stranger at the agent's port: every request gets an answer with a reason, and none can hold the server up."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.publish.server import Page, Server, json_page
from plumbing.problem import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

pytestmark = pytest.mark.anyio


def echo(params: Mapping[str, str]) -> Page:
    if "bad" in params:
        raise Problem(400, "not this", field="bad")
    return json_page(dict(params))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server({"/echo": echo}, header_timeout_s=0.2, connections=4)
    await made.start(host="127.0.0.1", port=0)
    yield made
    await made.stop()


async def talk(server: Server, *requests: bytes, end: bool = True) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for request in requests:
        writer.write(request)
        await writer.drain()
    if end:
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def document(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


async def test_one_connection_serves_many_requests(server: Server) -> None:
    answer = await talk(server, b"GET /echo?a=1 HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.endswith(b'{"a":"1"}')


async def test_head_has_the_length_and_no_body(server: Server) -> None:
    answer = await talk(server, b"HEAD /echo?a=1 HTTP/1.1\r\n\r\n")
    assert b"content-length: 9" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "expected", "field"),
    [
        (b"GET /echo?bad=1 HTTP/1.1\r\n\r\n", 400, "bad"),
        (b"GET /echo?a=1&a=2 HTTP/1.1\r\n\r\n", 400, "a"),
        (b"GET /echo?a HTTP/1.1\r\n\r\n", 400, "query"),
        (b"GET /echo?" + b"a=1&" * 40 + b" HTTP/1.1\r\n\r\n", 400, "query"),
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404, "path"),
        (b"POST /echo HTTP/1.1\r\n\r\n", 405, "method"),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413, "content-length"),
        (b"GET /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413, "content-length"),
        (b"GET /echo HTTP/2.0\r\n\r\n", 505, "request line"),
        (b"GET\r\n\r\n", 400, "request line"),
        (b"\xff\xfe\x00 / HTTP/1.1\r\n\r\n", 405, "method"),
        (b"GET http:// HTTP/1.1\r\n\r\n", 400, "request line"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400, "request line"),
        (b"GET /echo HTTP/1.1\r\nno colon\r\n\r\n", 400, "header"),
        (b"GET /echo HTTP/1.1\r\nX", 400, None),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n", 431, None),
    ],
)
async def test_a_bad_request_is_refused_by_name(
    server: Server, request_bytes: bytes, expected: int, field: str | None
) -> None:
    if b"\xff\xfe\x00" in request_bytes:
        request_bytes = request_bytes.replace(b" / ", b" /echo ")
    answer = await talk(server, request_bytes)
    assert status(answer) == expected
    assert b"application/problem+json" in answer
    assert document(answer).get("field") == field
    assert status(await talk(server, b"GET /echo HTTP/1.1\r\n\r\n")) == 200, "the server goes on"


async def test_a_header_that_never_ends_is_cut_off(server: Server) -> None:
    assert status(await talk(server, b"GET /echo HTTP/1.1\r\n", end=False)) == 408


async def test_more_connections_than_allowed_are_told_so(server: Server) -> None:
    held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(4)]
    await asyncio.sleep(0.05)
    assert status(await talk(server, b"GET /echo HTTP/1.1\r\n\r\n")) == 503
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert status(await talk(server, b"GET /echo HTTP/1.1\r\n\r\n")) == 200


async def test_http_1_0_closes_after_one(server: Server) -> None:
    answer = await talk(server, b"GET /echo HTTP/1.0\r\n\r\n" * 2)
    assert answer.count(b"200 OK") == 1
