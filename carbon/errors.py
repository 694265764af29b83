# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in this room.

CarbonError
├── TableError       a table of figures that cannot be used; names file, line and field
└── CurrencyError    sums of money in different currencies
"""

from __future__ import annotations


class CarbonError(ValueError):
    """Base of this room's errors. A zone without a figure is not one of them: it is a value with rung ``none``."""


class TableError(CarbonError):
    """A table that must not be used, because what stands in it cannot be trusted."""

    def __init__(self, *, file: str, field: str, reason: str, line: int | None = None) -> None:
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {field}: {reason}")
        self.file = file
        self.line = line
        self.field = field
        self.reason = reason


class CurrencyError(CarbonError):
    """Money of two currencies was about to be added; Penstock knows no exchange rates."""
