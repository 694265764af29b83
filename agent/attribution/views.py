# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The loaded view: static, shared and residual handed out by use of the node's capacity.

A row's claim is the share of the node's CPU time that it used. What was idle has no claimant: its share stays in the
row ``unallocated`` (METERING 1), so that a small daemon on an idle server is not charged with the whole server.
Together with the dynamic part this conserves: loaded of all rows + unallocated = energy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wire.apportion import apportion

if TYPE_CHECKING:
    from numpy.typing import NDArray


def claimed(total_uj: int, weights: NDArray[np.float64], *, capacity_ns: int) -> NDArray[np.int64]:
    """Microjoules (n,) of ``total_uj`` (>= 0) that rows of ``weights`` (n,) in nanoseconds have a claim on."""
    used_ns = float(weights.sum())
    if total_uj <= 0 or used_ns <= 0:
        return np.zeros(weights.size, dtype=np.int64)
    # Run times are cut to ticks, so that a full node may seem to have used a little more than there was.
    idle_ns = max(0.0, capacity_ns - used_ns)
    return apportion(total_uj, np.append(weights, idle_ns))[:-1]
