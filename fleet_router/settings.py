# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the fleet router can be told."""

from __future__ import annotations

from dataclasses import dataclass

from plumbing.setting import setting


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Flags, ``PENSTOCK_FLEET_*`` and the YAML file fill these; `python -m fleet_router` gets them as JSON."""

    host: str = setting("127.0.0.1", "Address to listen on, for HTTP and gRPC; loopback unless told otherwise.")
    port: int = setting(8090, "TCP port of the HTTP API and the page; 0 takes a free one.")
    grpc_port: int = setting(9091, "TCP port on which clusters report over gRPC; 0 takes a free one.")
    state: str = setting("", "Folder of the ledger (SQLite); empty keeps it in memory, for trials.")
    data_folder: str = setting(
        "", "Folder with further annual carbon tables (ODbL, CC BY-SA), read and never shipped; empty uses none."
    )
    carbon_price_per_kg: float = setting(
        0.1,
        "Shadow price of a kilogram of CO2 equivalent, in `currency`; 0 ranks by money alone. "
        "100 per tonne is the order of recent European allowance prices.",
    )
    currency: str = setting("EUR", "ISO 4217 code; prices of sites in another one count as unknown.")
    stale_after_s: float = setting(
        30.0, "Seconds without a report after which a cluster gets no placements; reports come every 5 s at least."
    )
    report_hour_utc: int = setting(1, "Hour (UTC, 0-23) at which yesterday's report is written.")
    report_refresh_s: float = setting(900.0, "Seconds between rewritings of today's provisional report.")
    decisions_kept: int = setting(10_000, "Placement decisions kept for `GET /v1/decisions/{id}`; older ones go.")
    body_limit_bytes: int = setting(262_144, "Largest HTTP request body, bytes; a request is a few hundred.")
    log_level: str = setting("info", "debug, info, warning or error.")
    parent_pid: int = setting(0, "End when this process ends; 0 follows nobody.")
