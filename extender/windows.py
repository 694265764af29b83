# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Mean power over the last N seconds of metered time, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

View = Literal["dynamic", "loaded"]

# A window of 3,600 s of 2 s intervals is kept as 60 buckets: its edge moves in steps of at most 1/60.
_BUCKETS = 60


@dataclass(slots=True)
class _Bucket:
    elapsed_ns: int
    dynamic_uj: int
    loaded_uj: int


class Window:
    """Energies of one owner on one node. Time is the node's own metered time, so clock jumps do not bend the mean."""

    __slots__ = ("_buckets", "_last_end_ns", "length_ns")

    def __init__(self, *, length_s: float) -> None:
        self.length_ns = round(length_s * 1e9)
        self._buckets: deque[_Bucket] = deque()
        self._last_end_ns: int | None = None

    def add(self, *, from_ns: int, to_ns: int, elapsed_ns: int, dynamic_uj: int, loaded_uj: int) -> None:
        """Adds an interval; after a silence longer than the window what was before is forgotten."""
        if self._last_end_ns is not None and from_ns - self._last_end_ns > self.length_ns:
            self._buckets.clear()
        self._last_end_ns = to_ns
        last = self._buckets[-1] if self._buckets else None
        if last is not None and last.elapsed_ns + elapsed_ns <= self.length_ns // _BUCKETS:
            last.elapsed_ns += elapsed_ns
            last.dynamic_uj += dynamic_uj
            last.loaded_uj += loaded_uj
        else:
            self._buckets.append(_Bucket(elapsed_ns, dynamic_uj, loaded_uj))
        held_ns = sum(bucket.elapsed_ns for bucket in self._buckets)
        while held_ns - self._buckets[0].elapsed_ns >= self.length_ns:
            held_ns -= self._buckets.popleft().elapsed_ns

    @property
    def covered_ns(self) -> int:
        """Metered time inside the window; less than its length until it has filled."""
        return min(self.length_ns, sum(bucket.elapsed_ns for bucket in self._buckets))

    def energy_uj(self, view: View) -> float:
        """Energy inside the window; of the bucket at its edge the part inside."""
        if not self._buckets:
            return 0.0
        energies = [bucket.dynamic_uj if view == "dynamic" else bucket.loaded_uj for bucket in self._buckets]
        outside_ns = sum(bucket.elapsed_ns for bucket in self._buckets) - self.length_ns
        edge = energies[0] * max(0, outside_ns) / self._buckets[0].elapsed_ns
        return sum(energies) - edge

    def mean_w(self, view: View) -> float:
        """Mean power over the metered part of the window; 0 while it is empty."""
        covered_ns = self.covered_ns
        return self.energy_uj(view) * 1e3 / covered_ns if covered_ns else 0.0

    @property
    def empty(self) -> bool:
        """Whether nothing was spent inside the window in either view."""
        return not any(bucket.dynamic_uj or bucket.loaded_uj for bucket in self._buckets)
