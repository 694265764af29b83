# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""An HPE ProLiant behind iLO 5: Chassis/Power alone, outputs alone, one name for all supplies, a slash at every end.

Shapes: Power documents of DL360/DL380 Gen10 with HpeServerPowerSupply v2_0_0, as the iLO 5 data model reference and
published listings show them (members "#PowerSupplies/0", Name "HpeServerPowerSupply" twice, LastPowerOutputWatts and no
input, PowerConsumedWatts equal to the sum of the outputs). A path without its last slash is answered by 308.
"""

from __future__ import annotations

from typing import Final

from sim.bmc.documents import Draw, Tree, collection, ref, resource, status

_CHASSIS: Final = "/redfish/v1/Chassis/1/"
_BACKPLANE: Final = "/redfish/v1/Chassis/DE00C000/"
_SYSTEM: Final = "/redfish/v1/Systems/1/"


def documents(draw: Draw) -> Tree:
    """The service as it is at this moment."""
    power = f"{_CHASSIS}Power/"
    return {
        "/redfish/v1/": resource(
            "/redfish/v1/",
            "ServiceRoot.v1_5_1.ServiceRoot",
            "RootService",
            "HPE RESTful Root Service",
            Vendor="HPE",
            RedfishVersion="1.6.0",
            Systems=ref("/redfish/v1/Systems/"),
            Chassis=ref("/redfish/v1/Chassis/"),
            Links={"Sessions": ref("/redfish/v1/SessionService/Sessions/")},
        ),
        "/redfish/v1/Systems/": collection("/redfish/v1/Systems/", "ComputerSystemCollection", _SYSTEM),
        "/redfish/v1/Chassis/": collection("/redfish/v1/Chassis/", "ChassisCollection", _CHASSIS, _BACKPLANE),
        _SYSTEM: resource(
            _SYSTEM,
            "ComputerSystem.v1_10_0.ComputerSystem",
            "1",
            "Computer System",
            SystemType="Physical",
            SerialNumber="CZJ0240KNM",
            Links={"Chassis": [ref(_CHASSIS)]},
        ),
        _CHASSIS: resource(
            _CHASSIS,
            "Chassis.v1_10_2.Chassis",
            "1",
            "Computer System Chassis",
            ChassisType="RackMount",
            Power=ref(power),
            Links={"ComputerSystems": [ref(_SYSTEM)]},
        ),
        _BACKPLANE: resource(
            _BACKPLANE, "Chassis.v1_10_2.Chassis", "DE00C000", "DE00C000", ChassisType="StorageEnclosure", Links={}
        ),
        power: resource(
            power,
            "Power.v1_3_0.Power",
            "Power",
            "PowerMetrics",
            PowerControl=[
                {
                    "@odata.id": f"{power}#PowerControl/0",
                    "MemberId": "0",
                    "PowerCapacityWatts": 1600,
                    "PowerConsumedWatts": draw.output_w,
                    "PowerMetrics": {"AverageConsumedWatts": draw.output_w + 2, "IntervalInMin": 20},
                }
            ],
            PowerSupplies=[
                {
                    "@odata.id": f"{power}#PowerSupplies/{at}",
                    "MemberId": str(at),
                    "Name": "HpeServerPowerSupply",
                    "LastPowerOutputWatts": flow.output_w,
                    "LineInputVoltage": 206,
                    "PowerCapacityWatts": 800,
                    "Oem": {"Hpe": {"AveragePowerOutputWatts": flow.output_w, "BayNumber": at + 1}},
                    "Status": status(),
                }
                for at, flow in enumerate(draw.supplies)
            ],
        ),
    }
