# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Readings of all tiers on one time axis: what each chosen domain drew in an interval, and what came too late for it.

An interval is closed once every chosen domain is settled to its end, or ten seconds after it (METERING 4), and never
changes then. The rule for what is booked keeps energy exact under any order of readings:

* At any moment the machine draws what the outermost domain says that has a figure for that moment; where a platform's
  meter was silent, the domains in it stand for themselves.
* A domain that contains others is booked in an interval that it covers whole, for its residual would otherwise be a
  difference of two different times. One without is booked where it covers at least half.
* What the rule above says of a closed interval once more readings came, less what was booked of it, is owed. It is
  booked in the next interval to the outermost domain of that tree, as ``late``: part of its residual, or of what is
  unattributed, and nobody's in either view.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.meters.track import Missing, Track
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.meters.counter import Energy, Lost

LONGEST_OPEN_NS: Final = 10 * NS_PER_S
"""METERING 4: an interval closes at the latest this long after its end."""

# The slowest meter is a dcgm-exporter with its default interval, whose counter may stand for 120 s.
_REMEMBERED_NS: Final = 150 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Drew:
    """One domain in one interval. ``energy_uj`` holds ``late_uj`` (signed), which belongs to earlier ones.

    ``elapsed_ns`` is how much of the interval the rest covers.
    """

    energy_uj: int
    elapsed_ns: int
    late_uj: int = 0

    @property
    def timely_uj(self) -> int:
        """What was drawn in this interval."""
        return self.energy_uj - self.late_uj


@dataclass(frozen=True, slots=True)
class Aligned:
    """One interval: energy by domain, and the times without."""

    drew: Mapping[str, Drew]
    missing: tuple[Missing, ...]


@dataclass(slots=True)
class _Closed:
    """A closed interval: by tree, what has been booked of it or is owed."""

    from_ns: int
    to_ns: int
    credited_uj: dict[str, int]


class Alignment:
    """The chosen domains. ``parents`` maps each to the chosen domain that contains it, or None; parents first."""

    def __init__(self, parents: Mapping[str, str | None]) -> None:
        self._parents = dict(parents)
        self._tracks = {name: Track(name) for name in parents}
        self._children: dict[str, list[str]] = {name: [] for name in parents}
        for name, parent in parents.items():
            if parent is not None:
                self._children[parent].append(name)
        self._roots = [name for name, parent in parents.items() if parent is None]
        self._closed: deque[_Closed] = deque()
        self.owed_uj: dict[str, int] = {}
        """By tree, what is to be booked as late."""

    def add(self, domain: str, outcome: Energy | Lost) -> None:
        """Takes what a reading of a chosen domain brought."""
        self._tracks[domain].add(outcome)

    def settle(self, domain: str, to_ns: int) -> None:
        """A chosen domain was heard of at ``to_ns``, and nothing is to come for the time before."""
        self._tracks[domain].settle(to_ns)

    def settled(self, to_ns: int) -> bool:
        """Whether every chosen domain covers ``to_ns``, or is known not to."""
        return all(each.settled_ns is not None and each.settled_ns >= to_ns for each in self._tracks.values())

    def close(self, from_ns: int, to_ns: int) -> Aligned:
        """Books the interval and, of earlier ones, what is owed. Intervals come in the order of time."""
        self._reckon()
        timely = {name: self._covered(name, from_ns, to_ns) for name in self._parents}
        booked = {name: each for name, each in timely.items() if self._is_booked(name, each, to_ns - from_ns)}
        credited = {root: sum(booked[name].energy_uj for name in self._outermost(root, booked)) for root in self._roots}
        for root in self._roots:
            self._pay(root, booked)
        closed = _Closed(from_ns, to_ns, credited)
        self._closed.append(closed)
        self._credit(closed)
        for track in self._tracks.values():
            track.noted()
        missing = [each for track in self._tracks.values() for each in track.missing(from_ns, to_ns)]
        while self._closed and self._closed[0].to_ns < to_ns - _REMEMBERED_NS:
            self._closed.popleft()
        for track in self._tracks.values():
            track.forget(self._closed[0].from_ns)
        return Aligned(booked, tuple(missing))

    def _covered(self, name: str, from_ns: int, to_ns: int) -> Drew:
        pieces = list(self._tracks[name].within(from_ns, to_ns))
        return Drew(sum(each.energy_uj for each in pieces), sum(each.to_ns - each.from_ns for each in pieces))

    def _is_booked(self, name: str, drew: Drew, length_ns: int) -> bool:
        if length_ns <= 0:
            return False
        if self._children[name]:
            return drew.elapsed_ns == length_ns
        return length_ns <= 2 * drew.elapsed_ns

    def _outermost(self, name: str, booked: Mapping[str, object]) -> Iterable[str]:
        """The booked domains of a tree that no booked one contains."""
        if name in booked:
            return (name,)
        return [each for child in self._children[name] for each in self._outermost(child, booked)]

    def _reckon(self) -> None:
        """Readings that reach back into closed intervals change what those are worth."""
        arrived = [track.arrived_ns for track in self._tracks.values() if track.arrived_ns is not None]
        since_ns = min(arrived, default=None)
        if since_ns is None:
            return
        for closed in self._closed:
            if closed.to_ns > since_ns:
                self._credit(closed)

    def _credit(self, closed: _Closed) -> None:
        for root in self._roots:
            worth_uj = self._worth_uj(root, closed.from_ns, closed.to_ns)
            owed_uj = self.owed_uj.get(root, 0) + worth_uj - closed.credited_uj[root]
            closed.credited_uj[root] = worth_uj
            if owed_uj:
                self.owed_uj[root] = owed_uj
            else:
                self.owed_uj.pop(root, None)

    def _worth_uj(self, name: str, from_ns: int, to_ns: int) -> int:
        """Energy of a tree: its outermost figure at every moment."""
        total_uj, at_ns = 0, from_ns
        for piece in self._tracks[name].within(from_ns, to_ns):
            total_uj += piece.energy_uj + self._below_uj(name, at_ns, piece.from_ns)
            at_ns = piece.to_ns
        return total_uj + self._below_uj(name, at_ns, to_ns)

    def _below_uj(self, name: str, from_ns: int, to_ns: int) -> int:
        return sum(self._worth_uj(child, from_ns, to_ns) for child in self._children[name]) if from_ns < to_ns else 0

    def _pay(self, root: str, booked: dict[str, Drew]) -> None:
        """Books what a tree is owed to its outermost domains; a debt they cannot bear now waits."""
        for name in self._outermost(root, booked):
            owed_uj = self.owed_uj.get(root, 0)
            drew = booked[name]
            # Only a residual may be negative, and no domain's energy.
            contains = any(True for child in self._children[name] for _ in self._outermost(child, booked))
            late_uj = max(owed_uj, -drew.energy_uj if contains else 0)
            if late_uj:
                booked[name] = Drew(drew.energy_uj + late_uj, drew.elapsed_ns, late_uj)
                self.owed_uj[root] = owed_uj - late_uj
        if self.owed_uj.get(root) == 0:
            del self.owed_uj[root]
