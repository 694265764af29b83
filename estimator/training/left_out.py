# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""How wrong a rung is about CPUs that it has not seen, and the interval that follows.

Every error here is one of a prediction for a CPU that had no part in it: whole ``cpu_key``s are left out, because
results of one CPU resemble each other and would flatter. What is left out beside it follows the rung:

    cpu                 the system's maker: another maker's servers with this CPU predict it
    microarchitecture   the CPU: a curve made of n CPUs is judged by what sets of n others said of it
    vendor              all CPUs of its design, since this rung answers where the design is unknown
    any                 all CPUs of its vendor

The interval comes from the errors of *other* CPUs too: `coverage` calibrates without the CPU that it scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

COVERAGE_RATIO = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """Errors about one CPU: ``log_ratio`` (n,) of true over predicted watts, over levels and predictions."""

    cpu_key: str
    log_ratio: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Factors:
    """The interval of a rung as factors on the predicted watts."""

    low_ratio: float
    high_ratio: float


@dataclass(frozen=True, slots=True)
class Score:
    """What a rung achieved on CPUs that it had not seen; every CPU counts the same, however often it was published."""

    cpus: int
    coverage_ratio: float
    mape_ratio: float
    median_error_ratio: float


def errors(
    cpu_key: str, *, truths: Sequence[NDArray[np.float64]], predictions: Sequence[NDArray[np.float64]]
) -> LeftOut:
    """Every prediction (11,) against every truth (11,), at the levels where the truth is known (not NaN)."""
    log_ratio = np.log(np.stack(truths))[:, np.newaxis, :] - np.log(np.stack(predictions))[np.newaxis, :, :]
    return LeftOut(cpu_key=cpu_key, log_ratio=log_ratio[np.isfinite(log_ratio)])


def factors(samples: Sequence[LeftOut], *, coverage_ratio: float = COVERAGE_RATIO) -> Factors:
    """The split-conformal interval: both tails at the rank that holds for one more CPU beside those seen.

    Ranks are over CPUs, not over systems or levels, which are no independent draws: with n CPUs the outer
    (1 - coverage) / 2 is shrunk by the n + 1 of conformal prediction, and below some 40 CPUs it is their extreme.
    """
    ranking = _Ranking.of(samples)
    return ranking.factors(ranking.weights, cpus=len(samples), coverage_ratio=coverage_ratio)


def coverage(samples: Sequence[LeftOut], *, coverage_ratio: float = COVERAGE_RATIO) -> Score:
    """Calibrates on all CPUs but one and scores that one, for each."""
    ranking = _Ranking.of(samples)
    covered: list[float] = []
    relative: list[float] = []
    for at, sample in enumerate(samples):
        others = np.where(ranking.owner == at, 0.0, ranking.weights)
        interval = ranking.factors(others, cpus=len(samples) - 1, coverage_ratio=coverage_ratio)
        ratio = np.exp(sample.log_ratio)
        covered.append(float(((ratio >= interval.low_ratio) & (ratio <= interval.high_ratio)).mean()))
        relative.append(float(np.abs(1.0 / ratio - 1.0).mean()))
    return Score(
        cpus=len(samples),
        coverage_ratio=float(np.mean(covered)),
        mape_ratio=float(np.mean(relative)),
        median_error_ratio=float(np.median(relative)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    """All errors in rising order, whose each is (index of the sample), and weights that sum to 1 per CPU."""

    log_ratio: NDArray[np.float64]
    owner: NDArray[np.int64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, samples: Sequence[LeftOut]) -> _Ranking:
        values = np.concatenate([sample.log_ratio for sample in samples])
        owner = np.repeat(np.arange(len(samples)), [sample.log_ratio.size for sample in samples])
        order = np.argsort(values, kind="stable")
        weights = 1.0 / np.bincount(owner, minlength=len(samples))[owner]
        return cls(log_ratio=values[order], owner=owner[order], weights=weights[order])

    def factors(self, weights: NDArray[np.float64], *, cpus: int, coverage_ratio: float) -> Factors:
        tail = max(0.0, 1.0 - (1.0 - (1.0 - coverage_ratio) / 2.0) * (cpus + 1) / cpus)
        share = np.cumsum(weights)
        share /= share[-1]
        low = np.searchsorted(share, tail, side="right")
        high = np.searchsorted(share, 1.0 - tail - 1e-12, side="left")
        ends = np.exp(self.log_ratio[np.minimum([low, high], self.log_ratio.size - 1)])
        return Factors(low_ratio=min(1.0, float(ends[0])), high_ratio=max(1.0, float(ends[1])))
