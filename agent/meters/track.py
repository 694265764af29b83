# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What one domain drew over time, as far as it is known, cut exactly where an interval ends.

Readings of different meters end at different moments. A piece of energy that spans the end of an interval is cut in
proportion to time, by a formula whose parts add up to the whole: energy up to t is E x (t - from) // (to - from).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from agent.meters.counter import Energy, Lost

if TYPE_CHECKING:
    from collections.abc import Iterator

LATE: Final = "late"
"""Reason of a gap that no reading has explained yet."""

_BEGIN = attrgetter("from_ns")


def clipped(piece: Energy, from_ns: int, to_ns: int) -> Energy | None:
    """The part of ``piece`` within ``from_ns..to_ns``; None where there is none. Parts of a partition add up to it."""
    begin_ns, end_ns = max(piece.from_ns, from_ns), min(piece.to_ns, to_ns)
    if begin_ns >= end_ns:
        return None
    length_ns = piece.to_ns - piece.from_ns
    before_uj = piece.energy_uj * (begin_ns - piece.from_ns) // length_ns
    until_uj = piece.energy_uj * (end_ns - piece.from_ns) // length_ns
    return Energy(until_uj - before_uj, begin_ns, end_ns)


@dataclass(frozen=True, slots=True)
class Missing:
    """A time for which a domain has no energy."""

    domain: str
    from_ns: int
    to_ns: int
    reason: str


class Track:
    """One domain. Pieces never overlap and come in the order of time."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.settled_ns: int | None = None
        """Up to here everything is known: energy, or why there is none."""
        self.arrived_ns: int | None = None
        """Where the earliest piece begins that came since `noted` was called."""
        self._pieces: list[Energy] = []
        self._lost: list[Lost] = []

    def add(self, outcome: Energy | Lost) -> None:
        """Takes what a reading brought. Time that has energy already keeps it: a joule is not booked twice."""
        if isinstance(outcome, Energy):
            last_ns = self._pieces[-1].to_ns if self._pieces else outcome.from_ns
            piece = clipped(outcome, last_ns, outcome.to_ns)
            if piece is not None:
                self._pieces.append(piece)
                if self.arrived_ns is None:
                    self.arrived_ns = piece.from_ns
        elif outcome.to_ns > outcome.from_ns:
            last = self._lost[-1] if self._lost else None
            if last is not None and last.reason == outcome.reason and last.to_ns == outcome.from_ns:
                # A meter that is away is asked all the time: one gap, however often.
                self._lost[-1] = Lost(last.reason, last.from_ns, outcome.to_ns)
            else:
                self._lost.append(outcome)
        self.settle(outcome.to_ns)

    def settle(self, to_ns: int) -> None:
        """Nothing more is expected for the time up to ``to_ns``."""
        self.settled_ns = to_ns if self.settled_ns is None else max(self.settled_ns, to_ns)

    def noted(self) -> None:
        """What has arrived so far is dealt with."""
        self.arrived_ns = None

    def within(self, from_ns: int, to_ns: int) -> Iterator[Energy]:
        """The pieces within, clipped."""
        at = max(0, bisect_right(self._pieces, from_ns, key=_BEGIN) - 1)
        while at < len(self._pieces) and self._pieces[at].from_ns < to_ns:
            piece = clipped(self._pieces[at], from_ns, to_ns)
            if piece is not None:
                yield piece
            at += 1

    def missing(self, from_ns: int, to_ns: int) -> list[Missing]:
        """Why there is no energy within, one gap per reason, from its first to its last moment."""
        found: dict[str, tuple[int, int]] = {}
        for begin_ns, end_ns in self._uncovered(from_ns, to_ns):
            at_ns = begin_ns
            for lost in self._lost:
                if lost.to_ns <= at_ns or lost.from_ns >= end_ns:
                    continue
                if lost.from_ns > at_ns:
                    _widen(found, LATE, at_ns, lost.from_ns)
                _widen(found, lost.reason, max(at_ns, lost.from_ns), min(lost.to_ns, end_ns))
                at_ns = min(lost.to_ns, end_ns)
            if at_ns < end_ns:
                _widen(found, LATE, at_ns, end_ns)
        return [Missing(self.domain, *span, reason) for reason, span in found.items()]

    def _uncovered(self, from_ns: int, to_ns: int) -> Iterator[tuple[int, int]]:
        at_ns = from_ns
        for piece in self.within(from_ns, to_ns):
            if piece.from_ns > at_ns:
                yield at_ns, piece.from_ns
            at_ns = piece.to_ns
        if at_ns < to_ns:
            yield at_ns, to_ns

    def forget(self, before_ns: int) -> None:
        """Drops what ended before; the newest piece stays, for what comes next must not overlap it."""
        keep = 0
        while keep < len(self._pieces) - 1 and self._pieces[keep].to_ns <= before_ns:
            keep += 1
        del self._pieces[:keep]
        self._lost = [each for each in self._lost if each.to_ns > before_ns]


def _widen(found: dict[str, tuple[int, int]], reason: str, from_ns: int, to_ns: int) -> None:
    begin_ns, end_ns = found.get(reason, (from_ns, to_ns))
    found[reason] = (min(begin_ns, from_ns), max(end_ns, to_ns))
