# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""DRM cards as Linux lays them out in sysfs. The values are ours, files and labels follow the documents named."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def card(
    sysfs: Path, number: int, *, driver: str, address: str, device: str = "0x0000", status: str = "active"
) -> Path:
    """One card with its PCI device; connectors such as card0-DP-1 and render nodes lie beside it."""
    drm = sysfs / "class" / "drm"
    path = drm / f"card{number}"
    (path / "device" / "power").mkdir(parents=True)
    (path / "device" / "power" / "runtime_status").write_text(status + "\n")
    (path / "device" / "device").write_text(device + "\n")
    (path / "device" / "uevent").write_text(f"DRIVER={driver}\nPCI_CLASS=30000\nPCI_SLOT_NAME={address}\n")
    node = "render"
    for beside in (f"card{number}-DP-1", f"{node}D{128 + number}"):
        (drm / beside).mkdir()
    return path


def hwmon(card: Path, number: int, files: Mapping[str, str | int]) -> Path:
    """A hwmon folder below the card's device."""
    path = card / "device" / "hwmon" / f"hwmon{number}"
    path.mkdir(parents=True)
    for name, value in files.items():
        (path / name).write_text(f"{value}\n")
    return path


def radeon(sysfs: Path, number: int = 0, address: str = "0000:0a:00.0") -> Path:
    """A discrete Radeon. Documentation/gpu/amdgpu/thermal.rst; visibility as in drivers/gpu/drm/amd/pm/amdgpu_pm.c."""
    path = card(sysfs, number, driver="amdgpu", address=address, device="0x73bf")
    return hwmon(
        path,
        number + 3,
        {
            "name": "amdgpu",
            "in0_input": 775,
            "in0_label": "vddgfx",
            "power1_average": 28_000_000,
            "power1_cap": 255_000_000,
            "power1_cap_default": 255_000_000,
            "power1_cap_max": 293_000_000,
            "power1_cap_min": 0,
            "power1_label": "PPT",
            "freq2_input": 96_000_000,
        },
    )


def instinct(sysfs: Path) -> None:
    """Two dies of one MI250: the second shows no power and a limit of 0 (drivers/gpu/drm/amd/pm/swsmu/smu13,
    aldebaran_get_power_limit), and an MI300X that has power1_input alone.
    """
    for number, (address, limit) in enumerate((("0000:c1:00.0", 560_000_000), ("0000:c6:00.0", 0))):
        path = card(sysfs, number, driver="amdgpu", address=address, device="0x740c")
        files: dict[str, str | int] = {"name": "amdgpu", "power1_cap_max": limit, "power1_cap_default": limit}
        hwmon(path, number, files | ({"power1_average": 91_000_000} if limit else {}))
    path = card(sysfs, 2, driver="amdgpu", address="0000:05:00.0", device="0x74a1")
    files = {"name": "amdgpu", "power1_input": 141_000_000, "power1_cap_max": 750_000_000}
    hwmon(path, 2, files | {"power1_cap_default": 750_000_000})


def apu_laptop(sysfs: Path) -> None:
    """A Ryzen laptop: the APU's figure includes the CPU (thermal.rst), told by its north-bridge voltage in1."""
    path = card(sysfs, 1, driver="amdgpu", address="0000:c1:00.0", device="0x15bf")
    hwmon(
        path,
        5,
        {"name": "amdgpu", "in0_input": 900, "in1_input": 700, "in1_label": "vddnb", "power1_average": 9_000_000},
    )


def mi300a(sysfs: Path) -> None:
    """An MI300A, an APU without in1 (amdgpu_pm.c: GC 9.4.3), known by its PCI device."""
    path = card(sysfs, 0, driver="amdgpu", address="0000:01:00.0", device="0x74a0")
    hwmon(path, 0, {"name": "amdgpu", "power1_input": 120_000_000, "power1_cap_max": 550_000_000})


def arc_i915(sysfs: Path) -> Path:
    """A discrete Intel card under i915 beside an integrated one (Documentation/ABI/testing/
    sysfs-driver-intel-i915-hwmon): hwmon for discrete cards alone, one more per GT.
    """
    card(sysfs, 0, driver="i915", address="0000:00:02.0", device="0xa780")
    path = card(sysfs, 1, driver="i915", address="0000:03:00.0", device="0x56a0")
    hwmon(path, 3, {"name": "i915_gt0", "energy1_input": 40_000_000})
    return hwmon(
        path,
        2,
        {
            "name": "i915",
            "energy1_input": 6_000_000_000,
            "in0_input": 650,
            "power1_max": 190_000_000,
            "power1_rated_max": 190_000_000,
        },
    )


def battlemage_xe(sysfs: Path) -> Path:
    """A discrete Intel card under xe (Documentation/ABI/testing/sysfs-driver-intel-xe-hwmon, labels of xe_hwmon.c):
    channel 1 is the card, channel 2 the package in it.
    """
    path = card(sysfs, 0, driver="xe", address="0000:03:00.0", device="0xe20b")
    return hwmon(
        path,
        1,
        {
            "name": "xe",
            "energy1_input": 9_000_000_000,
            "energy1_label": "card",
            "energy2_input": 5_000_000_000,
            "energy2_label": "pkg",
            "power1_max": 0,
            "power2_max": 152_000_000,
            "power2_rated_max": 152_000_000,
        },
    )


def dg2_xe(sysfs: Path) -> None:
    """A DG2 under xe: the package channel alone."""
    path = card(sysfs, 0, driver="xe", address="0000:03:00.0", device="0x56a0")
    hwmon(
        path, 1, {"name": "xe", "energy2_input": 5_000_000_000, "energy2_label": "pkg", "power2_rated_max": 190_000_000}
    )


def first_xe(sysfs: Path) -> None:
    """xe of Linux 6.5 to 6.7: one channel and no label."""
    path = card(sysfs, 0, driver="xe", address="0000:03:00.0", device="0x56a0")
    hwmon(path, 1, {"name": "xe", "energy1_input": 5_000_000_000, "power1_rated_max": 190_000_000})


def server_bmc_and_nvidia(sysfs: Path) -> None:
    """A BMC's VGA (ast), an NVIDIA card under its own driver, and one under nouveau."""
    card(sysfs, 0, driver="ast", address="0000:02:00.0")
    card(sysfs, 1, driver="nvidia", address="0000:17:00.0")
    path = card(sysfs, 2, driver="nouveau", address="0000:31:00.0")
    hwmon(path, 4, {"name": "nouveau", "power1_input": 30_000_000})
