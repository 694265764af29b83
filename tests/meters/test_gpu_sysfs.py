# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""AMD and Intel cards in sysfs: which file means what, and which means something else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.meters.gpu_sysfs import GpuSysfsMeter, discover
from agent.meters.protocol import Reading, Unread
from plumbing.clock import ManualClock
from tests.meters import gpu_trees as trees
from tests.meters.gpus import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

GOLDEN = Path(__file__).with_name("gpu_discovery.txt")

LAYOUTS: dict[str, Callable[[Path], object]] = {
    "discrete Radeon": trees.radeon,
    "MI250 and MI300X": trees.instinct,
    "laptop with an APU": trees.apu_laptop,
    "MI300A": trees.mi300a,
    "Arc under i915 beside an integrated GPU": trees.arc_i915,
    "Battlemage under xe": trees.battlemage_xe,
    "DG2 under xe": trees.dg2_xe,
    "xe before labels": trees.first_xe,
    "BMC, nvidia, nouveau": trees.server_bmc_and_nvidia,
    "nothing": lambda sysfs: None,
}


def lines(tmp_path: Path) -> list[str]:
    out: list[str] = []
    for at, (name, build) in enumerate(LAYOUTS.items()):
        sysfs = tmp_path / str(at)
        build(sysfs)
        found = discover(sysfs, clock=ManualClock())
        out.append(f"# {name}")
        if found.meter is not None:
            readings = found.meter.read()
            for metered, reading in zip(found.meter.metered, readings, strict=True):
                assert isinstance(reading, Reading)
                kind, limit = metered.quality.kind, metered.counter
                what = f"counter up to {limit.plausible_w:g} W" if limit else "power"
                value = f"{reading.counter_uj} uJ" if limit else f"{reading.power_w} W"
                out.append(f"{metered.domain.name} {kind} {what} = {value}")
        out.extend(f"- {each.component}/{each.scope or '-'}: {each.reason}" for each in found.skipped)
    return out


def test_discovery_of_every_layout_is_the_golden_one(tmp_path: Path) -> None:
    found = lines(tmp_path)
    if os.environ.get("PENSTOCK_GOLDEN") == "write":
        GOLDEN.write_text("\n".join([*found, ""]))
    assert found == GOLDEN.read_text().splitlines()


def opened(sysfs: Path) -> tuple[ManualClock, GpuSysfsMeter]:
    clock = ManualClock()
    meter = discover(sysfs, clock=clock).meter
    assert isinstance(meter, GpuSysfsMeter)
    return clock, meter


def test_two_cards_are_two_domains(tmp_path: Path) -> None:
    trees.radeon(tmp_path, 0, "0000:0a:00.0")
    second = trees.radeon(tmp_path, 1, "0000:0b:00.0")
    (second / "power1_average").write_text("100000000\n")
    clock, meter = opened(tmp_path)
    ledger = Ledger(meter)
    for _ in range(11):
        ledger.read()
        clock.advance(1.0)
    assert ledger.energy_uj == {"gpu/0000:0a:00.0": 280_000_000, "gpu/0000:0b:00.0": 1_000_000_000}


def test_the_average_comes_before_the_moment_and_a_counter_before_both(tmp_path: Path) -> None:
    hwmon = trees.radeon(tmp_path)
    (hwmon / "power1_input").write_text("99000000\n")
    _, meter = opened(tmp_path)
    (reading,) = meter.read()
    assert isinstance(reading, Reading)
    assert reading.power_w == 28.0
    (hwmon / "energy1_input").write_text("123456789\n")
    _, meter = opened(tmp_path)
    (reading,) = meter.read()
    assert isinstance(reading, Reading)
    assert reading.counter_uj == 123_456_789


def test_a_counter_of_the_driver_is_exact(tmp_path: Path) -> None:
    hwmon = trees.arc_i915(tmp_path)
    clock, meter = opened(tmp_path)
    ledger = Ledger(meter)
    ledger.read()
    clock.advance(5.0)
    (hwmon / "energy1_input").write_text("6654321987\n")
    ledger.read()
    assert ledger.energy_uj == {"gpu/0000:03:00.0": 654_321_987}


def test_a_reloaded_driver_is_a_gap(tmp_path: Path) -> None:
    hwmon = trees.arc_i915(tmp_path)
    clock, meter = opened(tmp_path)
    ledger = Ledger(meter)
    ledger.read()
    clock.advance(5.0)
    (hwmon / "energy1_input").write_text("17\n")
    ledger.read()
    assert [each.reason for each in ledger.lost] == ["counter_reset"]
    assert sum(ledger.energy_uj.values()) == 0


def test_after_a_long_pause_the_register_may_have_wrapped_unseen(tmp_path: Path) -> None:
    hwmon = trees.arc_i915(tmp_path)
    clock, meter = opened(tmp_path)
    ledger = Ledger(meter)
    ledger.read()
    clock.advance(2**18 / 380 + 1)  # twice the rated 190 W fill 32 bits of 2**-14 J
    (hwmon / "energy1_input").write_text("6100000000\n")
    ledger.read()
    assert [each.reason for each in ledger.unread] == ["register_wrapped"]
    ledger.read()
    clock.advance(1.0)
    (hwmon / "energy1_input").write_text("6150000000\n")
    ledger.read()
    assert sum(ledger.energy_uj.values()) == 50_000_000


def test_a_sleeping_card_is_not_woken(tmp_path: Path) -> None:
    hwmon = trees.radeon(tmp_path)
    status = hwmon.parents[1] / "power" / "runtime_status"
    status.write_text("suspended\n")
    # A read of any sensor would show: these files are not there to be read.
    for name in ("power1_cap_max", "power1_cap_default"):
        (hwmon / name).unlink()
    (hwmon / "power1_average").chmod(0)
    _, meter = opened(tmp_path)
    assert meter.read() == (Unread("gpu/0000:0a:00.0", "suspended"),)
    status.unlink()
    (hwmon / "power1_average").chmod(0o444)
    assert all(isinstance(each, Reading) for each in meter.read())


def test_one_cards_failure_is_its_own(tmp_path: Path) -> None:
    trees.radeon(tmp_path, 0, "0000:0a:00.0")
    second = trees.radeon(tmp_path, 1, "0000:0b:00.0")
    _, meter = opened(tmp_path)
    (second / "power1_average").unlink()
    first, other = meter.read()
    assert isinstance(first, Reading)
    assert other == Unread("gpu/0000:0b:00.0", "vanished")


@given(content=st.binary(max_size=40))
def test_any_content_is_a_number_or_unread(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    sysfs = tmp_path_factory.mktemp("sys")
    hwmon = trees.arc_i915(sysfs)
    _, meter = opened(sysfs)
    (hwmon / "energy1_input").write_bytes(content)
    (reading,) = meter.read()
    if isinstance(reading, Reading):
        assert reading.counter_uj is not None
        assert int(content) == reading.counter_uj >= 0
    else:
        assert reading.reason in ("not_a_number", "negative")


def test_a_card_whose_address_is_no_address_keeps_its_name(tmp_path: Path) -> None:
    hwmon = trees.radeon(tmp_path, 7)
    (hwmon.parents[1] / "uevent").write_text("DRIVER=amdgpu\nPCI_SLOT_NAME=../../etc\n")
    _, meter = opened(tmp_path)
    assert meter.metered[0].domain.name == "gpu/card7"


def test_a_fifo_in_place_of_the_file_does_not_block(tmp_path: Path) -> None:
    hwmon = trees.radeon(tmp_path)
    _, meter = opened(tmp_path)
    (hwmon / "power1_average").unlink()
    os.mkfifo(hwmon / "power1_average")
    (reading,) = meter.read()
    assert isinstance(reading, Unread)
