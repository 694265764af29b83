# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Where a cpu's interval ends: where it turned over, now where it is idle, at its last switch where nobody may ask."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bpf.drained import cpu_table, cut_of
from bpf.layout import SLOT, SLOT_BUSY, SLOT_IDLE, TOTALS

_EPOCH = np.uint32(7)
_NOW = np.uint64(1000)


def _slot(*, epoch: int, state: int, at_ns: int, idle_ns: int = 0) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    slot = np.zeros(1, dtype=SLOT)
    slot["epoch"], slot["state"] = epoch, state
    slot["now"]["at_ns"], slot["now"]["idle_ns"] = at_ns, idle_ns
    slot["cut"]["at_ns"], slot["cut"]["idle_ns"] = 500, 50
    return slot


def test_each_cpu_ends_where_its_sums_do() -> None:
    slots = np.concatenate(
        [
            _slot(epoch=7, state=SLOT_BUSY, at_ns=990),  # turned over: as it was then
            _slot(epoch=6, state=SLOT_IDLE, at_ns=900, idle_ns=10),  # idle: until now
            _slot(epoch=6, state=SLOT_IDLE, at_ns=1005, idle_ns=10),  # idle since a moment later
            _slot(epoch=6, state=SLOT_BUSY, at_ns=800),  # not to be interrupted
            _slot(epoch=6, state=SLOT_IDLE, at_ns=700, idle_ns=10),  # offline
        ]
    )
    online = np.array([True, True, True, True, False])
    cut = cut_of(slots, epoch=_EPOCH, at_ns=_NOW, online=online)
    assert cut["at_ns"].tolist() == [500, 1000, 1005, 800, 700]
    assert cut["idle_ns"].tolist() == [50, 110, 10, 0, 10]


@given(
    st.lists(st.integers(0, 2**40), min_size=4, max_size=4),
    st.lists(st.integers(0, 2**40), min_size=4, max_size=4),
    st.sampled_from([0, 2**41]),
)
def test_parts_add_up_to_the_elapsed_time(first: list[int], second: list[int], began_ns: int) -> None:
    names = ("task_ns", "stolen_ns", "idle_ns", "missed_ns")
    last, cut = np.zeros(1, dtype=TOTALS), np.zeros(1, dtype=TOTALS)
    for name, before, more in zip(names, first, second, strict=True):
        last[name], cut[name] = before, before + more
    last["at_ns"] = began_ns  # 0: it was not known before
    cut["at_ns"] = 2**41 + sum(second)
    (row,) = cpu_table(last, cut, np.zeros(1, dtype=np.bool_))
    assert [int(row[name]) for name in names] == second
    assert int(row["to_ns"] - row["from_ns"]) == sum(second)


def test_a_cpu_that_was_never_seen_is_not_in_the_table() -> None:
    nothing = np.zeros(3, dtype=TOTALS)
    assert cpu_table(nothing, nothing, np.zeros(3, dtype=np.bool_)).size == 0
