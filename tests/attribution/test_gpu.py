# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A GPU's energy goes to who used the GPU: by PID, conserving, and whatever the CPUs did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from agent.attribution.engine import DomainEnergy, UnexplainedTime, attribute
from agent.attribution.gpu import NO_ACTIVITY, split
from agent.meters.gpu_activity import Activity, Holder, Instance
from agent.meters.gpu_shares import NO_HOLDER, UNSEEN_HOLDER
from agent.meters.protocol import Domain
from agent.observe.protocol import EXITED, PROCESS
from tests.attribution.intervals import ELAPSED_NS, MEASURED, domain, rows, some_rows, some_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

GPU = "gpu/GPU-a"


def activity(*holders: Holder, sharing: Any = "time_sliced", instances: tuple[Instance, ...] = ()) -> Activity:
    return Activity(GPU, 0, sharing, holders, instances, 7 if instances else 0)


def gpu(energy_uj: int, *, static_uj: int | None, doing: Activity | None, late_uj: int = 0) -> DomainEnergy:
    return DomainEnergy(
        Domain("gpu", "GPU-a"), "nvml", MEASURED, energy_uj, ELAPSED_NS, static_uj, late_uj=late_uj, activity=doing
    )


@st.composite
def doings(draw: st.DrawFn) -> Activity | None:
    """Any activity: holders with and without a row, with and without counted time."""
    if draw(st.integers(0, 5)) == 0:
        return None
    instances = (Instance("mig-1", 1, 3, active_ratio=draw(st.none() | st.floats(0, 1))), Instance("mig-2", 2, 4))
    sharing = draw(st.sampled_from(("exclusive", "time_sliced", "mig")))
    holders = draw(
        st.lists(
            st.builds(
                Holder,
                pid=st.integers(0, 30_000),
                sm_ratio=st.none() | st.floats(0, 1),
                instance=st.sampled_from(("mig-1", "mig-2", "mig-gone")),
            ),
            max_size=5,
            unique_by=lambda holder: holder.pid,
        )
    )
    return activity(*holders, sharing=sharing, instances=instances if sharing == "mig" else ())


@given(
    these=some_rows,
    time=some_time,
    doing=doings(),
    energy_uj=st.integers(0, 2**50),
    late_uj=st.integers(0, 2**40),
    static_uj=st.none() | st.integers(0, 2**51),
)
def test_a_gpu_conserves_in_both_views(
    these: NDArray[Any],
    time: UnexplainedTime,
    doing: Activity | None,
    energy_uj: int,
    late_uj: int,
    static_uj: int | None,
) -> None:
    made = attribute(
        [gpu(energy_uj + late_uj, static_uj=static_uj, doing=doing, late_uj=late_uj)],
        these,
        unexplained=time,
        capacity_ns=4 * ELAPSED_NS,
    )
    (one,) = made.domains
    assert one.dynamic_uj + one.static_uj + sum(one.unattributed_uj.values()) == energy_uj + late_uj
    assert int(made.loaded_uj.sum()) + one.unallocated_uj == energy_uj + late_uj
    assert (made.dynamic_uj >= 0).all()
    assert (made.loaded_uj >= made.dynamic_uj).all()
    assert one.static_uj <= energy_uj
    assert one.unattributed_uj.get("late", 0) == late_uj
    assert not {"interrupts", "stolen", "lost"} & one.unattributed_uj.keys()


def test_cpu_time_has_no_say_in_a_gpu() -> None:
    these = rows((1, 0, PROCESS, 10**9), (2, 1, PROCESS, 0), (3, 1, PROCESS, 5))
    doing = activity(Holder(pid=2, sm_ratio=0.75), Holder(pid=3, sm_ratio=0.25))
    cpu = domain(energy_uj=900)
    made = attribute(
        [cpu, gpu(1100, static_uj=100, doing=doing)], these, unexplained=UnexplainedTime(lost_ns=10**9), capacity_ns=1
    )
    assert made.dynamic_uj[:, 1].tolist() == [0, 750, 250]
    assert made.loaded_uj[:, 1].tolist() == [0, 800, 300], "a GPU that is held waits for its holders"
    assert made.domains[1].model == "gpu_sm_ratio"
    assert made.dynamic_uj[1, 0] == 0
    assert made.domains[0].model == "cpu_time_ratio"


def test_who_cannot_be_seen_keeps_its_part() -> None:
    these = rows((1, 0, PROCESS, 5), (7, 0, EXITED, 5))
    doing = activity(
        Holder(pid=1, sm_ratio=0.5), Holder(pid=7, sm_ratio=0.25), Holder(namespace="ml", pod="t", sm_ratio=0.25)
    )
    made = split(1000, 0, doing, these)
    assert made.dynamic_uj.tolist() == [500, 0]
    assert made.unattributed_uj == {UNSEEN_HOLDER: 500}
    assert split(1000, 0, activity(), these).unattributed_uj == {NO_HOLDER: 1000}
    assert split(1000, 0, None, these).unattributed_uj == {NO_ACTIVITY: 1000}


def test_what_came_late_is_nobodys_in_either_view() -> None:
    these = rows((1, 0, PROCESS, 4 * ELAPSED_NS))
    leaf = DomainEnergy(Domain("cpu", "socket-0"), "acpi", MEASURED, 1300, ELAPSED_NS, 100, late_uj=300)
    made = attribute([leaf], these, unexplained=UnexplainedTime(), capacity_ns=4 * ELAPSED_NS)
    assert made.domains[0].unattributed_uj == {"late": 300}
    assert made.loaded_uj[:, 0].tolist() == [1000]
    platform = DomainEnergy(Domain("platform", "node"), "acpi", MEASURED, 1500, ELAPSED_NS, late_uj=400)
    inside = DomainEnergy(Domain("cpu", "socket-0", "platform/node"), "rapl", MEASURED, 1000, ELAPSED_NS, 0)
    made = attribute([platform, inside], these, unexplained=UnexplainedTime(), capacity_ns=4 * ELAPSED_NS)
    assert made.domains[0].residual_uj == 500
    assert made.loaded_uj[:, 0].tolist() == [100], "of the residual, what is of this interval"
    assert made.domains[0].unallocated_uj == 400
