# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Errors as people and programs read them: RFC 9457 problem details that name the field."""

from __future__ import annotations

import json
from typing import Any

CONTENT_TYPE = "application/problem+json"

_TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    411: "Length required",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Invalid value",
    429: "Too many requests",
    431: "Header too large",
    500: "Internal error",
    503: "Unavailable",
}


class Problem(Exception):
    """An answer that says no: status, what is wrong in one sentence, and the field it is about."""

    def __init__(self, status: int, detail: str, *, field: str | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.more = more

    def body(self) -> bytes:
        """The problem document."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": title(self.status),
            "status": self.status,
            "detail": self.detail,
        }
        if self.field is not None:
            document["field"] = self.field
        return json.dumps(document | self.more).encode()


def title(status: int) -> str:
    """The short name of an HTTP status, as used in problem documents."""
    return _TITLES.get(status, "Error")
