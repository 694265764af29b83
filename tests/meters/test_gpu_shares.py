# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Shares of a GPU: exact, to those who hold it, and to nobody where nobody does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters.gpu_activity import Activity, Holder, Instance, Sharing, by_domain
from agent.meters.gpu_shares import GpuShares, dynamic, held_idle
from tests.meters.gpus import opened

ratio = st.none() | st.floats(0, 1)


@st.composite
def activities(draw: st.DrawFn) -> Activity:
    sharing: Sharing = draw(st.sampled_from(["exclusive", "time_sliced", "mig"]))
    if sharing != "mig":
        holders = tuple(Holder(pid=at + 1, sm_ratio=draw(ratio)) for at in range(draw(st.integers(0, 6))))
        return Activity("gpu/a", 0, sharing, holders)
    instances = tuple(
        Instance(f"i{at}", at, draw(st.integers(1, 4)), "", draw(ratio)) for at in range(draw(st.integers(0, 7)))
    )
    # A holder may name an instance that was just taken down.
    named = st.sampled_from([*(each.scope for each in instances), "gone"])
    holders = tuple(Holder(pid=at + 1, instance=draw(named)) for at in range(draw(st.integers(0, 6))))
    return Activity("gpu/a", 0, "mig", holders, instances, slices=7)


def parts(shares: GpuShares) -> list[int]:
    return [int(each) for each in shares.parts_uj]


@given(total_uj=st.integers(0, 2**53), activity=activities())
def test_every_split_conserves(total_uj: int, activity: Activity) -> None:
    for split in (dynamic, held_idle):
        shares = split(total_uj, activity)
        assert shares.parts_uj.size == len(activity.holders)
        assert int(shares.parts_uj.sum()) + shares.rest_uj == total_uj
        assert (shares.parts_uj >= 0).all()
        assert shares.rest_uj >= 0
        assert bool(shares.reason) == bool(shares.rest_uj)


@given(total_uj=st.integers(0, 2**40), activity=activities())
def test_outside_mig_a_holder_leaves_no_rest(total_uj: int, activity: Activity) -> None:
    if activity.sharing == "mig" or not activity.holders:
        return
    assert dynamic(total_uj, activity).rest_uj == 0
    assert held_idle(total_uj, activity).rest_uj == 0


def test_an_exclusive_gpu_is_its_holders() -> None:
    shares = dynamic(1_000_001, Activity("gpu/a", 0, "exclusive", (Holder(pid=1, sm_ratio=0.3),)))
    assert (parts(shares), shares.model) == ([1_000_001], "gpu_exclusive")


def test_in_turn_by_samples_and_equal_without() -> None:
    fake, meter = opened("time-sliced")
    fake.run(1.0)
    (activity,) = by_domain(meter.activity()).values()
    shares = dynamic(800, activity)
    assert (parts(shares), shares.model) == ([600, 200, 0], "gpu_sm_ratio")
    fake.gpus[0].utilised = False
    (activity,) = by_domain(meter.activity()).values()
    shares = dynamic(800, activity)
    assert (parts(shares), shares.model) == ([267, 267, 266], "gpu_equal")
    assert parts(held_idle(900, activity)) == [300, 300, 300]


def test_mig_by_activity_times_slices() -> None:
    fake, meter = opened("mig")
    meter.activity()
    fake.run(1.0)
    (activity,) = by_domain(meter.activity()).values()
    shares = dynamic(2500, activity)  # 0.5 x 3 slices against 1.0 x 1 slice
    assert (parts(shares), shares.model) == ([1500, 1000], "gpu_mig_activity")
    # Three slices of seven belong to nobody.
    idle = held_idle(7000, activity)
    assert (parts(idle), idle.rest_uj, idle.reason) == ([3000, 1000], 3000, "unallocated")


def test_mig_by_slices_where_activity_is_not_known() -> None:
    _, meter = opened("mig-a100")
    (activity,) = by_domain(meter.activity()).values()
    shares = dynamic(4000, activity)
    assert (parts(shares), shares.model) == ([3000, 1000], "gpu_mig_slices")


def test_work_in_an_instance_whose_holder_is_not_seen_is_not_its_neighbours() -> None:
    instances = (Instance("a", 1, 3, "", 1.0), Instance("b", 2, 3, "", 1.0))
    activity = Activity("gpu/a", 0, "mig", (Holder(pid=1, instance="a"),), instances, 7)
    shares = dynamic(1000, activity)
    assert (parts(shares), shares.rest_uj, shares.reason) == ([500], 500, "unseen_holder")


def test_two_processes_in_one_instance_share_it() -> None:
    holders = (Holder(pid=1, instance="a"), Holder(pid=2, instance="b"), Holder(pid=3, instance="a"))
    activity = Activity("gpu/a", 0, "mig", holders, (Instance("a", 1, 1, "", 0.5), Instance("b", 2, 1, "", 0.5)), 7)
    assert parts(dynamic(1000, activity)) == [250, 500, 250]


@pytest.mark.parametrize("sharing", ["exclusive", "time_sliced", "mig"])
def test_an_empty_gpu_is_nobodys(sharing: Sharing) -> None:
    activity = Activity("gpu/a", 0, sharing, (), (), 7 if sharing == "mig" else 0)
    assert (dynamic(5, activity).rest_uj, dynamic(5, activity).reason) == (5, "no_holder")
    assert (held_idle(5, activity).rest_uj, held_idle(5, activity).reason) == (5, "unallocated")
    assert dynamic(0, activity).reason == ""


def test_a_negative_energy_is_an_error() -> None:
    for split in (dynamic, held_idle):
        with pytest.raises(ValueError, match="negative"):
            split(-1, Activity("gpu/a", 0, "exclusive"))
