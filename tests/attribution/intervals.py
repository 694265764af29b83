# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Intervals to attribute: rows and domains by hand or drawn by hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from agent.attribution.engine import DomainEnergy, UnexplainedTime
from agent.meters.protocol import Domain, Quality
from agent.observe.protocol import EXITED, KERNEL_THREAD, PROCESS, ROW, Observation

if TYPE_CHECKING:
    from numpy.typing import NDArray

ELAPSED_NS = 2_000_000_000
MEASURED = Quality("measured", 0.97, 1.03, "test")
MODELLED = Quality("modelled", 0.5, 2.0, "test")
CGROUPS = (
    "/",
    "/system.slice/cron.service",
    "/kubepods/burstable/pod11111111-2222-3333-4444-555555555555/" + "a" * 64,
    "/kubepods/burstable/pod11111111-2222-3333-4444-555555555555/" + "b" * 64,
)
COMMS = ("sh", "python", "kworker/0:1", "[exited]")


def rows(*each: tuple[int, int, int, int]) -> NDArray[Any]:
    """Rows from (pid, cgroup, kind, run_ns)."""
    return np.array(
        [(pid, pid * 10, cgroup, pid % len(COMMS), -1, kind, run_ns) for pid, cgroup, kind, run_ns in each], dtype=ROW
    )


def domain(
    component: Any = "cpu",
    scope: str = "socket-0",
    *,
    energy_uj: int,
    static_uj: int | None = 0,
    parent: str | None = None,
) -> DomainEnergy:
    """A domain of the source that its component suggests."""
    source = "modelled" if scope == "share" else "rapl-powercap"
    quality = MODELLED if scope == "share" else MEASURED
    return DomainEnergy(Domain(component, scope, parent), source, quality, energy_uj, ELAPSED_NS, static_uj)


def observation(these: NDArray[Any], *, cpus: int = 4, lost_ns: int = 0, interrupt_ns: int = 0) -> Observation:
    """An interval in which ``these`` rows ran."""
    return Observation(
        from_ns=0,
        to_ns=ELAPSED_NS,
        rows=these,
        comms=COMMS,
        cgroups=CGROUPS,
        cpus=cpus,
        processes=len(these),
        busy_ns=int(these["run_ns"].sum()) + lost_ns + interrupt_ns,
        idle_ns=0,
        interrupt_ns=interrupt_ns,
        steal_ns=0,
        lost_ns=lost_ns,
        tick_ns=10_000_000,
    )


energy = st.integers(0, 2**50)
some_rows = st.lists(
    st.tuples(
        st.integers(1, 30_000),
        st.integers(0, 3),
        st.sampled_from((PROCESS, KERNEL_THREAD, EXITED)),
        st.integers(0, 2**40),
    ),
    max_size=40,
    unique_by=lambda row: row[0],
).map(lambda drawn: rows(*drawn))
some_time = st.builds(
    UnexplainedTime,
    interrupt_ns=st.integers(0, 2**33),
    stolen_ns=st.integers(0, 2**33),
    lost_ns=st.integers(0, 2**33),
)


@st.composite
def some_domains(draw: st.DrawFn) -> list[DomainEnergy]:
    """A share alone, or sockets with or without a platform around them that may have measured less than its parts."""
    if draw(st.booleans()):
        return [domain("platform", "share", energy_uj=draw(energy), static_uj=draw(st.none() | energy))]
    platform = draw(st.booleans())
    parent = "platform/node" if platform else None
    out = [domain("platform", "node", energy_uj=draw(energy))] if platform else []
    for socket in range(draw(st.integers(1, 3))):
        for component in ("cpu", "dram"):
            out.append(
                domain(
                    component,
                    f"socket-{socket}",
                    energy_uj=draw(energy),
                    static_uj=draw(st.none() | energy),
                    parent=parent,
                )
            )
    return out
