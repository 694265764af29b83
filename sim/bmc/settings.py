# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of a simulated BMC."""

from __future__ import annotations

from dataclasses import dataclass

from plumbing.setting import setting
from sim.bmc.app import VENDORS
from sim.bmc.scenarios import SCENARIOS
from sim.settings import LEVELS


@dataclass(frozen=True, slots=True)
class BmcSettings:
    """What one simulated BMC runs with. Raises ValueError naming the field."""

    host: str = setting("127.0.0.1", "Address to listen on; loopback unless told otherwise.")
    port: int = setting(8443, "TCP port; 0 takes a free one, which the log names.")
    vendor: str = setting("dell", f"Whose documents it serves: {', '.join(VENDORS)}.")
    scenario: str = setting("healthy", f"How it behaves: {', '.join(SCENARIOS)}.")
    log_level: str = setting("info", "debug, info, warning or error.")
    parent_pid: int = setting(0, "End when this process ends; 0 follows nobody.")

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: {self.port} is not within 0..65535")
        if self.vendor not in VENDORS:
            raise ValueError(f"vendor: {self.vendor!r} is none of {', '.join(VENDORS)}")
        if self.scenario not in SCENARIOS:
            raise ValueError(f"scenario: {self.scenario!r} is none of {', '.join(SCENARIOS)}")
        if self.log_level not in LEVELS:
            raise ValueError(f"log_level: {self.log_level!r} is none of {', '.join(LEVELS)}")
