# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Node columns: what the scheduler's verbs need of every node, one NumPy row per node.

Belongs to the event loop. Readers take a `NodeView`, a copy of the rows they ask for that never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from wire.report import NodeFacts

# Curves are kept at multiples of 2.5 % load, which holds curves given at multiples of 10, 5 or 2.5 % exactly.
GRID = 41
_GRID_LOAD = np.linspace(0.0, 1.0, GRID)

STALE_AFTER_INTERVALS = 3  # SCHEDULING 6
# Nobody is called stale for a hiccup of a second, however short the interval.
_SHORTEST_INTERVAL_NS = NS_PER_S


def lifetime_ns(interval_ns: int) -> int:
    """For how long after its end an interval says what is the case now."""
    return STALE_AFTER_INTERVALS * max(interval_ns, _SHORTEST_INTERVAL_NS)


@dataclass(frozen=True, slots=True, eq=False)
class NodeView:
    """Some nodes at one moment, in the order asked for; arrays of shape (n,), curves (n, GRID), all read-only."""

    names: tuple[str, ...]
    usable: NDArray[np.bool_]
    """Fresh, and with a power curve: nothing may be concluded from the other columns where this is False."""
    cpus: NDArray[np.float64]
    load_ratio: NDArray[np.float64]
    """Busy CPUs over CPUs, 0..1."""
    curve_w: NDArray[np.float64]
    """Node power at equally spaced loads 0..1, never falling."""
    curve_error_ratio: NDArray[np.float64]
    """Half width of the curve's 95 % interval."""


_ROW = np.dtype(
    [
        ("cpus", np.float64),
        ("busy_cpus", np.float64),
        ("curve_w", np.float64, (GRID,)),
        ("curve_error_ratio", np.float64),
        ("curve_known", np.bool_),
        ("fresh_until_ns", np.int64),
    ]
)


class NodeTable:
    """All nodes that count, by name."""

    def __init__(self) -> None:
        self._columns = np.zeros(16, dtype=_ROW)
        self._rows: dict[str, int] = {}
        self._free = list(range(len(self._columns)))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self._rows)

    def add_silent(self, name: str) -> None:
        """A node of which the ledger knows that it reported, though not since this process started: stale."""
        self._row(name)

    def update(self, name: str, facts: NodeFacts, *, interval_ns: int, as_of_ns: int) -> None:
        """Takes a report's facts. ``as_of_ns``: end of the interval on the receiver's monotonic clock."""
        row = self._row(name)
        columns = self._columns
        columns["cpus"][row] = facts.cpus
        columns["busy_cpus"][row] = facts.busy_cpus
        columns["curve_known"][row] = len(facts.curve) > 1
        columns["curve_error_ratio"][row] = facts.curve_error_ratio
        if len(facts.curve) > 1:
            points = sorted((point.load_ratio, point.power_w) for point in facts.curve)
            curve_w = np.interp(_GRID_LOAD, [load for load, _ in points], [power_w for _, power_w in points])
            # More work never takes less power; where a fit says so it is noise.
            columns["curve_w"][row] = np.maximum.accumulate(curve_w)
        columns["fresh_until_ns"][row] = as_of_ns + lifetime_ns(interval_ns)

    def _row(self, name: str) -> int:
        row = self._rows.get(name)
        if row is None:
            if not self._free:
                size = len(self._columns)
                self._columns = np.concatenate([self._columns, np.zeros(size, dtype=_ROW)])
                self._free.extend(range(size, 2 * size))
            row = self._rows[name] = self._free.pop()
            self._columns[row] = np.zeros((), dtype=_ROW)
            self._columns["fresh_until_ns"][row] = np.iinfo(np.int64).min
        return row

    def forget(self, name: str) -> None:
        """Takes a node out."""
        row = self._rows.pop(name, None)
        if row is not None:
            self._free.append(row)
            self._columns["fresh_until_ns"][row] = np.iinfo(np.int64).min

    def any_fresh(self, *, now_ns: int) -> bool:
        """Whether anything at all is known of this moment."""
        return bool((self._columns["fresh_until_ns"] > now_ns).any())

    def fresh(self, name: str, *, now_ns: int) -> bool:
        """Whether the node has reported within its last 3 intervals."""
        row = self._rows.get(name)
        return row is not None and bool(self._columns["fresh_until_ns"][row] > now_ns)

    def all_fresh(self, names: Iterable[str], *, now_ns: int) -> bool:
        """Whether each of these nodes is; a node that is not here any more does not count."""
        rows = [row for name in names if (row := self._rows.get(name)) is not None]
        return bool((self._columns["fresh_until_ns"][rows] > now_ns).all())

    def view(self, names: Sequence[str], *, now_ns: int) -> NodeView:
        """The rows of these nodes; names that are not here come out as not usable."""
        rows = np.fromiter((self._rows.get(name, -1) for name in names), dtype=np.intp, count=len(names))
        # Row -1 reads the last one there is; `usable` masks it.
        columns = self._columns[rows]
        view = NodeView(
            names=tuple(names),
            usable=(rows >= 0) & columns["curve_known"] & (columns["fresh_until_ns"] > now_ns),
            cpus=columns["cpus"],
            load_ratio=np.clip(columns["busy_cpus"] / np.maximum(columns["cpus"], 1.0), 0.0, 1.0),
            curve_w=columns["curve_w"],
            curve_error_ratio=columns["curve_error_ratio"],
        )
        for column in (view.usable, view.cpus, view.load_ratio, view.curve_w, view.curve_error_ratio):
            column.setflags(write=False)
        return view
