# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Raw ASGI pieces for hot paths and for what every service answers alike.

A hot endpoint is a function from a request's bytes to an answer; FastAPI serves everything else.
"""

from __future__ import annotations

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
        try:
            if scope["method"] != "POST":
                raise Problem(405, f"{scope['method']} is not allowed here, use POST")
            answer = handle(await read_body(scope, receive, limit_bytes=limit_bytes))
            if not isinstance(answer, Answer):
                answer = await answer
        except Problem as problem:
            answer = Answer(problem.body(), status=problem.status, content_type=PROBLEM_TYPE)
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

        async def counted() -> Message:
            nonlocal size
            message = await receive()
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
            await send(
                to,
                Answer(problem.body(), status=problem.status, content_type=PROBLEM_TYPE),
                headers=((b"connection", b"close"),),
            )

    return limited


def json_answer(document: Any, *, status: int = 200) -> Answer:
    """An answer from plain Python values, for cold paths."""
    return Answer(json.dumps(document).encode(), status=status)
