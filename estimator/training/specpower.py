# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Published SPECpower_ssj2008 results as watts per hardware thread; what is implausible is left out and counted.

Two tables: ``levels.csv`` (eleven levels) and ``idle_full_2026.csv`` (idle and full load only, but newer, and holding
nearly every system of the first again).
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

LOAD_RATIO = np.linspace(0.0, 1.0, 11)
LEVELS = "specpower/levels.csv"
IDLE_FULL = "specpower/idle_full_2026.csv"
LICENCES = {
    LEVELS: "MIT (c) 2022 Green Coding Solutions; figures published by SPEC",
    IDLE_FULL: "Apache-2.0 (Cloud Carbon Footprint); figures published by SPEC",
}
SOURCES = {
    LEVELS: "green-coding-solutions/cloud-energy @ 6a25a2b",
    IDLE_FULL: "cloud-carbon-footprint/ccf-coefficients @ b0032d9",
}


class DataError(ValueError):
    """A data file that does not have the shape it should; the message names file and row."""


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """One published server: ``watts_per_thread`` (11,) with NaN at levels that were not published."""

    cpu_key: str
    cpu_name: str
    maker: str
    watts_per_thread: NDArray[np.float64]

    @property
    def has_levels(self) -> bool:
        """Whether all eleven levels were published."""
        return bool(np.isfinite(self.watts_per_thread).all())


@dataclass(frozen=True, slots=True)
class Dataset:
    """Every usable system, how many rows were left out by reason, and the checksum of each file."""

    systems: tuple[System, ...]
    left_out: dict[str, int]
    sha256: dict[str, str]
    rows: dict[str, int]


def load(folder: Path) -> Dataset:
    """Reads both tables below ``folder`` (the one that holds ``specpower/``). Raises DataError, OSError."""
    systems: list[System] = []
    seen: set[tuple[str, str, str]] = set()
    left_out = {"threads are neither 1 nor 2 per core": 0, "watts do not rise with load": 0, "published twice": 0}
    rows: dict[str, int] = {}
    sha256: dict[str, str] = {}
    for name in (LEVELS, IDLE_FULL):
        body = (folder / name).read_bytes()
        sha256[name] = hashlib.sha256(body).hexdigest()
        rows[name] = 0
        for at, row in _rows(body, name):
            rows[name] += 1
            identity = (row["cpu_key"], row["watts_idle"], row["watts_100"])
            if name == IDLE_FULL and identity in seen:
                left_out["published twice"] += 1
                continue
            if name == LEVELS:
                seen.add(identity)
            threads = _number(row, "threads", at)
            # Seen: a 4-core part listed with 2 threads, 64-core EPYCs with 256: the divisor would be wrong.
            if threads / _number(row, "cores", at) not in (1.0, 2.0):
                left_out["threads are neither 1 nor 2 per core"] += 1
                continue
            watts = np.full(LOAD_RATIO.shape, np.nan)
            watts[0] = _number(row, "watts_idle", at)
            for level in range(10, 101, 10) if name == LEVELS else (100,):
                watts[level // 10] = _number(row, f"watts_{level}", at)
            if (np.diff(watts[np.isfinite(watts)]) <= 0).any():
                left_out["watts do not rise with load"] += 1
                continue
            systems.append(
                System(
                    cpu_key=row["cpu_key"],
                    cpu_name=row["cpu_name"],
                    maker=_maker(row["vendor"]),
                    watts_per_thread=watts / threads,
                )
            )
    return Dataset(systems=tuple(systems), left_out=left_out, sha256=sha256, rows=rows)


def _rows(body: bytes, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    for number, row in enumerate(csv.DictReader(body.decode("utf-8").splitlines()), start=2):
        yield f"{name}:{number}", row


def _number(row: dict[str, str], field: str, at: str) -> float:
    try:
        value = float(row[field])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{at}: {field}: {row.get(field)!r} is not a number") from error
    if not 0 < value < 1e9:
        raise DataError(f"{at}: {field}: {value} is not a positive number")
    return value


def _maker(vendor: str) -> str:
    """First word of the vendor: ``Hewlett-Packard Company`` and ``Hewlett Packard Enterprise`` are one maker."""
    words = vendor.lower().replace("-", " ").replace(",", " ").split()
    return words[0] if words else ""
