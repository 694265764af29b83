# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Machines with hwmon sensors, laid out as sysfs lays them out; each names the document or listing it follows.

The values are ours. ``class/hwmon/hwmonN`` is a link into the device's own folder, whose ``device`` leads back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from estimator.curves import CpuIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

GRACE = CpuIdentity("", "ARM", 8, 0xD4F, 144)
ORIN = CpuIdentity("ARMv8 Processor rev 1 (v8l)", "ARM", 8, 0xD42, 8)
XGENE = CpuIdentity("", "APM", 8, 0, 8)
EPYC = CpuIdentity("AMD EPYC 7502 32-Core Processor", "AuthenticAMD", 23, 49, 128)
RYZEN = CpuIdentity("AMD Ryzen 7 PRO 6850U with Radeon Graphics", "AuthenticAMD", 25, 68, 16)
XEON = CpuIdentity("Intel(R) Xeon(R) Gold 6338N CPU @ 2.20GHz", "GenuineIntel", 6, 106, 64)
POWER9 = CpuIdentity("POWER9, altivec supported", "", 0, 0, 176)


def write(folder: Path, files: Mapping[str, object]) -> None:
    """Text files with the line feed that sysfs ends them with."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n")


def chip(
    sysfs: Path,
    number: int,
    name: str,
    device: str,
    files: Mapping[str, object],
    *,
    on_device: bool = False,
) -> Path:
    """One hwmon device; ``on_device``: the driver registers without a name and keeps its files on the device."""
    home = sysfs / "devices" / "platform" / device
    inner = home / "hwmon" / f"hwmon{number}"
    inner.mkdir(parents=True)
    (inner / "device").symlink_to(home)
    write(home if on_device else inner, {"name": name, **files})
    links = sysfs / "class" / "hwmon"
    links.mkdir(parents=True, exist_ok=True)
    (links / inner.name).symlink_to(inner)
    return home if on_device else inner


def cpus(sysfs: Path, packages: Mapping[int, int]) -> None:
    """CPU -> package (Documentation/ABI/stable/sysfs-devices-system-cpu)."""
    for cpu, package in packages.items():
        topology = sysfs / "devices" / "system" / "cpu" / f"cpu{cpu}" / "topology"
        write(topology, {"physical_package_id": package, "die_id": 0})


def acpi_meter(
    sysfs: Path, number: int, power_mw: int, *, oem: str = "", measures: str = "LNXSYBUS:00", **more: object
) -> Path:
    """ACPI000D by drivers/hwmon/acpi_power_meter.c up to 6.12: no name on hwmonN, files on the ACPI device."""
    device = f"ACPI000D:{number:02d}"
    files = {
        "power1_average": power_mw * 1000,
        "power1_average_interval": 1000,
        "power1_accuracy": "100.0%",
        "power1_is_battery": 0,
        "power1_oem_info": oem,
        "power1_model_number": "",
        "power1_serial_number": "",
        **more,
    }
    home = chip(sysfs, number, "power_meter", device, files, on_device=True)
    (home / "measures").mkdir()
    (home / "measures" / (measures or device)).symlink_to(home)
    driver = sysfs / "bus" / "acpi" / "drivers" / "power_meter"
    driver.mkdir(parents=True, exist_ok=True)
    (driver / device).symlink_to(home)
    return home


def grace(sysfs: Path) -> None:
    """GH200 twice: four meters a socket, each measuring itself."""
    # Labels and _PMD: TH500 ACPI tables of NVIDIA's edk2-nvidia; layout: the driver's source.
    for socket in (0, 1):
        for place, (part, power_mw) in enumerate(
            (("Module", 520_000), ("Grace", 210_000), ("CPU", 120_000), ("SysIO", 35_000))
        ):
            acpi_meter(sysfs, 4 * socket + place, power_mw, oem=f"{part} Power Socket {socket}", measures="")


def orin_nx(sysfs: Path) -> None:
    """One INA3221 with the supply of the module."""
    # Labels: tegra234-p3767.dtsi of Linux; files: Documentation/hwmon/ina3221.rst.
    chip(
        sysfs, 1, "ina3221", "1-0040",
        {
            "in1_label": "VDD_IN", "in1_input": 5064, "curr1_input": 1480, "in1_enable": 1,
            "in2_label": "VDD_CPU_GPU_CV", "in2_input": 5064, "curr2_input": 320, "in2_enable": 1,
            "in3_label": "VDD_SOC", "in3_input": 5064, "curr3_input": 288, "in3_enable": 1,
            "in4_input": 7, "in5_input": 1, "in6_input": 1, "in7_input": 9, "in7_label": "sum of shunt voltages",
            "curr4_input": 2088, "shunt1_resistor": 5000, "shunt2_resistor": 5000, "shunt3_resistor": 5000,
        },
    )  # fmt: skip


def agx_orin(sysfs: Path) -> None:
    """Two INA3221, no supply rail, and a channel that nothing is wired to."""
    # Labels: tegra234-p3701.dtsi of Linux; channel 1 of 0041 reads NC on NVIDIA's own kernel.
    chip(
        sysfs, 3, "ina3221", "1-0040",
        {
            "in1_label": "VDD_GPU_SOC", "in1_input": 5000, "curr1_input": 640,
            "in2_label": "VDD_CPU_CV", "in2_input": 5000, "curr2_input": 410,
            "in3_label": "VIN_SYS_5V0", "in3_input": 4968, "curr3_input": 953,
        },
    )  # fmt: skip
    chip(
        sysfs, 4, "ina3221", "1-0041",
        {
            "in1_label": "NC", "in1_input": 0, "curr1_input": 0,
            "in2_label": "VDDQ_VDD2_1V8AO", "in2_input": 4968, "curr2_input": 80, "in3_enable": 0,
        },
    )  # fmt: skip


def arm_server(sysfs: Path) -> None:
    """An X-Gene with its SLIMpro, and firmware sensors whose names only the firmware knows."""
    # apm_xgene: drivers/hwmon/xgene-hwmon.c; scmi_sensors: drivers/hwmon/scmi-hwmon.c.
    chip(
        sysfs, 0, "apm_xgene", "APMC0D29:00",
        {
            "temp1_label": "SoC Temperature", "temp1_input": 41000,
            "power1_label": "CPU power", "power1_input": 21_500_000,
            "power2_label": "IO power", "power2_input": 9_800_000,
        },
    )  # fmt: skip
    chip(
        sysfs, 1, "scmi_sensors", "scmi_dev.3",
        {
            "energy1_label": "PWR_DOM_A", "energy1_input": 123_456_789,
            "energy2_label": "PWR_DOM_B", "energy2_input": 23_456_789,
            "power1_label": "PWR_DOM_A", "power1_input": 4_000_000,
        },
    )  # fmt: skip


def tile(sysfs: Path) -> None:
    """Versatile Express TC2: an energy meter per cluster, one hwmon device each."""
    # Documentation/devicetree/bindings/hwmon/vexpress.txt, drivers/hwmon/vexpress-hwmon.c; labels as in ARM's LISA.
    for number, core in enumerate(("A15", "A7")):
        joules = {"energy1_label": f"{core} Jcore", "energy1_input": 77_000_000 + number}
        watts = {"power1_label": f"{core} Pcore", "power1_input": 800_000 + number}
        chip(sysfs, 2 * number, "vexpress_energy", f"dcc:energy-{core.lower()}", joules)
        chip(sysfs, 2 * number + 1, "vexpress_power", f"dcc:power-{core.lower()}", watts)


def ina226(sysfs: Path) -> None:
    """A board that wires INA226 to rails which only its schematic names."""
    # Documentation/hwmon/ina2xx.rst; ``label`` as zynqmp-zcu102-revA.dts gives it (hwmonX/label of the hwmon ABI).
    for number, place in enumerate((76, 77)):
        chip(
            sysfs, number, "ina226", f"1-00{40 + number}",
            {
                "label": f"ina226-u{place}", "in0_input": 2, "in1_input": 851, "curr1_input": 1210,
                "power1_input": 1_029_000, "shunt_resistor": 5000, "update_interval": 35,
            },
        )  # fmt: skip


def laptop(sysfs: Path) -> None:
    """Battery, charger contract, NVMe, the GPU in the processor; nothing of it is CPU."""
    # lm-sensors listings of such laptops: BAT0-acpi-0, ucsi_source_psy_USBC000:001-isa-0000, nvme, amdgpu, k10temp.
    chip(sysfs, 0, "AC", "ACPI0003:00", {})
    chip(sysfs, 1, "BAT0", "PNP0C0A:00", {"in0_input": 17365, "curr1_input": 812, "power1_input": 14_100_000})
    chip(sysfs, 2, "nvme", "nvme0", {"temp1_input": 33850, "temp1_label": "Composite"})
    chip(
        sysfs, 3, "amdgpu", "0000:04:00.0",
        {
            "power1_label": "PPT", "power1_input": 7_163_000, "power1_average": 7_100_000,
            "in0_label": "vddgfx", "in0_input": 1335, "in1_label": "vddnb", "in1_input": 973,
        },
    )  # fmt: skip
    chip(
        sysfs,
        4,
        "ucsi_source_psy_USBC000:001",
        "USBC000:00",
        {"in0_input": 5000, "curr1_input": 3000, "curr1_max": 3000},
    )
    chip(sysfs, 5, "k10temp", "0000:00:18.3", {"temp1_input": 90000, "temp1_label": "Tctl"})
    chip(sysfs, 6, "iwlwifi_1", "phy0", {"temp1_input": 37000})


def psu_server(sysfs: Path) -> None:
    """Two redundant PMBus supplies, and the regulator of a processor."""
    # PFE1100 at 7-0059 and 7-005a: listing of Facebook's FBOSS; files: bel-pfe.rst, tps53679.rst.
    for number, (address, watts) in enumerate((("7-0059", 154), ("7-005a", 130))):
        chip(
            sysfs, number, "pfe1100", address,
            {
                "in1_label": "vin", "in1_input": 208500, "curr1_label": "iin", "curr1_input": 760,
                "in3_label": "vout1", "in3_input": 12010, "curr2_label": "iout1", "curr2_input": 11_200,
                "power1_label": "pin1", "power1_input": watts * 1_000_000,
                "power2_label": "pout1", "power2_input": (watts - 16) * 1_000_000,
                "fan1_input": 9800, "temp1_input": 27000,
            },
        )  # fmt: skip
    chip(
        sysfs, 2, "tps53679", "5-0060",
        {
            "in1_label": "vin", "in1_input": 12020, "curr1_label": "iin", "curr1_input": 3100,
            "in2_label": "vout1", "in2_input": 1790, "curr2_label": "iout1", "curr2_input": 18_000,
            "power1_label": "pin", "power1_input": 37_000_000, "power2_label": "pout1", "power2_input": 32_000_000,
        },
    )  # fmt: skip
    # adm1275.rst: without power registers (ADM1275) volts times amperes is what there is.
    chip(
        sysfs, 3, "adm1275", "5-0010",
        {"in1_label": "vout1", "in1_input": 11_980, "curr1_label": "iout1", "curr1_input": 14_500},
    )  # fmt: skip


def epyc(sysfs: Path) -> None:
    """Two sockets in NPS2: four NUMA nodes, which the driver labels as sockets."""
    # Documentation/hwmon/amd_energy.rst; drivers/hwmon/amd_energy.c counts num_possible_nodes().
    labels = [f"Ecore{core:03d}" for core in range(8)] + [f"Esocket{node}" for node in range(4)]
    files: dict[str, object] = {}
    for index, label in enumerate(labels, 1):
        files |= {f"energy{index}_label": label, f"energy{index}_input": 1_000_000_000 + index}
    chip(sysfs, 0, "amd_energy", "amd_energy.0", files)
    for node in range(4):
        write(sysfs / "devices" / "system" / "node" / f"node{node}", {"cpulist": f"{2 * node}-{2 * node + 1}"})
    cpus(sysfs, {cpu: cpu // 4 for cpu in range(8)})


def power9(sysfs: Path) -> None:
    """Two chips, 0 and 8; every power has its energy, and the labels end in a space where firmware left one."""
    # Listing "Hwmon sensors in P9" of the OpenPOWER developers; Documentation/hwmon/ibmpowernv.rst.
    watts = {"Chip 0 ": 157, "Chip 0 Vdd": 113, "Chip 0 Vdn": 12, "Chip 8 ": 99, "System": 426, "APSS 1 ": 127}
    files: dict[str, object] = {"in1_label": "Chip 0 Vdd", "in1_input": 880}
    for index, (label, value) in enumerate(watts.items(), 1):
        files |= {f"power{index}_label": label, f"power{index}_input": value * 1_000_000, f"power{index}_enable": 1}
        files |= {f"energy{index}_label": label, f"energy{index}_input": value * 50_000_000_000}
    chip(sysfs, 0, "ibmpowernv", "opal-sensor", files)


def server(sysfs: Path) -> None:
    """A rack server whose firmware has the meter of the whole machine."""
    # Listing of /sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI000D:00 with measures/LNXSYBUS:00; acpi_power_meter.rst.
    acpi_meter(sysfs, 0, 214_000, power1_accuracy="95.0%", power1_average_interval=5000)


MACHINES: dict[str, tuple[Callable[[Path], None], CpuIdentity]] = {
    "Grace Hopper, two sockets": (grace, GRACE),
    "Jetson Orin NX": (orin_nx, ORIN),
    "Jetson AGX Orin": (agx_orin, ORIN),
    "ARM server, X-Gene and SCMI": (arm_server, XGENE),
    "Versatile Express TC2": (tile, XGENE),
    "INA226 board": (ina226, ORIN),
    "laptop": (laptop, RYZEN),
    "PMBus supplies": (psu_server, XEON),
    "EPYC with amd_energy, NPS2": (epyc, EPYC),
    "POWER9": (power9, POWER9),
    "rack server with an ACPI meter": (server, XEON),
    "nothing": (lambda sysfs: None, XEON),
}
