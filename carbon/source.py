# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Where figures come from: one protocol, and the ladder that asks sources from the best rung down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from carbon.intensity import METHODS, Basis, Method, Rated, Rung

if TYPE_CHECKING:
    from carbon.intensity import Intensity


class IntensitySource(Protocol):
    """Something that knows figures for some zones, and answers at once: what needs a network is fetched beforehand."""

    @property
    def name(self) -> str:
        """As it appears in reasons."""
        ...

    @property
    def rung(self) -> Rung:
        """The rung on which all values of this source stand."""
        ...

    def intensity(self, zone: str, *, at_unix_s: int, method: Method, basis: Basis) -> Intensity | None:
        """The figure for ``zone`` at a time, of exactly this method and basis; None where there is none."""
        ...


class Ladder:
    """Sources from the best rung to the worst. A source that knows nothing costs a rung, never an error."""

    def __init__(self, *sources: IntensitySource) -> None:
        self._sources = sources

    def rate(self, zone: str, *, at_unix_s: int, method: Method = "direct", basis: Basis = "average") -> Rated:
        """The best value of one method and basis; these are never replaced by another silently."""
        if not zone:
            return Rated(zone=zone, rung="none", value=None, reason="the site states no grid zone")
        for source in self._sources:
            value = source.intensity(zone, at_unix_s=at_unix_s, method=method, basis=basis)
            if value is not None:
                return Rated(zone=zone, rung=source.rung, value=value, reason=f"{source.name} has a figure")
        names = ", ".join(source.name for source in self._sources) or "none"
        reason = f"no {method} {basis} figure for zone {zone!r} in any source ({names})"
        return Rated(zone=zone, rung="none", value=None, reason=reason)

    def rate_any(self, zone: str, *, at_unix_s: int, method: Method = "direct", basis: Basis = "average") -> Rated:
        """As `rate`, but where ``method`` has no figure one of another method, whose value then says so."""
        first = self.rate(zone, at_unix_s=at_unix_s, method=method, basis=basis)
        for other in METHODS:
            if first.value is not None or other == method:
                continue
            rated = self.rate(zone, at_unix_s=at_unix_s, method=other, basis=basis)
            if rated.value is not None:
                reason = f"only a {other} figure is known, which compares with no {method} one"
                return Rated(zone=zone, rung=rated.rung, value=rated.value, reason=reason)
        return first
