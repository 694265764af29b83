# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Traces: what an observer and the meters saw, and the truth, as columns in a folder (docs/trace-format.md).

``trace.json`` describes the machine, its meters and its tasks; every table is ``NAME.npz`` or ``NAME.csv`` with the
same columns. The format is public and knows nothing of simulators: a trace that was recorded on real silicon with a
meter per core has the same shape.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT: Final = "penstock-trace"
VERSION: Final = 1
MANIFEST: Final = "trace.json"

_I8: Final = np.dtype(np.int64)
_F8: Final = np.dtype(np.float64)

TABLES: Final[dict[str, dict[str, np.dtype[Any]]]] = {
    "intervals": {"interval": _I8, "from_ns": _I8, "to_ns": _I8},
    "observations": {
        "interval": _I8,
        "task": _I8,
        "cpu": _I8,
        "run_ns": _I8,
        "overlap_ns": _I8,
        "cycles": _I8,
        "instructions": _I8,
        "llc_misses": _I8,
        "ghz2_ns": _F8,
    },
    "readings": {"meter": _I8, "at_ns": _I8, "counter_uj": _I8, "power_w": _F8},
    "truth": {"interval": _I8, "task": _I8, "domain": _I8, "energy_uj": _I8},
    "shared": {
        "interval": _I8,
        "domain": _I8,
        "static_uj": _I8,
        "wake_uj": _I8,
        "thermal_uj": _I8,
        "total_uj": _I8,
    },
    "platform": {"interval": _I8, "ac_uj": _I8, "board_uj": _I8, "fan_uj": _I8, "loss_uj": _I8},
    "counterfactual": {"task": _I8, "domain": _I8, "energy_uj": _I8},
    "shapley": {"task": _I8, "domain": _I8, "energy_uj": _I8},
}
OPTIONAL_TABLES: Final = frozenset({"shared", "platform", "counterfactual", "shapley"})
OPTIONAL_COLUMNS: Final = frozenset({"overlap_ns", "cycles", "instructions", "llc_misses", "ghz2_ns"})
"""Of ``observations``: signals that a machine may not show."""


class TraceError(ValueError):
    """A folder that is no trace; the message names the file and the column."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """``about`` is the content of trace.json; ``tables`` are columns of equal length by table and name."""

    about: Mapping[str, Any]
    tables: Mapping[str, Mapping[str, NDArray[Any]]]


def write(trace: Trace, folder: Path, *, style: Literal["npz", "csv"] = "npz") -> None:
    """Writes the trace; the manifest last, so that a folder with one is whole. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    for name in TABLES:
        for suffix in ("npz", "csv"):
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)
    for name, columns in trace.tables.items():
        if style == "npz":
            np.savez_compressed(folder / f"{name}.npz", **dict[str, Any](columns))
        else:
            _write_csv(folder / f"{name}.csv", columns)
    about = {"format": FORMAT, "version": VERSION, **trace.about}
    (folder / MANIFEST).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> Trace:
    """Reads a trace. Raises TraceError, or OSError where a file cannot be read."""
    try:
        about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TraceError(f"{folder}: no {MANIFEST} there, so this is no trace") from error
    except ValueError as error:
        raise TraceError(f"{MANIFEST}: {error}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT or about.get("version") != VERSION:
        raise TraceError(f"{MANIFEST}: is not of format {FORMAT}, version {VERSION}")
    tables = {name: columns for name in TABLES if (columns := _read_table(folder, name)) is not None}
    for name in TABLES.keys() - tables.keys() - OPTIONAL_TABLES:
        raise TraceError(f"{name}: neither {name}.npz nor {name}.csv is there")
    return Trace({key: value for key, value in about.items() if key not in ("format", "version")}, tables)


def _read_table(folder: Path, name: str) -> dict[str, NDArray[Any]] | None:
    packed, plain = folder / f"{name}.npz", folder / f"{name}.csv"
    if packed.is_file():
        try:
            with np.load(packed, allow_pickle=False) as columns:
                found: dict[str, NDArray[Any]] = {key: columns[key] for key in columns.files}
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise TraceError(f"{packed.name}: {error}") from error
    elif plain.is_file():
        found = _read_csv(plain, TABLES[name])
    else:
        return None
    optional = OPTIONAL_COLUMNS if name == "observations" else frozenset()
    for column in TABLES[name].keys() - found.keys() - optional:
        raise TraceError(f"{name}: has no column {column}")
    lengths = {values.shape for values in found.values()}
    if len(lengths) > 1 or any(len(shape) != 1 for shape in lengths):
        raise TraceError(f"{name}: its columns are not of one length")
    for key, values in found.items():
        if key not in TABLES[name] or not np.can_cast(values.dtype, TABLES[name][key], "same_kind"):
            raise TraceError(f"{name}: column {key} of {values.dtype} is not known here")
    return {key: values.astype(TABLES[name][key], copy=False) for key, values in found.items()}


def _write_csv(file: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    lines = [",".join(columns)]
    for row in zip(*(column.tolist() for column in columns.values()), strict=True):
        lines.append(",".join(repr(value) for value in row))
    file.write_text("\n".join(lines) + "\n", encoding="ascii")


def _read_csv(file: Path, kinds: Mapping[str, np.dtype[Any]]) -> dict[str, NDArray[Any]]:
    header, *lines = file.read_text(encoding="ascii", errors="replace").splitlines() or [""]
    names = header.split(",")
    cells = [line.split(",") for line in lines if line]
    for at, row in enumerate(cells):
        if len(row) != len(names):
            raise TraceError(f"{file.name}: line {at + 2} has {len(row)} values for {len(names)} columns")
    columns: dict[str, NDArray[Any]] = {}
    for at, name in enumerate(names):
        kind = kinds.get(name, _F8)
        convert = int if kind == _I8 else float
        try:
            columns[name] = np.array([convert(row[at]) for row in cells], dtype=kind)
        except (ValueError, OverflowError) as error:
            raise TraceError(f"{file.name}: column {name}: {error}") from error
    return columns
