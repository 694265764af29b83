# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What hwmon and the ACPI meter say about known machines, against the golden file."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from agent.files import read_int
from agent.meters import acpi, hwmon
from agent.meters.declared import declared
from agent.meters.protocol import Discovery, Reading
from plumbing.clock import ManualClock
from tests.meters import hwmon_trees as trees

GOLDEN = Path(__file__).with_name("hwmon_discovery.txt")


def found(sysfs: Path, machine: str, *words: str) -> dict[str, Discovery]:
    build, cpu = trees.MACHINES[machine]
    build(sysfs)
    clock = ManualClock()
    return {
        "hwmon": hwmon.discover(sysfs, cpu=cpu, clock=clock, declarations=[declared(word) for word in words]),
        "acpi": acpi.discover(sysfs, clock=clock),
    }


def shown(discoveries: dict[str, Discovery]) -> list[str]:
    out: list[str] = []
    for source, each in discoveries.items():
        readings = {reading.domain: reading for reading in each.meter.read()} if each.meter else {}
        for metered in each.meter.metered if each.meter else ():
            reading = readings[metered.domain.name]
            assert isinstance(reading, Reading)
            value = f"{reading.counter_uj} uJ" if metered.counter else f"{reading.power_w:g} W"
            inside = f" in {metered.domain.parent}" if metered.domain.parent else ""
            through = " through" if metered.through else ""
            out.append(
                f"{source} use {metered.domain.name}{inside}{through} {value} {metered.quality.kind} "
                f"+-{metered.quality.error_ratio:.0%} {metered.quality.origin}"
            )
        out.extend(f"{source} skip {skip.component}/{skip.scope}: {skip.reason}" for skip in each.skipped)
    return out


def everything(tmp_path: Path) -> list[str]:
    out: list[str] = []
    for number, machine in enumerate(trees.MACHINES):
        out += [f"# {machine}", *shown(found(tmp_path / str(number), machine))]
    return out


def test_every_machine_is_read_as_the_golden_file_says(tmp_path: Path) -> None:
    assert everything(tmp_path) == GOLDEN.read_text(encoding="utf-8").splitlines()


def domains(discovery: Discovery) -> dict[str, str | None]:
    return {each.domain.name: each.domain.parent for each in (discovery.meter.metered if discovery.meter else ())}


def test_grace_modules_contain_their_sockets_and_these_their_rails(tmp_path: Path) -> None:
    both = found(tmp_path, "Grace Hopper, two sockets")
    assert domains(both["hwmon"]) == {
        "module/socket-0": None,
        "module/socket-1": None,
        "cpu/socket-0": "module/socket-0",
        "cpu/socket-1": "module/socket-1",
        "core/socket-0": "cpu/socket-0",
        "core/socket-1": "cpu/socket-1",
        "uncore/socket-0": "cpu/socket-0",
        "uncore/socket-1": "cpu/socket-1",
    }
    assert both["acpi"].meter is None
    assert {each.component for each in both["acpi"].skipped} == {"module", "cpu", "core", "uncore"}


def test_without_the_whole_its_parts_stand_for_themselves(tmp_path: Path) -> None:
    trees.acpi_meter(tmp_path, 0, 120_000, oem="CPU Power Socket 0", measures="")
    trees.acpi_meter(tmp_path, 1, 35_000, oem="SysIO Power Socket 0", measures="")
    discovery = hwmon.discover(tmp_path, cpu=trees.GRACE, clock=ManualClock())
    assert domains(discovery) == {"cpu/socket-0": None, "soc/socket-0": None}


@pytest.mark.parametrize("machine", ["laptop", "INA226 board", "nothing"])
def test_what_nobody_knows_is_listed_and_not_used(tmp_path: Path, machine: str) -> None:
    both = found(tmp_path, machine)
    for discovery in both.values():
        assert discovery.meter is None
        assert discovery.skipped
        assert "cpu" not in {each.component for each in discovery.skipped}


def test_an_operator_can_say_what_a_board_measures(tmp_path: Path) -> None:
    both = found(
        tmp_path, "INA226 board", "ina226@1-0040/power1=platform/node*2", "ina226@1-0041/power1=dram/node"
    )  # fmt: skip
    assert domains(both["hwmon"]) == {"dram/node": None, "platform/node": None}
    assert both["hwmon"].meter is not None
    watts = {each.domain: each.power_w for each in both["hwmon"].meter.read() if isinstance(each, Reading)}
    assert watts == {"dram/node": 1.029, "platform/node": 2.058}


def test_a_firmware_counter_that_an_operator_names_is_a_counter(tmp_path: Path) -> None:
    both = found(tmp_path, "ARM server, X-Gene and SCMI", "scmi_sensors/energy2=dram/node")
    assert both["hwmon"].meter is not None
    counters = {each.domain: each.counter_uj for each in both["hwmon"].meter.read() if isinstance(each, Reading)}
    assert counters["dram/node"] == 23_456_789
    (metered,) = (each for each in both["hwmon"].meter.metered if each.domain.name == "dram/node")
    assert metered.counter is not None
    assert metered.counter.range_uj is None, "hwmon states no range, so nothing may be taken for a wrap"


def test_a_declaration_never_makes_a_battery_a_cpu_and_a_missing_sensor_says_so(tmp_path: Path) -> None:
    both = found(
        tmp_path, "laptop", "BAT0/power1=cpu/socket-0", "amdgpu/power1=cpu/socket-0", "ina226/power1=dram/node"
    )
    assert both["hwmon"].meter is None
    reasons = [each.reason for each in both["hwmon"].skipped]
    assert any("ina226/power1: declared, but not on this machine" in reason for reason in reasons)


@pytest.mark.parametrize(
    "text",
    [
        "", "ina226", "ina226/power1", "ina226/temp1=cpu/socket-0", "ina226/power1=heart/socket-0",
        "ina226/power1=cpu/", "ina226/power1=cpu/socket-0*0", "ina226/power1=cpu/socket-0*-1", "a/b/power1=cpu/x",
    ],
)  # fmt: skip
def test_a_declaration_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|must be"):
        declared(text)


def test_numa_nodes_of_one_socket_are_counted_once(tmp_path: Path) -> None:
    both = found(tmp_path, "EPYC with amd_energy, NPS2")
    assert domains(both["hwmon"]) == {"cpu/socket-0": None, "cpu/socket-1": None}


def test_without_topology_sockets_that_may_be_numa_nodes_are_refused(tmp_path: Path) -> None:
    trees.epyc(tmp_path)
    for node in (tmp_path / "devices/system/node").glob("node*/cpulist"):
        node.unlink()
    assert hwmon.discover(tmp_path, cpu=trees.EPYC, clock=ManualClock()).meter is None


def test_two_sensors_of_one_domain_are_both_refused(tmp_path: Path) -> None:
    for number in (0, 1):
        rail = {"in1_label": "VDD_IN", "in1_input": 5000, "curr1_input": 1000 + number}
        trees.chip(tmp_path, number, "ina3221", f"1-004{number}", rail)
    discovery = hwmon.discover(tmp_path, cpu=trees.ORIN, clock=ManualClock())
    assert discovery.meter is None
    assert len(discovery.skipped) == 2
    assert all("nothing says which is right" in each.reason for each in discovery.skipped)


def test_what_is_switched_off_or_denied_is_skipped_and_says_so(tmp_path: Path) -> None:
    trees.orin_nx(tmp_path)
    (tmp_path / "class/hwmon/hwmon1/in1_enable").write_text("0\n")
    discovery = hwmon.discover(tmp_path, cpu=trees.ORIN, clock=ManualClock())
    assert domains(discovery) == {"module/cpu-gpu-cv": None, "soc/node": None}
    assert any("switched off" in each.reason for each in discovery.skipped if each.component == "platform")


def test_a_mean_comes_before_a_moment_and_a_power_before_volts_times_amperes(tmp_path: Path) -> None:
    files = {"in1_input": 12000, "curr1_input": 9000, "power1_input": 96_000_000, "power1_average": 90_000_000}
    trees.chip(tmp_path, 0, "ina226", "1-0040", files)
    words = [declared(f"ina226/{channel}=platform/node") for channel in ("power1", "curr1")]
    discovery = hwmon.discover(tmp_path, cpu=trees.XEON, clock=ManualClock(), declarations=words)
    assert discovery.meter is not None
    (reading,) = discovery.meter.read()
    assert isinstance(reading, Reading)
    assert reading.power_w == 90.0


def test_volts_times_amperes_serve_where_a_chip_has_nothing_else(tmp_path: Path) -> None:
    # ltc4151.rst: in1, in2, curr1; the driver assumes 1 mOhm, this board has 2.
    trees.chip(tmp_path, 0, "ltc4151", "1-006f", {"in1_input": 12000, "in2_input": 3300, "curr1_input": 20_000})
    words = [declared("ltc4151/curr1=platform/node*0.5")]
    meter = hwmon.discover(tmp_path, cpu=trees.XEON, clock=ManualClock(), declarations=words).meter
    assert meter is not None
    (reading,) = meter.read()
    assert isinstance(reading, Reading)
    assert reading.power_w == 120.0


def test_a_current_without_its_voltage_is_listed_whatever_anyone_declares(tmp_path: Path) -> None:
    trees.chip(tmp_path, 0, "somechip", "1-0050", {"in0_input": 12000, "in1_input": 5000, "curr1_input": 2000})
    words = [declared("somechip/curr1=platform/node")]
    discovery = hwmon.discover(tmp_path, cpu=trees.XEON, clock=ManualClock(), declarations=words)
    assert discovery.meter is None
    assert "which voltage" in discovery.skipped[0].reason


def test_a_denied_sensor_says_so_and_the_others_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # amd_energy files are 0440 since CVE-2020-12912 (amd_energy.rst).
    trees.epyc(tmp_path)

    def denied(path: str) -> int:
        if path.endswith("energy9_input"):
            raise PermissionError(errno.EACCES, "denied", path)
        return read_int(path)

    monkeypatch.setattr(hwmon, "read_int", denied)
    discovery = hwmon.discover(tmp_path, cpu=trees.EPYC, clock=ManualClock())
    assert "cpu/socket-1" in domains(discovery)
    assert any("'Esocket0': permission denied" in each.reason for each in discovery.skipped)


def test_the_mean_of_family_15h_is_not_taken_for_the_processor(tmp_path: Path) -> None:
    # fam15h_power.rst: power1_input is the processor's, power1_average that of the compute units alone.
    files = {"power1_input": 61_000_000, "power1_average": 22_000_000, "power1_crit": 125_000_000}
    trees.chip(tmp_path, 0, "fam15h_power", "0000:00:18.4", files)
    meter = hwmon.discover(tmp_path, cpu=trees.EPYC, clock=ManualClock()).meter
    assert meter is not None
    (reading,) = meter.read()
    assert isinstance(reading, Reading)
    assert (reading.domain, reading.power_w) == ("cpu/socket-0", 61.0)


def test_a_boot_that_numbers_hwmon_anew_changes_no_domain(tmp_path: Path) -> None:
    trees.agx_orin(tmp_path / "one")
    links = tmp_path / "one" / "class" / "hwmon"
    before = domains(hwmon.discover(tmp_path / "one", cpu=trees.ORIN, clock=ManualClock()))
    (links / "hwmon3").rename(links / "hwmon9")
    assert domains(hwmon.discover(tmp_path / "one", cpu=trees.ORIN, clock=ManualClock())) == before


def test_amd_powercap_shows_a_package_and_one_core_that_is_never_the_socket(tmp_path: Path) -> None:
    from agent.meters import rapl
    from tests.meters.trees import amd

    amd(tmp_path)
    discovery = rapl.discover(tmp_path, cpu=trees.EPYC, clock=ManualClock())
    assert discovery.meter is not None
    assert [each.domain.name for each in discovery.meter.metered] == ["cpu/socket-0", "core/socket-0"]
    assert {each.quality.kind for each in discovery.meter.metered} == {"estimated"}
