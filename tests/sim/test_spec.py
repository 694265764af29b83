# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The size of a cluster as people type it, and settings that name the field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sim.settings import SimSettings
from sim.spec import Size, SpecError, parse


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("nodes=50,pods=500", Size(nodes=50, pods=500)),
        (" pods = 7 , nodes = 1 ", Size(nodes=1, pods=7)),
        ("nodes=3", Size(nodes=3, pods=30)),
        ("nodes=5000,pods=0", Size(nodes=5000, pods=0)),
    ],
)
def test_a_size_is_read(text: str, size: Size) -> None:
    assert parse(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'': not known here"),
        ("nodes", "'nodes': not known here"),
        ("nodes=50,pod=5", "'pod': not known here"),
        ("pods=5", "nodes: is missing"),
        ("nodes=1,nodes=2", "nodes: given twice"),
        ("nodes=0", "nodes: '0' is not a whole number from 1 to 5000"),
        ("nodes=5001", "nodes: '5001' is not"),
        ("nodes=1e3", "nodes: '1e3' is not"),
        ("nodes=²", "nodes: '²' is not"),
        ("nodes=-1", "nodes: '-1' is not"),
        ("nodes=1,pods=many", "pods: 'many' is not a whole number from 0 to 150000"),
        ("nodes=1,pods=" + "9" * 5000, "pods: '999"),
    ],
)
def test_a_wrong_size_names_the_key(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nodes", -1),
        ("pods", 150_001),
        ("seed", -1),
        ("interval_s", 0.1),
        ("interval_s", float("nan")),
        ("extender", "localhost:8080"),
        ("log_level", "loud"),
        ("machine", "toaster"),
        ("machine_trace", "somewhere"),
        ("machine_load", "1.5"),
        ("machine_load", "busy"),
    ],
)
def test_a_wrong_setting_names_the_field(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        SimSettings(**{field: value})


def test_settings_come_back_from_json() -> None:
    settings = SimSettings(nodes=3, machine_load="0.5")
    assert msgspec.json.decode(msgspec.json.encode(settings), type=SimSettings) == settings
    assert settings.fixed_load == 0.5
    assert SimSettings().fixed_load is None
