# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Asks a running role and turns what goes wrong into one sentence that says what to do."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from penstock.output import fail

if TYPE_CHECKING:
    from collections.abc import Mapping

AGENT = "http://127.0.0.1:28283"
EXTENDER = "http://127.0.0.1:8080"
FLEET = "http://127.0.0.1:8090"


def ask(url: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None) -> Any:
    """GET, or POST where there is a ``body``; ends the command with a message where no role answers."""
    return json.loads(fetch(url, path, params=params, body=body))


def fetch(url: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None) -> bytes:
    """Like `ask`, but the raw bytes of the answer."""
    from plumbing.http import HttpStatusError, HttpUnreachable

    try:
        return asyncio.run(_fetch(url, path, params=params, body=body))
    except HttpUnreachable as error:
        fail(f"nothing answers at {url} ({error}); start it with `penstock up`, or name another address")
    except HttpStatusError as error:
        fail(_problem(error.body) or str(error))


async def _fetch(url: str, path: str, *, params: Mapping[str, str] | None, body: Any) -> bytes:
    from plumbing.http import HttpClient

    client = HttpClient(url, timeout_s=10)
    try:
        if body is None:
            return (await client.get(path, params=params)).body
        return (await client.post(path, json.dumps(body).encode())).body
    finally:
        await client.close()


def _problem(body: bytes) -> str:
    try:
        problem = json.loads(body)
        field = f"{problem['field']}: " if problem.get("field") else ""
        return f"{field}{problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return ""
