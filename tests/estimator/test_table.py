# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The packaged table is sound, and a table that is not is refused with the field that is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from estimator.curves import PACKAGED, RUNGS, Table, TableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def packaged() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(PACKAGED.read_bytes())
    return document


def test_every_curve_is_positive_and_rises_within_an_interval_around_it() -> None:
    table = Table.load()
    for rung in RUNGS:
        assert table.curves[rung]
        for curve in table.curves[rung].values():
            assert curve.watts_per_thread.shape == curve.load_ratio.shape == (11,)
            assert curve.watts_per_thread[0] > 0
            assert (np.diff(curve.watts_per_thread) > 0).all(), curve.name
            assert 0 < curve.low_ratio < 1 < curve.high_ratio, curve.name
            assert not curve.watts_per_thread.flags.writeable


def test_every_design_that_is_measured_can_be_found_by_its_numbers() -> None:
    table = Table.load()
    designs = {design.name for design in table.microarchitectures}
    assert set(table.curves["microarchitecture"]) <= designs
    taken: set[tuple[str, int, int]] = set()
    for design in table.microarchitectures:
        numbers = {
            (design.vendor, family, model) for family, first, last in design.models for model in range(first, last + 1)
        }
        assert not numbers & taken, f"{design.name} shares CPUID numbers with another design"
        taken |= numbers


def test_the_table_states_where_it_comes_from_and_stays_small() -> None:
    document = packaged()
    assert PACKAGED.stat().st_size < 60_000
    assert {source["file"] for source in document["sources"]} == {
        "specpower/levels.csv",
        "specpower/idle_full_2026.csv",
    }
    for source in document["sources"]:
        assert len(source["sha256"]) == 64
        assert source["licence"].startswith(("MIT", "Apache-2.0"))
    assert "SPEC" in document["notice"]


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *above, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        target: Any = document
        for part in above:
            target = target[part]
        target[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (_set("format", "something-else"), "format"),
        (_set("version", 2), "version"),
        (_set("unit", "kilowatts"), "unit"),
        (_set("load_ratio", [0.0, 0.5]), "load_ratio"),
        (_set("load_ratio", [0.0, 0.5, 0.4, 1.0]), "load_ratio"),
        (_set("curves", []), "curves"),
        (_set("curves.vendor", None), "curves.vendor"),
        (_set("curves.any", []), "curves.any"),
        (_set("curves.cpu.0", 1), "curves.cpu[0]"),
        (_set("curves.cpu.0.name", ""), "curves.cpu[0].name"),
        (_set("curves.cpu.0.systems", 0), "curves.cpu[0].systems"),
        (_set("curves.cpu.0.low_ratio", 1.5), "curves.cpu[0].low_ratio"),
        (_set("curves.cpu.0.high_ratio", 0.5), "curves.cpu[0].high_ratio"),
        (_set("curves.cpu.0.high_ratio", value=True), "curves.cpu[0].high_ratio"),
        (_set("curves.cpu.0.watts_per_thread.3", -1), "curves.cpu[0].watts_per_thread"),
        (_set("curves.cpu.0.watts_per_thread.3", "2"), "curves.cpu[0].watts_per_thread"),
        (_set("curves.cpu.0.watts_per_thread.3", 10**400), "curves.cpu[0].watts_per_thread"),
        (_set("curves.cpu.0.watts_per_thread.10", 0.001), "curves.cpu[0].watts_per_thread"),
        (_set("curves.cpu.0.watts_per_thread", [1.0]), "curves.cpu[0].watts_per_thread"),
        (_set("microarchitectures.0.models.0", [6, 1]), "microarchitectures[0].models[0]"),
        (_set("microarchitectures.0.client", "no"), "microarchitectures[0].client"),
    ],
)
def test_a_wrong_table_is_refused_by_field(change: Callable[[dict[str, Any]], None], field: str) -> None:
    document = packaged()
    change(document)
    with pytest.raises(TableError) as caught:
        Table.parse(json.dumps(document).encode())
    assert caught.value.field == field


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"format": NaN}', b"\xff", b"[" * 100_000, b'{"load_ratio": 1e999}']
)
def test_what_is_no_table_is_refused(body: bytes) -> None:
    with pytest.raises(TableError):
        Table.parse(body)


def test_two_curves_of_one_name_are_refused() -> None:
    document = packaged()
    document["curves"]["vendor"].append(document["curves"]["vendor"][0])
    with pytest.raises(TableError, match="appears twice"):
        Table.parse(json.dumps(document).encode())


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    with file.open("wb") as opened:
        opened.truncate(1 << 33)
    with pytest.raises(TableError, match="larger"):
        Table.load(file)
