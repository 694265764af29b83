# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A Supermicro server: Chassis/Power with four bays of which two are empty, and backplanes as chassis of their own.

Shapes: DSP8010 Power v1_5_2; "Power Supply Bay 1" is the name in DMTF's Power mockups (DSP2043), which Supermicro
keeps and publishes four of (operators' scripts read Chassis/1/Power#/PowerSupplies that way); empty bays say
Absent and null; chassis NVMeSSD.0.Group.0.StorageBackplane stands beside chassis 1, without a word on how they relate.
"""

from __future__ import annotations

from typing import Any, Final

from sim.bmc.documents import Draw, Flow, Tree, collection, ref, resource, status

_CHASSIS: Final = "/redfish/v1/Chassis/1"
_BACKPLANE: Final = "/redfish/v1/Chassis/NVMeSSD.0.Group.0.StorageBackplane"
_SYSTEM: Final = "/redfish/v1/Systems/1"
_BAYS: Final = 4


def documents(draw: Draw) -> Tree:
    """The service as it is at this moment."""
    filled: list[Flow | None] = [*draw.supplies, *[None] * (_BAYS - len(draw.supplies))]
    return {
        "/redfish/v1/": resource(
            "/redfish/v1/",
            "ServiceRoot.v1_9_0.ServiceRoot",
            "RootService",
            "Root Service",
            Vendor="Supermicro",
            RedfishVersion="1.9.0",
            Systems=ref("/redfish/v1/Systems"),
            Chassis=ref("/redfish/v1/Chassis"),
            Links={"Sessions": ref("/redfish/v1/SessionService/Sessions")},
        ),
        "/redfish/v1/Systems": collection("/redfish/v1/Systems", "ComputerSystemCollection", _SYSTEM),
        "/redfish/v1/Chassis": collection("/redfish/v1/Chassis", "ChassisCollection", _CHASSIS, _BACKPLANE),
        _SYSTEM: resource(
            _SYSTEM,
            "ComputerSystem.v1_13_0.ComputerSystem",
            "1",
            "System",
            SystemType="Physical",
            Links={"Chassis": [ref(_CHASSIS)]},
        ),
        _CHASSIS: resource(
            _CHASSIS,
            "Chassis.v1_14_0.Chassis",
            "1",
            "Computer System Chassis",
            ChassisType="Other",
            Power=ref(f"{_CHASSIS}/Power"),
            Links={"ComputerSystems": [ref(_SYSTEM)]},
        ),
        _BACKPLANE: resource(
            _BACKPLANE, "Chassis.v1_14_0.Chassis", "NVMeSSD.0.Group.0.StorageBackplane", "NVMe", ChassisType="Enclosure"
        ),
        f"{_CHASSIS}/Power": resource(
            f"{_CHASSIS}/Power",
            "Power.v1_5_2.Power",
            "Power",
            "Power",
            PowerControl=[
                {
                    "@odata.id": f"{_CHASSIS}/Power#/PowerControl/0",
                    "MemberId": "0",
                    "Name": "System Power Control",
                    "PowerConsumedWatts": draw.input_w,
                    "PowerMetrics": {"IntervalInMin": 5, "AverageConsumedWatts": draw.input_w},
                    "RelatedItem": [ref(_SYSTEM), ref(_CHASSIS)],
                    "Status": status(),
                }
            ],
            PowerSupplies=[_bay(at, flow) for at, flow in enumerate(filled)],
        ),
    }


def _bay(at: int, flow: Flow | None) -> dict[str, Any]:
    return {
        "@odata.id": f"{_CHASSIS}/Power#/PowerSupplies/{at}",
        "MemberId": str(at),
        "Name": f"Power Supply Bay {at + 1}",
        "PowerSupplyType": "AC" if flow else None,
        "LineInputVoltage": 207 if flow else None,
        "PowerCapacityWatts": 2000 if flow else None,
        "PowerInputWatts": flow.input_w if flow else None,
        "PowerOutputWatts": flow.output_w if flow else None,
        "Status": status() if flow else status("Absent", None),
    }
