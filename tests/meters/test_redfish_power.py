# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Documents to watts: every vendor's way, and what is never taken for power."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.meters.redfish_power import RUNGS, Findings, findings
from sim.bmc.app import VENDORS
from sim.bmc.documents import Draw, Flow, Tree

GOLDEN = Path(__file__).parent / "redfish_discovery.txt"

CHASSIS = "/redfish/v1/Chassis/System.Embedded.1"


def dell(draw: Draw | None = None) -> Tree:
    return VENDORS["dell"](draw or Draw())


def best(found: Findings) -> tuple[str, float | None]:
    candidate = found.best()
    assert candidate is not None
    return candidate.rung, candidate.power_w


def parts(found: Findings) -> dict[str, float | str | None]:
    return {part.domain: part.power_w if part.power_w is not None else part.reason for part in found.parts}


def lines() -> str:
    """All that is found on every vendor's BMC, as text."""
    out: list[str] = []
    for vendor in sorted(VENDORS):
        found = findings(VENDORS[vendor](Draw()))
        out.append(f"{vendor}: {best(found)[0]}")
        out += [f"  {each.rung:20} {each.power_w or each.reason} {each.text}" for each in found.candidates]
        out += [
            f"  {each.domain:24} {each.power_w if each.power_w is not None else each.reason}"
            f" {each.quality.kind}{' through' if each.through else ''} in {each.parent}"
            for each in found.parts
        ]
        out += [f"  - {each.component or '?'} {each.scope}: {each.reason}" for each in found.passed]
    return "\n".join(out) + "\n"


def test_what_is_found_on_every_vendors_bmc_is_what_was_written_down() -> None:
    assert lines() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("vendor", ["dell", "lenovo", "openbmc", "supermicro"])
def test_where_all_inputs_are_measured_their_sum_is_the_machine(vendor: str) -> None:
    draw = Draw(supplies=(Flow(250.5, 235.0), Flow(249.5, 233.0)))
    assert best(findings(VENDORS[vendor](draw))) == ("supplies-input", 500.0)


def test_a_bmc_that_knows_outputs_only_gives_its_own_total_and_no_loss() -> None:
    found = findings(VENDORS["hpe"](Draw()))
    assert best(found) == ("power-control", Draw().output_w)
    assert parts(found) == {"psu/0-output": 376.0, "psu/1-output": 0.0}


def test_controls_of_parts_are_parts_and_never_added_to_the_whole() -> None:
    found = findings(VENDORS["lenovo"](Draw()))
    assert found.best("power-control") is not None
    assert [each.power_w for each in found.candidates if each.rung == "power-control"] == [Draw().input_w]
    assert parts(found)["cpu/node"] == Draw().cpu_w
    assert parts(found)["dram/node"] == Draw().dram_w
    assert all(part.quality.kind == "estimated" for part in found.parts if part.component in ("cpu", "dram"))


def test_one_total_under_four_chassis_is_one_total() -> None:
    tree = {uri: each for uri, each in VENDORS["openbmc"](Draw()).items() if "ps0_input" not in uri}
    assert best(findings(tree)) == ("environment-metrics", Draw().input_w)


def test_a_percentage_is_listed_and_not_used() -> None:
    found = findings(dell())
    refused = {each.scope: each.reason for each in found.passed}
    assert refused["SystemBoardCPUUsage"] == "a percentage is not a power"
    assert 37.0 not in [part.power_w for part in found.parts]


def test_watts_of_an_unnamed_place_are_listed_and_not_used() -> None:
    found = findings(VENDORS["openbmc"](Draw()))
    assert "power_p0_vdd_power" in {each.scope for each in found.passed}
    assert 88.0 not in [part.power_w for part in found.parts]


def test_an_unread_supply_makes_the_sum_unknown_and_the_next_way_is_taken() -> None:
    tree = dell()
    tree[f"{CHASSIS}/PowerSubsystem/PowerSupplies/PSU.Slot.2/Metrics"]["InputPowerWatts"]["Reading"] = None
    found = findings(tree)
    assert best(found) == ("environment-metrics", Draw().output_w)
    refused = found.best("supplies-input")
    assert refused is not None
    assert refused.reason == "no_figure_of_supply_PSU.Slot.2"
    assert parts(found)["psu/loss"] == "a_side_is_not_measured"


def test_a_listed_supply_without_any_sensor_makes_the_sum_unknown() -> None:
    tree = {uri: each for uri, each in VENDORS["openbmc"](Draw()).items() if "power_ps1" not in uri}
    found = findings(tree)
    assert best(found) == ("environment-metrics", Draw().input_w)
    refused = found.best("supplies-input")
    assert refused is not None
    assert refused.reason == "no_figure_of_supply_powersupply1"


@pytest.mark.parametrize("state", ["Disabled", "StandbyOffline", "UnavailableOffline"])
def test_nought_of_a_supply_that_is_switched_off_is_no_reading_and_no_gap(state: str) -> None:
    tree = dell(Draw(supplies=(Flow(400.0, 376.0), Flow(0.0, 0.0))))
    tree[f"{CHASSIS}/PowerSubsystem/PowerSupplies/PSU.Slot.2"]["Status"] = {"State": state}
    found = findings(tree)
    assert best(found) == ("supplies-input", 400.0)
    assert parts(found)["psu/loss"] == 24.0
    assert not [part for part in found.parts if part.scope.startswith("PSU.Slot.2")]


def test_what_a_disabled_supply_still_draws_counts() -> None:
    tree = dell()
    tree[f"{CHASSIS}/PowerSubsystem/PowerSupplies/PSU.Slot.2"]["Status"] = {"State": "Disabled"}
    assert best(findings(tree)) == ("supplies-input", 410.0)


def test_nought_watts_of_a_running_machine_is_no_reading() -> None:
    tree = VENDORS["hpe"](Draw())
    power = tree["/redfish/v1/Chassis/1/Power/"]
    power["PowerControl"][0]["PowerConsumedWatts"] = 0
    found = findings(tree)
    assert best(found) == ("supplies-output", 376.0)
    refused = found.best("power-control")
    assert refused is not None
    assert refused.reason == "zero_while_running"


@pytest.mark.parametrize(
    ("given", "reason"),
    [(None, "null"), ("412", "not_a_number"), (True, "not_a_number"), (-5, "negative"), ({}, "null")],
)
def test_what_is_no_number_of_watts_is_no_reading(given: Any, reason: str) -> None:
    tree = VENDORS["supermicro"](Draw())
    power = tree["/redfish/v1/Chassis/1/Power"]
    power["PowerSupplies"] = []
    power["PowerControl"][0]["PowerConsumedWatts"] = given
    found = findings(tree)
    assert found.best() is None
    assert [each.reason for each in found.candidates] == [reason]


def test_an_output_above_its_input_is_no_loss() -> None:
    found = findings(dell(Draw(supplies=(Flow(300.0, 305.0), Flow(8.0, 4.0)))))
    assert parts(found)["psu/loss"] == "output_above_input"


def test_efficiency_is_output_over_input() -> None:
    ratios = [supply.efficiency_ratio for supply in findings(dell()).supplies]
    assert ratios == [pytest.approx(376 / 402), 0.0]


def test_an_energy_counter_comes_before_power() -> None:
    # EnvironmentMetrics v1_3_0 and later: EnergyJoules is a Sensor excerpt beside EnergykWh.
    tree = dell()
    tree[f"{CHASSIS}/EnvironmentMetrics"]["EnergyJoules"] = {"Reading": 4_444_444.25}
    candidate = findings(tree).best()
    assert candidate is not None
    assert (candidate.rung, candidate.energy_j, candidate.power_w) == ("energy-counter", 4_444_444.25, None)


def test_a_processor_with_metrics_of_its_own_is_a_part() -> None:
    # ComputerSystem.Processors -> Processor.EnvironmentMetrics (Processor v1_13_0), as on accelerator boards.
    tree = dell()
    system = "/redfish/v1/Systems/System.Embedded.1"
    tree[system]["Processors"] = {"@odata.id": f"{system}/Processors"}
    tree[f"{system}/Processors"] = {"Members": [{"@odata.id": f"{system}/Processors/GPU_0"}]}
    tree[f"{system}/Processors/GPU_0"] = {
        "Id": "GPU_0",
        "ProcessorType": "GPU",
        "EnvironmentMetrics": {"@odata.id": f"{system}/Processors/GPU_0/EnvironmentMetrics"},
    }
    tree[f"{system}/Processors/GPU_0/EnvironmentMetrics"] = {"PowerWatts": {"Reading": 612.5}}
    assert parts(findings(tree))["gpu/GPU_0"] == 612.5


def test_a_part_of_several_sensors_keeps_them_apart() -> None:
    tree = dell()
    for name in ("Fan1Power", "Fan2Power"):
        uri = f"{CHASSIS}/Sensors/{name}"
        tree[f"{CHASSIS}/Sensors"]["Members"].append({"@odata.id": uri})
        tree[uri] = {"Id": name, "ReadingType": "Power", "ReadingUnits": "W", "PhysicalContext": "Fan", "Reading": 11}
    found = parts(findings(tree))
    assert (found["fan/Fan1Power"], found["fan/Fan2Power"]) == (11.0, 11.0)


def test_the_ways_are_tried_in_their_order() -> None:
    assert RUNGS[0] == "energy-counter"
    order = [RUNGS.index(each.rung) for each in findings(dell()).candidates]
    assert order == sorted(order)
