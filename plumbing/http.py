# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The only importer of httpx: an HTTP client with timeouts, and errors that say transient or permanent.

httpx has had no stable release since 2024; the fork that replaces it is one import line away, here.

    HttpError
    ├── HttpUnreachable    nothing answered: try again later
    └── HttpStatusError    an answer other than 2xx; ``transient`` for 408, 425, 429 and 5xx
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


class HttpStatusError(HttpError):
    """An answer that is not 2xx."""

    def __init__(self, *, status: int, body: bytes, url: str) -> None:
        super().__init__(f"{url} answered {status}: {body[:300].decode(errors='replace')}")
        self.status = status
        self.body = body

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
            raise HttpUnreachable(
                f"{method} {self._client.base_url}{path.lstrip('/')}: {str(error) or type(error).__name__}"
            ) from error
        if not answer.is_success:
            raise HttpStatusError(status=answer.status_code, body=answer.content, url=str(answer.url))
        return Response(status=answer.status_code, headers=answer.headers, body=answer.content)

    async def close(self) -> None:
        """Closes idle connections."""
        await self._client.aclose()
