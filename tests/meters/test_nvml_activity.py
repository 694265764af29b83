# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Who uses a GPU: processes, their samples, MIG instances, and a call that hangs."""

from __future__ import annotations

import anyio
import pytest

from agent.errors import DeadlineExceeded
from agent.meters.gpu_activity import Activity, GpuMeter, Holder, completed
from agent.meters.nvml import NvmlMeter, discover
from agent.meters.protocol import Reading, Unread
from agent.worker import Worker
from plumbing.clock import ManualClock
from sim.gpu import FakeNvml, Gpu, MigDevice, Process, uuid
from tests.meters.gpus import opened


def watched(meter: NvmlMeter) -> Activity:
    (found,) = meter.activity()
    assert isinstance(found, Activity)
    return found


def ratios(activity: Activity) -> dict[int, float | None]:
    return {each.pid: each.sm_ratio for each in activity.holders}


def test_the_meter_is_one_of_gpus() -> None:
    _, meter = opened("one")
    assert isinstance(meter, GpuMeter)


def test_one_process_has_the_gpu_to_itself() -> None:
    fake, meter = opened("one")
    fake.run(1.0)
    found = watched(meter)
    assert found.sharing == "exclusive"
    assert found.holders == (Holder(pid=4242, memory_bytes=1 << 30, sm_ratio=0.87),)


def test_three_processes_share_in_turn_and_one_waits() -> None:
    fake, meter = opened("time-sliced")
    fake.run(1.0)
    found = watched(meter)
    assert found.sharing == "time_sliced"
    assert ratios(found) == {11: 0.6, 12: 0.2, 13: 0.0}


def test_the_largest_sample_since_the_last_look_counts() -> None:
    fake, meter = opened("one")
    process = fake.gpus[0].processes[4242]
    for sm_percent in (20, 95, 40):
        process.sm_percent = sm_percent
        fake.run(0.25)
    assert ratios(watched(meter)) == {4242: 0.95}
    fake.run(0.5)
    assert ratios(watched(meter)) == {4242: 0.40}
    process.sm_percent = 0
    fake.run(0.5)
    assert ratios(watched(meter)) == {4242: 0.0}


def test_a_process_that_ended_before_the_look_is_still_a_holder() -> None:
    fake, meter = opened("one")
    fake.gpus[0].processes[77] = Process(sm_percent=50)
    fake.run(0.5)
    del fake.gpus[0].processes[77]
    found = watched(meter)
    assert ratios(found) == {77: 0.5, 4242: 0.87}
    assert [each.memory_bytes for each in found.holders] == [None, 1 << 30]


def test_samples_from_before_the_start_are_nobodys() -> None:
    clock = ManualClock()
    fake = FakeNvml(clock, [Gpu(uuid(0), processes={5: Process(sm_percent=90)})])
    fake.run(5.0)
    fake.gpus[0].processes.clear()
    meter = discover(clock, nvml=fake).meter
    assert isinstance(meter, NvmlMeter)
    assert watched(meter).holders == ()


def test_without_utilisation_the_holders_stay_and_nothing_is_claimed_of_them() -> None:
    fake, meter = opened("one")
    fake.gpus[0].utilised = False
    assert ratios(watched(meter)) == {4242: None}


def test_exclusive_mode_is_exclusive_even_with_a_second_process() -> None:
    fake, meter = opened("time-sliced")
    fake.gpus[0].exclusive = True
    assert watched(meter).sharing == "exclusive"


def test_older_drivers_list_processes_by_the_older_call() -> None:
    clock = ManualClock()
    fake = FakeNvml(clock, [Gpu(uuid(0), processes={5: Process()})], v3=False)
    meter = discover(clock, nvml=fake).meter
    assert isinstance(meter, NvmlMeter)
    assert [each.pid for each in watched(meter).holders] == [5]


def test_mig_instances_with_holders_and_activity() -> None:
    fake, meter = opened("mig")
    first = watched(meter)
    assert [each.active_ratio for each in first.instances] == [None, None]
    fake.run(2.0)
    second = watched(meter)
    assert (second.sharing, second.slices) == ("mig", 7)
    assert [(each.gpu_instance, each.slices, each.profile) for each in second.instances] == [
        (2, 3, "3g.40gb"),
        (9, 1, "1g.10gb"),
    ]
    assert [each.active_ratio for each in second.instances] == pytest.approx([0.5, 1.0])
    assert [(each.pid, each.instance) for each in second.holders] == [
        (100, f"{uuid(0)}/mig-2-0"),
        (200, f"{uuid(0)}/mig-9-0"),
    ]


def test_a_new_partition_is_seen_and_the_old_samples_are_freed() -> None:
    fake, meter = opened("mig")
    meter.activity()
    assert fake.samples_alive == 2
    fake.gpus[0].mig = [MigDevice(1, 7, 81_920)]
    fake.run(1.0)
    assert [each.profile for each in watched(meter).instances] == ["7g.80gb"]
    assert fake.samples_alive == 1
    fake.gpus[0].mig = None
    assert watched(meter).sharing == "exclusive"


def test_before_hopper_instance_activity_comes_from_elsewhere() -> None:
    fake, meter = opened("mig-a100")
    fake.run(1.0)
    meter.activity()
    fake.run(1.0)
    found = watched(meter)
    assert [each.active_ratio for each in found.instances] == [None, None]
    assert fake.samples_alive == 0


def test_an_unseen_holder_is_completed_from_the_other_source() -> None:
    first = Activity("gpu/a", 1, "exclusive")
    second = Activity("gpu/a", 2, "exclusive", holders=(Holder(namespace="ml", pod="train-0", container="main"),))
    assert completed(first, second).holders == second.holders
    held = Activity("gpu/a", 1, "exclusive", holders=(Holder(pid=7),))
    assert completed(held, second) == held


@pytest.mark.anyio
async def test_a_hanging_gpu_makes_one_round_late_and_then_only_itself() -> None:
    fake, meter = opened("eight")
    event = fake.hang(5)
    worker = Worker("nvml")
    try:
        with pytest.raises(DeadlineExceeded):
            await worker.call(meter.read, timeout_s=0.2)
        for _ in range(3):
            readings = await worker.call(meter.read, timeout_s=5.0)
            assert readings[5] == Unread(f"gpu/{uuid(5)}", "no_answer")
            assert sum(isinstance(each, Reading) for each in readings) == 7
        assert worker.stuck == 1
        fake.gpus[5].hang = None
        event.set()
        with anyio.fail_after(5):
            while worker.stuck:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert all(isinstance(each, Reading) for each in await worker.call(meter.read, timeout_s=5.0))
    finally:
        event.set()
        worker.close()
