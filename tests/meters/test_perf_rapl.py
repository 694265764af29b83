# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""RAPL through perf events: every socket once, exact joules, and a reason for each that cannot be opened."""

from __future__ import annotations

import errno
import struct
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters import perf_rapl
from agent.meters.counter import Energy, State, advance
from agent.meters.perf_event import KernelEvents, attr
from agent.meters.perf_rapl import PerfRaplMeter, differences
from agent.meters.protocol import Discovery, Reading, Unread
from plumbing.clock import ManualClock
from tests.meters import hwmon_trees, perf_trees
from tests.meters.perf_trees import Silicon

if TYPE_CHECKING:
    from pathlib import Path

    from agent.meters.perf_event import Events


def discover(sysfs: Path, kernel: Events, *, clock: ManualClock | None = None) -> Discovery:
    return perf_rapl.discover(sysfs, cpu=hwmon_trees.XEON, clock=clock or ManualClock(), kernel=kernel)


def meter_of(discovery: Discovery) -> PerfRaplMeter:
    assert isinstance(discovery.meter, PerfRaplMeter)
    return discovery.meter


def test_one_event_per_socket_and_domain_of_the_kind_that_sysfs_names(tmp_path: Path) -> None:
    perf_trees.dual_xeon(tmp_path)
    kernel = Silicon()
    meter = meter_of(discover(tmp_path, kernel))
    assert [each.domain.name for each in meter.metered] == [
        "cpu/socket-0", "cpu/socket-1", "dram/socket-0", "dram/socket-1"
    ]  # fmt: skip
    assert sorted(each[:2] for each in kernel.opened.values()) == [(2, 0), (2, 32), (3, 0), (3, 32)]
    assert kernel.kinds == {perf_trees.KIND}
    assert [each.quality.kind for each in meter.metered] == ["measured", "measured", "estimated", "estimated"]
    meter.close()
    assert kernel.opened == {}
    assert meter.read() == ()


def test_joules_of_two_sockets_come_out_as_they_went_in(tmp_path: Path) -> None:
    perf_trees.dual_xeon(tmp_path)
    kernel, clock = Silicon(), ManualClock()
    kernel.draw({(2, 0): 100.0, (2, 32): 80.0}, seconds=3600)  # before anyone looked
    meter = meter_of(discover(tmp_path, kernel, clock=clock))
    states = {each.domain: State(each) for each in meter.read() if isinstance(each, Reading)}
    kernel.draw({(2, 0): 100.0, (2, 32): 80.0, (3, 0): 12.0, (3, 32): 9.5}, seconds=5)
    clock.advance(5)
    drawn: dict[str, int] = {}
    counters = {each.domain.name: each.counter for each in meter.metered}
    for reading in meter.read():
        assert isinstance(reading, Reading)
        _, outcome = advance(states[reading.domain], reading, counters[reading.domain])
        assert isinstance(outcome, Energy)
        drawn[reading.domain] = outcome.energy_uj
    assert drawn == pytest.approx(
        {"cpu/socket-0": 500e6, "cpu/socket-1": 400e6, "dram/socket-0": 60e6, "dram/socket-1": 47.5e6}, abs=2
    )


def test_a_client_shows_its_machine_once_and_its_core_and_graphics_as_parts(tmp_path: Path) -> None:
    perf_trees.pmu(tmp_path, perf_trees.CODES, cpumask="0", packages={0: (0, 0)})
    meter = meter_of(discover(tmp_path, Silicon()))
    assert sorted(each.domain.name for each in meter.metered) == [
        "core/socket-0", "cpu/socket-0", "dram/socket-0", "platform/node", "uncore/socket-0"
    ]  # fmt: skip


def test_psys_of_a_second_socket_is_not_a_second_machine(tmp_path: Path) -> None:
    perf_trees.pmu(tmp_path, ("energy-pkg", "energy-psys"), cpumask="0,1", packages={0: (0, 0), 1: (1, 0)})
    discovery = discover(tmp_path, Silicon())
    names = [each.domain.name for each in meter_of(discovery).metered]
    assert names == ["cpu/socket-0", "cpu/socket-1", "platform/node"]
    (skipped,) = discovery.skipped
    assert "stands for the whole machine" in skipped.reason


def test_dies_are_named_as_powercap_names_them(tmp_path: Path) -> None:
    packages = {0: (0, 0), 24: (0, 1), 48: (1, 0)}
    perf_trees.pmu(tmp_path, ("energy-pkg",), cpumask="0,24,48", packages=packages)
    names = [each.domain.name for each in meter_of(discover(tmp_path, Silicon())).metered]
    assert names == ["cpu/socket-0-die-0", "cpu/socket-0-die-1", "cpu/socket-1"]


def test_amd_has_its_package_and_a_list_of_cores(tmp_path: Path) -> None:
    perf_trees.pmu(tmp_path, ("energy-pkg",), cpumask="0", packages={0: (0, 0)})
    (tmp_path / "bus/event_source/devices/power_core").mkdir()
    discovery = perf_rapl.discover(tmp_path, cpu=hwmon_trees.EPYC, clock=ManualClock(), kernel=Silicon())
    (metered,) = meter_of(discovery).metered
    assert (metered.domain.name, metered.quality.kind) == ("cpu/socket-0", "estimated")
    assert [each.component for each in discovery.skipped] == ["core"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (errno.EACCES, "CAP_PERFMON"), (errno.EPERM, "CAP_PERFMON"), (errno.ENODEV, "does not count it"),
        (errno.EMFILE, "file descriptor"), (errno.ENOSYS, "cannot be opened"),
    ],
)  # fmt: skip
def test_an_event_that_is_refused_costs_only_itself(tmp_path: Path, code: int, why: str) -> None:
    perf_trees.dual_xeon(tmp_path)
    discovery = discover(tmp_path, Silicon(refused={(3, 32): code}))
    assert "dram/socket-1" not in {each.domain.name for each in meter_of(discovery).metered}
    assert len(meter_of(discovery).metered) == 3
    (skipped,) = discovery.skipped
    assert (skipped.component, skipped.scope) == ("dram", "socket-1")
    assert why in skipped.reason


def test_without_the_capability_every_event_says_so(tmp_path: Path) -> None:
    perf_trees.dual_xeon(tmp_path)
    refused = {(config, cpu): errno.EACCES for config in (2, 3) for cpu in (0, 32)}
    discovery = discover(tmp_path, Silicon(refused=refused))
    assert discovery.meter is None
    assert len(discovery.skipped) == 4


def test_a_machine_without_the_pmu_has_none(tmp_path: Path) -> None:
    discovery = discover(tmp_path, Silicon())
    assert discovery.meter is None
    assert "no event source 'power'" in discovery.skipped[0].reason


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("type", "twelve"), ("cpumask", ""), ("cpumask", "0-"), ("cpumask", "0;1"), ("cpumask", "0,99"),
        ("format/event", "config1:0-7"), ("events/energy-pkg", "event=0x02,umask=0x1"), ("events/energy-pkg", "x"),
        ("events/energy-pkg.unit", "Watts"), ("events/energy-pkg.scale", "0"), ("events/energy-pkg.scale", "nan"),
        ("events/energy-pkg.scale", "1/0"), ("events/energy-pkg.scale", "1e999"),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_known_is_a_reason_and_never_a_wrong_joule(
    tmp_path: Path, file: str, text: str
) -> None:
    power = perf_trees.pmu(tmp_path, ("energy-pkg",), cpumask="0", packages={0: (0, 0)})
    (power / file).write_text(text + "\n")
    kernel = Silicon()
    discovery = discover(tmp_path, kernel)
    assert discovery.meter is None
    assert discovery.skipped
    assert kernel.opened == {}


def test_a_missing_scale_is_a_reason(tmp_path: Path) -> None:
    power = perf_trees.pmu(tmp_path, ("energy-pkg",), cpumask="0", packages={0: (0, 0)})
    (power / "events/energy-pkg.scale").unlink()
    assert discover(tmp_path, Silicon()).meter is None


def test_a_counter_whose_cpu_was_away_is_a_gap(tmp_path: Path) -> None:
    perf_trees.dual_xeon(tmp_path)
    kernel, clock = Silicon(), ManualClock()
    meter = meter_of(discover(tmp_path, kernel, clock=clock))
    meter.read()
    kernel.away.add(100)
    kernel.draw({(2, 32): 80.0}, seconds=1)
    clock.advance(1)
    answers = {each.domain: each for each in meter.read()}
    assert answers["cpu/socket-0"] == Unread("cpu/socket-0", "not_counting")
    assert isinstance(answers["cpu/socket-1"], Reading)
    kernel.away.clear()
    kernel.draw({}, seconds=1)
    assert all(isinstance(each, Reading) for each in meter.read()), "it counts again"


def test_an_event_in_error_is_unread_alone(tmp_path: Path) -> None:
    perf_trees.dual_xeon(tmp_path)
    kernel = Silicon()
    meter = meter_of(discover(tmp_path, kernel))
    kernel.broken.add(101)
    answers = {each.domain: each for each in meter.read()}
    assert answers.pop("cpu/socket-1") == Unread("cpu/socket-1", "no_data")
    assert all(isinstance(each, Reading) for each in answers.values())


@given(counts=st.lists(st.integers(0, 2**45), min_size=1, max_size=20))
def test_counts_become_microjoules_exactly_and_lose_none_on_the_way(counts: list[int]) -> None:
    scale = Fraction(perf_trees.SCALE) * 1_000_000
    assert scale == Fraction(1_000_000, 2**32)
    total = 0
    steps_uj = 0
    last_uj = 0
    for count in counts:
        total += count
        now_uj = total * scale.numerator // scale.denominator
        steps_uj += now_uj - last_uj
        last_uj = now_uj
    assert steps_uj == total * 1_000_000 >> 32


def test_the_attribute_is_the_kernels_first_published_layout() -> None:
    body = attr(kind=12, config=2)
    assert len(body) == 64
    kind, size, config, period, sample, times, flags = struct.unpack_from("=IIQQQQQ", body)
    assert (kind, size, config, period, sample, times, flags) == (12, 64, 2, 0, 0, 3, 0)


def test_the_kernel_counts_or_says_why_not() -> None:
    # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK: an event that every kernel with perf has, in virtual machines too.
    events = KernelEvents()
    try:
        fd = events.open(kind=1, config=0, cpu=0)
    except OSError as error:
        assert error.errno in (errno.EACCES, errno.EPERM, errno.ENOSYS)  # noqa: PT017
        return
    first = events.read(fd)
    second = events.read(fd)
    events.close(fd)
    assert second.value > first.value
    assert second.enabled_ns >= second.running_ns > 0
    with pytest.raises(OSError, match="perf_event_open"):
        events.open(kind=2**31, config=0, cpu=0)


def test_two_readers_of_one_register_agree_up_to_the_time_between_them() -> None:
    perf = {"cpu/socket-0": 500_000_000, "cpu/socket-1": 400_000_050, "dram/socket-0": 60_000_000}
    powercap = {"cpu/socket-0": 490_000_000, "cpu/socket-1": 400_000_000, "platform/node": 9}
    assert differences(perf, powercap) == {"cpu/socket-0": pytest.approx(1 / 49), "cpu/socket-1": None}
    assert differences(perf, powercap, skew_uj=20_000_000)["cpu/socket-0"] is None
    assert differences({"cpu/socket-0": 1_000_000}, {"cpu/socket-0": 0}) == {"cpu/socket-0": float("inf")}
