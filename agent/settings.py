# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of the agent. This module imports no more than the lean process may hold.

``penstock agent`` fills the dataclass from flags, environment and YAML; ``python -m agent`` gets the result as JSON.
"""

from __future__ import annotations

import math
import re
import socket
from dataclasses import dataclass

from agent.meters.declared import declared
from plumbing.setting import setting

METERS = (
    "rapl-powercap", "rapl-perf", "simulated", "hwmon", "acpi", "nvml", "dcgm", "gpu-sysfs", "redfish", "ipmi",
    "prometheus", "modelled",
)  # fmt: skip
"""Every source that this version knows; of two equal ones the first is taken."""

LOCAL = ("rapl-powercap", "rapl-perf", "hwmon", "acpi", "nvml", "gpu-sysfs", "modelled")
"""Sources that this machine itself has, if any; a simulated tree and what is behind a network must be named."""

_ENDPOINTS = {
    "simulated": ("simulated_root",),
    "dcgm": ("dcgm_url",),
    "redfish": ("redfish_url",),
    "ipmi": ("ipmi_host",),
    "prometheus": ("prometheus_url", "prometheus_query"),
}
"""What must be set for a source to be used; those behind a network are used as soon as it is."""

LEVELS = ("debug", "info", "warning", "error")

_LONGEST_NAME = 253  # of a Kubernetes object
_LONGEST_INTERVAL_S = 3600.0
_SHORTEST_INTERVAL_S = 0.2


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What one agent runs with. Raises ValueError naming the field."""

    node: str = setting("", "Name of this node, as Kubernetes calls it; empty is the host name in lower case.")
    host: str = setting("127.0.0.1", "Address to listen on; loopback unless told otherwise.")
    port: int = setting(28283, "TCP port of metrics and queries; 0 takes a free one.")
    interval_s: float = setting(5.0, "Length of an interval in seconds; an extender may send another one.")
    targets: tuple[str, ...] = setting((), "Base URLs of extenders; each gets every report.")
    state: str = setting("", "Folder of the outbox and of the totals; empty keeps both in memory, bounded.")
    procfs: str = setting("/proc", "Root of procfs; in a container the host's, mounted elsewhere.")
    sysfs: str = setting("/sys", "Root of sysfs.")
    cgroupfs: str = setting("/sys/fs/cgroup", "Root of the cgroup file systems, v2 or v1.")
    meters: tuple[str, ...] = setting(
        LOCAL,
        "Sources that may be used: rapl-powercap, rapl-perf, simulated, hwmon, acpi, nvml, gpu-sysfs, modelled; "
        "dcgm, redfish, ipmi and prometheus are used once their endpoint is set.",
    )
    simulated_root: str = setting("", "Root of a tree that `penstock sim` writes; read by the meter `simulated` alone.")
    hwmon_sensors: tuple[str, ...] = setting(
        (), "What sensors measure that no table knows: CHIP[@DEVICE]/CHANNEL=COMPONENT/SCOPE[*FACTOR]."
    )
    dcgm_url: str = setting("", "This node's dcgm-exporter, such as http://127.0.0.1:9400/metrics.")
    dcgm_hostname: str = setting("", "This node's name as the exporter prints it; empty trusts every row.")
    redfish_url: str = setting("", "Base URL of this node's BMC, such as https://10.0.0.7; read by Redfish.")
    redfish_system: str = setting("", "Id of this node's system where one BMC serves several; empty is the only one.")
    redfish_user_file: str = setting("", "File with the BMC's user name, one line.")
    redfish_password_file: str = setting("", "File with the BMC's password, one line.")
    redfish_ca_file: str = setting("", "File with the certificates to trust for the BMC; empty trusts the system's.")
    redfish_verified: bool = setting(
        default=True, text="False accepts any certificate of the BMC: for a laboratory, not a rack."
    )
    redfish_timeout_s: float = setting(5.0, "Seconds to wait for one answer of the BMC, which may be slow.")
    ipmi_host: str = setting("", "Address of this node's BMC for IPMI over LAN, where it has no Redfish.")
    ipmi_port: int = setting(623, "UDP port of IPMI.")
    ipmi_user_file: str = setting("", "File with the IPMI user name, one line; privilege level USER is enough.")
    ipmi_password_file: str = setting("", "File with the IPMI password, one line.")
    prometheus_url: str = setting("", "Base URL of a Prometheus that knows this node's power, from a PDU for instance.")
    prometheus_query: str = setting("", "PromQL expression that yields one value: this node's watts.")
    prometheus_token_file: str = setting("", "File with a bearer token for Prometheus, one line.")
    prometheus_ca_file: str = setting("", "File with the certificates to trust for Prometheus; empty: the system's.")
    prometheus_verified: bool = setting(default=True, text="False accepts any certificate of the Prometheus server.")
    prometheus_stale_s: float = setting(60.0, "Seconds after which a sample of Prometheus is not used any more.")
    ring_length: int = setting(120, "Closed intervals kept in memory for queries over a window.")
    outbox_limit_bytes: int = setting(64 * 2**20, "Bytes of unsent reports to keep; beyond it the oldest are dropped.")
    log_level: str = setting("info", "debug, info, warning or error.")
    parent_pid: int = setting(0, "End when this process ends; 0 follows nobody.")

    def __post_init__(self) -> None:
        if self.node and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", self.node):
            raise ValueError(f"node: {self.node!r} is not a DNS-1123 name")
        if len(self.node) > _LONGEST_NAME:
            raise ValueError(f"node: longer than {_LONGEST_NAME} characters")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: {self.port} is not within 0..65535")
        if not (math.isfinite(self.interval_s) and _SHORTEST_INTERVAL_S <= self.interval_s <= _LONGEST_INTERVAL_S):
            raise ValueError(
                f"interval_s: {self.interval_s} is not within {_SHORTEST_INTERVAL_S}..{_LONGEST_INTERVAL_S} s"
            )
        for target in self.targets:
            if not re.fullmatch(r"https?://[^/\s?#@]+/?", target):
                # The value is not repeated: it may hold a password.
                raise ValueError("targets: holds what is not a base URL such as http://extender:8080")
        for meter in self.meters:
            if meter not in METERS:
                raise ValueError(f"meters: {meter!r} is not one of {', '.join(METERS)}")
        for meter, fields in _ENDPOINTS.items():
            for name in fields:
                if not getattr(self, name) and (meter in self.meters or any(getattr(self, each) for each in fields)):
                    raise ValueError(f"{name}: the meter {meter!r} needs it")
        for sensor in self.hwmon_sensors:
            try:
                declared(sensor)
            except ValueError as error:
                raise ValueError(f"hwmon_sensors: {error}") from error
        for name in ("dcgm_url", "redfish_url", "prometheus_url"):
            url = getattr(self, name)
            if url and not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", url):
                raise ValueError(f"{name}: is not a URL without user, query and fragment")
        if not 1 <= self.ipmi_port <= 65535:
            raise ValueError(f"ipmi_port: {self.ipmi_port} is not within 1..65535")
        for name in ("redfish_timeout_s", "prometheus_stale_s"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and 0 < seconds <= _LONGEST_INTERVAL_S):
                raise ValueError(f"{name}: {seconds} is not within 0..{_LONGEST_INTERVAL_S} s")
        if not 1 <= self.ring_length <= 100_000:
            raise ValueError(f"ring_length: {self.ring_length} is not within 1..100000")
        if self.outbox_limit_bytes < 2**16:
            raise ValueError(f"outbox_limit_bytes: {self.outbox_limit_bytes} is less than {2**16}")
        if self.log_level not in LEVELS:
            raise ValueError(f"log_level: {self.log_level!r} is not one of {', '.join(LEVELS)}")

    def uses(self, meter: str) -> bool:
        """Whether a source may be used: named in ``meters``, or behind a network with its endpoint set."""
        fields = _ENDPOINTS.get(meter, ())
        return meter in self.meters or (meter != "simulated" and bool(fields) and all(getattr(self, f) for f in fields))

    @property
    def node_name(self) -> str:
        """The node's name; a host name that is no DNS-1123 name is made one."""
        return self.node or dns_name(socket.gethostname())


def dns_name(host_name: str) -> str:
    """``host_name`` in lower case, with what DNS-1123 does not know replaced by hyphens."""
    cleaned = re.sub(r"[^a-z0-9.-]", "-", host_name.lower())[:_LONGEST_NAME].strip("-.")
    return cleaned or "localhost"
