# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a drain says, and how each cpu's sums become an interval with edges of its own. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bpf.layout import SLOT_IDLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

CPU: Final = np.dtype(
    [
        ("cpu", np.int32),
        ("from_ns", np.int64),  # CLOCK_MONOTONIC: each cpu has its own edges
        ("to_ns", np.int64),
        ("task_ns", np.int64),  # the cpu's rows and its overflow
        ("stolen_ns", np.int64),  # busy, and in no task's clock: steal, and interrupts where those are accounted
        ("idle_ns", np.int64),
        ("missed_ns", np.int64),  # an event was missed, and with it whose time this was
        ("overflow_ns", np.int64),
        ("switches", np.int64),
        ("misses", np.int64),
        ("overflows", np.int64),
        ("interrupted", np.bool_),  # by this drain
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Drained:
    """What one drain took: ``keys`` (n,) dtype `ROW_KEY`, ``rows`` (n,) dtype `ROW`, ``cpus`` (c,) dtype `CPU`.

    A cpu that was never seen to switch is not in ``cpus``. Per cpu, rows and overflow add up to ``task_ns``; that,
    stolen, idle and missed time add up to ``to_ns - from_ns``.
    """

    keys: NDArray[Any]
    rows: NDArray[Any]
    cpus: NDArray[Any]
    online: int
    removed: dict[int, str]
    forks: int
    exits: int


def cut_of(slots: NDArray[Any], *, epoch: np.uint32, at_ns: np.uint64, online: NDArray[np.bool_]) -> NDArray[Any]:
    """Each cpu's sums at its edge: as it left them on turning over, else as they stand."""
    turned = slots["epoch"] == epoch
    cut: NDArray[Any] = np.where(turned, slots["cut"], slots["now"])
    # An idle cpu's sums stand still; it may have gone idle after `at_ns` was read.
    idle = ~turned & online & (slots["state"] == SLOT_IDLE) & (cut["at_ns"] < at_ns)
    cut["idle_ns"][idle] += at_ns - cut["at_ns"][idle]
    cut["at_ns"][idle] = at_ns
    return cut


def cpu_table(last: NDArray[Any], cut: NDArray[Any], interrupted: NDArray[np.bool_]) -> NDArray[Any]:
    """Growth per cpu that was ever seen."""
    seen = np.flatnonzero(cut["at_ns"])
    table = np.zeros(seen.size, dtype=CPU)
    table["cpu"] = seen
    table["to_ns"] = cut["at_ns"][seen]
    table["interrupted"] = interrupted[seen]
    for name in ("task_ns", "stolen_ns", "idle_ns", "missed_ns", "overflow_ns", "switches", "misses", "overflows"):
        table[name] = (cut[name] - last[name])[seen].astype(np.int64)
    whole_ns = table["task_ns"] + table["stolen_ns"] + table["idle_ns"] + table["missed_ns"]
    # A cpu seen for the first time, or back from being offline, begins where its sums do.
    table["from_ns"] = np.where(
        last["at_ns"][seen] > 0, last["at_ns"][seen].astype(np.int64), table["to_ns"] - whole_ns
    )
    return table
