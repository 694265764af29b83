# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A machine's sysfs tree, as the kernel lays it out, for meters that know nothing of a simulator.

``class/powercap`` (powercap.rst), ``class/hwmon`` with coretemp or k10temp and the platform's meter (coretemp.rst,
k10temp.rst, acpi_power_meter.rst, pmbus.rst), ``devices/system/cpu`` (cputopology.rst, cpufreq). The marker file is the
first thing written: a tree without it might be taken for a real one.

Files are written in place, one write each and always of the same length, so that a reader sees an old value or a new
one and never a mix, also through a descriptor that it keeps open. sysfs cannot be imitated in everything: a zone that
fails to read is one whose energy_uj is a folder, which gives EISDIR where the kernel gives EIO.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from typing import TYPE_CHECKING, Final

from sim.silicon.faults import BLINDING, PLATFORM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from sim.silicon.faults import FaultKind
    from sim.silicon.machine import Machine
    from sim.silicon.registers import Shown
    from sim.silicon.zones import Zone

MARKER: Final = "penstock-simulated.json"

# As long as any counter below 2**64 and the newline.
_WIDTH: Final = 21
_OURS: Final = ("class/powercap", "class/hwmon", "devices")


class Tree:
    """The files below ``root``."""

    def __init__(self, root: Path, *, machine: Machine, zones: tuple[Zone, ...], seed: int) -> None:
        """Creates the tree, or replaces one of ours. Raises FileExistsError where something else stands."""
        if root.exists() and any(root.iterdir()) and not (root / MARKER).is_file():
            raise FileExistsError(f"{root}: not empty, and without {MARKER} no simulated tree")
        root.mkdir(parents=True, exist_ok=True)
        marker = {"simulated": True, "made_by": "penstock sim", "machine": machine.name, "seed": seed}
        (root / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
        for name in _OURS:
            if (root / name).is_dir():
                shutil.rmtree(root / name)
        self._root = root
        self._machine = machine
        self._zones = {zone.folder: zone for zone in zones}
        self._faults: dict[str, FaultKind] = {}
        self._written: dict[Path, str] = {}
        for control in sorted({zone.folder.partition(":")[0] for zone in zones}):
            _fill(self._powercap / control, {"enabled": "1"})
        for zone in zones:
            self._make_zone(zone)
        self._make_cpus()
        self._sensors = self._make_sensors()
        self._supplies = self._make_platform()

    @property
    def _powercap(self) -> Path:
        return self._root / "class" / "powercap"

    @property
    def _cpus(self) -> Path:
        return self._root / "devices" / "system" / "cpu"

    def show_counters(self, counters_uj: Mapping[str, int]) -> None:
        """Writes the energy of each zone's folder, as far as its faults let it."""
        for folder, counter_uj in counters_uj.items():
            fault = self._faults.get(folder)
            if fault is None:
                self._write(self._powercap / folder / "energy_uj", str(counter_uj))
            elif fault == "zero":
                self._write(self._powercap / folder / "energy_uj", "0")

    def show_platform(self, shown: Shown) -> None:
        """Writes the platform's watts, as far as its faults let it; redundant supplies carry even parts."""
        fault = self._faults.get(PLATFORM)
        for index, (folder, input_name, output_name) in enumerate(self._supplies):
            if fault is not None and fault != "zero":
                continue
            live = 0.0 if fault == "zero" else 1.0
            parts = len(self._supplies)
            input_uw = round(live * shown.input_w * 1e6)
            output_uw = round(live * shown.output_w * 1e6)
            # Integers that add up: what does not divide goes to the first.
            self._write(folder / input_name, str(input_uw // parts + (input_uw % parts if index == 0 else 0)))
            if output_name:
                self._write(folder / output_name, str(output_uw // parts + (output_uw % parts if index == 0 else 0)))

    def show_silicon(
        self, *, temp_c: NDArray[np.float64], core_w: NDArray[np.float64], core_ghz: NDArray[np.float64]
    ) -> None:
        """Writes temperatures per socket and core and the frequency of every cpu; only what changed."""
        per_socket = self._machine.cores_per_socket
        # A core is warmer than its package by what it draws itself: some tenths of a kelvin per watt on any part.
        for socket, folder in enumerate(self._sensors):
            self._write(folder / "temp1_input", str(round(float(temp_c[socket]) * 1000)))
            if self._machine.vendor == "GenuineIntel":
                for core in range(per_socket):
                    warm_c = float(temp_c[socket]) + 0.4 * float(core_w[socket * per_socket + core])
                    self._write(folder / f"temp{core + 2}_input", str(round(warm_c) * 1000))
        for cpu, core in enumerate(self._machine.core_of_cpu()):
            file = self._cpus / f"cpu{cpu}" / "cpufreq" / "scaling_cur_freq"
            self._write(file, str(round(float(core_ghz[core]) * 1e6)))

    def show_online(self, online: NDArray[np.bool_]) -> None:
        """Writes which cpus are there. An offline one keeps its folder and loses its topology, as in the kernel."""
        cpus = [cpu for cpu, there in enumerate(online) if there]
        self._write(self._cpus / "online", _ranges(cpus), width=0)
        for cpu, there in enumerate(online):
            folder = self._cpus / f"cpu{cpu}"
            if cpu:
                self._write(folder / "online", "1" if there else "0", width=0)
            if there and not (folder / "topology").is_dir():
                self._make_topology(cpu)
            elif not there and (folder / "topology").is_dir():
                shutil.rmtree(folder / "topology")

    def break_(self, faults: Mapping[str, FaultKind]) -> None:
        """Puts the faults in force that are named, and mends those that are not any more."""
        for target in self._faults.keys() - faults.keys():
            self._mend(target, self._faults[target])
        for target, kind in faults.items():
            before = self._faults.get(target)
            if before != kind:
                if before is not None:
                    self._mend(target, before)
                self._break(target, kind)
        self._faults = dict(faults)

    def _files(self, target: str) -> list[Path]:
        if target == PLATFORM:
            return [folder / name for folder, *names in self._supplies for name in names if name]
        return [self._powercap / target / "energy_uj"]

    def _break(self, target: str, kind: FaultKind) -> None:
        if kind == "vanish":
            folders = [folder for folder, *_ in self._supplies] if target == PLATFORM else [self._powercap / target]
            for folder in folders:
                shutil.rmtree(folder)
                self._forget(folder)
            return
        for file in self._files(target):
            if kind == "denied":
                file.chmod(0)
            elif kind == "garbage":
                file.write_text("-nan\n", encoding="ascii")
            elif kind in ("unreadable", "stuck"):
                file.unlink()
                if kind == "stuck":
                    os.mkfifo(file)
                else:
                    file.mkdir()
            self._written.pop(file, None)

    def _mend(self, target: str, kind: FaultKind) -> None:
        """Leaves the target without values; the next ones are written as soon as they are shown."""
        if kind == "vanish":
            if target == PLATFORM:
                self._supplies = self._make_platform()
            else:
                self._make_zone(self._zones[target])
            return
        if kind in BLINDING:
            for file in self._files(target):
                mode = file.lstat().st_mode
                if stat.S_ISDIR(mode):
                    file.rmdir()
                elif stat.S_ISFIFO(mode) or kind == "garbage":
                    file.unlink()
                else:
                    file.chmod(0o600)

    def _forget(self, folder: Path) -> None:
        for file in [each for each in self._written if folder in each.parents]:
            del self._written[file]

    def _write(self, file: Path, text: str, *, width: int = _WIDTH) -> None:
        if self._written.get(file) == text:
            return
        body = (text.ljust(width - 1) if width else text) + "\n"
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (0 if width else os.O_TRUNC)
        descriptor = os.open(file, flags, 0o600)
        try:
            os.pwrite(descriptor, body.encode("ascii"), 0)
        finally:
            os.close(descriptor)
        self._written[file] = text

    def _make_zone(self, zone: Zone) -> None:
        limits = self._machine.limits
        files = {"name": zone.name, "enabled": "1", "max_energy_range_uj": str(zone.max_energy_range_uj)}
        if zone.kind in ("package", "mmio") and self._machine.vendor == "GenuineIntel":
            # The order and the names of the constraints are those of the driver; the rated power is of the first alone.
            files |= {
                "constraint_0_name": "long_term",
                "constraint_0_power_limit_uw": str(round(limits.long_w * 1e6)),
                "constraint_0_time_window_us": str(round(limits.long_s * 1e6)),
                "constraint_0_max_power_uw": str(round(limits.long_w * 1e6)),
                "constraint_1_name": "short_term",
                "constraint_1_power_limit_uw": str(round(limits.short_w * 1e6)),
                "constraint_1_time_window_us": "2440",
            }
        _fill(self._powercap / zone.folder, files)

    def _make_cpus(self) -> None:
        clocks, cpus = self._machine.clocks, self._machine.cpus
        _fill(self._cpus, dict.fromkeys(("possible", "present"), _ranges(list(range(cpus)))))
        for cpu in range(cpus):
            self._make_topology(cpu)
            files = {
                "cpuinfo_min_freq": str(round(clocks.min_ghz * 1e6)),
                "cpuinfo_max_freq": str(round(clocks.one_core_ghz * 1e6)),
                "base_frequency": str(round(clocks.base_ghz * 1e6)),
                "scaling_governor": clocks.governor,
            }
            _fill(self._cpus / f"cpu{cpu}" / "cpufreq", files)

    def _make_topology(self, cpu: int) -> None:
        machine = self._machine
        core = int(machine.core_of_cpu()[cpu])
        siblings = _ranges(sorted({cpu, int(machine.sibling_of_cpu()[cpu])}))
        files = {
            "physical_package_id": str(core // machine.cores_per_socket),
            "core_id": str(core % machine.cores_per_socket),
            "thread_siblings_list": siblings,
            "core_cpus_list": siblings,
        }
        _fill(self._cpus / f"cpu{cpu}" / "topology", files)

    def _make_sensors(self) -> tuple[Path, ...]:
        intel = self._machine.vendor == "GenuineIntel"
        folders: list[Path] = []
        for socket in range(self._machine.sockets):
            folder = self._make_hwmon(
                socket, device=f"coretemp.{socket}" if intel else f"0000:00:{0x18 + socket:02x}.3"
            )
            files = {"name": "coretemp", "temp1_label": f"Package id {socket}"}
            if not intel:
                files = {"name": "k10temp", "temp1_label": "Tctl"}
            for core in range(self._machine.cores_per_socket if intel else 0):
                files[f"temp{core + 2}_label"] = f"Core {core}"
            _fill(folder, files)
            folders.append(folder)
        return tuple(folders)

    def _make_platform(self) -> list[tuple[Path, str, str]]:
        """(folder, input's file, output's file) of every part of the platform's meter."""
        meters, first = self._machine.meters, self._machine.sockets
        if meters.platform == "acpi":
            folder = self._make_hwmon(first, device="ACPI000D:00")
            files = {
                "name": "power_meter",
                "power1_average_interval": str(round(meters.platform_mean_s * 1000)),
                "power1_is_battery": "0",
                "power1_model_number": "",
                "power1_oem_info": "",
            }
            _fill(folder, files)
            (folder / "measures" / "LNXSYBUS:00").mkdir(parents=True, exist_ok=True)
            return [(folder, "power1_average", "")]
        supplies: list[tuple[Path, str, str]] = []
        for number in range(self._machine.board.supplies if meters.platform == "pmbus" else 0):
            folder = self._make_hwmon(first + number, device=f"7-{0x58 + number:04x}")
            # The name under which drivers/hwmon/pmbus/dps920ab.c registers; labels as in pmbus.rst.
            _fill(folder, {"name": "dps920ab", "power1_label": "pin", "power2_label": "pout1"})
            supplies.append((folder, "power1_input", "power2_input"))
        return supplies

    def _make_hwmon(self, number: int, *, device: str) -> Path:
        folder = self._root / "class" / "hwmon" / f"hwmon{number}"
        (self._root / "devices" / device).mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        link = folder / "device"
        if not link.is_symlink():
            link.symlink_to(f"../../../devices/{device}")
        return folder


def _fill(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content + "\n", encoding="ascii")


def _ranges(numbers: list[int]) -> str:
    """``0-3,8`` as the kernel prints cpu lists."""
    parts: list[str] = []
    first = 0
    for at, number in enumerate(numbers):
        if at + 1 == len(numbers) or numbers[at + 1] != number + 1:
            parts.append(f"{numbers[first]}-{number}" if first != at else str(number))
            first = at + 1
    return ",".join(parts)
