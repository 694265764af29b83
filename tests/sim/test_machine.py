# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated machine: a tree that a powercap reader understands, known joules, wraps, and no torn reads."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.load import HostLoad, ScriptedLoad
from sim.machine import MARKER, Machine, Shape

if TYPE_CHECKING:
    from pathlib import Path


def counter(root: Path, zone: str) -> int:
    return int((root / "class" / "powercap" / zone / "energy_uj").read_text())


def test_the_tree_has_a_package_and_its_memory_per_socket(tmp_path: Path) -> None:
    Machine(tmp_path)
    powercap = tmp_path / "class" / "powercap"
    names = {zone.name: (zone / "name").read_text().strip() for zone in powercap.iterdir()}
    assert names == {
        "intel-rapl:0": "package-0",
        "intel-rapl:0:0": "dram",
        "intel-rapl:1": "package-1",
        "intel-rapl:1:0": "dram",
    }
    for zone in powercap.iterdir():
        assert int((zone / "max_energy_range_uj").read_text()) == 262_143_328_850
        assert int((zone / "constraint_0_power_limit_uw").read_text()) > 0
        assert counter(tmp_path, zone.name) == 0
    assert (tmp_path / MARKER).is_file()


def test_counters_move_by_known_watts(tmp_path: Path) -> None:
    machine = Machine(tmp_path, shape=Shape(sockets=1, idle_w=20, max_w=100, exponent=1.0))
    machine.advance(10.0, load_ratio=0.0)
    assert counter(tmp_path, "intel-rapl:0") == 200_000_000
    machine.advance(10.0, load_ratio=0.5)
    assert counter(tmp_path, "intel-rapl:0") == 800_000_000
    assert machine.truth_uj["intel-rapl:0"] == 800_000_000


def test_counters_wrap_and_the_truth_does_not(tmp_path: Path) -> None:
    shape = Shape(sockets=1, idle_w=100, max_w=100, max_energy_range_uj=999_999_999)
    machine = Machine(tmp_path, shape=shape, start_uj=999_999_000)
    machine.advance(1.0, load_ratio=1.0)
    assert counter(tmp_path, "intel-rapl:0") == 99_999_000
    assert machine.truth_uj["intel-rapl:0"] == 100_000_000


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1)), max_size=20), start_uj=st.integers(0, 10**9))
def test_deltas_modulo_the_range_add_up_to_the_truth(
    tmp_path: Path, steps: list[tuple[float, float]], start_uj: int
) -> None:
    period = 40_000_000_000
    machine = Machine(tmp_path, shape=Shape(max_energy_range_uj=period - 1), start_uj=start_uj)
    before = {zone: counter(tmp_path, zone) for zone in machine.truth_uj}
    summed = dict.fromkeys(before, 0)
    for elapsed_s, load_ratio in steps:
        machine.advance(elapsed_s, load_ratio=load_ratio)
        for zone in summed:
            now = counter(tmp_path, zone)
            summed[zone] += (now - before[zone]) % period
            before[zone] = now
    assert summed == machine.truth_uj


def test_a_reader_with_an_open_descriptor_sees_whole_values_that_only_grow(tmp_path: Path) -> None:
    machine = Machine(tmp_path, shape=Shape(sockets=1, idle_w=1.0, max_w=1e6, max_energy_range_uj=2**62))
    descriptor = os.open(tmp_path / "class" / "powercap" / "intel-rapl:0" / "energy_uj", os.O_RDONLY)
    done = threading.Event()

    def write() -> None:
        for at in range(2000):
            machine.advance(10.0 ** (at % 5 - 4), load_ratio=at % 2)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    last = 0
    reads = 0
    while not done.is_set():
        value = int(os.pread(descriptor, 64, 0))
        assert value >= last
        last, reads = value, reads + 1
    writer.join()
    os.close(descriptor)
    assert reads > 10
    assert last <= machine.truth_uj["intel-rapl:0"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    with pytest.raises(FileExistsError, match="no simulated tree"):
        Machine(tmp_path)
    assert not (tmp_path / MARKER).exists()


def test_our_own_tree_is_taken_over(tmp_path: Path) -> None:
    Machine(tmp_path, start_uj=10**12)
    Machine(tmp_path)
    assert counter(tmp_path, "intel-rapl:0") == 0


@pytest.mark.parametrize(("elapsed_s", "load_ratio"), [(-1.0, 0.5), (1.0, 1.1), (1.0, float("nan"))])
def test_time_and_load_have_limits(elapsed_s: float, load_ratio: float, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with pytest.raises(ValueError, match="cannot run"):
        machine.advance(elapsed_s, load_ratio=load_ratio)
    assert set(machine.truth_uj.values()) == {0}


def test_the_agent_reads_the_tree_as_simulated(tmp_path: Path) -> None:
    from agent.meters import simulated
    from agent.meters.protocol import Reading
    from estimator.curves import CpuIdentity
    from plumbing.clock import ManualClock

    machine = Machine(tmp_path, shape=Shape(idle_w=50, max_w=50))
    machine.advance(2.0, load_ratio=0.0)
    cpu = CpuIdentity(model_name="", vendor="GenuineIntel", family=6, model=85, threads=4)
    found = simulated.discover(tmp_path, cpu=cpu, clock=ManualClock())
    assert found.meter is not None
    readings = {each.domain: each for each in found.meter.read()}
    assert set(readings) == {"cpu/socket-0", "cpu/socket-1", "dram/socket-0", "dram/socket-1"}
    socket = readings["cpu/socket-0"]
    assert isinstance(socket, Reading)
    assert socket.counter_uj == 100_000_000
    assert {each.quality.kind for each in found.meter.metered} == {"modelled"}


def test_a_script_holds_each_load_until_the_next() -> None:
    load = ScriptedLoad((0.0, 0.1), (10.0, 0.9))
    assert [load.ratio(at) for at in (0.0, 9.9, 10.0, 1e9)] == [0.1, 0.1, 0.9, 0.9]
    with pytest.raises(ValueError, match="rising"):
        ScriptedLoad((1.0, 0.5), (1.0, 0.6))
    with pytest.raises(ValueError, match="ratio"):
        ScriptedLoad((0.0, 1.5))


def test_the_host_load_is_the_busy_share_between_two_calls(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 ...\n")
    load = HostLoad(tmp_path)
    stat.write_text("cpu  160 0 130 900 5 0 5 0 50 0\ncpu0 ...\n")
    assert load.ratio(0.0) == pytest.approx(95 / 200)
    assert load.ratio(0.0) == 0.0
