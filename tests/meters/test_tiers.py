# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""How often each meter is asked: every known source has a pace, and slow buses a slower one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.meters import hwmon
from agent.meters.tiers import DEADLINE_S, PERIOD_S, period_s, tier_of
from agent.settings import METERS
from plumbing.clock import ManualClock
from tests.meters import hwmon_trees
from tests.meters.test_bank import Scripted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TIERS = {
    "rapl-powercap": "fast", "rapl-perf": "fast", "simulated": "fast", "hwmon": "medium", "acpi": "slow",
    "nvml": "medium", "dcgm": "heartbeat", "gpu-sysfs": "medium", "redfish": "heartbeat", "ipmi": "heartbeat",
    "prometheus": "heartbeat", "modelled": "medium",
}  # fmt: skip


def test_every_source_has_its_tier() -> None:
    assert {name: tier_of(Scripted(name, ManualClock())) for name in METERS} == TIERS


@pytest.mark.parametrize(
    ("build", "tier"),
    [(hwmon_trees.grace, "slow"), (hwmon_trees.psu_server, "slow"), (hwmon_trees.arm_server, "medium")],
)
def test_sensors_behind_firmware_or_pmbus_are_asked_slowly(
    tmp_path: Path, build: Callable[[Path], None], tier: str
) -> None:
    build(tmp_path)
    meter = hwmon.discover(tmp_path, cpu=hwmon_trees.GRACE, clock=ManualClock()).meter
    assert meter is not None
    assert tier_of(meter) == tier


def test_an_idle_node_is_read_once_a_second_at_most() -> None:
    assert [period_s(tier, lively=True) for tier in PERIOD_S] == [0.1, 0.5, 3.0, 5.0]
    assert [period_s(tier, lively=False) for tier in PERIOD_S] == [1.0, 1.0, 3.0, 5.0]
    assert DEADLINE_S.keys() == PERIOD_S.keys()
