# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The agent's HTTP server: GET and HEAD over HTTP/1.1 on asyncio streams, so that no ASGI server is in the process.

Everything that a stranger can make long is bounded: header bytes, header time, idle time, connections. Routes are
plain functions that answer from memory; a Problem raised by one becomes its document.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from plumbing.problem import CONTENT_TYPE as PROBLEM
from plumbing.problem import Problem, title

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HEADER_BYTES: Final = 16 * 1024
HEADER_TIMEOUT_S: Final = 5.0
IDLE_TIMEOUT_S: Final = 75.0
WRITE_TIMEOUT_S: Final = 10.0
CONNECTIONS: Final = 64
_MOST_PARAMETERS: Final = 16

_REASONS: Final = {200: "OK", 505: "HTTP version not supported"}


@dataclass(frozen=True, slots=True)
class Page:
    """An answer from memory."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200


Route = "Callable[[Mapping[str, str]], Page]"


def json_page(document: Mapping[str, Any]) -> Page:
    """A JSON answer."""
    return Page(json.dumps(document, separators=(",", ":")).encode())


class Server:
    """Serves ``routes`` by path; parameters of the query string are checked by the route."""

    def __init__(
        self,
        routes: Mapping[str, Callable[[Mapping[str, str]], Page]],
        *,
        header_timeout_s: float = HEADER_TIMEOUT_S,
        connections: int = CONNECTIONS,
    ) -> None:
        self._routes = routes
        self._header_timeout_s = header_timeout_s
        self._most = connections
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, *, host: str, port: int) -> None:
        """Listens. Raises OSError where the address is taken."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=HEADER_BYTES, backlog=128)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes the listener and every connection."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        left = dict(self._open)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        # A task that was cancelled before its first step has not closed its connection.
        for writer in left.values():
            await _close(writer)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A plain function, so that the connection's task is ours to bound and to end.
        task = asyncio.get_running_loop().create_task(self._connection(reader, writer), name="http")
        self._open[task] = writer
        task.add_done_callback(self._open.pop)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._open) > self._most:
                # Read first: closing on unread bytes resets the connection, and the answer is lost with it.
                with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    async with asyncio.timeout(self._header_timeout_s):
                        await reader.readuntil(b"\r\n\r\n")
                await _send(writer, _problem(Problem(503, f"more than {self._most} connections")), keep=False)
                return
            while await self._exchange(reader, writer):
                pass
        except (TimeoutError, OSError):
            pass  # the other side went away, or took too long to
        finally:
            await _close(writer)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; False where the connection ends after it."""
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                first = await reader.read(1)
            if not first:
                return False
            async with asyncio.timeout(self._header_timeout_s):
                head = first + await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            await _send(writer, _problem(Problem(431, f"header longer than {HEADER_BYTES} bytes")), keep=False)
            return False
        except asyncio.IncompleteReadError:
            await _send(writer, _problem(Problem(400, "the header has no end")), keep=False)
            return False
        except TimeoutError:
            await _send(writer, _problem(Problem(408, "the header took too long")), keep=False)
            return False
        try:
            request = parse(head)
        except Problem as problem:
            await _send(writer, _problem(problem), keep=False)
            return False
        page = self._answer(request)
        await _send(writer, page, keep=request.keep, head_only=request.method == "HEAD")
        return request.keep

    def _answer(self, request: Request) -> Page:
        try:
            route = self._routes.get(request.path)
            if route is None:
                raise Problem(404, f"nothing is at {request.path[:100]}", field="path")
            if request.method not in ("GET", "HEAD"):
                raise Problem(405, f"{request.method[:20]} is not served; GET is", field="method")
            return route(parameters(request.query))
        except Problem as problem:
            return _problem(problem)


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed header."""

    method: str
    path: str
    query: str
    keep: bool


def parse(head: bytes) -> Request:
    """Reads a request header that ends with an empty line. Raises Problem."""
    lines = head[:-4].split(b"\r\n")
    words = lines[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/"):
        raise Problem(400, "not a request line", field="request line")
    if words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise Problem(505, f"{words[2][:20].decode('ascii', 'replace')} is not spoken here", field="request line")
    headers: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise Problem(400, "a header line without a name", field="header")
        headers[name.lower()] = value.strip()
    if headers.get(b"transfer-encoding") or headers.get(b"content-length", b"0") != b"0":
        raise Problem(413, "a request here has no body", field="content-length")
    try:
        target = urlsplit(words[1].decode("ascii"))
    except ValueError as error:
        raise Problem(400, "the target is not a URL", field="request line") from error
    if not target.path.startswith("/"):
        raise Problem(400, "the target must begin with /", field="request line")
    connection = headers.get(b"connection", b"").lower()
    keep = connection != b"close" if words[2] == b"HTTP/1.1" else connection == b"keep-alive"
    return Request(words[0].decode("ascii", "replace"), target.path, target.query, keep)


def parameters(query: str) -> dict[str, str]:
    """The parameters of a query string. Raises Problem for one given twice, or for too many."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise Problem(400, f"the query string cannot be read: {error}", field="query") from error
    out: dict[str, str] = {}
    for name, value in pairs:
        if name in out:
            raise Problem(400, "given twice", field=name)
        out[name] = value
    return out


def _problem(problem: Problem) -> Page:
    return Page(problem.body(), PROBLEM, problem.status)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, page: Page, *, keep: bool, head_only: bool = False) -> None:
    lines = [
        f"HTTP/1.1 {page.status} {_REASONS.get(page.status) or title(page.status)}",
        f"content-type: {page.content_type}",
        f"content-length: {len(page.body)}",
        "cache-control: no-store",
        f"connection: {'keep-alive' if keep else 'close'}",
    ]
    if page.status == 405:
        lines.append("allow: GET, HEAD")
    if page.status == 503:
        lines.append("retry-after: 1")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head_only else page.body))
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await writer.drain()
