# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A report as CSV for spreadsheets and HTML for people; both come from the JSON that is kept."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from fleet_router.html import render

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = (
    "report_id",
    "day",
    "status",
    "cluster",
    "zone",
    "team",
    "namespace",
    "energy_uj",
    "loaded_energy_uj",
    "energy_error_uj",
    "it_kwh",
    "facility_kwh",
    "pue_ratio",
    "location_based_g",
    "location_based_low_g",
    "location_based_high_g",
    "factor_g_per_kwh",
    "factor_method",
    "factor_rung",
    "factor_source",
    "factor_vintage",
)

# A cell that begins like this is a formula to a spreadsheet, and names come from clusters.
_FORMULA = ("=", "+", "-", "@", "\t")


def to_csv(report: dict[str, Any]) -> bytes:
    """One row per line of the report, with the factor that it was multiplied by."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(COLUMNS)
    writer.writerows(_records(report))
    return out.getvalue().encode()


def _records(report: dict[str, Any]) -> Iterator[list[Any]]:
    clusters = {each["name"]: each for each in report["clusters"]}
    for line in report["lines"]:
        cluster = clusters[line["cluster"]]
        factor, emitted = cluster["factor"], line["location_based_g"] or {}
        yield [
            report["report_id"],
            report["period"]["day"],
            report["status"],
            _cell(line["cluster"]),
            factor["zone"],
            _cell(line["team"]),
            _cell(line["namespace"]),
            line["energy_uj"],
            line["loaded_energy_uj"],
            line["energy_error_uj"],
            line["it_kwh"],
            line["facility_kwh"],
            cluster["pue"]["ratio"],
            emitted.get("value", ""),
            emitted.get("low", ""),
            emitted.get("high", ""),
            factor["g_per_kwh"] if factor["g_per_kwh"] is not None else "",
            factor.get("method", ""),
            factor["rung"],
            factor.get("source", ""),
            factor.get("vintage", ""),
        ]


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def to_html(report: dict[str, Any]) -> bytes:
    """A page of its own: no script, nothing loaded from anywhere."""
    return render("report.html.jinja", report=report)
