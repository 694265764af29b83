# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Does the platform's meter agree with those of its components? Pure (METERING 2).

``residual_w`` and ``residual_ratio`` are information: fans, regulators and supplies draw something, so a residual is
neither idle nor an error. The error is how far the platform is from what its components let one expect: an affine
function of their sum, learned on this machine over windows of a minute of closed intervals (57 W + 1.14 x was
published for a two-socket EPYC). It is learned by medians, so that an hour of a stuck sensor does not bend it, and a
window is judged by those before it. Without a second, independent meter there is nothing to compare, and no figure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from wire.units import NS_PER_HOUR, NS_PER_S, watts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

WINDOW_NS: Final = 60 * NS_PER_S
# Four hours of windows; the pairs of their medians are 28,000, which NumPy does in a millisecond.
_MOST_WINDOWS: Final = 240
# The median slope of fewer points says as much about noise as about the machine.
_LEAST_WINDOWS: Final = 5
# Loads that differ by less than a tenth of their median do not tell a slope.
_LEAST_SPREAD: Final = 0.10
_FAMILY: Final = {"rapl-perf": "rapl", "rapl-powercap": "rapl", "simulated": "rapl", "nvml": "nvidia", "dcgm": "nvidia"}


@dataclass(frozen=True, slots=True)
class Sums:
    """One closed interval: the platform, and the outermost domains in it, over the same time."""

    platform_uj: int
    components_uj: int
    elapsed_ns: int
    independent: bool
    """Whether different instruments gave the two."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What can be said now. None: there is nothing to say it by."""

    residual_w: float | None = None
    residual_ratio: float | None = None
    reconciliation_error_ratio: float | None = None
    """Of the newest whole window."""
    error_trend_per_hour: float | None = None
    """How the error ratio moves."""
    intercept_w: float | None = None
    slope: float | None = None
    windows: int = 0
    psu_loss_w: float | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """platform = ``intercept_w`` + ``slope`` x components."""

    intercept_w: float
    slope: float

    def expected_w(self, components_w: float) -> float:
        """Of the platform."""
        return self.intercept_w + self.slope * components_w


@dataclass(frozen=True, slots=True)
class Window:
    """At least a minute: mean watts, when it ended, and how far it was from what the ones before let expect."""

    platform_w: float
    components_w: float
    to_ns: int
    error_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Whole windows, oldest first, and the one being filled."""

    windows: tuple[Window, ...] = ()
    filling: Sums | None = None

    def plus(self, sums: Sums | None, *, to_ns: int) -> Reconciler:
        """One interval more; None, or one of a single instrument, breaks the window that is being filled."""
        if sums is None or not sums.independent or sums.platform_uj <= 0:
            return replace(self, filling=None)
        before = self.filling
        filled = Sums(
            platform_uj=sums.platform_uj + (before.platform_uj if before else 0),
            components_uj=sums.components_uj + (before.components_uj if before else 0),
            elapsed_ns=sums.elapsed_ns + (before.elapsed_ns if before else 0),
            independent=True,
        )
        if filled.elapsed_ns < WINDOW_NS:
            return replace(self, filling=filled)
        platform_w = watts(filled.platform_uj, filled.elapsed_ns)
        components_w = watts(filled.components_uj, filled.elapsed_ns)
        known = self.fit
        error = abs(platform_w - known.expected_w(components_w)) / platform_w if known else None
        whole = Window(platform_w, components_w, to_ns, error)
        return Reconciler((*self.windows[1 - _MOST_WINDOWS :], whole))

    @property
    def fit(self) -> Fit | None:
        """What the windows so far teach; None while they are too few."""
        return fitted(self.windows)

    def now(self, sums: Sums | None, *, psu_loss_w: float | None = None) -> Reconciliation:
        """What can be said after ``sums``, the newest interval."""
        residual_w = ratio = None
        if sums is not None:
            residual_w = watts(sums.platform_uj - sums.components_uj, sums.elapsed_ns)
            ratio = (sums.platform_uj - sums.components_uj) / sums.platform_uj if sums.platform_uj else None
        known = self.fit
        return Reconciliation(
            residual_w=residual_w,
            residual_ratio=ratio,
            reconciliation_error_ratio=self.windows[-1].error_ratio if self.windows else None,
            error_trend_per_hour=trend_per_hour(self.windows),
            intercept_w=known.intercept_w if known else None,
            slope=known.slope if known else None,
            windows=len(self.windows),
            psu_loss_w=psu_loss_w,
        )


def independent(platform: str, components: Sequence[str]) -> bool:
    """Whether no component comes from the source of the platform, nor a modelled one from anywhere."""
    families = {_FAMILY.get(each, each) for each in components}
    return bool(families) and _FAMILY.get(platform, platform) not in families and "modelled" not in families


def fitted(windows: Sequence[Window]) -> Fit | None:
    """The median of the slopes between all pairs (Theil and Sen), and the median of what is left over it."""
    if len(windows) < _LEAST_WINDOWS:
        return None
    platform = np.array([each.platform_w for each in windows])
    components = np.array([each.components_w for each in windows])
    slope = 1.0
    if float(np.ptp(components)) > _LEAST_SPREAD * float(np.median(components)):
        slope = max(_median_slope(components, platform), 0.0)
    return Fit(float(np.median(platform - slope * components)), slope)


def trend_per_hour(windows: Sequence[Window]) -> float | None:
    """The median slope of the error ratio over time; None before there are enough of them."""
    judged = [(each.to_ns, each.error_ratio) for each in windows if each.error_ratio is not None]
    if len(judged) < _LEAST_WINDOWS:
        return None
    hours = np.array([to_ns / NS_PER_HOUR for to_ns, _ in judged])
    return _median_slope(hours, np.array([error for _, error in judged]))


def _median_slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    first, second = np.triu_indices(x.size, k=1)
    apart = x[second] - x[first]
    distinct = apart != 0
    if not distinct.any():
        return 0.0
    return float(np.median((y[second] - y[first])[distinct] / apart[distinct]))


def psu_loss_w(flows_w: Mapping[str, float | None]) -> float | None:
    """What the supplies lose, by the power that flows through them: domain ``psu/NAME-input`` or ``-output`` -> watts.

    None unless both sides of every supply are measured, or where the outputs exceed the inputs.
    """
    inputs = {name.removesuffix("-input"): w for name, w in flows_w.items() if name.endswith("-input")}
    outputs = {name.removesuffix("-output"): w for name, w in flows_w.items() if name.endswith("-output")}
    if not inputs or inputs.keys() != outputs.keys():
        return None
    taken_w = [each for each in inputs.values() if each is not None]
    given_w = [each for each in outputs.values() if each is not None]
    if len(taken_w) < len(inputs) or len(given_w) < len(outputs):
        return None
    loss_w = sum(taken_w) - sum(given_w)
    return loss_w if loss_w >= 0 else None
