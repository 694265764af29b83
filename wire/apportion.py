# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Splits an integer exactly: the largest-remainder (Hamilton) method.

Every split of energy in Penstock, over tasks, hours or owners, goes through here, so that parts add up to the whole
to the last microjoule (DESIGN 3, law 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def apportion(total: int, weights: ArrayLike) -> NDArray[np.int64]:
    """Splits ``total`` (>= 0) over ``weights`` (n,), giving non-negative integers (n,) that sum to ``total``.

    No part is further than 1 from its exact share as far as 64-bit floats can tell. Equal remainders are settled by
    position, so callers that need an answer independent of row order sort their rows by key first.

    Raises ValueError for a negative total, for weights that are negative or not finite, and where there is something
    to split but no positive weight: who pays then is the caller's decision.
    """
    share = np.asarray(weights, dtype=np.float64)
    if total < 0:
        raise ValueError(f"cannot apportion a negative total: {total}")
    if share.size and not (np.isfinite(share).all() and (share >= 0).all()):
        raise ValueError("weights must be finite and not negative")
    # Scaled by the largest first: a sum of huge weights must not overflow, one of tiny ones not vanish.
    largest = float(share.max()) if share.size else 0.0
    if largest <= 0.0:
        if total:
            raise ValueError(f"cannot apportion {total} over no positive weight")
        return np.zeros(share.shape, dtype=np.int64)
    share = share / largest
    quota = share * (total / float(share.sum()))
    parts = np.floor(quota).astype(np.int64)
    missing = total - int(parts.sum())
    # |missing| < n in exact arithmetic; above 2**53 rounding of the quotas can leave more, or a negative rest.
    positive = np.flatnonzero(share > 0)
    if missing < 0 or missing >= positive.size:
        each, missing = divmod(missing, positive.size)
        parts[positive] += each
        if each < 0:
            missing += _lift_negative(parts)
    while missing > 0:
        order = positive[np.argsort(-(quota - parts)[positive], kind="stable")]
        chosen = order[:missing]
        parts[chosen] += 1
        missing -= int(chosen.size)
    while missing < 0:
        chosen = np.argsort(-parts, kind="stable")[:-missing]
        chosen = chosen[parts[chosen] > 0]
        parts[chosen] -= 1
        missing += int(chosen.size)
    return parts


def _lift_negative(parts: NDArray[np.int64]) -> int:
    """Sets negative parts to zero and returns what that added (as a debt, <= 0)."""
    debt = int(parts[parts < 0].sum())
    parts[parts < 0] = 0
    return debt
