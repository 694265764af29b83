# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a simulated machine is made of: sockets and clocks, what draws power, what limits it, what meters it.

All of it is given; nothing here moves. `presets` draws such machines from ranges, `engine` runs them. Logical cpus are
numbered as Linux does on most servers: first one thread of every core, socket by socket, then all the siblings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZoneKind = Literal["package", "dram", "core", "one_core", "uncore", "psys", "mmio"]
PlatformMeter = Literal["acpi", "pmbus", "none"]
Governor = Literal["performance", "schedutil"]

# A frequency step of every x86 processor with a ratio multiplier of 100 MHz.
STEP_GHZ = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Frequencies of a core and the voltage that they need: V(f) = volt_at_min + volt_per_ghz x (f - min_ghz)."""

    min_ghz: float
    base_ghz: float
    all_core_ghz: float
    """The highest with every core of a socket busy; between it and one core the bins fall evenly."""
    one_core_ghz: float
    volt_at_min: float
    volt_per_ghz: float
    governor: Governor = "performance"

    def __post_init__(self) -> None:
        _check_numbers(self)
        if not 0 < self.min_ghz <= self.base_ghz <= self.all_core_ghz <= self.one_core_ghz <= 10:
            raise ValueError("min_ghz, base_ghz, all_core_ghz, one_core_ghz: must rise, within 0..10 GHz")
        if self.volt_at_min <= 0:
            raise ValueError("volt_at_min: must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """What one socket and its memory draw, in watts at base frequency and idle temperature."""

    idle_w: float
    """All cores in their deepest sleep, which is what ``deep_idle`` allows."""
    wake_w: float
    """Uncore step when the first core of the socket wakes."""
    core_w: float
    """Switching power of one core with work of weight 1."""
    core_leak_w: float
    """Leakage of one core that is awake, at the voltage of the base frequency."""
    gated_ratio: float
    """What of that leakage is left in deep sleep."""
    line_nj: float
    """Uncore and memory controller per cache line."""
    dram_idle_w: float
    dram_line_nj: float
    memory_bytes_per_s: float
    """Where a socket's memory bandwidth saturates."""
    deep_idle: bool = True

    def __post_init__(self) -> None:
        _check_numbers(self)
        if self.gated_ratio > 1:
            raise ValueError("gated_ratio: is above 1")
        if self.memory_bytes_per_s <= 0:
            raise ValueError("memory_bytes_per_s: must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Power limits and heat of a socket."""

    long_w: float
    """PL1: the mean over ``long_s`` (exponential) never exceeds it."""
    long_s: float
    short_w: float
    """PL2: no step exceeds it."""
    ambient_c: float = 25.0
    k_per_w: float = 0.25
    heat_s: float = 25.0
    """Time constant of the package with its heat sink."""
    leak_doubling_k: float = 25.0
    highest_c: float = 100.0

    def __post_init__(self) -> None:
        _check_numbers(self)
        if not 0 < self.long_w <= self.short_w:
            raise ValueError("long_w, short_w: must be positive and rise")
        if min(self.long_s, self.heat_s, self.leak_doubling_k) <= 0:
            raise ValueError("long_s, heat_s, leak_doubling_k: must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything between the sockets and the plug."""

    board_w: float
    fan_idle_w: float
    fan_full_w: float
    disks: int
    disk_idle_w: float
    disk_active_w: float
    disk_bytes_per_s: float
    nic_idle_w: float
    nic_active_w: float
    nic_bytes_per_s: float
    supplies: int
    supply_rated_w: float
    load_ratio: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    efficiency_ratio: tuple[float, ...] = (0.60, 0.74, 0.85, 0.90, 0.94, 0.91)
    """Of a supply at each load: the shape of an 80 PLUS Platinum part, poor when nearly empty."""

    def __post_init__(self) -> None:
        if len(self.load_ratio) != len(self.efficiency_ratio) or not self.load_ratio:
            raise ValueError("load_ratio, efficiency_ratio: need as many of one as of the other")
        if any(later <= earlier for earlier, later in zip(self.load_ratio, self.load_ratio[1:], strict=False)):
            raise ValueError("load_ratio: must rise")
        if not all(0 < each <= 1 for each in self.efficiency_ratio):
            raise ValueError("efficiency_ratio: is not within 0..1")
        if self.supplies < 1 or self.supply_rated_w <= 0:
            raise ValueError("supplies, supply_rated_w: must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meters:
    """What the machine shows of itself, and how wrong."""

    zones: tuple[ZoneKind, ...] = ("package", "dram")
    unit_nj: int = 61_035
    """Of a count, in nanojoules as the kernel's driver rounds it: 61035 is 2**-14 J, 15258 is 2**-16 J."""
    dram_unit_nj: int = 15_300
    """What the driver assumes on Xeons."""
    counter_bits: int = 32
    gain_ratio: tuple[float, ...] = (1.0,)
    """Of each socket's package counter; the last one holds for the sockets beyond."""
    dram_gain_ratio: float = 1.0
    dram_offset_w: float = 0.0
    noise_w: float = 0.0
    """Standard deviation of a package's mean over one second."""
    traffic_seen_ratio: float = 1.0
    """Of the power of memory traffic within a package, what its counter sees."""
    update_s: float = 0.001
    platform: PlatformMeter = "none"
    platform_gain_ratio: float = 1.0
    platform_noise_w: float = 0.0
    platform_step_w: float = 1.0
    platform_lag_s: float = 0.0
    platform_mean_s: float = 1.0
    platform_period_s: float = 1.0

    def __post_init__(self) -> None:
        if not 8 <= self.counter_bits <= 32:
            raise ValueError(f"counter_bits: {self.counter_bits} is not within 8..32")
        if min(self.unit_nj, self.dram_unit_nj) < 1:
            raise ValueError("unit_nj, dram_unit_nj: must be positive")
        if not self.gain_ratio:
            raise ValueError("gain_ratio: needs one value at least")
        if self.platform_period_s <= 0 or self.platform_mean_s <= 0 or self.platform_step_w <= 0:
            raise ValueError("platform_period_s, platform_mean_s, platform_step_w: must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine, whole. Raises ValueError naming the field."""

    name: str
    vendor: Literal["GenuineIntel", "AuthenticAMD"]
    model_name: str
    family: int
    model: int
    sockets: int
    cores_per_socket: int
    threads_per_core: Literal[1, 2]
    clocks: Clocks
    socket: Socket
    limits: Limits
    board: Board
    meters: Meters
    steal_ratio: float = 0.0
    """What a hypervisor takes from every cpu."""

    def __post_init__(self) -> None:
        if not 1 <= self.sockets <= 16:
            raise ValueError(f"sockets: {self.sockets} is not within 1..16")
        if not 1 <= self.cores_per_socket <= 256:
            raise ValueError(f"cores_per_socket: {self.cores_per_socket} is not within 1..256")
        if self.threads_per_core not in (1, 2):
            raise ValueError(f"threads_per_core: {self.threads_per_core} is neither 1 nor 2")
        if not 0 <= self.steal_ratio < 1:
            raise ValueError(f"steal_ratio: {self.steal_ratio} is not within 0..1")

    @property
    def cores(self) -> int:
        """Of all sockets."""
        return self.sockets * self.cores_per_socket

    @property
    def cpus(self) -> int:
        """Logical ones."""
        return self.cores * self.threads_per_core

    def core_of_cpu(self) -> NDArray[np.intp]:
        """(cpus,) the core, counted through all sockets, that a logical cpu belongs to."""
        return np.arange(self.cpus) % self.cores

    def socket_of_cpu(self) -> NDArray[np.intp]:
        """(cpus,) the socket that a logical cpu belongs to."""
        return self.core_of_cpu() // self.cores_per_socket

    def sibling_of_cpu(self) -> NDArray[np.intp]:
        """(cpus,) the other thread of the core; the cpu itself where there is none."""
        return (np.arange(self.cpus) + self.cores * (self.threads_per_core - 1)) % self.cpus

    def ghz(self) -> NDArray[np.float64]:
        """(P,) the frequencies that a core can run at, rising."""
        count = round((self.clocks.one_core_ghz - self.clocks.min_ghz) / STEP_GHZ) + 1
        return np.round(self.clocks.min_ghz + STEP_GHZ * np.arange(count), 3)

    def static_w(self) -> float:
        """What one socket draws with nothing to do, at its idle temperature."""
        socket = self.socket
        if socket.deep_idle:
            return socket.idle_w
        awake_w = self.cores_per_socket * socket.core_leak_w * (self.idle_leak_ratio() - socket.gated_ratio)
        return socket.idle_w + socket.wake_w + max(0.0, awake_w)

    def idle_leak_ratio(self) -> float:
        """Leakage of an idle core relative to one that is awake at base frequency."""
        clocks = self.clocks
        base_volt = clocks.volt_at_min + clocks.volt_per_ghz * (clocks.base_ghz - clocks.min_ghz)
        return self.socket.gated_ratio if self.socket.deep_idle else clocks.volt_at_min / base_volt

    def idle_c(self) -> float:
        """The temperature that a socket settles at with nothing to do."""
        return self.limits.ambient_c + self.limits.k_per_w * self.static_w()


def _check_numbers(part: Clocks | Socket | Limits) -> None:
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{field.name}: {value} is not a number from 0 on")
