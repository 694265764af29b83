# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The only importer of httpx: HTTP clients with timeouts, and errors that say transient or permanent.

httpx has had no stable release since 2024; the fork that replaces it is one import line away, here.

    HttpError
    ├── HttpUnreachable    nothing answered: try again later
    │   ├── HttpTimeout    not in time
    │   └── HttpUntrusted  the certificate is not one that is trusted
    ├── HttpTooLarge       the answer is longer than it may be
    └── HttpStatusError    an answer other than 2xx; ``transient`` for 408, 425, 429 and 5xx
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

Transport = httpx.AsyncBaseTransport
"""The seam for tests: an `httpx.MockTransport` or `httpx.ASGITransport` in place of the network."""

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class HttpError(Exception):
    """A request that gave no usable answer."""


class HttpUnreachable(HttpError):
    """Nothing answered, or not in time."""


class HttpTimeout(HttpUnreachable):
    """Something is there, or not, but it did not answer in time."""


class HttpUntrusted(HttpUnreachable):
    """The server's certificate does not verify."""


class HttpTooLarge(HttpError):
    """The answer is longer than the caller's limit."""


class HttpStatusError(HttpError):
    """An answer that is not 2xx."""

    def __init__(self, *, status: int, body: bytes, url: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{url} answered {status}: {body[:300].decode(errors='replace')}")
        self.status = status
        self.body = body
        self.headers: Mapping[str, str] = headers or {}

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _TRANSIENT


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers and body of a 2xx answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """One keep-alive client to one base URL."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = 5.0,
        headers: Mapping[str, str] | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout_s,
            headers=headers,
            transport=transport,
            trust_env=False,
            follow_redirects=False,
        )

    async def get(self, path: str, *, params: Mapping[str, str] | None = None) -> Response:
        """GET; raises HttpError."""
        return await self._request("GET", path, params=params)

    async def post(self, path: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> Response:
        """POST ``body`` as JSON unless ``headers`` say otherwise; raises HttpError."""
        return await self._request(
            "POST", path, content=body, headers={"content-type": "application/json", **(headers or {})}
        )

    async def _request(self, method: str, path: str, **options: Any) -> Response:
        try:
            answer = await self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise HttpUnreachable(f"{method} {self._base_url}{path}: {str(error) or type(error).__name__}") from error
        if not answer.is_success:
            raise HttpStatusError(status=answer.status_code, body=answer.content, url=str(answer.url))
        return Response(status=answer.status_code, headers=answer.headers, body=answer.content)

    async def close(self) -> None:
        """Closes idle connections."""
        await self._client.aclose()


def trust(*, ca_file: str = "", verified: bool = True) -> ssl.SSLContext:
    """What a client accepts as the server's certificate: signed by ``ca_file``, else by the system's authorities.

    ``verified=False`` accepts anything, and is for one endpoint whose owner said so. Raises OSError or ssl.SSLError
    for a file that cannot be used.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class BlockingHttpClient:
    """One keep-alive client for a thread that may block; answers are bounded in size, calls in time.

    Answers come unpacked only (no Content-Encoding is asked for), so that ``limit_bytes`` bounds memory as well. No
    redirect is followed, and no path may leave the base URL: credentials go to that server and nowhere else.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = 5.0,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        limit_bytes: int = 4 * 2**20,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._limit_bytes = limit_bytes
        self._client = httpx.Client(
            headers={"accept-encoding": "identity", **(headers or {})},
            verify=tls or (trust() if base_url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
            transport=transport,
            trust_env=False,
            follow_redirects=False,
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """One call; raises HttpError. An answer 304 to a request with If-None-Match is a Response without a body.

        ``basic`` is a user and a password. ``timeout_s`` (default: the client's) bounds connecting, every pause, and
        the whole answer however slowly it drips; so a call takes at most twice that long.
        """
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"{path!r} is not a path below {self._base_url}")
        allowed_s = self._timeout_s if timeout_s is None else timeout_s
        deadline_s = time.monotonic() + allowed_s
        url = self._base_url + path
        if params:
            # httpx would put them in place of the path's own.
            url += ("&" if "?" in path else "?") + urlencode(params)
        sent = dict(headers or {})
        if body is not None:
            sent.setdefault("content-type", "application/json")
        try:
            with self._client.stream(
                method,
                url,
                content=body,
                headers=sent,
                auth=httpx.BasicAuth(*basic) if basic else None,
                timeout=allowed_s,
            ) as answer:
                content = self._read(answer, url=url, deadline_s=deadline_s)
        except httpx.TimeoutException as error:
            raise HttpTimeout(f"{method} {url}: no answer within {allowed_s:g} s") from error
        except httpx.HTTPError as error:
            if _untrusted(error):
                raise HttpUntrusted(f"{method} {url}: {error}") from error
            raise HttpUnreachable(f"{method} {url}: {str(error) or type(error).__name__}") from error
        unchanged = answer.status_code == 304 and any(name.lower() == "if-none-match" for name in sent)
        if not answer.is_success and not unchanged:
            raise HttpStatusError(status=answer.status_code, body=content, url=url, headers=answer.headers)
        return Response(status=answer.status_code, headers=answer.headers, body=content)

    def _read(self, answer: httpx.Response, *, url: str, deadline_s: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > self._limit_bytes:
                raise HttpTooLarge(f"{url}: more than {self._limit_bytes} bytes")
            if time.monotonic() > deadline_s:
                raise HttpTimeout(f"{url}: the answer was still coming when the time was over")
            chunks.append(chunk)
        return b"".join(chunks)

    def close(self) -> None:
        """Closes idle connections."""
        self._client.close()


def _untrusted(error: BaseException) -> bool:
    """Whether a certificate that does not verify is at the bottom of ``error``."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
