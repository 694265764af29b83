# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A Lenovo ThinkSystem behind XCC: one PowerControl for the server, and beside it one each for CPUs and memory.

Shapes: Lenovo XClarity Controller REST API guide, "GET - Power management properties" (Chassis/1/Power, Power v1_5_3,
"Server Power Control", PhysicalContext, quoted hash as entity tag); members "CPU Sub-system Power" and "Memory
Sub-system Power" as lenovo/python-redfish-lenovo asks for them. Adding all PowerControl members up would count twice.
"""

from __future__ import annotations

from typing import Any, Final

from sim.bmc.documents import Draw, Tree, collection, ref, resource, status

_CHASSIS: Final = "/redfish/v1/Chassis/1"
_SYSTEM: Final = "/redfish/v1/Systems/1"


def documents(draw: Draw) -> Tree:
    """The service as it is at this moment."""
    return {
        "/redfish/v1/": resource(
            "/redfish/v1/",
            "ServiceRoot.v1_5_2.ServiceRoot",
            "RootService",
            "Root Service",
            Vendor="Lenovo",
            RedfishVersion="1.8.0",
            Systems=ref("/redfish/v1/Systems"),
            Chassis=ref("/redfish/v1/Chassis"),
            Links={"Sessions": ref("/redfish/v1/SessionService/Sessions")},
        ),
        "/redfish/v1/Systems": collection("/redfish/v1/Systems", "ComputerSystemCollection", _SYSTEM),
        "/redfish/v1/Chassis": collection("/redfish/v1/Chassis", "ChassisCollection", _CHASSIS),
        _SYSTEM: resource(
            _SYSTEM,
            "ComputerSystem.v1_10_0.ComputerSystem",
            "1",
            "ComputerSystem",
            SystemType="Physical",
            Links={"Chassis": [ref(_CHASSIS)]},
        ),
        _CHASSIS: resource(
            _CHASSIS,
            "Chassis.v1_11_0.Chassis",
            "1",
            "Chassis",
            ChassisType="RackMount",
            Power=ref(f"{_CHASSIS}/Power"),
            Links={"ComputerSystems": [ref(_SYSTEM)]},
        ),
        f"{_CHASSIS}/Power": resource(
            f"{_CHASSIS}/Power",
            "Power.v1_5_3.Power",
            "Power",
            "Power",
            Description="Power Consumption and Power Limiting",
            PowerControl=[
                _control(0, "Server Power Control", "Chassis", draw.input_w),
                _control(1, "CPU Sub-system Power", "CPU", draw.cpu_w),
                _control(2, "Memory Sub-system Power", "Memory", draw.dram_w),
            ],
            PowerSupplies=[
                {
                    "@odata.id": f"{_CHASSIS}/Power#/PowerSupplies/{at}",
                    "MemberId": str(at),
                    "Name": f"PSU{at + 1}",
                    "PowerInputWatts": flow.input_w,
                    "PowerOutputWatts": flow.output_w,
                    "PowerCapacityWatts": 1100,
                    "Status": status(),
                }
                for at, flow in enumerate(draw.supplies)
            ],
        ),
    }


def _control(at: int, name: str, context: str, watts: float) -> dict[str, Any]:
    return {
        "@odata.id": f"{_CHASSIS}/Power#/PowerControl/{at}",
        "MemberId": str(at),
        "Name": name,
        "PhysicalContext": context,
        "PowerConsumedWatts": watts,
        "RelatedItem": [ref(_CHASSIS)],
        "Status": status(),
    }
