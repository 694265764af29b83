# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a pod will draw, before anything is known of it but what it asks for.

Its CPUs, taken as busy, move the node along its power curve: curve(load + request) - curve(load). A curve that is flat
there says nothing about the pod (saturation, or a fit's noise), so such a node counts as unknown; and no prediction is
exact, so the upper end lies above the median by a stated number of watts at least. Learning from what the workload
drew before comes with the workload's history; until then the interval is wide and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from extender.nodes import GRID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from extender.nodes import NodeView

# A pod that asks for nothing: kube-scheduler scores it as 100 millicores (schedutil.DefaultMilliCPURequest). One busy
# thread is what most such pods reach at worst; nothing limits them, so this is a stated assumption, not a bound.
DEFAULT_CPUS = 0.1
DEFAULT_HIGH_CPUS = 1.0

# Watts per busy CPU below which a curve's slope is taken for "unknown", not for "costs nothing": half of the smallest
# slope per hardware thread that any server curve of the estimator's table has anywhere.
FLAT_W_PER_CPU = 0.05
# Additive floor of the distance from median to p90, watts per busy CPU: what a relative error of a small slope hides.
FLOOR_W_PER_CPU = 0.5

# Quantiles of the normal distribution: intervals are 95 %, hard budgets use the p90.
Z95 = 1.96
Z90 = 1.2816


@dataclass(frozen=True, slots=True)
class Ask:
    """CPUs that a pod will keep busy."""

    median_cpus: float
    high_cpus: float

    @classmethod
    def of(cls, request_cpus: float | None) -> Ask:
        """From the CPU request; None = the pod states none."""
        if request_cpus is None:
            return cls(DEFAULT_CPUS, DEFAULT_HIGH_CPUS)
        return cls(request_cpus, request_cpus)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Watts that a pod adds: median, and the 90th percentile. ``basis`` says what they rest on."""

    median_w: float
    high_w: float
    basis: str


@dataclass(frozen=True, slots=True)
class WattsPerCpu:
    """One more busy CPU on a node of which nothing is known."""

    median_w: float
    high_w: float


def marginal_w(view: NodeView, cpus: float) -> NDArray[np.float64]:
    """Watts (n,) that ``cpus`` more busy CPUs add on each node; where the node has no room, at its top end.

    Meaningless where ``view.usable`` is False.
    """
    step = np.minimum(cpus / np.maximum(view.cpus, 1.0), 1.0)
    start = np.minimum(view.load_ratio, 1.0 - step)
    # Curves never fall; interpolation on a flat one can come out a rounding error below 0.
    added_w = np.maximum(_at(view.curve_w, start + step) - _at(view.curve_w, start), 0.0)
    # More CPUs than the node has: in proportion.
    return np.asarray(added_w * np.maximum(cpus / np.maximum(view.cpus, 1.0), 1.0), dtype=np.float64)


def _at(curve_w: NDArray[np.float64], load: NDArray[np.float64]) -> NDArray[np.float64]:
    position = np.clip(load, 0.0, 1.0) * (GRID - 1)
    low = np.minimum(position.astype(np.intp), GRID - 2)
    row = np.arange(len(load))
    part = position - low
    return np.asarray(curve_w[row, low] * (1.0 - part) + curve_w[row, low + 1] * part, dtype=np.float64)


def predict(view: NodeView, ask: Ask, *, fallback: WattsPerCpu) -> Prediction:
    """Over the nodes it may land on: the median of the medians, and the highest of the upper ends."""
    added_w = marginal_w(view, ask.median_cpus)
    known = view.usable & (added_w >= FLAT_W_PER_CPU * ask.median_cpus)
    floor_w = ask.high_cpus * FLOOR_W_PER_CPU
    if not known.any():
        median_w = ask.median_cpus * fallback.median_w
        return Prediction(median_w, max(ask.high_cpus * fallback.high_w, median_w + floor_w), "default_curve")
    median_w = float(np.median(added_w[known]))
    upper_w = marginal_w(view, ask.high_cpus)
    upper_w = np.maximum(upper_w * (1.0 + view.curve_error_ratio * (Z90 / Z95)), upper_w + floor_w)
    high_w = float(upper_w[known].max())
    if not known.all():
        # It may land where there is no data, or a flat curve; what it draws there only the widest assumption bounds.
        high_w = max(high_w, ask.high_cpus * fallback.high_w)
    return Prediction(median_w, max(high_w, median_w + floor_w), "cpu_request_on_node_curve")
