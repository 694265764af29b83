# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers as people read them."""

from __future__ import annotations

import json

import pytest
import yaml

from penstock.output import Column, Format, energy, interval, show, watts

ITEMS = {"as_of": "2026-01-01T00:00:00Z", "items": [{"name": "a", "power_w": 1.0}, {"name": "b" * 30, "power_w": 20.5}]}
COLUMNS = (
    Column("NAME", lambda item: item["name"]),
    Column("POWER", lambda item: watts(item["power_w"]), right=True),
    Column("MORE", lambda item: "x", wide=True),
)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.0, "0.0 W"), (34.25, "34.2 W"), (1534.0, "1.53 kW"), (25_340.0, "25.3 kW")]
)
def test_watts(value: float | None, text: str) -> None:
    assert watts(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0.0 J"), (12_340_000, "12.3 J"), (4_560_000_000, "4.56 kJ"), (4_320_000_000_000, "1.20 kWh")],
)
def test_energy(value: int | None, text: str) -> None:
    assert energy(value) == text


def test_interval() -> None:
    assert interval({"power_low_w": 1.0, "power_high_w": 2.55}) == "1.0..2.5"
    assert interval({}) == "-"


def test_tables_align(capsys: pytest.CaptureFixture[str]) -> None:
    show(ITEMS, COLUMNS, form=Format.TABLE)
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "POWER"]
    assert header.index("POWER") + len("POWER") == first.index("1.0 W") + 5 == second.index("20.5 W") + 6
    show(ITEMS, COLUMNS, form=Format.WIDE)
    assert "MORE" in capsys.readouterr().out


def test_a_process_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    named = {"as_of": "", "items": [{"name": "\x1b[31mEV\nIL\x07", "power_w": 1.0}]}
    show(named, COLUMNS, form=Format.TABLE)
    out = capsys.readouterr().out
    assert out.count("\n") == 2
    assert "\x1b" not in out
    assert "\x07" not in out


def test_programs_get_the_whole_list(capsys: pytest.CaptureFixture[str]) -> None:
    show(ITEMS, COLUMNS, form=Format.JSON)
    assert json.loads(capsys.readouterr().out) == ITEMS
    show(ITEMS, COLUMNS, form=Format.YAML)
    assert yaml.safe_load(capsys.readouterr().out) == ITEMS
