# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The blocking HTTP client: bounded in time and size, and nothing leaves for another server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from plumbing.http import (
    BlockingHttpClient,
    HttpError,
    HttpStatusError,
    HttpTimeout,
    HttpTooLarge,
    HttpUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "http://device/"


class Body(httpx.SyncByteStream):
    """A body that comes in pieces, as from a socket."""

    def __init__(self, *pieces: bytes, pause_s: float = 0.0) -> None:
        self._pieces = pieces
        self._pause_s = pause_s

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            time.sleep(self._pause_s)
            yield piece


def client(handle: httpx.MockTransport, *, limit_bytes: int = 1000) -> BlockingHttpClient:
    return BlockingHttpClient(BASE, transport=handle, limit_bytes=limit_bytes, timeout_s=0.2)


def test_an_answer_comes_with_its_headers() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "http://device/a?b=1&c=2"
        assert request.headers["accept-encoding"] == "identity"
        return httpx.Response(200, headers={"ETag": '"x"'}, stream=Body(b"{", b"}"))

    answer = client(httpx.MockTransport(handle)).request("GET", "/a?b=1", params={"c": "2"})
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"{}", '"x"')


def test_a_body_is_json_unless_told_otherwise_and_basic_goes_along() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/json"
        assert request.headers["authorization"] == "Basic bWU6c2VjcmV0"
        assert request.content == b"[1]"
        return httpx.Response(201, stream=Body())

    assert client(httpx.MockTransport(handle)).request("POST", "/", body=b"[1]", basic=("me", "secret")).status == 201


@pytest.mark.parametrize(("sent", "fine"), [({"If-None-Match": '"x"'}, True), ({}, False)])
def test_not_modified_is_an_answer_only_to_who_asked(sent: dict[str, str], *, fine: bool) -> None:
    made = client(httpx.MockTransport(lambda request: httpx.Response(304, stream=Body())))
    if fine:
        assert made.request("GET", "/", headers=sent).status == 304
    else:
        with pytest.raises(HttpStatusError):
            made.request("GET", "/", headers=sent)


@pytest.mark.parametrize("status", [308, 401, 404, 503])
def test_any_other_status_is_an_error_with_headers(status: int) -> None:
    made = client(
        httpx.MockTransport(lambda request: httpx.Response(status, headers={"retry-after": "7"}, stream=Body(b"no")))
    )
    with pytest.raises(HttpStatusError) as caught:
        made.request("GET", "/")
    assert caught.value.status == status
    assert caught.value.headers["retry-after"] == "7"


def test_an_answer_longer_than_the_limit_is_cut_off() -> None:
    made = client(httpx.MockTransport(lambda request: httpx.Response(200, stream=Body(b"x" * 500, b"x" * 501))))
    with pytest.raises(HttpTooLarge):
        made.request("GET", "/")
    made = client(httpx.MockTransport(lambda request: httpx.Response(200, stream=Body(b"x" * 500, b"x" * 500))))
    assert len(made.request("GET", "/").body) == 1000


def test_an_answer_that_drips_is_out_of_time() -> None:
    drip = Body(*[b"."] * 100, pause_s=0.05)
    made = client(httpx.MockTransport(lambda request: httpx.Response(200, stream=drip)))
    started_s = time.monotonic()
    with pytest.raises(HttpTimeout):
        made.request("GET", "/")
    assert time.monotonic() - started_s < 1.0


def test_nobody_there_is_unreachable() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(HttpUnreachable, match="refused"):
        client(httpx.MockTransport(handle)).request("GET", "/")


@pytest.mark.parametrize("path", ["http://elsewhere/", "//elsewhere/", "relative", ""])
def test_no_path_leaves_the_server(path: str) -> None:
    made = client(httpx.MockTransport(lambda request: httpx.Response(200)))
    with pytest.raises(ValueError, match="not a path"):
        made.request("GET", path)


def test_the_errors_are_one_tree() -> None:
    assert issubclass(HttpTimeout, HttpUnreachable)
    assert {each.__base__ for each in (HttpUnreachable, HttpStatusError, HttpTooLarge)} == {HttpError}
