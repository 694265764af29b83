# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The sysfs tree: laid out as the kernel does, written so that no reader sees half a value, understood by the agent."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from agent.meters import acpi, hwmon, rapl, simulated
from agent.meters.protocol import Discovery, Reading
from estimator.curves import CpuIdentity
from plumbing.clock import ManualClock
from sim.silicon import presets
from sim.silicon.run import Run
from sim.silicon.tree import MARKER
from sim.silicon.work import Change, Script, Task, place
from tests.silicon.machines import KINDS, busy, changed

if TYPE_CHECKING:
    from pathlib import Path

    from sim.silicon.machine import Machine


def run_in(root: Path, name: str = "xeon-2s", *tasks: Task, changes: tuple[Change, ...] = (), seed: int = 1) -> Run:
    # The files of 128 cpus take longer to make than the test to run.
    machine = presets.draw(name, seed=seed)
    machine = changed(machine, cores_per_socket=min(4, machine.cores_per_socket))
    return Run(machine, place(Script(tasks, KINDS, changes), machine), seed=seed, root=root)


def text(file: Path) -> str:
    return file.read_text(encoding="ascii").strip()


def names(root: Path) -> dict[str, str]:
    return {each.name: text(each / "name") for each in sorted((root / "class/powercap").glob("*:*"))}


def test_every_preset_shows_the_zones_of_its_kind(tmp_path: Path) -> None:
    shown = {}
    for name in presets.NAMES:
        run_in(tmp_path / name, name)
        shown[name] = names(tmp_path / name)
    assert shown == {
        "xeon-2s": {
            "intel-rapl:0": "package-0",
            "intel-rapl:0:0": "dram",
            "intel-rapl:1": "package-1",
            "intel-rapl:1:0": "dram",
        },
        "xeon-1s": {
            "intel-rapl-mmio:0": "package-0",
            "intel-rapl:0": "package-0",
            "intel-rapl:0:0": "core",
            "intel-rapl:0:1": "uncore",
            "intel-rapl:0:2": "dram",
        },
        "laptop": {
            "intel-rapl-mmio:0": "package-0",
            "intel-rapl:0": "package-0",
            "intel-rapl:0:0": "core",
            "intel-rapl:0:1": "uncore",
            "intel-rapl:1": "psys",
        },
        "epyc-2s": {
            "intel-rapl:0": "package-0",
            "intel-rapl:0:0": "core",
            "intel-rapl:1": "package-1",
            "intel-rapl:1:0": "core",
        },
        "vm": {},
    }
    assert {name: (tmp_path / name / MARKER).is_file() for name in presets.NAMES} == dict.fromkeys(presets.NAMES, True)


def test_limits_stand_where_the_driver_puts_them(tmp_path: Path) -> None:
    run_in(tmp_path, "xeon-1s")
    package = tmp_path / "class/powercap/intel-rapl:0"
    assert text(package / "constraint_0_name") == "long_term"
    assert text(package / "constraint_0_power_limit_uw") == "80000000"
    assert text(package / "constraint_1_power_limit_uw") == "120000000"
    assert int(text(package / "constraint_0_time_window_us")) > 20_000_000
    run_in(tmp_path / "amd", "epyc-2s")
    assert not list((tmp_path / "amd/class/powercap").glob("*/constraint_*"))


def discover(root: Path, machine: Machine) -> Discovery:
    cpu = CpuIdentity(machine.model_name, machine.vendor, machine.family, machine.model, machine.cpus)
    return rapl.discover(root, cpu=cpu, clock=ManualClock())


@pytest.mark.parametrize(
    ("name", "domains"),
    [
        ("xeon-2s", {"cpu/socket-0", "cpu/socket-1", "dram/socket-0", "dram/socket-1"}),
        ("xeon-1s", {"cpu/socket-0", "core/socket-0", "uncore/socket-0", "dram/socket-0"}),
        ("laptop", {"cpu/socket-0", "core/socket-0", "uncore/socket-0", "platform/node"}),
        ("epyc-2s", {"cpu/socket-0", "cpu/socket-1", "core/socket-0", "core/socket-1"}),
        ("vm", set()),
    ],
)
def test_the_agent_finds_and_reads_the_zones(tmp_path: Path, name: str, domains: set[str]) -> None:
    run = run_in(tmp_path, name, busy("it", "compute", 0, 1))
    found = discover(tmp_path, run.machine)
    if not domains:
        assert found.meter is None
        return
    assert found.meter is not None
    assert {each.domain.name for each in found.meter.metered} == domains
    before = {each.domain: each for each in found.meter.read()}
    run.advance(2.0)
    after = {each.domain: each for each in found.meter.read()}
    first, second = before["cpu/socket-0"], after["cpu/socket-0"]
    assert isinstance(first, Reading)
    assert isinstance(second, Reading)
    assert first.counter_uj is not None
    assert second.counter_uj is not None
    counter = next(each.counter for each in found.meter.metered if each.domain.name == "cpu/socket-0")
    assert counter is not None
    assert counter.range_uj is not None
    watts = (second.counter_uj - first.counter_uj) % counter.range_uj / 2e6
    true_w = sum(int(each.total_uj[0]) for each in run.intervals) / 2e6
    assert watts == pytest.approx(true_w, rel=0.12)
    assert run.machine.limits.short_w <= counter.plausible_w


def test_simulated_joules_are_read_as_simulated(tmp_path: Path) -> None:
    run = run_in(tmp_path, "xeon-1s")
    cpu = CpuIdentity("", "GenuineIntel", 6, 85, 16)
    found = simulated.discover(tmp_path, cpu=cpu, clock=ManualClock())
    assert found.meter is not None
    assert {each.quality.kind for each in found.meter.metered} == {"modelled"}
    assert run.registers.zones


def test_the_agent_finds_the_platform(tmp_path: Path) -> None:
    run = run_in(tmp_path / "acpi", "xeon-2s", busy("it", "compute", *range(8)))
    run.advance(12.0)
    found = acpi.discover(tmp_path / "acpi", clock=ManualClock())
    assert found.meter is not None
    (reading,) = found.meter.read()
    assert isinstance(reading, Reading)
    assert reading.power_w is not None
    assert run.flow is not None
    assert reading.power_w == pytest.approx(float(run.flow.ac_w.mean()), rel=0.05)

    run = run_in(tmp_path / "pmbus", "xeon-1s", busy("it", "compute", *range(8)))
    run.advance(2.0)
    cpu = CpuIdentity("", "GenuineIntel", 6, 158, 16)
    found = hwmon.discover(tmp_path / "pmbus", cpu=cpu, clock=ManualClock())
    assert found.meter is not None
    power_w = {each.domain: each.power_w for each in found.meter.read() if isinstance(each, Reading)}
    assert run.flow is not None
    inputs = [watts for domain, watts in power_w.items() if domain.endswith("-input") and watts is not None]
    assert len(inputs) == 2
    assert sum(inputs) == pytest.approx(float(run.flow.ac_w.mean()), rel=0.05)
    assert power_w["platform/node"] == pytest.approx(sum(inputs))


def test_topology_and_frequencies(tmp_path: Path) -> None:
    run = run_in(tmp_path, "xeon-2s", busy("it", "spin", 1))
    cpus = tmp_path / "devices/system/cpu"
    assert text(cpus / "possible") == text(cpus / "online") == "0-15"
    assert text(cpus / "cpu5/topology/physical_package_id") == "1"
    assert text(cpus / "cpu5/topology/core_id") == "1"
    assert text(cpus / "cpu5/topology/thread_siblings_list") == "5,13"
    run.advance(1.0)
    highest = int(text(cpus / "cpu1/cpufreq/cpuinfo_max_freq"))
    assert int(text(cpus / "cpu1/cpufreq/scaling_cur_freq")) == highest
    assert int(text(cpus / "cpu2/cpufreq/scaling_cur_freq")) == int(text(cpus / "cpu2/cpufreq/cpuinfo_min_freq"))


def test_temperatures_follow_the_work(tmp_path: Path) -> None:
    run = run_in(tmp_path, "laptop", busy("it", "compute", 0, 1, 2, 3))
    sensor = tmp_path / "class/hwmon/hwmon0"
    assert text(sensor / "name") == "coretemp"
    cold = int(text(sensor / "temp1_input"))
    run.advance(30.0)
    assert int(text(sensor / "temp1_input")) > cold + 10_000
    assert int(text(sensor / "temp2_input")) > int(text(sensor / "temp1_input"))


def test_an_offline_cpu_loses_its_topology(tmp_path: Path) -> None:
    changes = (
        Change(at_s=1.0, what="online", value=0, where=(3,)),
        Change(at_s=3.0, what="online", value=1, where=(3,)),
    )
    run = run_in(tmp_path, "vm", changes=changes)
    cpus = tmp_path / "devices/system/cpu"
    run.advance(2.0)
    assert text(cpus / "online") == "0-2"
    assert text(cpus / "cpu3/online") == "0"
    assert not (cpus / "cpu3/topology").exists()
    run.advance(2.0)
    assert text(cpus / "online") == "0-3"
    assert text(cpus / "cpu3/topology/core_id") == "1"


def test_a_reader_with_an_open_descriptor_sees_whole_values_that_only_grow(tmp_path: Path) -> None:
    machine = changed(presets.draw("vm", seed=1), meters={"zones": ("package",)})
    run = Run(machine, place(Script((), KINDS), machine), seed=1, root=tmp_path, start_count=0)
    descriptor = os.open(tmp_path / "class/powercap/intel-rapl:0/energy_uj", os.O_RDONLY)
    done = threading.Event()

    def write() -> None:
        for at in range(400):
            # Nine digits one moment, three the next but one: a torn read would show a mix.
            run.advance(0.01 if at % 3 else 0.1)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    last = reads = 0
    while not done.is_set():
        value = int(os.pread(descriptor, 64, 0))
        assert value >= last
        last, reads = value, reads + 1
    writer.join()
    os.close(descriptor)
    assert reads > 10
    assert last <= run.registers.counter_uj(run.registers.zones[0])


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    with pytest.raises(FileExistsError, match="no simulated tree"):
        run_in(tmp_path)
    assert not (tmp_path / MARKER).exists()


def test_our_own_tree_is_replaced_whole(tmp_path: Path) -> None:
    run_in(tmp_path, "xeon-2s")
    run_in(tmp_path, "laptop")
    assert "package-1" not in names(tmp_path).values()
    assert text(tmp_path / "devices/system/cpu/possible") == "0-7"
    assert len(list((tmp_path / "class/hwmon").iterdir())) == 1
