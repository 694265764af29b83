# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Faults do what they say, to their target alone, for as long as they say; the truth goes on."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from agent.files import read_int
from sim.silicon import faults, presets
from sim.silicon.faults import Fault, FaultKind
from sim.silicon.run import Run
from sim.silicon.work import Script, place
from tests.silicon.machines import KINDS, busy, changed

if TYPE_CHECKING:
    from pathlib import Path

ZONE, OTHER = "intel-rapl:0", "intel-rapl:1"


def run_with(root: Path, *wrong: Fault, name: str = "xeon-2s") -> Run:
    # A few cores: the files of 128 cpus take longer to make than the test to run.
    machine = changed(presets.draw(name, seed=1), cores_per_socket=2)
    work = place(Script((busy("it", "compute", 0, 1),), KINDS), machine)
    return Run(machine, work, seed=1, root=root, faults=wrong)


def energy_uj(root: Path, zone: str = ZONE) -> int:
    return read_int(str(root / "class/powercap" / zone / "energy_uj"))


def readings(run: Run, meter: int = 0) -> list[int]:
    table = run.trace().tables["readings"]
    return [int(each) for each in table["counter_uj"][table["meter"] == meter]]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("vanish", FileNotFoundError), ("unreadable", IsADirectoryError), ("stuck", ValueError), ("garbage", ValueError)],
)
def test_a_zone_that_cannot_be_read_comes_back_with_its_true_counter(
    tmp_path: Path, kind: FaultKind, error: type[Exception]
) -> None:
    run = run_with(tmp_path, Fault(at_s=2.0, until_s=4.0, kind=kind, target=ZONE))
    run.advance(1.0)
    assert energy_uj(tmp_path) == run.registers.counter_uj(run.registers.zones[0])
    run.advance(2.0)
    with pytest.raises(error):
        energy_uj(tmp_path)
    assert energy_uj(tmp_path, OTHER) > 0
    run.advance(2.0)
    assert energy_uj(tmp_path) == run.registers.counter_uj(run.registers.zones[0])
    # Read at 0, 1, 4 and 5 s; at 2 and 3 s there was nothing to read.
    assert len(readings(run)) == 4
    assert len(readings(run, 2)) == 6
    assert all(int(each.total_uj[0]) > 0 for each in run.intervals)


def test_a_denied_zone_has_no_permissions(tmp_path: Path) -> None:
    run = run_with(tmp_path, Fault(at_s=1.0, until_s=2.0, kind="denied", target=ZONE))
    file = tmp_path / "class/powercap" / ZONE / "energy_uj"
    run.advance(1.5)
    assert stat.S_IMODE(file.stat().st_mode) == 0
    if os.geteuid() != 0:
        with pytest.raises(PermissionError) as caught:
            energy_uj(tmp_path)
        assert caught.value.errno == errno.EACCES
    run.advance(1.0)
    assert energy_uj(tmp_path) == run.registers.counter_uj(run.registers.zones[0])


def test_a_stuck_file_is_a_pipe_that_nobody_writes(tmp_path: Path) -> None:
    run = run_with(tmp_path, Fault(at_s=0.0, kind="stuck", target=ZONE))
    assert stat.S_ISFIFO((tmp_path / "class/powercap" / ZONE / "energy_uj").stat().st_mode)
    run.advance(0.5)
    assert stat.S_ISFIFO((tmp_path / "class/powercap" / ZONE / "energy_uj").stat().st_mode)


def test_a_meter_that_is_plugged_in_later(tmp_path: Path) -> None:
    run = run_with(tmp_path, Fault(at_s=0.0, until_s=2.0, kind="vanish", target=OTHER))
    assert not (tmp_path / "class/powercap" / OTHER).exists()
    run.advance(2.0)
    assert energy_uj(tmp_path, OTHER) > 0
    assert (tmp_path / "class/powercap" / OTHER / "max_energy_range_uj").is_file()


def test_a_frozen_counter_stands_still_and_jumps_back_to_the_truth(tmp_path: Path) -> None:
    run = run_with(tmp_path, Fault(at_s=1.0, until_s=3.0, kind="frozen", target=ZONE))
    run.advance(0.9)
    before = energy_uj(tmp_path)
    run.advance(1.6)
    assert energy_uj(tmp_path) == before
    run.advance(0.6)
    assert energy_uj(tmp_path) == run.registers.counter_uj(run.registers.zones[0]) != before
    shown = readings(run)
    assert shown[0] == shown[1] == shown[2] != shown[3]


def test_a_counter_that_reads_zero_for_a_moment(tmp_path: Path) -> None:
    run = run_with(tmp_path, Fault(at_s=1.0, until_s=1.5, kind="zero", target=ZONE))
    run.advance(1.0)
    assert energy_uj(tmp_path) == 0
    run.advance(1.0)
    assert energy_uj(tmp_path) == run.registers.counter_uj(run.registers.zones[0]) > 0
    assert readings(run)[1] == 0


def test_a_reset_starts_the_counter_again(tmp_path: Path) -> None:
    run = run_with(tmp_path, Fault(at_s=2.0, kind="reset", target=ZONE))
    run.advance(3.0)
    since_uj = int(run.intervals[-1].total_uj[0])
    assert energy_uj(tmp_path) == pytest.approx(since_uj, rel=0.1)
    assert sum(int(each.total_uj[0]) for each in run.intervals) == pytest.approx(3 * since_uj, rel=0.1)


def test_a_step_back_is_as_small_as_it_says(tmp_path: Path) -> None:
    whole = run_with(tmp_path / "whole")
    stepped = run_with(tmp_path / "stepped", Fault(at_s=1.0, kind="step_back", target=ZONE, counts=50_000_000))
    for run in (whole, stepped):
        run.advance(2.0)
    zone = whole.registers.zones[0]
    behind_uj = whole.registers.counted_uj(zone) - stepped.registers.counted_uj(zone)
    assert behind_uj == pytest.approx(50_000_000 * 61.035, abs=200)


@pytest.mark.parametrize("name", ["xeon-2s", "xeon-1s"])
@pytest.mark.parametrize("kind", ["vanish", "unreadable", "garbage", "frozen", "zero"])
def test_the_platforms_meter_fails_alone(tmp_path: Path, name: str, kind: FaultKind) -> None:
    wrong = Fault(at_s=2.0, until_s=4.0, kind=kind, target=faults.PLATFORM)
    run = run_with(tmp_path, wrong, name=name)
    file = next((tmp_path / "class/hwmon").glob("*/power1_[ai]*[egt]"))
    run.advance(1.5)
    before = read_int(str(file))
    run.advance(2.0)
    if kind in ("frozen", "zero"):
        assert read_int(str(file)) == (before if kind == "frozen" else 0)
    else:
        with pytest.raises((OSError, ValueError)):
            read_int(str(file))
    run.advance(6.0)
    assert read_int(str(file)) > 10_000_000
    assert len(readings(run)) == 10


def test_a_wrong_fault_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="target: 'intel-rapl:9' is none of"):
        run_with(tmp_path, Fault(at_s=0.0, kind="vanish", target="intel-rapl:9"))
    with pytest.raises(ValueError, match="target: 'platform'"):
        run_with(tmp_path, Fault(at_s=0.0, kind="vanish", target="platform"), name="vm")
    with pytest.raises(ValueError, match="kind: 'explode'"):
        Fault(at_s=0.0, kind="explode", target=ZONE)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at_s, until_s"):
        Fault(at_s=2.0, until_s=1.0, kind="zero", target=ZONE)
    with pytest.raises(ValueError, match="a gauge has no register"):
        Fault(at_s=0.0, kind="reset", target=faults.PLATFORM)
    assert not tmp_path.joinpath("class").exists()
