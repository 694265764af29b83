# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What kinds of machines there are, and the ranges that their parts are drawn from.

Ranges are set around what published measurements show: two EPYC 7502 idle at 77 W in package C2 and wake by 36 W, with
1.33 W per compute core at 2.5 GHz; a Xeon E-2278G draws 95..99 W before its limit of 80 W bites, about 8 W per busy
thread; two-socket Xeons idle at 32 W of package and 39 W of memory; package gains differ by +-3 % between sockets.
A figure that no measurement stands behind (boards, fans, disks) is what data sheets of such parts commonly say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = Any
"""Given as it is, or drawn where it is a `Between`."""


@dataclass(frozen=True, slots=True)
class Between:
    """A range that each seed draws one value from, rounded so that it can be read."""

    low: float
    high: float
    digits: int = 4


@dataclass(frozen=True, slots=True)
class Preset:
    """Fields of `machine.Machine` and of its parts."""

    machine: Mapping[str, Value]
    clocks: Mapping[str, Value]
    socket: Mapping[str, Value]
    limits: Mapping[str, Value]
    board: Mapping[str, Value]
    meters: Mapping[str, Value] = field(default_factory=dict)


_SERVER_BOARD: Final[Mapping[str, Value]] = {
    "board_w": Between(18, 40),
    "fan_idle_w": Between(4, 12),
    "fan_full_w": Between(40, 90),
    "disks": 2,
    "disk_idle_w": Between(1.5, 5.0),
    "disk_active_w": Between(4.0, 9.0),
    "disk_bytes_per_s": Between(5e8, 3e9, 0),
    "nic_idle_w": Between(6, 14),
    "nic_active_w": Between(2, 6),
    "nic_bytes_per_s": 3.125e9,
    "supplies": 2,
    "supply_rated_w": 800.0,
}
_SERVER_HEAT: Final[Mapping[str, Value]] = {
    "ambient_c": Between(20, 32),
    "k_per_w": Between(0.16, 0.26),
    "heat_s": Between(15, 45),
    "leak_doubling_k": Between(20, 30),
    "highest_c": 95.0,
}
# IPMI-backed ACPI meters and BMCs lag by 1..10 s and step by 1 W.
_BMC: Final[Mapping[str, Value]] = {
    "platform": "acpi",
    "platform_gain_ratio": Between(0.98, 1.02),
    "platform_noise_w": 1.0,
    "platform_lag_s": Between(1, 6, 1),
    "platform_mean_s": Between(1, 4, 1),
}

PRESETS: Final[dict[str, Preset]] = {
    "xeon-2s": Preset(
        machine={
            "vendor": "GenuineIntel",
            "model_name": "Simulated two-socket Xeon",
            "family": 6,
            "model": 106,
            "sockets": 2,
            "cores_per_socket": 32,
            "threads_per_core": 2,
        },
        clocks={
            "min_ghz": 0.8,
            "base_ghz": 2.2,
            "all_core_ghz": Between(2.6, 2.9, 1),
            "one_core_ghz": Between(3.3, 3.6, 1),
            "volt_at_min": Between(0.66, 0.74),
            "volt_per_ghz": Between(0.13, 0.18),
        },
        socket={
            "idle_w": Between(24, 45),
            "wake_w": Between(12, 22),
            "core_w": Between(1.5, 2.2),
            "core_leak_w": Between(0.25, 0.50),
            "gated_ratio": Between(0.05, 0.15),
            "line_nj": Between(8, 14),
            "dram_idle_w": Between(6, 19),
            "dram_line_nj": Between(11, 20),
            "memory_bytes_per_s": Between(1.3e11, 1.9e11, 0),
        },
        limits={"long_w": 205.0, "long_s": 1.0, "short_w": 246.0, **_SERVER_HEAT},
        board=_SERVER_BOARD,
        meters={
            "zones": ("package", "dram"),
            "gain_ratio": (Between(0.97, 1.03), Between(0.97, 1.03)),
            "dram_gain_ratio": Between(0.90, 1.10),
            "dram_offset_w": Between(-2.0, 3.0),
            "noise_w": 0.8,
            **_BMC,
        },
    ),
    "xeon-1s": Preset(
        machine={
            "vendor": "GenuineIntel",
            "model_name": "Simulated single-socket Xeon E",
            "family": 6,
            "model": 158,
            "sockets": 1,
            "cores_per_socket": 8,
            "threads_per_core": 2,
        },
        clocks={
            "min_ghz": 0.8,
            "base_ghz": 3.4,
            "all_core_ghz": Between(4.2, 4.4, 1),
            "one_core_ghz": Between(4.9, 5.1, 1),
            "volt_at_min": Between(0.62, 0.70),
            "volt_per_ghz": Between(0.12, 0.15),
        },
        socket={
            "idle_w": Between(6, 12),
            "wake_w": Between(3, 7),
            "core_w": Between(3.4, 4.4),
            "core_leak_w": Between(0.20, 0.45),
            "gated_ratio": Between(0.05, 0.15),
            "line_nj": Between(7, 12),
            "dram_idle_w": Between(1.5, 4.0),
            "dram_line_nj": Between(10, 18),
            "memory_bytes_per_s": Between(3.0e10, 4.0e10, 0),
        },
        limits={"long_w": 80.0, "long_s": Between(24, 32), "short_w": 120.0, **_SERVER_HEAT, "k_per_w": 0.45},
        board={**_SERVER_BOARD, "board_w": Between(8, 18), "supply_rated_w": 350.0, "fan_full_w": Between(15, 30)},
        meters={
            "zones": ("package", "core", "uncore", "dram", "mmio"),
            "dram_unit_nj": 61_035,
            "gain_ratio": (Between(0.97, 1.03),),
            "dram_gain_ratio": Between(0.92, 1.08),
            "dram_offset_w": Between(-0.5, 1.0),
            "noise_w": 0.4,
            "platform": "pmbus",
            "platform_gain_ratio": Between(0.98, 1.02),
            "platform_noise_w": 0.5,
            "platform_step_w": 0.5,
            "platform_mean_s": 0.2,
            "platform_period_s": 0.5,
        },
    ),
    "laptop": Preset(
        machine={
            "vendor": "GenuineIntel",
            "model_name": "Simulated laptop Core i7",
            "family": 6,
            "model": 140,
            "sockets": 1,
            "cores_per_socket": 4,
            "threads_per_core": 2,
        },
        clocks={
            "min_ghz": 0.4,
            "base_ghz": 2.8,
            "all_core_ghz": Between(4.0, 4.3, 1),
            "one_core_ghz": Between(4.6, 4.8, 1),
            "volt_at_min": Between(0.55, 0.62),
            "volt_per_ghz": Between(0.12, 0.15),
            "governor": "schedutil",
        },
        socket={
            "idle_w": Between(0.6, 1.6),
            "wake_w": Between(0.8, 1.8),
            "core_w": Between(2.4, 3.4),
            "core_leak_w": Between(0.10, 0.25),
            "gated_ratio": Between(0.02, 0.08),
            "line_nj": Between(5, 9),
            "dram_idle_w": Between(0.3, 0.9),
            "dram_line_nj": Between(5, 9),
            "memory_bytes_per_s": Between(4.0e10, 6.0e10, 0),
        },
        limits={
            "long_w": 28.0,
            "long_s": Between(24, 32),
            "short_w": 60.0,
            "ambient_c": Between(22, 34),
            "k_per_w": 1.6,
            "heat_s": Between(8, 20),
            "leak_doubling_k": Between(20, 30),
            "highest_c": 98.0,
        },
        board={
            "board_w": Between(3.0, 7.0),
            "fan_idle_w": 0.0,
            "fan_full_w": Between(1.5, 3.0),
            "disks": 1,
            "disk_idle_w": Between(0.2, 0.6),
            "disk_active_w": Between(2.0, 4.0),
            "disk_bytes_per_s": 2e9,
            "nic_idle_w": Between(0.3, 0.8),
            "nic_active_w": Between(0.5, 1.5),
            "nic_bytes_per_s": 1e8,
            "supplies": 1,
            "supply_rated_w": 65.0,
        },
        meters={
            "zones": ("package", "core", "uncore", "psys", "mmio"),
            "gain_ratio": (Between(0.97, 1.03),),
            "noise_w": 0.1,
        },
    ),
    "epyc-2s": Preset(
        machine={
            "vendor": "AuthenticAMD",
            "model_name": "Simulated two-socket EPYC",
            "family": 23,
            "model": 49,
            "sockets": 2,
            "cores_per_socket": 32,
            "threads_per_core": 2,
        },
        clocks={
            "min_ghz": 1.5,
            "base_ghz": 2.5,
            "all_core_ghz": Between(2.8, 3.0, 1),
            "one_core_ghz": Between(3.3, 3.4, 1),
            "volt_at_min": Between(0.76, 0.84),
            "volt_per_ghz": Between(0.15, 0.19),
        },
        socket={
            "idle_w": Between(34, 43),
            "wake_w": Between(15, 21),
            "core_w": Between(1.15, 1.50),
            "core_leak_w": Between(0.30, 0.55),
            "gated_ratio": Between(0.05, 0.15),
            "line_nj": Between(8, 14),
            "dram_idle_w": Between(8, 16),
            "dram_line_nj": Between(11, 20),
            "memory_bytes_per_s": Between(1.3e11, 1.7e11, 0),
        },
        limits={"long_w": 180.0, "long_s": 1.0, "short_w": 200.0, **_SERVER_HEAT},
        board=_SERVER_BOARD,
        meters={
            # Powercap shows one core's counter below each package, and no memory: the register does not exist.
            "zones": ("package", "one_core"),
            "unit_nj": 15_258,
            "gain_ratio": (Between(0.95, 1.05), Between(0.95, 1.05)),
            "noise_w": 0.8,
            "traffic_seen_ratio": Between(0.3, 0.8),
            **_BMC,
        },
    ),
    "vm": Preset(
        machine={
            "vendor": "GenuineIntel",
            "model_name": "Intel Xeon Processor",
            "family": 6,
            "model": 143,
            "sockets": 1,
            "cores_per_socket": 2,
            "threads_per_core": 2,
            "steal_ratio": Between(0.0, 0.05),
        },
        clocks={
            "min_ghz": 1.0,
            "base_ghz": 2.4,
            "all_core_ghz": Between(2.8, 3.1, 1),
            "one_core_ghz": Between(3.2, 3.5, 1),
            "volt_at_min": Between(0.66, 0.74),
            "volt_per_ghz": Between(0.13, 0.18),
        },
        # A slice of a large host: its share of idle, and no step that two cores could cause alone.
        socket={
            "idle_w": Between(1.0, 3.0),
            "wake_w": Between(0.5, 1.5),
            "core_w": Between(1.8, 2.8),
            "core_leak_w": Between(0.25, 0.50),
            "gated_ratio": Between(0.3, 0.8),
            "line_nj": Between(8, 14),
            "dram_idle_w": Between(0.5, 1.5),
            "dram_line_nj": Between(11, 20),
            "memory_bytes_per_s": Between(1e10, 2e10, 0),
        },
        limits={"long_w": 40.0, "long_s": 1.0, "short_w": 50.0, **_SERVER_HEAT},
        board={
            **_SERVER_BOARD,
            "board_w": Between(0.5, 2.0),
            "fan_idle_w": 0.2,
            "fan_full_w": 2.0,
            "disk_idle_w": 0.1,
            "nic_idle_w": 0.2,
            "supplies": 1,
            "supply_rated_w": 40.0,
        },
        meters={"zones": (), "gain_ratio": (1.0,)},
    ),
}
