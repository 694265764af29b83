# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""NVIDIA GPUs: units, every board, resets, losses, and what discovery says."""

from __future__ import annotations

import inspect
import itertools
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters import nvml
from agent.meters.counter import Energy, State, advance
from agent.meters.nvml_library import Nvml
from agent.meters.protocol import Reading, Unread
from plumbing.clock import ManualClock
from sim.gpu import GPU_IS_LOST, SCENARIOS, FakeNvml, Gpu, scenario, uuid
from tests.meters.gpus import Ledger, opened

if TYPE_CHECKING:
    from agent.meters.nvml import NvmlMeter


def one_reading(meter: NvmlMeter) -> Reading:
    (reading,) = meter.read()
    assert isinstance(reading, Reading)
    return reading


def test_the_counter_is_read_in_microjoules() -> None:
    fake, meter = opened("one")
    fake.gpus[0].shown_mj = 319_159_391  # the figure of an A100 in NVIDIA's GPU telemetry guide
    assert one_reading(meter).counter_uj == 319_159_391_000


@given(energy_mj=st.integers(0, 2**53 // 1000))
def test_no_millijoule_is_lost_between_units(energy_mj: int) -> None:
    fake, meter = opened("one")
    fake.gpus[0].shown_mj = energy_mj
    assert one_reading(meter).counter_uj == energy_mj * 1000


def test_eight_gpus_are_eight_domains_and_all_are_summed() -> None:
    fake, meter = opened("eight")
    assert [each.domain.name for each in meter.metered] == [f"gpu/{uuid(at)}" for at in range(8)]
    ledger = Ledger(meter)
    ledger.read()
    for _ in range(10):
        fake.run(1.0)
        ledger.read()
    drawn_j = sum(gpu.power_w for gpu in fake.gpus) * 10.0
    assert sum(ledger.energy_uj.values()) == pytest.approx(drawn_j * 1e6, abs=8 * 2000)  # a millijoule at either end
    assert not ledger.lost
    assert not ledger.unread


@given(powers_w=st.lists(st.floats(20.0, 690.0), min_size=2, max_size=12), step_s=st.sampled_from([0.5, 1.0, 2.0, 5.0]))
def test_the_counter_and_the_integral_of_power_agree(powers_w: list[float], step_s: float) -> None:
    clock = ManualClock()
    fake = FakeNvml(clock, [Gpu(uuid(0)), Gpu(uuid(1), "RTX A4000", (8, 6), counted=False)])
    found = nvml.discover(clock, nvml=fake)
    assert found.meter is not None
    assert [each.counter is not None for each in found.meter.metered] == [True, False]
    ledger = Ledger(found.meter)
    fake.gpus[0].power_w = fake.gpus[1].power_w = powers_w[0]
    ledger.read()
    for power_w in powers_w:
        fake.gpus[0].power_w = fake.gpus[1].power_w = power_w
        fake.run(step_s)
        ledger.read()
    counted_uj, integrated_uj = ledger.energy_uj.values()
    # The gauge sees a step half a step late at worst: the trapezoid's error is bounded by half the change of each step.
    moved_w = sum(abs(after - before) for before, after in itertools.pairwise(powers_w))
    # NVML cuts power to milliwatts and energy to millijoules.
    cut_j = 0.001 * step_s * (len(powers_w) + 1) + 0.01
    assert abs(counted_uj - integrated_uj) <= (moved_w * step_s / 2 + cut_j) * 1e6
    assert not ledger.lost


def test_a_steady_load_gives_the_same_joules_by_counter_and_by_power() -> None:
    clock = ManualClock()
    fake = FakeNvml(clock, [Gpu(uuid(0), power_w=250.0), Gpu(uuid(1), power_w=250.0, counted=False)])
    meter = nvml.discover(clock, nvml=fake).meter
    assert meter is not None
    ledger = Ledger(meter)
    for _ in range(21):
        ledger.read()
        fake.run(5.0)
    assert list(ledger.energy_uj.values()) == pytest.approx([25_000e6, 25_000e6], abs=2000)


def test_a_driver_reload_is_a_gap_and_never_energy() -> None:
    fake, meter = opened("one")
    ledger = Ledger(meter)
    ledger.read()
    fake.run(5.0)
    ledger.read()
    before_uj = sum(ledger.energy_uj.values())
    fake.reload_driver()
    fake.initialised = 1  # another process had the driver open all the time: only the counter restarts
    fake.run(5.0)
    ledger.read()
    assert [each.reason for each in ledger.lost] == ["counter_reset"]
    assert sum(ledger.energy_uj.values()) == before_uj
    fake.run(5.0)
    ledger.read()
    assert sum(ledger.energy_uj.values()) - before_uj == pytest.approx(412.5 * 5e6, abs=2000)


def test_a_driver_that_was_unloaded_is_found_again_without_a_restart() -> None:
    fake, meter = opened("one")
    fake.reload_driver()
    assert meter.read() == (Unread(f"gpu/{uuid(0)}", "uninitialized"),)
    fake.run(29.0)
    assert meter.read() == (Unread(f"gpu/{uuid(0)}", "uninitialized"),)
    assert fake.initialised == 0
    fake.run(2.0)
    assert one_reading(meter).counter_uj is not None
    assert fake.initialised == 1


def test_a_lost_gpu_costs_the_others_nothing_and_may_come_back() -> None:
    fake, meter = opened("eight")
    fake.gpus[3].error = GPU_IS_LOST
    for _ in range(3):
        fake.run(1.0)
        readings = meter.read()
        assert readings[3] == Unread(f"gpu/{uuid(3)}", "gpu_is_lost")
        assert sum(isinstance(each, Reading) for each in readings) == 7
    fake.gpus[3].error = 0
    fake.run(31.0)
    assert all(isinstance(each, Reading) for each in meter.read())


@pytest.mark.parametrize("code", [2, 3, 4, 10, 15, 16, 28, 77, 999])
def test_any_error_of_one_gpu_is_that_gpus_alone(code: int) -> None:
    fake, meter = opened("eight")
    fake.gpus[0].error = code
    first, *others = meter.read()
    assert isinstance(first, Unread)
    assert first.reason.replace("_", "").isalnum()
    assert all(isinstance(each, Reading) for each in others)
    watched, *rest = meter.activity()
    assert isinstance(watched, Unread)
    assert not any(isinstance(each, Unread) for each in rest)


def test_a_gpu_without_a_counter_is_read_by_its_power() -> None:
    fake, meter = opened("pascal")
    assert meter.metered[0].counter is None
    first = one_reading(meter)
    assert (first.power_w, first.from_ns) == (120.0, first.to_ns)
    fake.gpus[0].power_w = 140.0
    fake.run(2.0)
    second = one_reading(meter)
    assert (second.power_w, second.from_ns) == (130.0, first.to_ns)


def test_a_mean_of_the_last_second_stands_for_its_middle() -> None:
    clock = ManualClock()
    fake = FakeNvml(clock, [Gpu(uuid(0), "RTX A4000", (8, 6), counted=False)])
    meter = nvml.discover(clock, nvml=fake).meter
    assert meter is not None
    (reading,) = meter.read()
    assert isinstance(reading, Reading)
    assert clock.monotonic_ns() - reading.to_ns == 500_000_000


def test_power_unseen_for_too_long_is_a_gap() -> None:
    fake, meter = opened("pascal")
    ledger = Ledger(meter)
    ledger.read()
    fake.run(60.0)
    ledger.read()
    assert [each.reason for each in ledger.unread] == ["silent_too_long"]
    assert sum(ledger.energy_uj.values()) == 0
    ledger.read()  # the same moment again is no second gap
    for _ in range(2):
        fake.run(5.0)
        ledger.read()
    assert len(ledger.unread) == 1
    assert sum(ledger.energy_uj.values()) == pytest.approx(120 * 10e6, abs=10)


def test_implausible_jumps_are_gaps() -> None:
    fake, meter = opened("one")
    ledger = Ledger(meter)
    ledger.read()
    fake.clock.advance(1.0)
    fake.gpus[0].shown_mj += 2_000_000  # 2 kW on a board of 700 W
    ledger.read()
    assert [each.reason for each in ledger.lost] == ["implausible_power"]
    assert sum(ledger.energy_uj.values()) == 0


def test_mig_instances_are_listed_below_their_parent() -> None:
    clock = ManualClock()
    found = nvml.discover(clock, nvml=scenario("mig", clock))
    assert found.meter is not None
    assert [each.domain.scope for each in found.meter.metered] == [uuid(0)]
    assert [(each.scope, each.reason) for each in found.skipped] == [
        (f"{uuid(0)}/mig-2-0", f"MIG 3g.40gb of GPU 0: a share of gpu/{uuid(0)}"),
        (f"{uuid(0)}/mig-9-0", f"MIG 1g.10gb of GPU 0: a share of gpu/{uuid(0)}"),
    ]


def test_a_gpu_lost_before_the_start_is_listed_with_the_reason() -> None:
    clock = ManualClock()
    found = nvml.discover(clock, nvml=scenario("lost", clock))
    assert found.meter is not None
    assert len(found.meter.metered) == 7
    assert [(each.scope, each.reason) for each in found.skipped] == [("index-3", "GPU 3: gpu_is_lost")]


def test_a_gpu_with_neither_energy_nor_power_is_listed() -> None:
    clock = ManualClock()
    fake = FakeNvml(clock, [Gpu(uuid(0), "GRID T4-4Q", (7, 5), counted=False, powered=False)])
    found = nvml.discover(clock, nvml=fake)
    assert found.meter is None
    assert [each.reason for each in found.skipped] == ["GPU 0, GRID T4-4Q: shows neither energy nor power"]


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        (12, "no libnvidia-ml.so.1 here: this machine has no NVIDIA driver, or it is not mounted"),
        (9, "the NVIDIA driver is not loaded"),
        (18, "library and kernel module of the NVIDIA driver differ in version; a reboot settles it"),
        (999, "NVML does not open: unknown_error"),
    ],
)
def test_a_library_that_does_not_open_is_a_reason(driver: int, reason: str) -> None:
    clock = ManualClock()
    found = nvml.discover(clock, nvml=FakeNvml(clock, [], driver=driver))
    assert found.meter is None
    assert [each.reason for each in found.skipped] == [reason]


def test_a_driver_without_gpus_is_a_reason() -> None:
    clock = ManualClock()
    assert nvml.discover(clock, nvml=FakeNvml(clock, [])).skipped[0].reason == "the driver shows no GPU"


def test_without_the_binding_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = nvml.discover(ManualClock())
    assert found.meter is None
    assert found.skipped[0].reason == "the Python package nvidia-ml-py is not installed"


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import agent.meters.nvml, agent.meters.dcgm, agent.meters.gpu_sysfs, sys;"
        "print([name for name in ('pynvml', 'httpx', 'pydantic', 'subprocess') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def functions() -> list[str]:
    return [name for name in vars(Nvml) if name.startswith("nvml")]


@pytest.mark.parametrize("name", functions())
def test_fake_and_binding_have_the_functions_of_the_protocol(name: str) -> None:
    fake = inspect.signature(getattr(FakeNvml, name))
    protocol = inspect.signature(getattr(Nvml, name))
    assert len(fake.parameters) == len(protocol.parameters)
    binding = pytest.importorskip("pynvml")
    # The binding's own parameters, without the `self` that the fake has; decorated functions show theirs through.
    real = inspect.signature(getattr(binding, name))
    assert len(real.parameters) == len(protocol.parameters) - 1


def test_the_real_binding_says_why_there_is_nothing() -> None:
    binding = pytest.importorskip("pynvml")
    found = nvml.discover(ManualClock(), nvml=binding)
    if found.meter is None:
        assert found.skipped
        assert all(each.reason for each in found.skipped)
    else:
        assert all(isinstance(each, Reading) for each in found.meter.read())


def test_closing_gives_the_library_back() -> None:
    for name in SCENARIOS:
        if name == "no-driver":
            continue
        fake, meter = opened(name)
        meter.activity()
        fake.run(1.0)
        meter.activity()
        meter.close()
        meter.close()
        assert (fake.initialised, fake.samples_alive) == (0, 0)


def test_the_first_reading_books_nothing() -> None:
    fake, meter = opened("one")
    state, outcome = advance(None, one_reading(meter), meter.metered[0].counter)
    assert outcome is None
    fake.run(1.0)
    _, outcome = advance(State(state.last), one_reading(meter), meter.metered[0].counter)
    assert isinstance(outcome, Energy)
    assert outcome.energy_uj == pytest.approx(412.5e6, abs=2000)
