# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A server with OpenBMC: many chassis that all name the one system and all show the one total, sensors without context.

Shapes: openbmc/bmcweb (EnvironmentMetrics takes PowerWatts from the sensor power_total_power, whichever chassis is
asked; PhysicalContext is set on accelerator sensors only; ExpandQuery NoLinks; tags are hashes of the body) and
ibm-openbmc/dev issues 276 and 2537 (chassis "chassis", "motherboard", "powersupply0"; sensors ps0_input_power).
"""

from __future__ import annotations

from typing import Any, Final

from sim.bmc.documents import Draw, Tree, collection, excerpt, ref, resource, status

_SYSTEM: Final = "/redfish/v1/Systems/system"
_CHASSIS: Final = "/redfish/v1/Chassis/chassis"


def documents(draw: Draw) -> Tree:
    """The service as it is at this moment."""
    boxes = {
        "chassis": "RackMount",
        "motherboard": "RackMount",
        "powersupply0": "Component",
        "powersupply1": "Component",
    }
    tree: Tree = {
        "/redfish/v1/": resource(
            "/redfish/v1/",
            "ServiceRoot.v1_15_0.ServiceRoot",
            "RootService",
            "Root Service",
            RedfishVersion="1.17.0",
            Systems=ref("/redfish/v1/Systems"),
            Chassis=ref("/redfish/v1/Chassis"),
            Links={"Sessions": ref("/redfish/v1/SessionService/Sessions")},
            ProtocolFeaturesSupported={"ExpandQuery": {"NoLinks": True, "Levels": True, "MaxLevels": 6}},
        ),
        "/redfish/v1/Systems": collection("/redfish/v1/Systems", "ComputerSystemCollection", _SYSTEM),
        "/redfish/v1/Chassis": collection(
            "/redfish/v1/Chassis", "ChassisCollection", *(f"/redfish/v1/Chassis/{name}" for name in boxes)
        ),
        _SYSTEM: resource(
            _SYSTEM,
            "ComputerSystem.v1_22_0.ComputerSystem",
            "system",
            "system",
            SystemType="Physical",
            Links={"Chassis": [ref(_CHASSIS)]},
        ),
    }
    for name, kind in boxes.items():
        uri = f"/redfish/v1/Chassis/{name}"
        tree[uri] = resource(
            uri,
            "Chassis.v1_22_0.Chassis",
            name,
            name,
            ChassisType=kind,
            EnvironmentMetrics=ref(f"{uri}/EnvironmentMetrics"),
            PowerSubsystem=ref(f"{uri}/PowerSubsystem"),
            Sensors=ref(f"{uri}/Sensors"),
            Links={"ComputerSystems": [ref(_SYSTEM)]},
        )
        tree[f"{uri}/EnvironmentMetrics"] = resource(
            f"{uri}/EnvironmentMetrics",
            "EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
            "EnvironmentMetrics",
            "Chassis Environment Metrics",
            PowerWatts=excerpt(draw.input_w, f"{uri}/Sensors/power_total_power"),
        )
        supplies = [f"{_CHASSIS}/PowerSubsystem/PowerSupplies/powersupply{at}" for at in range(len(draw.supplies))]
        tree[f"{uri}/PowerSubsystem"] = resource(
            f"{uri}/PowerSubsystem",
            "PowerSubsystem.v1_1_0.PowerSubsystem",
            "PowerSubsystem",
            "Power Subsystem",
            PowerSupplies=ref(f"{uri}/PowerSubsystem/PowerSupplies"),
        )
        tree[f"{uri}/PowerSubsystem/PowerSupplies"] = collection(
            f"{uri}/PowerSubsystem/PowerSupplies", "PowerSupplyCollection", *(supplies if uri == _CHASSIS else ())
        )
        sensors = _sensors(draw) if uri == _CHASSIS else []
        tree[f"{uri}/Sensors"] = collection(
            f"{uri}/Sensors", "SensorCollection", *(each["@odata.id"] for each in sensors)
        )
        tree |= {each["@odata.id"]: each for each in sensors}
    for at in range(len(draw.supplies)):
        uri = f"{_CHASSIS}/PowerSubsystem/PowerSupplies/powersupply{at}"
        tree[uri] = resource(
            uri,
            "PowerSupply.v1_5_0.PowerSupply",
            f"powersupply{at}",
            f"powersupply{at}",
            EfficiencyRatings=[{"EfficiencyPercent": 90}],
            Status=status(),
        )
    return tree


def _sensors(draw: Draw) -> list[dict[str, Any]]:
    made = [_sensor("power_total_power", draw.input_w), _sensor("power_p0_vdd_power", 88.0)]
    for at, flow in enumerate(draw.supplies):
        made.append(_sensor(f"power_ps{at}_input_power", flow.input_w))
        made.append(_sensor(f"power_ps{at}_output_power", flow.output_w))
    return made


def _sensor(name: str, watts: float) -> dict[str, Any]:
    return resource(
        f"{_CHASSIS}/Sensors/{name}",
        "Sensor.v1_2_0.Sensor",
        name,
        name.removeprefix("power_").replace("_", " "),
        Reading=watts,
        ReadingType="Power",
        ReadingUnits="W",
        Status=status(),
    )
