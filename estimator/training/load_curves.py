# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Derives ``estimator/models/load_curves.json`` from published SPECpower results, with intervals that hold.

    python -m estimator.training.load_curves [--data DIR] [--out FILE] [-o table|json]

Curves are medians, level by level (a median of curves that rise rises too): of the systems of a CPU, of the CPUs of a
core design, of the recent designs of a vendor, of all recent designs. Systems that were published with idle and full
load only take the shape of their nearest relatives in between. The run prints what the intervals achieve on CPUs that
were left out; the same data give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from estimator.curves import FORMAT, PACKAGED, UNIT, VERSION, Table
from estimator.training import specpower
from estimator.training.cpus import RECENT_YEAR, by_design, group, median
from estimator.training.left_out import COVERAGE_RATIO
from estimator.training.microarchitectures import DESIGNS, ORIGIN
from estimator.training.rungs import Judged, judge, part_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from estimator.training.cpus import Cpu

NOTICE = (
    "SPEC and SPECpower_ssj2008 are trademarks of the Standard Performance Evaluation Corporation; results as "
    "published at spec.org/power_ssj2008 up to March 2026. Medians over published servers, no comparison of vendors."
)
KNOWN_BIAS = (
    "SPECpower servers are tuned for the benchmark: few disks, frugal memory, often without turbo. "
    "Servers in production draw more at the same load; the intervals hold for published servers."
)


def default_data() -> Path:
    """The folder of power data: below ``PENSTOCK_DATA``, else below ``shared/data`` beside the checkout."""
    given = os.environ.get("PENSTOCK_DATA")
    return (Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "data") / "power"


def document(dataset: specpower.Dataset, cpus: Sequence[Cpu], judged: dict[tuple[str, str], Judged]) -> dict[str, Any]:
    """The table as JSON values, watts and factors rounded to four digits (factors away from 1)."""
    curves: dict[str, list[dict[str, Any]]] = {
        # A CPU without a name cannot be met by name; it counts for its design all the same.
        "cpu": [
            _row(
                cpu.name,
                [cpu],
                judged["cpu", ""],
                source=f"levels, some shaped as {cpu.shape_of}" if cpu.shape_of else "levels",
            )
            for cpu in cpus
            if cpu.key != "unnamed"
        ]
    }
    designs = by_design(cpus)
    curves["microarchitecture"] = [
        _row(name, members, judged["microarchitecture", part_of(len(members))], source=f"{len(members)} CPUs")
        for name, members in sorted(designs.items())
    ]
    recent = {name: members for name, members in sorted(designs.items()) if members[0].design.year >= RECENT_YEAR}
    curves["vendor"] = [
        _row_of_designs(vendor, [each for each in recent.values() if each[0].design.vendor == vendor], judged[key])
        for key in judged
        for rung, vendor in [key]
        if rung == "vendor"
    ]
    curves["any"] = [_row_of_designs("any", list(recent.values()), judged["any", ""])]
    table = {
        "load_ratio": [round(float(load), 1) for load in specpower.LOAD_RATIO],
        "microarchitectures": [
            {
                "name": design.name,
                "vendor": design.vendor,
                "client": design.client,
                "models": [list(each) for each in design.models],
            }
            for design in DESIGNS
        ],
        "curves": curves,
    }
    revision = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:12]
    return {
        "format": FORMAT,
        "version": VERSION,
        "unit": UNIT,
        "revision": revision,
        "made_by": "python -m estimator.training.load_curves",
        "notice": NOTICE,
        "known_bias": KNOWN_BIAS,
        "interval": "95 % of servers with CPUs that were left out, as factors on the watts",
        "microarchitecture_origin": ORIGIN,
        "systems": len(dataset.systems),
        "left_out": dataset.left_out,
        "sources": [
            {
                "file": name,
                "rows": dataset.rows[name],
                "sha256": dataset.sha256[name],
                "source": specpower.SOURCES[name],
                "licence": specpower.LICENCES[name],
            }
            for name in dataset.sha256
        ],
        "errors": [
            {
                "rung": each.rung,
                "part": each.part,
                "cpus": each.score.cpus,
                "coverage_ratio": round(each.score.coverage_ratio, 3),
                "mape_ratio": round(each.score.mape_ratio, 3),
                "median_error_ratio": round(each.score.median_error_ratio, 3),
            }
            for each in judged.values()
        ],
        **table,
    }


def _row(name: str, members: Sequence[Cpu], judged: Judged, *, source: str) -> dict[str, Any]:
    return _curve_row(name, median([cpu.curve for cpu in members]), members, judged, source=source)


def _row_of_designs(name: str, designs: Sequence[Sequence[Cpu]], judged: Judged) -> dict[str, Any]:
    middle = median([median([cpu.curve for cpu in members]) for members in designs])
    everyone = [cpu for members in designs for cpu in members]
    return _curve_row(name, middle, everyone, judged, source=f"{len(designs)} designs since {RECENT_YEAR}")


def _curve_row(
    name: str, watts: NDArray[np.float64], members: Sequence[Cpu], judged: Judged, *, source: str
) -> dict[str, Any]:
    return {
        "name": name,
        "systems": sum(len(cpu.makers) for cpu in members),
        "low_ratio": float(np.floor(judged.factors.low_ratio * 1e4) / 1e4),
        "high_ratio": float(np.ceil(judged.factors.high_ratio * 1e4) / 1e4),
        "source": source,
        "watts_per_thread": [float(f"{each:.4g}") for each in watts],
    }


def encode(values: dict[str, Any]) -> str:
    """JSON with one line per entry of a list, so that a change of data shows as the curves that it moved."""

    def text(value: Any, indent: str) -> str:
        deeper = indent + " "
        if (
            isinstance(value, dict)
            and any(isinstance(each, list | dict) for each in value.values())
            and len(indent) < 3
        ):
            inner = [f"{deeper}{json.dumps(key)}: {text(each, deeper)}" for key, each in value.items()]
            return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
        if isinstance(value, list) and any(isinstance(each, dict) for each in value):
            return "[\n" + ",\n".join(deeper + json.dumps(each) for each in value) + f"\n{indent}]"
        return json.dumps(value)

    return text(values, "") + "\n"


def derive(data: Path) -> tuple[str, dict[tuple[str, str], Judged]]:
    """The text of the table and how its rungs were judged. Raises DataError, OSError, TableError."""
    dataset = specpower.load(data)
    cpus = group(dataset)
    judged = judge(cpus)
    body = encode(document(dataset, cpus, judged))
    Table.parse(body.encode())
    return body, judged


def figures(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """The scores in the shape of every evaluation of ours."""
    rows = []
    for each in judged:
        for name, value, target, better in (
            ("coverage_ratio", each.score.coverage_ratio, COVERAGE_RATIO, "higher"),
            ("mape_ratio", each.score.mape_ratio, None, "lower"),
            ("median_error_ratio", each.score.median_error_ratio, None, "lower"),
        ):
            rows.append(
                {
                    "name": name,
                    "where": {"rung": each.rung, "part": each.part},
                    "unit": "ratio",
                    "value": value,
                    "low": None,
                    "high": None,
                    "n": each.score.cpus,
                    "target": target,
                    "better": better,
                }
            )
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0 when the table was written, 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m estimator.training.load_curves", description=__doc__)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder that holds specpower/")
    parser.add_argument("--out", type=Path, default=PACKAGED, help="the JSON to write")
    parser.add_argument("-o", dest="output", choices=("table", "json"), default="table", help="what to print")
    options = parser.parse_args(arguments)
    try:
        body, judged = derive(options.data)
        options.out.write_text(body, encoding="utf-8")
    except (specpower.DataError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    if options.output == "json":
        meta = {"unit": UNIT, "sha256": hashlib.sha256(body.encode()).hexdigest(), "bytes": len(body)}
        print(json.dumps({"bench": "estimator.load_curves", "meta": meta, "figures": figures(judged.values())}))
        return 0
    print(f"{'rung':<18} {'part':<15} {'CPUs':>5} {'low':>6} {'high':>6} {'covers':>7} {'MAPE':>6} {'median':>7}")
    for each in judged.values():
        print(
            f"{each.rung:<18} {each.part:<15} {each.score.cpus:>5} {each.factors.low_ratio:>6.2f} "
            f"{each.factors.high_ratio:>6.2f} {each.score.coverage_ratio:>7.1%} {each.score.mape_ratio:>6.0%} "
            f"{each.score.median_error_ratio:>7.0%}"
        )
    print(f"{options.out}: {len(body)} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
