# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Powercap trees as Linux lays them out (Documentation/power/powercap/powercap.rst; zone names of the RAPL driver)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from estimator.curves import CpuIdentity

if TYPE_CHECKING:
    from pathlib import Path

RANGE_UJ = 262_143_328_850  # 2**32 - 1 counts of 61 uJ, what most Xeons show
DRAM_RANGE_UJ = 65_712_999_613

XEON = CpuIdentity("Intel(R) Xeon(R) Gold 6338N CPU @ 2.20GHz", "GenuineIntel", 6, 106, 64)
LAPTOP = CpuIdentity("11th Gen Intel(R) Core(TM) i7-1185G7 @ 3.00GHz", "GenuineIntel", 6, 140, 8)
EPYC = CpuIdentity("AMD EPYC 7502 32-Core Processor", "AuthenticAMD", 23, 49, 128)


def zone(
    sysfs: Path,
    folder: str,
    name: str,
    *,
    energy_uj: int = 1_000_000,
    range_uj: int = RANGE_UJ,
    max_w: int | None = None,
) -> Path:
    """One zone; ``max_w`` is its rated power where it states one."""
    path = sysfs / "class" / "powercap" / folder
    path.mkdir(parents=True)
    (path / "name").write_text(name + "\n")
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
    if max_w is not None:
        (path / "constraint_0_name").write_text("long_term\n")
        (path / "constraint_0_power_limit_uw").write_text(f"{max_w * 1_000_000}\n")
        (path / "constraint_0_max_power_uw").write_text(f"{max_w * 1_000_000}\n")
    return path


def control(sysfs: Path, name: str) -> None:
    """The control type's own folder, which has no colon and is no zone."""
    (sysfs / "class" / "powercap" / name).mkdir(parents=True, exist_ok=True)


def single_socket(sysfs: Path) -> None:
    """A Xeon: package, core, dram, and the mmio twin of the package."""
    control(sysfs, "intel-rapl")
    control(sysfs, "intel-rapl-mmio")
    zone(sysfs, "intel-rapl:0", "package-0", max_w=185)
    zone(sysfs, "intel-rapl:0:0", "core")
    zone(sysfs, "intel-rapl:0:1", "dram", range_uj=DRAM_RANGE_UJ)
    zone(sysfs, "intel-rapl-mmio:0", "package-0", max_w=185)


def dual_socket(sysfs: Path) -> None:
    """Two sockets; the second one's folder comes first in no order that means anything."""
    control(sysfs, "intel-rapl")
    for socket in (1, 0):
        zone(sysfs, f"intel-rapl:{socket}", f"package-{socket}", max_w=205)
        zone(sysfs, f"intel-rapl:{socket}:0", "dram", range_uj=DRAM_RANGE_UJ)
        zone(sysfs, f"intel-rapl-mmio:{socket}", f"package-{socket}")


def dies(sysfs: Path) -> None:
    """Cascade Lake AP: two dies in a package."""
    for die in (0, 1):
        zone(sysfs, f"intel-rapl:{die}", f"package-0-die-{die}", max_w=200)


def laptop(sysfs: Path) -> None:
    """Package with core and uncore (the iGPU), and psys beside it."""
    zone(sysfs, "intel-rapl:0", "package-0", max_w=28)
    zone(sysfs, "intel-rapl:0:0", "core")
    zone(sysfs, "intel-rapl:0:1", "uncore")
    zone(sysfs, "intel-rapl:1", "psys", max_w=60)
    zone(sysfs, "intel-rapl-mmio:0", "package-0", max_w=28)


def amd(sysfs: Path) -> None:
    """Zen through the intel-rapl driver: package and one core, no limits."""
    zone(sysfs, "intel-rapl:0", "package-0", range_uj=65_532_610_987)
    zone(sysfs, "intel-rapl:0:0", "core", range_uj=65_532_610_987)
