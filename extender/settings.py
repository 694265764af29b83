# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What an operator can set on the extender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plumbing.setting import setting


@dataclass(frozen=True, slots=True)
class ExtenderSettings:
    """One replica of the extender; every field is a flag, a ``PENSTOCK_EXTENDER_*`` variable or a YAML key."""

    host: str = setting("127.0.0.1", "address to listen on; loopback, because nothing here asks for a credential yet")
    port: int = setting(8080, "TCP port of the scheduler's verbs, the reports, the reads and the metrics; 0 = any free")
    state: str = setting(
        "", "folder of the ledger; empty = in memory, so that a restart forgets totals, watermarks and holds"
    )
    fleet_target: str = setting("", "host:port of the fleet router's gRPC; empty = no uplink, and reports are not kept")
    policies: str = setting("", "folder of policy files, read again when it changes; empty = no budgets")
    cluster_name: str = setting("local", "name of this cluster in the fleet")
    zone: str = setting("", "Electricity Maps zone of the cluster; empty = unknown, so no carbon figures")
    pue_ratio: float = setting(0.0, "facility energy over IT energy; 0 = unknown")
    price_per_kwh: float | None = setting(None, "flat price of a kWh in `currency`; unset = unknown, negative is real")
    currency: str = setting("EUR", "ISO 4217 code of `price_per_kwh`")
    meter_includes_facility: bool = setting(default=False, text="meters see the facility, so PUE is not put on top")
    replica: str = setting("extender-0", "name of this replica in its reports to the fleet")
    strategy: Literal["LeastPower"] = setting("LeastPower", "how nodes are scored: LeastPower = fewest marginal watts")
    own_namespace: str = setting("penstock-system", "namespace that budgets never refuse, like kube-system")
    report_limit_bytes: int = setting(4 * 2**20, "largest report, packed or unpacked; 10,000 processes take about 2 MB")
    scheduler_limit_bytes: int = setting(
        8 * 2**20, "largest request of the scheduler: 5,000 names take 0.3 MB, full Node objects about 10 kB each"
    )
    report_retention_h: float = setting(24.0, "hours that reports wait for the fleet; older ones become a declared gap")
    workload_retention_h: float = setting(48.0, "hours that a workload's totals stay after it was last seen")
    node_forget_s: float = setting(
        900.0, "seconds of silence after which a node no longer counts for budgets; a hold lives as long"
    )
    log_level: str = setting("info", "debug, info, warning or error")
    parent_pid: int = setting(0, "process that this one ends with; 0 = none")
