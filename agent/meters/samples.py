# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Moments of power -> readings over time, for meters that are asked every few seconds over a network.

Two moments next to each other make one reading over the time between them, whose power is their mean (the trapezoid).
Moments that are too far apart make none: the later one is a gap and a new base. The very first is a reading of that
moment alone, which says what is drawn and books nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.meters.protocol import Reading, Unread
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Collection


class Samples:
    """The last moment of each domain; ``longest_s`` is how far apart two moments may be to belong together."""

    def __init__(self, *, longest_s: float) -> None:
        self._longest_ns = round(longest_s * NS_PER_S)
        self._last: dict[str, tuple[int, float, Reading]] = {}

    def reading(self, domain: str, *, at_ns: int, power_w: float) -> Reading | Unread:
        """What this moment completes; a moment that is not newer than the last repeats what the last one did."""
        last = self._last.get(domain)
        if last is not None and at_ns <= last[0]:
            return last[2]
        moment = Reading(domain=domain, from_ns=at_ns, to_ns=at_ns, power_w=power_w)
        if last is None:
            made = moment
        elif at_ns - last[0] > self._longest_ns:
            # A gap, once: asked again, it is a moment like the first.
            self._last[domain] = (at_ns, power_w, moment)
            return Unread(domain, "silent_too_long")
        else:
            made = Reading(domain=domain, from_ns=last[0], to_ns=at_ns, power_w=(last[1] + power_w) / 2)
        self._last[domain] = (at_ns, power_w, made)
        return made

    def forget(self, domains: Collection[str]) -> None:
        """Their next moments set new bases: what they were a sum of has changed."""
        for domain in domains:
            self._last.pop(domain, None)
