# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The structs of ``sched.h`` as NumPy dtypes, field by field; a test compares them with the object's own type data."""

from __future__ import annotations

from typing import Final

import numpy as np

COUNTERS: Final = 3
PATH_BYTES: Final = 256
NO_SIBLING: Final = 0xFFFFFFFF

ROW_KERNEL_THREAD: Final = 1
ROW_EXITED: Final = 2
SLOT_UNKNOWN: Final = 0
SLOT_IDLE: Final = 1
SLOT_BUSY: Final = 2
RULE_QUIET: Final = 1

CONFIG: Final = np.dtype(
    [
        ("cgroup_v1", np.uint32),
        ("hierarchy_id", np.int32),
        ("counters", np.uint32),
        ("frequency", np.uint32),
        ("siblings", np.uint32),
        ("test_close_at_exit", np.uint32),
        ("test_key_tgid_only", np.uint32),
        ("test_skip_events", np.uint32),
    ]
)
CONTROL: Final = np.dtype(
    [("epoch", np.uint32), ("pad", np.uint32), ("forks", np.uint64), ("exits", np.uint64)],
)
ROW_KEY: Final = np.dtype(
    [("start_ns", np.uint64), ("cgroup", np.uint64), ("tgid", np.uint32), ("cpu", np.uint32)],
)
ROW: Final = np.dtype(
    [
        ("run_ns", np.uint64),
        ("overlap_ns", np.uint64),
        ("counters", np.uint64, (COUNTERS,)),
        ("mhz2_ns", np.uint64),
        ("comm", np.uint64, (2,)),
        ("flags", np.uint32),
        ("switches", np.uint32),
    ]
)
TOTALS: Final = np.dtype(
    [
        ("at_ns", np.uint64),
        ("task_ns", np.uint64),
        ("stolen_ns", np.int64),
        ("idle_ns", np.uint64),
        ("missed_ns", np.uint64),
        ("overflow_ns", np.uint64),
        ("switches", np.uint64),
        ("misses", np.uint64),
        ("overflows", np.uint64),
        ("flushes", np.uint64),
    ]
)
READING: Final = np.dtype([("value", np.uint64), ("enabled_ns", np.uint64), ("running_ns", np.uint64)])
SLOT: Final = np.dtype(
    [
        ("seq", np.uint32),
        ("epoch", np.uint32),
        ("state", np.uint32),
        ("rule", np.uint32),
        ("hold", np.uint32),
        ("sibling", np.uint32),
        ("cpu", np.uint32),
        ("pad", np.uint32),
        ("task", np.uint64),
        ("exec_ns", np.uint64),
        ("css_set", np.uint64),
        ("key", ROW_KEY),
        ("busy", np.uint64),
        ("sibling_ns", np.uint64),
        ("offset_ns", np.uint64),
        ("compared_ns", np.uint64),
        ("mhz2_ns", np.uint64),
        ("moved_task", np.uint64),
        ("moved_ns", np.uint64),
        ("readings", READING, (COUNTERS,)),
        ("now", TOTALS),
        ("cut", TOTALS),
    ]
)
FREQUENCY: Final = np.dtype(
    [("seq", np.uint32), ("mhz", np.uint32), ("at_ns", np.uint64), ("mhz2_ns", np.uint64)],
)
