# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Which parts `penstock up` runs, and how they find each other."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from agent.settings import AgentSettings
from extender.settings import ExtenderSettings
from fleet_router.settings import FleetSettings
from penstock.processes import Part
from plumbing.setting import setting
from sim.settings import SimSettings
from sim.spec import parse

AGENT_PORT = 28283
EXTENDER_PORT = 8080
FLEET_PORT = 8090
FLEET_GRPC_PORT = 9091


@dataclass(frozen=True, slots=True)
class UpSettings:
    """Settings of `penstock up`."""

    port_offset: int = setting(0, "Added to every port, so that several instances fit on one machine.")
    interval_s: float = setting(2.0, "Length of an interval in seconds; short, because somebody is watching.")
    policies: str = setting("", "Folder of policy files; the folder policies/ here, else the packaged example.")
    cluster_name: str = setting("local", "Name of this machine's cluster in the fleet.")
    zone: str = setting("", "Electricity Maps zone of this machine, such as DE; empty is unknown and gets no grams.")
    pue_ratio: float = setting(1.0, "Power usage effectiveness of the building; 1 for a machine on a desk.")
    simulate: str = setting("", "A simulated cluster beside the real machine, such as nodes=50,pods=500.")
    sysfs: str = setting("/sys", "Root of sysfs; another one is for tests.")
    log_level: str = setting("info", "debug, info, warning or error.")

    def __post_init__(self) -> None:
        if not 0 <= self.port_offset <= 65535 - AGENT_PORT:
            raise ValueError(f"port_offset: {self.port_offset} is not within 0..{65535 - AGENT_PORT}")
        if not 0.2 <= self.interval_s <= 3600:  # also refuses NaN
            raise ValueError(f"interval_s: {self.interval_s} is not within 0.2..3600 s")
        if not 1 <= self.pue_ratio <= 10:
            raise ValueError(f"pue_ratio: {self.pue_ratio} is not within 1..10")
        if self.zone and not re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]+)*", self.zone):
            raise ValueError(f"zone: {self.zone!r} is not an Electricity Maps zone such as DE or US-CAL-CISO")
        if self.policies and not Path(self.policies).exists():
            raise ValueError(f"policies: {self.policies} does not exist")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise ValueError(f"log_level: {self.log_level!r} is none of debug, info, warning, error")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base URLs of the roles on loopback."""

    agent: str
    extender: str
    fleet: str
    fleet_grpc: str

    @classmethod
    def of(cls, port_offset: int) -> Addresses:
        """The default ports, shifted."""
        return cls(
            agent=f"http://127.0.0.1:{AGENT_PORT + port_offset}",
            extender=f"http://127.0.0.1:{EXTENDER_PORT + port_offset}",
            fleet=f"http://127.0.0.1:{FLEET_PORT + port_offset}",
            fleet_grpc=f"127.0.0.1:{FLEET_GRPC_PORT + port_offset}",
        )


def check_ports(port_offset: int) -> None:
    """Raises ListenError for a port that is taken: another instance's answers would pass for ours."""
    from plumbing.server import Address, listen

    for port in (AGENT_PORT, EXTENDER_PORT, FLEET_PORT, FLEET_GRPC_PORT):
        listen(Address("127.0.0.1", port + port_offset)).close()


def policy_folder(given: str) -> Path:
    """The folder to read policies from: the one given, ``policies/`` of the current folder, the packaged example."""
    if given:
        return Path(given)
    here = Path("policies")
    if here.is_dir():
        return here.resolve()
    packaged = Path(str(resources.files("gitops"))) / "example"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parent.parent / "policies"


def parts(settings: UpSettings, *, folder: Path) -> tuple[Part, ...]:
    """The roles in the order in which they are ended; ``folder`` holds their state and logs."""
    at = Addresses.of(settings.port_offset)
    pid = os.getpid()
    logs = folder / "logs"
    agent = AgentSettings(
        port=AGENT_PORT + settings.port_offset,
        interval_s=settings.interval_s,
        targets=(at.extender,),
        state=str(folder / "agent"),
        sysfs=settings.sysfs,
        log_level=settings.log_level,
        parent_pid=pid,
    )
    extender = ExtenderSettings(
        port=EXTENDER_PORT + settings.port_offset,
        state=str(folder / "extender"),
        fleet_target=at.fleet_grpc,
        policies=str(policy_folder(settings.policies)),
        cluster_name=settings.cluster_name,
        zone=settings.zone,
        pue_ratio=settings.pue_ratio,
        log_level=settings.log_level,
        parent_pid=pid,
    )
    fleet = FleetSettings(
        port=FLEET_PORT + settings.port_offset,
        grpc_port=FLEET_GRPC_PORT + settings.port_offset,
        state=str(folder / "fleet"),
        log_level=settings.log_level,
        parent_pid=pid,
    )
    made = [
        Part(name="agent", module="agent", settings=agent, log=logs / "agent.log"),
        Part(name="extender", module="extender", settings=extender, log=logs / "extender.log"),
        Part(name="fleet", module="fleet_router", settings=fleet, log=logs / "fleet.log"),
    ]
    if settings.simulate:
        size = parse(settings.simulate)
        simulated = SimSettings(
            extender=at.extender,
            nodes=size.nodes,
            pods=size.pods,
            interval_s=settings.interval_s,
            log_level=settings.log_level,
            parent_pid=pid,
        )
        made.insert(0, Part(name="sim", module="sim", settings=simulated, log=logs / "sim.log"))
    return tuple(made)
