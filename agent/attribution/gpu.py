# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A GPU's energy to the rows of the processes that used it, by PID. Pure.

How it is split over holders is `agent.meters.gpu_shares`'; here the holders become rows. One that no row stands for (a
process that ended, another PID namespace, a pod that is known by name alone) keeps its part as unattributed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.meters import gpu_shares
from agent.observe.protocol import EXITED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.meters.gpu_activity import Activity

NO_ACTIVITY: Final = "no_activity"
"""Nobody could say who used the GPU."""


@dataclass(frozen=True, slots=True, eq=False)
class RowShares:
    """Energies (n,) by row; dynamic and unattributed add up to what was to be split."""

    dynamic_uj: NDArray[np.int64]
    held_uj: NDArray[np.int64]
    """Of the static part, what holders have a claim on in the loaded view."""
    unattributed_uj: dict[str, int]
    model: str


def split(dynamic_uj: int, static_uj: int, activity: Activity | None, rows: NDArray[Any]) -> RowShares:
    """Splits the two parts of a GPU's energy over ``rows`` (n,) of dtype `agent.observe.protocol.ROW`."""
    nobody = np.zeros(rows.size, dtype=np.int64)
    if activity is None:
        return RowShares(nobody, nobody, {NO_ACTIVITY: dynamic_uj} if dynamic_uj else {}, "none")
    where = _rows_of(activity, rows)
    shares = gpu_shares.dynamic(dynamic_uj, activity)
    by_row_uj, unseen_uj = _to_rows(shares.parts_uj, where, rows.size)
    unattributed_uj = {shares.reason: shares.rest_uj} if shares.rest_uj else {}
    if unseen_uj:
        unattributed_uj[gpu_shares.UNSEEN_HOLDER] = unattributed_uj.get(gpu_shares.UNSEEN_HOLDER, 0) + unseen_uj
    held_uj, _ = _to_rows(gpu_shares.held_idle(static_uj, activity).parts_uj, where, rows.size)
    return RowShares(by_row_uj, held_uj, unattributed_uj, shares.model)


def _rows_of(activity: Activity, rows: NDArray[Any]) -> list[int]:
    """For each holder its row, or -1. A process that ran on several CPUs has several; the first one stands for it."""
    known: dict[int, int] = {}
    wanted = [each.pid for each in activity.holders if each.pid > 0]
    for at in np.flatnonzero(np.isin(rows["pid"], wanted) & (rows["kind"] != EXITED)).tolist():
        known.setdefault(int(rows["pid"][at]), at)
    return [known.get(each.pid, -1) if each.pid > 0 else -1 for each in activity.holders]


def _to_rows(parts_uj: NDArray[np.int64], where: list[int], rows: int) -> tuple[NDArray[np.int64], int]:
    by_row_uj = np.zeros(rows, dtype=np.int64)
    unseen_uj = 0
    for at, part_uj in zip(where, parts_uj.tolist(), strict=True):
        if at < 0:
            unseen_uj += part_uj
        else:
            by_row_uj[at] += part_uj
    return by_row_uj, unseen_uj
