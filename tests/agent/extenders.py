# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""An extender that keeps the contract of `wire.report` and fails when it is told to."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from plumbing.problem import Problem
from wire.report import ProfileInForce, Report, ReportAck, decode


@dataclass
class Books:
    """Watermark per stream, and what was booked, in order."""

    watermarks: dict[str, int] = field(default_factory=dict)
    booked: list[Report] = field(default_factory=list)
    duplicates: int = 0
    profile: ProfileInForce = field(default_factory=ProfileInForce)
    poison: frozenset[int] = frozenset()

    def take(self, report: Report) -> ReportAck:
        """Books a report once. Raises Problem 409 for one that is not next, 422 for a poisoned one."""
        if report.sequence in self.poison:
            raise Problem(422, "poisoned", field="sequence")
        at = self.watermarks.get(report.stream)
        if at is not None and report.sequence <= at:
            self.duplicates += 1
            return ReportAck(acked_sequence=at, duplicate=True, profile=self.profile)
        expected = at + 1 if at is not None else report.sequence
        for dropped in report.dropped:
            if dropped.first <= expected <= dropped.last:
                expected = dropped.last + 1
        if report.sequence != expected:
            raise Problem(409, "not next", field="sequence", expected_sequence=expected)
        self.watermarks[report.stream] = report.sequence
        self.booked.append(report)
        return ReportAck(acked_sequence=report.sequence, profile=self.profile)


class FakeExtender:
    """Serves `Books` over HTTP on a free port; `fail` names statuses to answer instead, oldest first."""

    def __init__(self, *, port: int = 0) -> None:
        self.books = Books()
        self.fail: list[int] = []
        self.requests = 0
        self._open: list[socket.socket] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer._open.append(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                status, answer = outer.answer(body)
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """What the books say, or what was told."""
        self.requests += 1
        if self.fail:
            status = self.fail.pop(0)
            return status, b"{}"
        try:
            return 200, msgspec.json.encode(self.books.take(decode(body)))
        except Problem as problem:
            return problem.status, problem.body()

    def close(self) -> None:
        """Stops listening and cuts every connection."""
        self._server.shutdown()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
