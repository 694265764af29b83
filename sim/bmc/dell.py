# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A Dell PowerEdge behind iDRAC9: everything in one chassis, sensors for all of it, and percentages beside watts.

Shapes: iDRAC9 Redfish API Guide (PowerControl with MemberId "PowerControl"); DSP8010 PowerSubsystem v1_1_0,
PowerSupplyMetrics v1_1_2, EnvironmentMetrics v1_3_0, Sensor v1_7_0; sensor names as in dell/iDRAC-Redfish-Scripting
and in `racadm getsensorinfo` listings (SystemBoardPwrConsumption, SystemBoardCPUUsage, PSU.Slot.1_InputPower). The
board's figure is what the supplies give out.
"""

from __future__ import annotations

from typing import Any, Final

from sim.bmc.documents import Draw, Tree, collection, excerpt, ref, resource, status

_CHASSIS: Final = "/redfish/v1/Chassis/System.Embedded.1"
_ENCLOSURE: Final = "/redfish/v1/Chassis/Enclosure.Internal.0-1"
_SYSTEM: Final = "/redfish/v1/Systems/System.Embedded.1"


def documents(draw: Draw) -> Tree:
    """The service as it is at this moment."""
    sensors = f"{_CHASSIS}/Sensors"
    subsystem = f"{_CHASSIS}/PowerSubsystem"
    slots = [f"PSU.Slot.{number}" for number in range(1, len(draw.supplies) + 1)]
    tree: Tree = {
        "/redfish/v1/": resource(
            "/redfish/v1/",
            "ServiceRoot.v1_15_0.ServiceRoot",
            "RootService",
            "Root Service",
            Vendor="Dell",
            RedfishVersion="1.17.0",
            Systems=ref("/redfish/v1/Systems"),
            Chassis=ref("/redfish/v1/Chassis"),
            Links={"Sessions": ref("/redfish/v1/SessionService/Sessions")},
            ProtocolFeaturesSupported={"ExpandQuery": {"NoLinks": True, "Levels": True, "MaxLevels": 1}},
        ),
        "/redfish/v1/Systems": collection("/redfish/v1/Systems", "ComputerSystemCollection", _SYSTEM),
        "/redfish/v1/Chassis": collection("/redfish/v1/Chassis", "ChassisCollection", _CHASSIS, _ENCLOSURE),
        _SYSTEM: resource(
            _SYSTEM,
            "ComputerSystem.v1_20_0.ComputerSystem",
            "System.Embedded.1",
            "System",
            SystemType="Physical",
            UUID="4c4c4544-0051-3010-8052-b4c04f4a3232",
            Links={"Chassis": [ref(_CHASSIS)]},
        ),
        _CHASSIS: resource(
            _CHASSIS,
            "Chassis.v1_22_0.Chassis",
            "System.Embedded.1",
            "Computer System Chassis",
            ChassisType="StandAlone",
            EnvironmentMetrics=ref(f"{_CHASSIS}/EnvironmentMetrics"),
            PowerSubsystem=ref(subsystem),
            Power=ref(f"{_CHASSIS}/Power"),
            Sensors=ref(sensors),
            Links={"ComputerSystems": [ref(_SYSTEM)], "Contains": [ref(_ENCLOSURE)]},
        ),
        _ENCLOSURE: resource(
            _ENCLOSURE,
            "Chassis.v1_22_0.Chassis",
            "Enclosure.Internal.0-1",
            "BP14G+EXP 0:1",
            ChassisType="StorageEnclosure",
            Links={"ComputerSystems": [ref(_SYSTEM)], "ContainedBy": ref(_CHASSIS)},
        ),
        f"{_CHASSIS}/EnvironmentMetrics": resource(
            f"{_CHASSIS}/EnvironmentMetrics",
            "EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
            "EnvironmentMetrics",
            "Chassis Environment Metrics",
            PowerWatts=excerpt(draw.output_w, f"{sensors}/SystemBoardPwrConsumption"),
            EnergykWh=excerpt(round(draw.energy_kwh, 3), f"{sensors}/SystemBoardEnergy"),
        ),
        subsystem: resource(
            subsystem,
            "PowerSubsystem.v1_1_0.PowerSubsystem",
            "PowerSubsystem",
            "Power Subsystem",
            CapacityWatts=1400.0 * len(slots),
            PowerSupplies=ref(f"{subsystem}/PowerSupplies"),
        ),
        f"{subsystem}/PowerSupplies": collection(
            f"{subsystem}/PowerSupplies",
            "PowerSupplyCollection",
            *(f"{subsystem}/PowerSupplies/{slot}" for slot in slots),
        ),
        f"{_CHASSIS}/Power": _power(draw, slots),
    }
    found = [_sensor("SystemBoardPwrConsumption", draw.output_w, "SystemBoard")]
    for slot, flow in zip(slots, draw.supplies, strict=True):
        uri = f"{subsystem}/PowerSupplies/{slot}"
        tree[uri] = resource(
            uri,
            "PowerSupply.v1_5_0.PowerSupply",
            slot,
            f"PS{slot[-1]} Status",
            Metrics=ref(f"{uri}/Metrics"),
            PowerCapacityWatts=1400.0,
            EfficiencyRatings=[{"EfficiencyPercent": 94}],
            Status=status(),
        )
        tree[f"{uri}/Metrics"] = resource(
            f"{uri}/Metrics",
            "PowerSupplyMetrics.v1_1_0.PowerSupplyMetrics",
            "Metrics",
            f"Metrics for {slot}",
            InputPowerWatts=excerpt(flow.input_w, f"{sensors}/{slot}_InputPower"),
            OutputPowerWatts=excerpt(flow.output_w, f"{sensors}/{slot}_OutputPower"),
            InputVoltage=excerpt(230.0, f"{sensors}/{slot}_InputVoltage"),
            Status=status(),
        )
        found.append(_sensor(f"{slot}_InputPower", flow.input_w, "PowerSupply", PhysicalSubContext="Input"))
        found.append(_sensor(f"{slot}_OutputPower", flow.output_w, "PowerSupply", PhysicalSubContext="Output"))
    usage = {"ReadingType": "Percent", "ReadingUnits": "%"}
    found += [
        _sensor("SystemBoardCPUUsage", 37.0, "SystemBoard", **usage),
        _sensor("SystemBoardMEMUsage", 12.0, "SystemBoard", **usage),
        _sensor("CPU1Temp", 55.0, "CPU", ReadingType="Temperature", ReadingUnits="Cel"),
    ]
    tree[sensors] = collection(sensors, "SensorCollection", *(each["@odata.id"] for each in found))
    return tree | {each["@odata.id"]: each for each in found}


def _sensor(name: str, value: float, context: str, **more: Any) -> dict[str, Any]:
    fields = {"ReadingType": "Power", "ReadingUnits": "W", "Status": status(), "PhysicalContext": context} | more
    return resource(f"{_CHASSIS}/Sensors/{name}", "Sensor.v1_7_0.Sensor", name, name, Reading=value, **fields)


def _power(draw: Draw, slots: list[str]) -> dict[str, Any]:
    return resource(
        f"{_CHASSIS}/Power",
        "Power.v1_7_1.Power",
        "Power",
        "Power",
        PowerControl=[
            {
                "@odata.id": f"{_CHASSIS}/Power/PowerControl",
                "MemberId": "PowerControl",
                "Name": "System Power Control",
                "PowerConsumedWatts": draw.output_w,
                "PowerCapacityWatts": 1498,
                "PowerMetrics": {"AverageConsumedWatts": draw.output_w - 3, "IntervalInMin": 1},
                "RelatedItem": [ref(_CHASSIS), ref(_SYSTEM)],
            }
        ],
        PowerSupplies=[
            {
                "@odata.id": f"{_CHASSIS}/Power/PowerSupplies/{slot}",
                "MemberId": slot,
                "Name": f"PS{slot[-1]} Status",
                "PowerInputWatts": flow.input_w,
                "PowerOutputWatts": flow.output_w,
                "LastPowerOutputWatts": None,
                "PowerCapacityWatts": 1400,
                "Status": status(),
            }
            for slot, flow in zip(slots, draw.supplies, strict=True)
        ],
    )
