# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Raw ASGI pieces for hot paths and for what every service answers alike.

A hot endpoint is a function from a request's bytes to an answer; FastAPI serves everything else.
"""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plumbing.problem import CONTENT_TYPE as PROBLEM_TYPE
from plumbing.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

JSON = "application/json"
MAX_BODY_BYTES = 4 * 2**20
"""Default limit of a request body, before and after decompression."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and content type of a response."""

    body: bytes
    status: int = 200
    content_type: str = JSON


DRAIN_BYTES = 64 * 2**20
"""Of a body that is too long, so much is read and thrown away before the answer: a client that is still sending would
see a broken connection instead of why."""
_DRAIN_S = 5.0


class _Reading:
    """``receive`` of one request that remembers whether the body is over; asking on would wait for the client to go."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.over = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.over = not message.get("more_body", False)
        return message

    async def drain(self, scope: Scope) -> bool:
        """Throws away what is left of the body, up to a size and a time; False where some may be left.

        Nothing is read of a client that waits for leave to send (``Expect``): it would send.
        """
        if not self.over and b"100-continue" in dict(scope["headers"]).get(b"expect", b"").lower():
            return False
        size = 0
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self.over and size <= DRAIN_BYTES:
                    size += len((await self()).get("body", b""))
        except TimeoutError:
            return False
        return self.over


async def _refuse(scope: Scope, reading: _Reading, to: Send, problem: Problem) -> None:
    """Answers with a problem; of a body that is too long the rest is taken first, or the connection ends after it."""
    over = problem.status != 413 or await reading.drain(scope)
    await send(
        to,
        Answer(problem.body(), status=problem.status, content_type=PROBLEM_TYPE),
        headers=() if over else ((b"connection", b"close"),),
    )


async def read_body(scope: Scope, receive: Receive, *, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The whole body, gunzipped where Content-Encoding says so. Raises Problem 413, 415 or 400."""
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise Problem(413, f"the body has {int(declared)} bytes, the limit is {limit_bytes}", field="body")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "the client went away before the body was complete", field="body")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit_bytes:
            raise Problem(413, f"the body is longer than the limit of {limit_bytes} bytes", field="body")
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    body = b"".join(chunks)
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding in {b"identity", b""}:
        return body
    if encoding != b"gzip":
        raise Problem(
            415, f"Content-Encoding {encoding.decode('latin-1')!r} is not supported, use gzip", field="Content-Encoding"
        )
    return _gunzip(body, limit_bytes=limit_bytes)


def _gunzip(body: bytes, *, limit_bytes: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        data = stream.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise Problem(400, f"not valid gzip: {error}", field="body") from error
    if len(data) > limit_bytes:
        raise Problem(413, f"the body is longer than the limit of {limit_bytes} bytes when unpacked", field="body")
    if not stream.eof:
        raise Problem(400, "the gzip stream ends early", field="body")
    return data


async def send(to: Send, answer: Answer, *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Writes an answer; header and body leave in one packet, or Nagle costs 40 ms a call (reference/scheduler 1.5)."""
    await to(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [
                (b"content-type", answer.content_type.encode()),
                (b"content-length", str(len(answer.body)).encode()),
                *headers,
            ],
        }
    )
    await to({"type": "http.response.body", "body": answer.body})


def post(handle: Callable[[bytes], Answer | Awaitable[Answer]], *, limit_bytes: int = MAX_BODY_BYTES) -> App:
    """An ASGI application for one POST endpoint: body in, answer out, Problem becomes RFC 9457."""

    async def app(scope: Scope, receive: Receive, to: Send) -> None:
        reading = _Reading(receive)
        try:
            if scope["method"] != "POST":
                raise Problem(405, f"{scope['method']} is not allowed here, use POST")
            answer = handle(await read_body(scope, reading, limit_bytes=limit_bytes))
            if not isinstance(answer, Answer):
                answer = await answer
        except Problem as problem:
            await _refuse(scope, reading, to, problem)
            return
        await send(to, answer)

    return app


def limit_bodies(app: App, *, limit_bytes: int = MAX_BODY_BYTES) -> App:
    """Middleware: no request of ``app`` may carry more than ``limit_bytes``."""

    async def limited(scope: Scope, receive: Receive, to: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, to)
            return
        size = 0
        started = False
        reading = _Reading(receive)

        async def counted() -> Message:
            nonlocal size
            message = await reading()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > limit_bytes:
                    raise Problem(413, f"the body is longer than the limit of {limit_bytes} bytes", field="body")
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await to(message)

        declared = dict(scope["headers"]).get(b"content-length", b"")
        try:
            if declared.isdigit() and int(declared) > limit_bytes:
                raise Problem(413, f"the body has {int(declared)} bytes, the limit is {limit_bytes}", field="body")
            await app(scope, counted, watched)
        except Problem as problem:
            if started:
                raise
            await _refuse(scope, reading, to, problem)

    return limited


def json_answer(document: Any, *, status: int = 200) -> Answer:
    """An answer from plain Python values, for cold paths."""
    return Answer(json.dumps(document).encode(), status=status)
