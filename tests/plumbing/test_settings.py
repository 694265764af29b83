# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Flags beat the environment, which beats the file; a wrong value is named with its origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from plumbing.setting import setting
from plumbing.settings_loader import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class LampSettings:
    port: int = setting(1000, "TCP port.")
    names: tuple[str, ...] = setting(("a",), "Who.")
    ratio: float = setting(0.5, "A ratio, 0..1.")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lamp.yaml"
    path.write_text("port: 2000\nratio: 0.25\nnames: [x, y]\n", encoding="utf-8")
    return path


def test_defaults_file_environment_flags(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(LampSettings, role="lamp") == LampSettings()
    assert load(LampSettings, role="lamp", file=file) == LampSettings(port=2000, names=("x", "y"), ratio=0.25)
    monkeypatch.setenv("PENSTOCK_LAMP_PORT", "3000")
    assert load(LampSettings, role="lamp", file=file).port == 3000
    assert load(LampSettings, role="lamp", file=file, flags={"port": 4000, "ratio": None}) == LampSettings(
        4000, ("x", "y"), 0.25
    )


def test_unknown_keys_are_errors(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("prot: 1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"lamp\.yaml: prot"):
        load(LampSettings, role="lamp", file=file)
    monkeypatch.setenv("PENSTOCK_LAMP_PROT", "1")
    with pytest.raises(SettingsError, match="PENSTOCK_LAMP_PROT"):
        load(LampSettings, role="lamp")


def test_a_bad_value_names_its_field_and_origin(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="--port"):
        load(LampSettings, role="lamp", flags={"port": "many"})
    monkeypatch.setenv("PENSTOCK_LAMP_RATIO", "half")
    with pytest.raises(SettingsError, match="PENSTOCK_LAMP_RATIO"):
        load(LampSettings, role="lamp")
    monkeypatch.delenv("PENSTOCK_LAMP_RATIO")
    file.write_text("ratio: [1]\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"lamp\.yaml: ratio"):
        load(LampSettings, role="lamp", file=file)


def test_a_missing_or_broken_file_is_named(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.yaml: no such file"):
        load(LampSettings, role="lamp", file=file.with_name("gone.yaml"))
    file.write_text("port: [\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"lamp\.yaml"):
        load(LampSettings, role="lamp", file=file)
