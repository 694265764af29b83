# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Splits every domain's energy over rows, to the last microjoule. Pure; the equations are those of `wire.report`.

    leaf     energy = dynamic of all rows + shared + static + unattributed (by reason)
    parent   energy = energy of its children + residual (signed)

The dynamic part is split by the model's weights; interrupt, stolen and lost time weigh in beside the rows and what
falls on them is unattributed under their name. Where nothing ran at all the dynamic part is unattributed. A GPU's part
goes to who used the GPU, and CPU time has no say in it. What a late reading brought (`agent.meters.alignment`) belongs
to an interval whose rows are gone: it is unattributed, or in the residual, and shared out in neither view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from agent.attribution import cpu_time_ratio, gpu, views
from agent.meters.track import LATE
from wire.apportion import apportion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.meters.gpu_activity import Activity
    from agent.meters.protocol import Domain, Quality

NO_TASK_TIME: Final = "no_task_time"
MODELLED_SCOPE: Final = "share"


@dataclass(frozen=True, slots=True)
class DomainEnergy:
    """What one domain drew in the interval. ``static_uj`` None: the static part is not known yet.

    ``late_uj`` (signed) is the part of ``energy_uj`` that was drawn in earlier intervals, ``activity`` who used a GPU.
    """

    domain: Domain
    source: str
    quality: Quality
    energy_uj: int
    elapsed_ns: int
    static_uj: int | None = None
    late_uj: int = 0
    activity: Activity | None = None

    @property
    def timely_uj(self) -> int:
        """What was drawn in this interval."""
        return self.energy_uj - self.late_uj


@dataclass(frozen=True, slots=True)
class DomainSplit:
    """One domain's ledger rows; their sum is ``energy.energy_uj``."""

    energy: DomainEnergy
    dynamic_uj: int
    static_uj: int
    shared_uj: int
    unattributed_uj: dict[str, int]
    residual_uj: int
    unallocated_uj: int
    meter_error_uj: int
    model: str
    parent: str | None
    is_parent: bool

    @property
    def dynamic_pot_uj(self) -> int:
        """What the model had to split."""
        return 0 if self.is_parent else self.energy.timely_uj - self.static_uj - self.shared_uj


@dataclass(frozen=True, slots=True)
class UnexplainedTime:
    """Busy nanoseconds of the interval that belong to no row."""

    interrupt_ns: int = 0
    stolen_ns: int = 0
    lost_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """Domains (d,), parents first; ``dynamic_uj`` and ``loaded_uj`` (n, d) by row and domain."""

    domains: tuple[DomainSplit, ...]
    dynamic_uj: NDArray[np.int64]
    loaded_uj: NDArray[np.int64]


def attribute(
    energies: Sequence[DomainEnergy],
    rows: NDArray[Any],
    *,
    unexplained: UnexplainedTime,
    capacity_ns: int,
    sockets: NDArray[np.int64] | None = None,
) -> Attribution:
    """Splits ``energies`` (parents before children) over ``rows`` (n,) of dtype `agent.observe.protocol.ROW`.

    ``capacity_ns`` is CPUs times elapsed time: what the node could have run. A parent that has no energy of its own in
    this interval is not in ``energies``; its children then stand alone.
    """
    names = {each.domain.name for each in energies}
    children_uj: dict[str, int] = {}
    for each in energies:
        if each.domain.parent in names and each.domain.parent is not None:
            children_uj[each.domain.parent] = children_uj.get(each.domain.parent, 0) + each.energy_uj
    dynamic_uj = np.zeros((rows.size, len(energies)), dtype=np.int64)
    loaded_uj = np.zeros((rows.size, len(energies)), dtype=np.int64)
    splits: list[DomainSplit] = []
    for at, each in enumerate(energies):
        is_parent = each.domain.name in children_uj
        residual_uj = each.energy_uj - children_uj[each.domain.name] if is_parent else 0
        static_uj = 0 if is_parent else min(each.static_uj or 0, each.timely_uj)
        weights = cpu_time_ratio.weights(rows, each.domain.scope, sockets)
        unattributed_uj: dict[str, int] = {}
        model = "none" if is_parent else cpu_time_ratio.NAME
        if is_parent:
            loaded_uj[:, at] = views.claimed(max(residual_uj - each.late_uj, 0), weights, capacity_ns=capacity_ns)
        elif each.domain.component == "gpu":
            shares = gpu.split(each.timely_uj - static_uj, static_uj, each.activity, rows)
            dynamic_uj[:, at], unattributed_uj, model = shares.dynamic_uj, shares.unattributed_uj, shares.model
            loaded_uj[:, at] = shares.dynamic_uj + shares.held_uj
        else:
            dynamic_uj[:, at], unattributed_uj = _dynamic(
                each.timely_uj - static_uj, weights, _reasons(unexplained, each.domain.scope)
            )
            loaded_uj[:, at] = dynamic_uj[:, at] + views.claimed(static_uj, weights, capacity_ns=capacity_ns)
        if each.late_uj and not is_parent:
            unattributed_uj = {**unattributed_uj, LATE: each.late_uj}
        to_load_uj = residual_uj if is_parent else each.energy_uj
        splits.append(
            DomainSplit(
                energy=each,
                dynamic_uj=int(dynamic_uj[:, at].sum()),
                static_uj=static_uj,
                shared_uj=0,
                unattributed_uj=unattributed_uj,
                residual_uj=residual_uj,
                unallocated_uj=to_load_uj - int(loaded_uj[:, at].sum()),
                meter_error_uj=round(each.energy_uj * each.quality.error_ratio),
                model=model,
                parent=each.domain.parent if each.domain.parent in names else None,
                is_parent=is_parent,
            )
        )
    return Attribution(tuple(splits), dynamic_uj, loaded_uj)


def _reasons(unexplained: UnexplainedTime, scope: str) -> dict[str, int]:
    reasons = {"interrupts": unexplained.interrupt_ns, "lost": unexplained.lost_ns}
    if scope != MODELLED_SCOPE:
        # A modelled share holds no watts for time that the hypervisor gave to others; a host's meter does.
        reasons["stolen"] = unexplained.stolen_ns
    return {reason: ns for reason, ns in reasons.items() if ns > 0}


def _dynamic(
    total_uj: int, weights: NDArray[np.float64], reasons: dict[str, int]
) -> tuple[NDArray[np.int64], dict[str, int]]:
    beside = np.array(list(reasons.values()), dtype=np.float64)
    every = np.concatenate((weights, beside))
    if not (every > 0).any():
        return np.zeros(weights.size, dtype=np.int64), {NO_TASK_TIME: total_uj} if total_uj else {}
    parts = apportion(total_uj, every)
    named = zip(reasons, parts[weights.size :].tolist(), strict=True)
    return parts[: weights.size], {reason: part_uj for reason, part_uj in named if part_uj}
