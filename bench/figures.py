# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What every benchmark hands out: figures with their conditions, as a table for people and as JSON for tools.

    {"bench", "meta": {...}, "figures": [{"name", "where", "unit", "value", "low", "high", "n", "target", "better"}]}

``low`` and ``high`` are the ends of the 95 % interval of ``value`` and null where the sample is too small to have
them. Intervals of quantiles come from order statistics, which assume independent samples and nothing about their
distribution. A figure without a target is information; its ``better`` still says which way is good.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from estimator.curves import CpuIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Better = Literal["higher", "lower"]
Condition = str | int | float | bool

# The unit of a number without one.
_RATIO: Final = "1"
# Each side of a 95 % interval.
_TAIL: Final = 0.025


@dataclass(frozen=True, slots=True)
class Quantile:
    """A sample quantile (nearest rank) with the 95 % interval of the true one."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a benchmark found. ``where`` says under which conditions."""

    name: str
    unit: str
    value: float
    n: int
    better: Better
    where: Mapping[str, Condition] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    target: float | None = None

    @classmethod
    def of(
        cls,
        name: str,
        quantile: Quantile,
        *,
        unit: str,
        where: Mapping[str, Condition],
        target: float | None = None,
        better: Better = "lower",
    ) -> Figure:
        """The figure of a quantile."""
        return cls(name, unit, quantile.value, quantile.n, better, where, quantile.low, quantile.high, target)

    @property
    def met(self) -> bool | None:
        """Whether the value keeps to its target; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target

    def item(self) -> dict[str, Any]:
        """The figure as JSON has it."""
        return {
            "name": self.name,
            "where": dict(self.where),
            "unit": self.unit,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "target": self.target,
            "better": self.better,
        }


@dataclass(frozen=True, slots=True)
class Document:
    """All figures of one run."""

    bench: str
    meta: Mapping[str, Any]
    figures: tuple[Figure, ...]

    @property
    def missed(self) -> tuple[Figure, ...]:
        """Figures that do not keep to their target."""
        return tuple(each for each in self.figures if each.met is False)

    def encoded(self) -> str:
        """The document as JSON text. Raises ValueError for a number that JSON has not."""
        items = [each.item() for each in self.figures]
        return json.dumps({"bench": self.bench, "meta": dict(self.meta), "figures": items}, indent=1, allow_nan=False)


def quantile(samples: Sequence[float], ratio: float) -> Quantile:
    """The ``ratio`` quantile of independent ``samples``, for instance 0.5 or 0.99. Raises ValueError without any."""
    if not samples or not 0 < ratio < 1:
        raise ValueError(f"no {ratio} quantile of {len(samples)} samples")
    ordered = sorted(samples)
    n = len(ordered)
    low_rank, high_rank = interval_ranks(n, ratio)
    return Quantile(
        value=ordered[max(math.ceil(ratio * n), 1) - 1],
        low=ordered[low_rank - 1] if low_rank >= 1 else None,
        high=ordered[high_rank - 1] if high_rank <= n else None,
        n=n,
    )


def interval_ranks(n: int, ratio: float) -> tuple[int, int]:
    """Ranks (from 1) of the order statistics around the true quantile; 0 or n + 1 where no sample reaches so far.

    The rank of the true quantile is binomial(n, ratio): no more than 2.5 % lies below the first rank, nor above the
    second (David and Nagaraja, Order Statistics, section 7.1).
    """
    below = 0.0
    low, high = 0, n + 1
    for successes in range(n + 1):
        # P(K <= successes) with K samples below the true quantile.
        below += math.exp(_log_binomial(n, successes, ratio))
        if below <= _TAIL:
            low = successes + 1
        if 1.0 - below <= _TAIL:
            high = successes + 1
            break
    return min(low, n), high


def _log_binomial(n: int, successes: int, ratio: float) -> float:
    choices = math.lgamma(n + 1) - math.lgamma(successes + 1) - math.lgamma(n - successes + 1)
    return choices + successes * math.log(ratio) + (n - successes) * math.log1p(-ratio)


def machine(procfs: Path = Path("/proc")) -> dict[str, Any]:
    """What a reader must know of the machine, and nothing that names it."""
    text = (procfs / "cpuinfo").read_text(encoding="utf-8", errors="replace")
    flags = next((line.split() for line in text.splitlines() if line.startswith(("flags", "Features"))), [])
    return {
        "cpu": CpuIdentity.parse(text).model_name.strip(),
        "threads": os.cpu_count() or 1,
        "virtual": "hypervisor" in flags,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def table(document: Document) -> str:
    """The figures in columns, with the meta data above and what was missed below."""
    rows: list[tuple[str, ...]] = [("figure", "where", "value", "95 % interval", "n", "target", "")]
    rows += [_row(each) for each in document.figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"bench {document.bench}"]
    lines += [f"  {name}: {_shown(value)}" for name, value in document.meta.items() if value not in ((), [], {})]
    lines.append("")
    for row in rows:
        cells = (
            cell.rjust(width) if column in (2, 3, 4, 5) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    judged = [each for each in document.figures if each.met is not None]
    lines += ["", f"{len(judged) - len(document.missed)} of {len(judged)} targets met"]
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    sign = "<=" if figure.better == "lower" else ">="
    return (
        figure.name,
        ", ".join(f"{name} {_shown(value)}" for name, value in figure.where.items()),
        _number(figure.value) if figure.unit == _RATIO else f"{_number(figure.value)} {figure.unit}",
        "" if figure.low is None and figure.high is None else f"{_number(figure.low)} .. {_number(figure.high)}",
        str(figure.n),
        "" if figure.target is None else f"{sign} {_number(figure.target)}",
        {True: "met", False: "MISSED", None: ""}[figure.met],
    )


def _number(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(_shown(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def parser(bench: str, *, about: str) -> argparse.ArgumentParser:
    """The options that all benchmarks have: ``--json`` and ``--check``."""
    made = argparse.ArgumentParser(prog=f"python -m bench.{bench}", description=about)
    made.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file too")
    made.add_argument("--check", action="store_true", help="exit with status 1 where a target is missed")
    return made


def publish(document: Document, *, json_path: Path | None, check: bool) -> int:
    """Prints the table, writes the file, and gives the exit status."""
    print(table(document))
    if json_path is not None:
        json_path.write_text(document.encoded() + "\n", encoding="utf-8")
    sys.stdout.flush()
    return 1 if check and document.missed else 0
