# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Splits a GPU's energy over its holders, to the last microjoule. Pure.

    exclusive     all to the holder (equal parts, should there be several)
    time_sliced   by multiprocessor time, the largest sample of each process; equal where nobody counted any
    mig           by engine activity x compute slices, else by slices; inside an instance as above

Energy that no holder can be found for is ``rest_uj`` with a reason, never spread over the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from wire.apportion import apportion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.meters.gpu_activity import Activity, Holder, Instance

NO_HOLDER: Final = "no_holder"
UNSEEN_HOLDER: Final = "unseen_holder"
UNALLOCATED: Final = "unallocated"


@dataclass(frozen=True, slots=True, eq=False)
class GpuShares:
    """``parts_uj`` (n,) for the activity's holders in order, and ``rest_uj``; together they are what was split."""

    parts_uj: NDArray[np.int64]
    rest_uj: int
    reason: str
    """Why the rest is nobody's; empty where there is none."""
    model: str
    """How it was split, for the ledger's ``model``."""


def dynamic(total_uj: int, activity: Activity) -> GpuShares:
    """Energy spent because of work. Raises ValueError for a negative total."""
    if activity.sharing == "mig":
        return _by_instance(total_uj, activity)
    parts_uj, model = _within(total_uj, activity.holders)
    if activity.sharing == "exclusive" and activity.holders:
        model = "gpu_exclusive"
    return _shares(total_uj, parts_uj, reason=NO_HOLDER, model=model)


def held_idle(total_uj: int, activity: Activity) -> GpuShares:
    """Static energy for the loaded view: a GPU that waits is its holder's; slices nobody holds stay unallocated."""
    holders = activity.holders
    if activity.sharing != "mig":
        parts_uj = apportion(total_uj, np.ones(len(holders))) if holders else np.zeros(0, dtype=np.int64)
        return _shares(total_uj, parts_uj, reason=UNALLOCATED, model="gpu_equal")
    held = {each.instance for each in holders}
    weights = np.array([each.slices if each.scope in held else 0 for each in activity.instances], dtype=np.float64)
    free = max(activity.slices, sum(each.slices for each in activity.instances)) - float(weights.sum())
    if not weights.any():
        return _shares(total_uj, np.zeros(len(holders), dtype=np.int64), reason=UNALLOCATED, model="gpu_mig_slices")
    pots_uj = apportion(total_uj, np.append(weights, free))[:-1]
    parts_uj = np.zeros(len(holders), dtype=np.int64)
    for instance, pot_uj in zip(activity.instances, pots_uj.tolist(), strict=True):
        at = _held_by(holders, instance)
        if at.size:
            parts_uj[at] = apportion(pot_uj, np.ones(at.size))
    return _shares(total_uj, parts_uj, reason=UNALLOCATED, model="gpu_mig_slices")


def _by_instance(total_uj: int, activity: Activity) -> GpuShares:
    holders, instances = activity.holders, activity.instances
    weights, model = _instance_weights(instances, {each.instance for each in holders})
    parts_uj = np.zeros(len(holders), dtype=np.int64)
    if not weights.any():
        return _shares(total_uj, parts_uj, reason=NO_HOLDER, model=model)
    for instance, pot_uj in zip(instances, apportion(total_uj, weights).tolist(), strict=True):
        at = _held_by(holders, instance)
        if at.size:
            parts_uj[at], _ = _within(pot_uj, [holders[each] for each in at.tolist()])
    return _shares(total_uj, parts_uj, reason=UNSEEN_HOLDER, model=model)


def _instance_weights(instances: Sequence[Instance], held: set[str]) -> tuple[NDArray[np.float64], str]:
    """Weights (m,). An active instance counts even if nobody is seen in it: its energy is not its neighbours'."""
    slices = np.array([each.slices for each in instances], dtype=np.float64)
    is_held = np.array([each.scope in held for each in instances], dtype=bool)
    known = np.array([each.active_ratio is not None for each in instances], dtype=bool)
    active = np.array([each.active_ratio or 0.0 for each in instances], dtype=np.float64)
    if known[is_held].all() and (active > 0).any():
        return active * slices, "gpu_mig_activity"
    return np.where(is_held, slices, 0.0), "gpu_mig_slices"


def _held_by(holders: Sequence[Holder], instance: Instance) -> NDArray[np.int64]:
    return np.array([at for at, each in enumerate(holders) if each.instance == instance.scope], dtype=np.int64)


def _within(total_uj: int, holders: Sequence[Holder]) -> tuple[NDArray[np.int64], str]:
    if not holders:
        return np.zeros(0, dtype=np.int64), "none"
    ratios = [each.sm_ratio for each in holders]
    if all(ratio is not None for ratio in ratios) and any(ratios):
        return apportion(total_uj, np.array(ratios, dtype=np.float64)), "gpu_sm_ratio"
    return apportion(total_uj, np.ones(len(holders))), "gpu_equal"


def _shares(total_uj: int, parts_uj: NDArray[np.int64], *, reason: str, model: str) -> GpuShares:
    if total_uj < 0:
        raise ValueError(f"cannot split a negative energy: {total_uj}")
    rest_uj = total_uj - int(parts_uj.sum())
    return GpuShares(parts_uj, rest_uj, reason if rest_uj else "", model)
