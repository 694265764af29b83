# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The ACPI power meter is the platform where nothing says otherwise, and never anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.meters import acpi, hwmon
from agent.meters.protocol import Discovery, Reading, Unread
from plumbing.clock import ManualClock
from tests.meters import hwmon_trees as trees

if TYPE_CHECKING:
    from pathlib import Path


def discover(sysfs: Path) -> Discovery:
    return acpi.discover(sysfs, clock=ManualClock())


def one(discovery: Discovery) -> Reading | Unread:
    assert discovery.meter is not None
    (reading,) = discovery.meter.read()
    return reading


def test_a_mean_carries_the_time_it_is_over(tmp_path: Path) -> None:
    trees.server(tmp_path)
    reading = one(discover(tmp_path))
    assert isinstance(reading, Reading)
    assert (reading.domain, reading.power_w) == ("platform/node", 214.0)
    assert reading.to_ns - reading.from_ns == 5_000_000_000


def test_a_kernel_that_keeps_the_files_on_hwmon_is_read_too(tmp_path: Path) -> None:
    # Since the driver registers with its name and groups, hwmonN has the files; ``measures`` stays on the device.
    home = trees.acpi_meter(tmp_path, 0, 99_000)
    inner = home / "hwmon" / "hwmon0"
    for file in [path for path in home.iterdir() if path.is_file()]:
        file.rename(inner / file.name)
    reading = one(discover(tmp_path))
    assert isinstance(reading, Reading)
    assert reading.power_w == 99.0


def test_where_the_class_is_hidden_the_driver_shows_its_devices(tmp_path: Path) -> None:
    trees.server(tmp_path)
    (tmp_path / "class/hwmon/hwmon0").unlink()
    assert isinstance(one(discover(tmp_path)), Reading)


def test_a_device_seen_twice_is_one_meter(tmp_path: Path) -> None:
    trees.server(tmp_path)
    assert discover(tmp_path).skipped == ()


@pytest.mark.parametrize(
    ("power_uw", "reason"),
    [
        # 0xFFFFFFFF mW is what failing firmware returns from _PMM, times 1000 by the driver.
        (0xFFFFFFFF * 1000, "implausible_power"),
        (0, "no_power"),
        (-1, "negative"),
    ],
)
def test_what_failing_firmware_answers_is_no_power(tmp_path: Path, power_uw: int, reason: str) -> None:
    home = trees.acpi_meter(tmp_path, 0, 100_000)
    discovery = discover(tmp_path)
    (home / "power1_average").write_text(f"{power_uw}\n")
    assert one(discovery) == Unread("platform/node", reason)


@pytest.mark.parametrize(
    ("changes", "component", "why"),
    [
        ({"power1_is_battery": 1}, "battery", "battery"),
        ({"measures": "PNP0C0A:00"}, "unknown", "measures PNP0C0A:00, not the system"),
        ({"oem": "CPU Power Socket 0"}, "core", "read by the source hwmon"),
        ({"oem": "Total Power Socket 1"}, "unknown", "names a part of the machine"),
        ({"oem": "GPU Rail 2"}, "unknown", "names a part of the machine"),
    ],
)
def test_what_is_not_the_machine_is_listed(tmp_path: Path, changes: dict[str, str], component: str, why: str) -> None:
    trees.acpi_meter(tmp_path, 0, 100_000, **changes)
    discovery = discover(tmp_path)
    assert discovery.meter is None
    (skipped,) = discovery.skipped
    assert skipped.component == component
    assert why in skipped.reason


def test_a_vendor_name_is_no_reason_to_doubt(tmp_path: Path) -> None:
    trees.acpi_meter(tmp_path, 0, 100_000, oem="Intel Node Manager")
    assert discover(tmp_path).meter is not None


def test_of_two_that_both_claim_the_machine_none_is_believed_and_none_is_added(tmp_path: Path) -> None:
    trees.acpi_meter(tmp_path, 0, 100_000)
    trees.acpi_meter(tmp_path, 1, 120_000)
    discovery = discover(tmp_path)
    assert discovery.meter is None
    assert len(discovery.skipped) == 2


def test_a_meter_without_a_power_says_so(tmp_path: Path) -> None:
    home = trees.acpi_meter(tmp_path, 0, 100_000)
    (home / "power1_average").unlink()
    (skipped,) = discover(tmp_path).skipped
    assert "no power1_average" in skipped.reason


@pytest.mark.parametrize(
    ("accuracy", "error_ratio"),
    [
        ("95.0%", 0.05), ("100.0%", 0.05), ("90.0%", 0.10), ("90.500%", 0.095), ("90.50%", 0.0995),
        ("0.0%", 0.10), ("?", 0.10),
    ],
)  # fmt: skip
def test_the_stated_accuracy_is_the_uncertainty_within_reason(
    tmp_path: Path, accuracy: str, error_ratio: float
) -> None:
    trees.acpi_meter(tmp_path, 0, 100_000, power1_accuracy=accuracy)
    meter = discover(tmp_path).meter
    assert meter is not None
    assert meter.metered[0].quality.error_ratio == pytest.approx(error_ratio)


def test_hwmon_leaves_the_unlabelled_meter_to_acpi(tmp_path: Path) -> None:
    trees.server(tmp_path)
    assert hwmon.discover(tmp_path, cpu=trees.XEON, clock=ManualClock()).meter is None
