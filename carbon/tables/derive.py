# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Derives the packaged annual table: ``python -m carbon.tables.derive [--data DIR] [--out FILE]``.

Only Apache-2.0 figures go in: Google's by region and year, and Cloud Carbon Footprint's factors for the zones in which
Google has no region. CCF's column for Google regions is left out, because it repeats Google's figures of 2019, which
are lifecycle ones, among factors that are direct. Without ``--out`` the JSON goes to standard output.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Record = Mapping[str, str]

REGIONS = "cloud_region_zone.csv"
GOOGLE = "gcp_region_carbon_2019_2024.csv"

_DIRECT_SINCE = 2021  # Google's figures were lifecycle until 2020 and are operational since (data README)
_LATEST, _LATEST_LIFECYCLE = 2024, 2020
# CCF's regional files carry years from 2020 to 2023 without saying which; the oldest gives the widest interval.
_CCF_YEAR = 2020
_CLEAN_G_PER_KWH = 50.0  # below, changes are counted in grams: a share of next to nothing says nothing
_LEVEL = 0.95

_INPUTS = {
    REGIONS: (
        "Apache-2.0 (columns provider, region, em_zone, ccf_grid_gco2e_per_kwh, default_pue_ccf)",
        "cloud-carbon-footprint/cloud-carbon-footprint b7a049c7, cloud-carbon-footprint/ccf-coefficients b0032d92",
    ),
    GOOGLE: ("Apache-2.0", "GoogleCloudPlatform/region-carbon-info 49f3f26b, data/yearly"),
}


def derive(data: Path) -> str:
    """The table as JSON text, one row a line, from ``data``/carbon; the same bytes for the same files."""
    folder = data / "carbon"
    regions = _read(folder / REGIONS)
    google = _by_region(_read(folder / GOOGLE))
    zone_of = {f"{each['provider']}/{each['region']}": each["em_zone"] for each in regions}
    rows = _google_rows(google, zone_of=zone_of)
    known = {row["zone"] for row in rows if row["method"] == "direct"}
    rows += _ccf_rows(regions, without=known)
    document = {
        "version": 1,
        "about": "Annual carbon intensity by Electricity Maps zone, derived by carbon/tables/derive.py",
        "inputs": [
            {
                "file": name,
                "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
                "licence": licence,
                "origin": origin,
            }
            for name, (licence, origin) in _INPUTS.items()
        ],
        "origins": [
            {
                "source": "google",
                "title": "Google Cloud region carbon data, grid carbon intensity",
                "licence": "Apache-2.0",
                "vintage": "region-carbon-info 49f3f26b",
                "boundary": "unstated",
            },
            {
                "source": "ccf",
                "title": "Cloud Carbon Footprint, grid emissions factors",
                "licence": "Apache-2.0",
                "vintage": "ccf-coefficients b0032d92 (2020-2023)",
                "boundary": "production",
            },
        ],
        "drift": [*_google_drift(google), _ccf_drift(regions, rows)],
        "rows": sorted(rows, key=lambda row: (row["zone"], row["method"], row["source"])),
        "regions": [
            {
                "region": f"{each['provider']}/{each['region']}",
                "zone": each["em_zone"],
                "pue_ratio": float(each["default_pue_ccf"]),
            }
            for each in sorted(regions, key=lambda each: (each["provider"], each["region"]))
        ],
    }
    return _print(document)


def _read(path: Path) -> list[Record]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _by_region(records: Iterable[Record]) -> dict[str, dict[int, float]]:
    table: dict[str, dict[int, float]] = defaultdict(dict)
    for record in records:
        if record["grid_gco2eq_per_kwh"]:
            table[record["region"]][int(record["year"])] = float(record["grid_gco2eq_per_kwh"])
    return dict(table)


def _google_rows(google: Mapping[str, Mapping[int, float]], *, zone_of: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = []
    for method, year in (("direct", _LATEST), ("lifecycle", _LATEST_LIFECYCLE)):
        by_zone: dict[str, dict[str, float]] = defaultdict(dict)
        for region, years in google.items():
            zone = zone_of.get(f"gcp/{region}")
            if zone and year in years:
                by_zone[zone][f"gcp/{region}"] = years[year]
        rows += [_row(zone, figures, year=year, method=method, source="google") for zone, figures in by_zone.items()]
    return rows


def _ccf_rows(regions: Iterable[Record], *, without: set[str]) -> list[dict[str, Any]]:
    by_zone: dict[str, dict[str, float]] = defaultdict(dict)
    for each in regions:
        if each["provider"] != "gcp" and each["ccf_grid_gco2e_per_kwh"] and each["em_zone"] not in without:
            by_zone[each["em_zone"]][f"{each['provider']}/{each['region']}"] = float(each["ccf_grid_gco2e_per_kwh"])
    return [_row(zone, figures, year=_CCF_YEAR, method="direct", source="ccf") for zone, figures in by_zone.items()]


def _row(zone: str, figures: Mapping[str, float], *, year: int, method: str, source: str) -> dict[str, Any]:
    values = figures.values()
    return {
        "zone": zone,
        "year": year,
        "method": method,
        "g_per_kwh": round(fmean(values), 3),
        "spread_g_per_kwh": round((max(values) - min(values)) / 2, 3),
        "source": source,
        "regions": sorted(figures),
    }


def _google_drift(google: Mapping[str, Mapping[int, float]]) -> list[dict[str, Any]]:
    """What became of Google's direct figures one, two and three years later."""
    table = []
    for age in (1, 2, 3):
        pairs = [
            (before, years[year + age])
            for years in google.values()
            for year, before in years.items()
            if year >= _DIRECT_SINCE and year + age in years
        ]
        table.append(_drift("google", age, pairs))
    return table


def _ccf_drift(regions: Iterable[Record], rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How far CCF's factors are from Google's latest in the zones that both know: age and method in one figure."""
    google = {row["zone"]: row["g_per_kwh"] for row in rows if row["source"] == "google" and row["method"] == "direct"}
    pairs = [
        (float(each["ccf_grid_gco2e_per_kwh"]), google[each["em_zone"]])
        for each in regions
        if each["provider"] != "gcp" and each["ccf_grid_gco2e_per_kwh"] and each["em_zone"] in google
    ]
    return _drift("ccf", 1, pairs)


def _drift(source: str, age_years: int, pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    shares = [abs(after / before - 1) for before, after in pairs if before >= _CLEAN_G_PER_KWH]
    changes_g = [abs(after - before) for before, after in pairs if before < _CLEAN_G_PER_KWH]
    return {
        "source": source,
        "age_years": age_years,
        "error_ratio": round(_quantile(shares), 3),
        "floor_g_per_kwh": round(_quantile(changes_g), 3),
        "samples": len(pairs),
    }


def _quantile(values: Sequence[float]) -> float:
    """The smallest value that at least 95 % of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(_LEVEL * len(ordered)))] if ordered else 0.0


def _print(document: Mapping[str, Any]) -> str:
    lines = []
    for name, value in document.items():
        if isinstance(value, list):
            items = ",\n".join("  " + json.dumps(item, ensure_ascii=False) for item in value)
            lines.append(f" {json.dumps(name)}: [\n{items}\n ]")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def default_data() -> Path:
    """``PENSTOCK_DATA``, else ``shared/data`` beside the checkout."""
    given = os.environ.get("PENSTOCK_DATA")
    return Path(given) if given else Path(__file__).resolve().parents[2].parent / "shared" / "data"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m carbon.tables.derive", description="Derive the annual table.")
    parser.add_argument("--data", type=Path, default=None, help="folder that holds carbon/ (default: PENSTOCK_DATA)")
    parser.add_argument("--out", type=Path, default=None, help="file to write (default: standard output)")
    options = parser.parse_args(arguments)
    data = options.data or default_data()
    if not (data / "carbon" / REGIONS).is_file():
        parser.error(f"{data}: holds no carbon/{REGIONS}; name the data folder with --data or PENSTOCK_DATA")
    text = derive(data)
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
