# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Scores of nodes for one pod: fewest marginal watts first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from extender.prediction import Z95, marginal_w

if TYPE_CHECKING:
    from extender.nodes import NodeView

BEST = 10
"""MaxExtenderPriority; the scheduler does not clamp."""


def scores(view: NodeView, *, cpus: float) -> list[int]:
    """One integer 0..10 per node of ``view``, in its order.

    Exactly one node gets 10: the one with the fewest marginal watts, at equality the first by name. The scale spans
    the difference between best and worst, but at least ten standard errors of the curves, so that nodes which
    cannot be told apart stay within one point. Nodes without fresh data get 0, and the others then at least 1.
    """
    known = np.flatnonzero(view.usable)
    result = np.zeros(len(view.names), dtype=np.int64)
    if known.size:
        added_w = marginal_w(view, cpus)[known]
        lowest_w = float(added_w.min())
        error_w = float(np.median(added_w * view.curve_error_ratio[known])) / Z95
        span_w = max(float(added_w.max()) - lowest_w, BEST * error_w)
        behind = (added_w - lowest_w) / span_w if span_w > 0 else np.zeros(known.size)
        floor = 1 if known.size < len(view.names) else 0
        result[known] = np.clip(np.floor(BEST * (1.0 - behind) + 0.5), floor, BEST - 1)
        ties = known[added_w == lowest_w]
        result[min(ties.tolist(), key=lambda row: view.names[row])] = BEST
    return [int(score) for score in result]
