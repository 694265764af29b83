# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Reading hwmon: sensors vanish, lie and stall one by one, and no text in a file ever becomes energy."""

from __future__ import annotations

import errno
import os
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.files import read_int
from agent.meters import acpi, hwmon, sensor
from agent.meters.counter import Energy, Lost, State, advance
from agent.meters.protocol import Counter, Domain, Metered, Quality, Reading, Unread
from agent.meters.sensor import Sensor, SensorMeter
from plumbing.clock import ManualClock
from tests.meters import hwmon_trees as trees

QUALITY = Quality("measured", 0.95, 1.05, "test")


def orin(sysfs: Path) -> SensorMeter:
    trees.orin_nx(sysfs)
    meter = hwmon.discover(sysfs, cpu=trees.ORIN, clock=ManualClock()).meter
    assert isinstance(meter, SensorMeter)
    return meter


def answers(meter: SensorMeter) -> dict[str, Reading | Unread]:
    return {each.domain: each for each in meter.read()}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-320", "negative"), ("", "not_a_number"), ("12 mA", "not_a_number"), ("nan", "not_a_number"),
        ("1e3", "not_a_number"), ("0x10", "not_a_number"), ("٣", "not_a_number"), ("9" * 30, "implausible_power"),
        ("9" * 5000, "not_a_number"),
    ],
)  # fmt: skip
def test_a_lying_current_costs_its_own_rail_and_no_other(tmp_path: Path, text: str, reason: str) -> None:
    meter = orin(tmp_path)
    (tmp_path / "class/hwmon/hwmon1/curr2_input").write_text(text + "\n")
    read = answers(meter)
    assert read["module/cpu-gpu-cv"] == Unread("module/cpu-gpu-cv", reason)
    assert isinstance(read["platform/node"], Reading)
    assert isinstance(read["soc/node"], Reading)


def test_a_sensor_that_goes_away_or_turns_into_something_else_is_unread(tmp_path: Path) -> None:
    meter = orin(tmp_path)
    hwmon1 = tmp_path / "class/hwmon/hwmon1"
    (hwmon1 / "in1_input").unlink()
    (hwmon1 / "curr2_input").unlink()
    (hwmon1 / "curr2_input").mkdir()
    (hwmon1 / "curr3_input").unlink()
    os.mkfifo(hwmon1 / "curr3_input")
    assert answers(meter) == {
        "platform/node": Unread("platform/node", "vanished"),
        "module/cpu-gpu-cv": Unread("module/cpu-gpu-cv", "unreadable"),
        "soc/node": Unread("soc/node", "not_a_number"),
    }


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EIO, errno.EREMOTEIO, errno.ENXIO, errno.ENODATA])
def test_an_error_of_the_bus_costs_one_sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    meter = orin(tmp_path)

    def failing(path: str) -> int:
        if path.endswith("in3_input"):
            raise OSError(code, os.strerror(code), path)
        return read_int(path)

    monkeypatch.setattr(sensor, "read_int", failing)
    read = answers(meter)
    assert isinstance(read["soc/node"], Unread)
    assert isinstance(read["platform/node"], Reading)


def test_a_machine_that_runs_does_not_draw_nothing(tmp_path: Path) -> None:
    meter = orin(tmp_path)
    for number in (1, 2):
        (tmp_path / f"class/hwmon/hwmon1/curr{number}_input").write_text("0\n")
    read = answers(meter)
    assert read["platform/node"] == Unread("platform/node", "no_power")
    part = read["module/cpu-gpu-cv"]
    assert isinstance(part, Reading), "a part of it may well be off"
    assert part.power_w == 0.0


def test_the_sum_of_the_supplies_needs_every_one_of_them(tmp_path: Path) -> None:
    trees.psu_server(tmp_path)
    meter = hwmon.discover(tmp_path, cpu=trees.XEON, clock=ManualClock()).meter
    assert isinstance(meter, SensorMeter)
    whole = answers(meter)["platform/node"]
    assert isinstance(whole, Reading)
    assert whole.power_w == 284.0
    (tmp_path / "class/hwmon/hwmon1/power1_input").unlink()
    read = answers(meter)
    assert read["platform/node"] == Unread("platform/node", "vanished")
    assert isinstance(read["psu/7-0059-input"], Reading)


def test_supplies_of_which_one_is_silent_have_no_sum(tmp_path: Path) -> None:
    trees.psu_server(tmp_path)
    hwmon1 = tmp_path / "class/hwmon/hwmon1"
    (hwmon1 / "power1_input").unlink()
    (hwmon1 / "power1_label").unlink()
    discovery = hwmon.discover(tmp_path, cpu=trees.XEON, clock=ManualClock())
    assert discovery.meter is not None
    assert "platform/node" not in {each.domain.name for each in discovery.meter.metered}
    assert any("pfe1100@7-005a does not tell" in each.reason for each in discovery.skipped)


def test_supplies_are_shown_and_never_booked_beside_their_sum(tmp_path: Path) -> None:
    trees.psu_server(tmp_path)
    meter = hwmon.discover(tmp_path, cpu=trees.XEON, clock=ManualClock()).meter
    assert meter is not None
    assert {each.domain.component: each.through for each in meter.metered} == {"platform": False, "psu": True}


def gauge(path: Path, *, window_ns: int) -> Sensor:
    metered = Metered(Domain("platform", "node"), QUALITY)
    return Sensor(metered=metered, quantity="power", parts=((str(path),),), window_ns=window_ns)


def test_a_mean_that_reaches_back_to_the_last_reading_says_so_and_a_shorter_one_is_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "power1_average"
    path.write_text("100000000\n")
    clock = ManualClock()
    meter = SensorMeter(source="test", sensors=(gauge(path, window_ns=1_000_000_000),), clock=clock)
    (first,) = meter.read()
    assert isinstance(first, Reading)
    assert first.to_ns - first.from_ns == 1_000_000_000
    clock.advance(0.5)
    (second,) = meter.read()
    assert isinstance(second, Reading)
    assert second.from_ns < first.to_ns < second.to_ns
    clock.advance(5.0)
    (third,) = meter.read()
    assert isinstance(third, Reading)
    assert third.from_ns == third.to_ns, "4 s were never seen: the mean is a sample of the 5"


@given(
    powers_uw=st.lists(st.integers(1, 2_000_000_000), min_size=2, max_size=12),
    gaps_ms=st.lists(st.integers(1, 9000), min_size=12, max_size=12),
    window_ms=st.sampled_from([0, 50, 1000, 60_000]),
)
@settings(max_examples=60)
def test_energy_of_a_power_lies_between_its_lowest_and_highest_over_the_measured_time(
    powers_uw: list[int], gaps_ms: list[int], window_ms: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "power1_average"
        clock = ManualClock()
        meter = SensorMeter(source="test", sensors=(gauge(path, window_ns=window_ms * 1_000_000),), clock=clock)
        state: State | None = None
        total_uj, started_ns = 0, clock.monotonic_ns()
        ended_ns = started_ns
        for power_uw, gap_ms in zip(powers_uw, gaps_ms, strict=False):
            path.write_text(f"{power_uw}\n")
            (reading,) = meter.read()
            assert isinstance(reading, Reading)
            state, outcome = advance(state, reading, None)
            assert not isinstance(outcome, Lost), "sampling slowly is no gap"
            total_uj += outcome.energy_uj if isinstance(outcome, Energy) else 0
            ended_ns = clock.monotonic_ns()
            clock.advance(gap_ms / 1000)
        elapsed_s = (ended_ns - started_ns) / 1e9
        assert min(powers_uw) * elapsed_s - 2 <= total_uj <= max(powers_uw) * elapsed_s + 2


def integer(text: bytes) -> bool:
    stripped = text.decode("utf-8", "replace").strip()
    return stripped.isascii() and stripped.removeprefix("-").isdigit()


garbage = st.binary(max_size=200).filter(lambda body: not integer(body))


@given(body=garbage, file=st.sampled_from(["in1_input", "curr1_input", "curr2_input", "in3_input", "curr3_input"]))
@settings(max_examples=80)
def test_no_garbage_raises_and_none_is_power(body: bytes, file: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        meter = orin(Path(folder))
        (Path(folder) / "class/hwmon/hwmon1" / file).write_bytes(body)
        domain = {"1": "platform/node", "2": "module/cpu-gpu-cv", "3": "soc/node"}[file.removesuffix("_input")[-1]]
        read = answers(meter)
        assert read.pop(domain) == Unread(domain, "not_a_number")
        assert all(isinstance(each, Reading) for each in read.values())


@given(
    body=garbage,
    machine=st.sampled_from(sorted(trees.MACHINES)),
    choice=st.integers(min_value=0),
    everywhere=st.booleans(),
)
@settings(max_examples=60)
def test_discovery_takes_any_garbage_in_any_file(body: bytes, machine: str, choice: int, *, everywhere: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sysfs = Path(folder)
        build, cpu = trees.MACHINES[machine]
        build(sysfs)
        files = sorted(path for path in sysfs.rglob("*") if path.is_file())
        for path in files if everywhere else files[choice % len(files) :][:1] if files else []:
            path.write_bytes(body)
        for discovery in (
            hwmon.discover(sysfs, cpu=cpu, clock=ManualClock()),
            acpi.discover(sysfs, clock=ManualClock()),
        ):
            for each in discovery.meter.read() if discovery.meter else ():
                if everywhere:
                    assert isinstance(each, Unread)
                elif isinstance(each, Reading):
                    assert (each.power_w or 0) >= 0


@given(
    values=st.lists(st.one_of(st.integers(0, 10**15), st.none()), min_size=1, max_size=15),
    factor=st.sampled_from([Fraction(1), Fraction("0.5"), Fraction("2.25")]),
)
@settings(max_examples=60)
def test_a_counter_of_hwmon_that_steps_back_is_a_gap_and_never_a_wrap(
    values: list[int | None], factor: Fraction
) -> None:
    counter = Counter(range_uj=None, plausible_w=1000.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "energy1_input"
        metered = Metered(Domain("cpu", "socket-0"), QUALITY, counter)
        clock = ManualClock()
        meter = SensorMeter(
            source="test", sensors=(Sensor(metered, "energy", ((str(path),),), scale=factor),), clock=clock
        )
        state: State | None = None
        for value in values:
            path.write_text("?" if value is None else f"{value}\n")
            clock.advance(1.0)
            (reading,) = meter.read()
            if value is None:
                assert reading == Unread("cpu/socket-0", "not_a_number")
                continue
            assert isinstance(reading, Reading)
            before_uj = state.last.counter_uj if state else None
            state, outcome = advance(state, reading, counter)
            if before_uj is None or reading.counter_uj is None:
                continue
            if reading.counter_uj < before_uj:
                assert isinstance(outcome, Lost)
                assert outcome.reason == "counter_reset"
            elif isinstance(outcome, Energy):
                assert outcome.energy_uj == reading.counter_uj - before_uj
                assert outcome.energy_uj <= 1000.0 * (outcome.to_ns - outcome.from_ns) / 1e3
