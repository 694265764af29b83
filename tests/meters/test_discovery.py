# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Every layout is understood, and what is not used says why."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.errors import MeterError
from agent.files import read_int
from agent.meters import rapl, simulated
from agent.meters.choice import discover, survey
from agent.meters.protocol import Reading, Unread
from agent.settings import METERS, AgentSettings
from plumbing.clock import ManualClock
from tests.meters import trees

if TYPE_CHECKING:
    from collections.abc import Callable

    from estimator.curves import CpuIdentity

GOLDEN = Path(__file__).with_name("discovery.txt")

LAYOUTS: dict[str, tuple[Callable[[Path], None], CpuIdentity]] = {
    "single socket Xeon": (trees.single_socket, trees.XEON),
    "dual socket Xeon": (trees.dual_socket, trees.XEON),
    "two dies": (trees.dies, trees.XEON),
    "laptop with psys": (trees.laptop, trees.LAPTOP),
    "AMD": (trees.amd, trees.EPYC),
    "nothing": (lambda sysfs: None, trees.EPYC),
}


def lines(tmp_path: Path) -> list[str]:
    out: list[str] = []
    for name, (build, cpu) in LAYOUTS.items():
        sysfs = tmp_path / name
        build(sysfs)
        found = rapl.discover(sysfs, cpu=cpu, clock=ManualClock())
        out.append(f"# {name}")
        for each in found.meter.metered if found.meter else ():
            assert each.counter is not None
            out.append(
                f"use {each.domain.name} {each.quality.kind} +-{each.quality.error_ratio:.0%} "
                f"wraps at {each.counter.range_uj} below {each.counter.plausible_w:g} W"
            )
        out.extend(f"skip {each.component}/{each.scope}: {each.reason}" for each in found.skipped)
    return out


def test_layouts_are_read_as_the_golden_file_says(tmp_path: Path) -> None:
    assert lines(tmp_path) == GOLDEN.read_text().splitlines()


def settings(tmp_path: Path, **more: object) -> AgentSettings:
    procfs = tmp_path / "proc"
    procfs.mkdir(exist_ok=True)
    (procfs / "cpuinfo").write_text(
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 106\nmodel name\t: Intel Xeon\n\n"
        "processor\t: 1\nvendor_id\t: GenuineIntel\n\n"
    )
    (procfs / "stat").write_text(
        "cpu  100 0 0 900 0 0 0 0 0 0\ncpu0 50 0 0 450 0 0 0 0\ncpu1 50 0 0 450 0 0 0 0\nprocesses 1\n"
    )
    return AgentSettings(procfs=str(procfs), sysfs=str(tmp_path / "sys"), **more)  # type: ignore[arg-type]


def test_without_a_meter_the_model_speaks_and_nobody_invents_a_rapl(tmp_path: Path) -> None:
    found = survey(settings(tmp_path), clock=ManualClock())
    assert list(found.chosen) == ["platform/share"]
    assert {line.source for line in found.sources if line.usable} == {"modelled"}
    assert {line.source for line in found.sources} == set(METERS)
    items = discover(settings(tmp_path), sample_s=0.03)["items"]
    assert {item["source"] for item in items} == set(METERS)
    assert set(items[0]) >= {
        "source", "component", "scope", "kind", "value", "unit", "usable", "chosen", "reason", "name"
    }  # fmt: skip


def test_a_metered_machine_is_not_modelled_on_top(tmp_path: Path) -> None:
    trees.dual_socket(tmp_path / "sys")
    found = survey(settings(tmp_path), clock=ManualClock())
    assert sorted(found.chosen) == ["cpu/socket-0", "cpu/socket-1", "dram/socket-0", "dram/socket-1"]
    modelled = next(line for line in found.sources if line.source == "modelled")
    assert modelled.usable
    assert not modelled.chosen
    assert "rapl-powercap meters this machine" in modelled.reason


def test_psys_contains_the_package(tmp_path: Path) -> None:
    trees.laptop(tmp_path / "sys")
    found = survey(settings(tmp_path), clock=ManualClock())
    assert [(name, each.domain.parent) for name, (_, each) in found.chosen.items()] == [
        ("platform/node", None), ("cpu/socket-0", "platform/node")
    ]  # fmt: skip


def test_a_zone_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    trees.dual_socket(tmp_path)
    found = rapl.discover(tmp_path, cpu=trees.XEON, clock=ManualClock())
    assert found.meter is not None
    (tmp_path / "class/powercap/intel-rapl:1/energy_uj").unlink()
    (tmp_path / "class/powercap/intel-rapl:0:0/energy_uj").write_text("soon\n")
    answers = {each.domain: each for each in found.meter.read()}
    assert answers["cpu/socket-1"] == Unread("cpu/socket-1", "vanished")
    assert answers["dram/socket-0"] == Unread("dram/socket-0", "not_a_number")
    assert isinstance(answers["cpu/socket-0"], Reading)
    assert isinstance(answers["dram/socket-1"], Reading)


def test_a_denied_zone_says_so_and_the_others_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees.dual_socket(tmp_path)

    def denied(path: str) -> int:
        if "intel-rapl:0/energy_uj" in path:
            raise PermissionError(errno.EACCES, "denied", path)
        return read_int(path)

    monkeypatch.setattr(rapl, "read_int", denied)
    found = rapl.discover(tmp_path, cpu=trees.XEON, clock=ManualClock())
    assert found.meter is not None
    assert "cpu/socket-0" not in {each.domain.name for each in found.meter.metered}
    assert any("permission denied" in each.reason for each in found.skipped if each.scope == "socket-0")


def test_core_is_listed_with_its_watts_and_never_used(tmp_path: Path) -> None:
    trees.amd(tmp_path / "sys")
    items = {item["name"]: item for item in discover(settings(tmp_path), sample_s=0.01)["items"]}
    core = items["rapl-powercap:core/socket-0"]
    assert (core["value"], core["usable"], core["chosen"]) == (0.0, True, False)
    assert core["reason"] == "contained in the package of its socket"


def test_a_simulated_tree_needs_its_marker_and_never_claims_to_be_measured(tmp_path: Path) -> None:
    root = tmp_path / "simulated"
    trees.single_socket(root)
    wanted = settings(tmp_path, meters=("simulated", "modelled"), simulated_root=str(root))
    with pytest.raises(MeterError, match=simulated.MARKER):
        survey(wanted, clock=ManualClock())
    refused = next(item for item in discover(wanted, sample_s=0.0)["items"] if item["source"] == "simulated")
    assert not refused["usable"]
    assert simulated.MARKER in refused["reason"]
    (root / simulated.MARKER).write_text("{}")
    found = survey(wanted, clock=ManualClock())
    assert found.simulated
    assert {each.quality.kind for _, each in found.chosen.values()} == {"modelled"}
    assert {source for source, _ in found.chosen.values()} == {"simulated"}
