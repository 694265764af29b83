# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a kWh costs: a protocol for tariffs, and the flat one. Money is decimal and carries its currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal  # noqa: TC003  (a field of values that are decoded from JSON: needed at run time)
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Price:
    """Money per kWh; negative prices are real."""

    per_kwh: Decimal
    currency: str


class Tariff(Protocol):
    """A price for every moment, or none where the tariff does not say."""

    def price(self, *, at_unix_s: int) -> Price | None: ...


@dataclass(frozen=True, slots=True)
class FlatTariff:
    """The same price at all times."""

    always: Price

    def price(self, *, at_unix_s: int) -> Price | None:  # noqa: ARG002
        """The one price."""
        return self.always
