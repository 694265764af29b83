# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The fleet's tables. Energy is a 64-bit integer of microjoules per row; sums beyond that are `sums.py`'s."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

VERSION = 1

metadata = MetaData()

about = Table("about", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False))

clusters = Table(
    "clusters",
    metadata,
    Column("cluster_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("replica", String, nullable=False),
    Column("first_seen_unix_ns", BigInteger, nullable=False),
    Column("last_seen_unix_ns", BigInteger, nullable=False),
    Column("zone", String, nullable=False, default=""),
    Column("pue_ratio", Float, nullable=False, default=0.0),
    Column("price_per_kwh", String, nullable=False, default=""),  # decimal text; empty: unknown
    Column("currency", String, nullable=False, default=""),
    Column("meter_includes_facility", Boolean, nullable=False, default=False),
    Column("nodes", BigInteger, nullable=False, default=0),
    Column("nodes_fresh", BigInteger, nullable=False, default=0),
    Column("cpus", Float, nullable=False, default=0.0),
    Column("cpus_busy", Float, nullable=False, default=0.0),
    Column("memory_bytes", BigInteger, nullable=False, default=0),
    Column("power_w", Float, nullable=False, default=0.0),
    Column("watts_per_cpu", Float, nullable=False, default=0.0),
    Column("watts_per_cpu_error", Float, nullable=False, default=0.0),
    Column("capacity_as_of_unix_ns", BigInteger, nullable=False, default=0),  # 0: never reported
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("cluster_id", String, primary_key=True),
    Column("node", String, primary_key=True),
    Column("boot_id", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("to_unix_ns", BigInteger, nullable=False),
)

hourly = Table(
    "hourly",
    metadata,
    Column("cluster_id", String, primary_key=True),
    Column("hour_unix", BigInteger, primary_key=True),
    Column("namespace", String, primary_key=True),
    Column("row", String, primary_key=True),
    Column("component", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("energy_uj", BigInteger, nullable=False),
    Column("loaded_uj", BigInteger, nullable=False),
    Column("meter_error_uj", BigInteger, nullable=False),
    Column("share_error_uj2", Float, nullable=False),
)
Index("hourly_by_hour", hourly.c.hour_unix)

seen = Table(
    "seen",
    metadata,
    Column("cluster_id", String, primary_key=True),
    Column("hour_unix", BigInteger, primary_key=True),
    Column("node", String, primary_key=True),
    Column("seen_ns", BigInteger, nullable=False),
)

gaps = Table(
    "gaps",
    metadata,
    Column("cluster_id", String, primary_key=True),
    Column("node", String, primary_key=True),
    Column("boot_id", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("first_sequence", BigInteger, primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("declared_unix_ns", BigInteger, nullable=False),
)

# Times in which a meter said nothing; those that touch are one row.
meter_gaps = Table(
    "meter_gaps",
    metadata,
    Column("cluster_id", String, primary_key=True),
    Column("node", String, primary_key=True),
    Column("domain", String, primary_key=True),
    Column("reason", String, primary_key=True),
    Column("from_unix_ns", BigInteger, primary_key=True),
    Column("to_unix_ns", BigInteger, nullable=False),
)

restatements = Table(
    "restatements",
    metadata,
    Column("cluster_id", String, primary_key=True),
    Column("node", String, primary_key=True),
    Column("boot_id", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("first_sequence", BigInteger, primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
    Column("booked_unix_ns", BigInteger, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", String, primary_key=True),
    Column("created_unix_ns", BigInteger, nullable=False, index=True),
    Column("workload", String, nullable=False),
    Column("first", String, nullable=False),  # name of the cluster ranked first; empty: none was feasible
    Column("inputs", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("report_id", String, primary_key=True),
    Column("day", String, nullable=False),
    Column("status", String, nullable=False),
    Column("written_unix_ns", BigInteger, nullable=False),
    Column("energy_uj", String, nullable=False),  # decimal text: a fleet-year does not fit 64 bits
    Column("sha256", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
