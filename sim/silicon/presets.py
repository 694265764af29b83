# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Machines to choose from by name; each seed draws another one from the ranges of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.silicon.machine import Board, Clocks, Limits, Machine, Meters, Socket
from sim.silicon.ranges import PRESETS, Between

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.silicon.ranges import Value

# On its own stream of random numbers: the same seed draws the classes of work from another.
_STREAM: Final = 1

NAMES: Final = tuple(PRESETS)


def draw(name: str, *, seed: int) -> Machine:
    """The machine called ``name`` that this seed draws. Raises ValueError naming what there is."""
    preset = PRESETS.get(name)
    if preset is None:
        raise ValueError(f"{name!r} is no machine; there are {', '.join(NAMES)}")
    # The name is part of the seed, so that two kinds of machine share no draws.
    generator = np.random.default_rng([seed, _STREAM, *name.encode()])
    return Machine(
        name=name,
        clocks=Clocks(**_drawn(preset.clocks, generator)),
        socket=Socket(**_drawn(preset.socket, generator)),
        limits=Limits(**_drawn(preset.limits, generator)),
        board=Board(**_drawn(preset.board, generator)),
        meters=Meters(**_drawn(preset.meters, generator)),
        **_drawn(preset.machine, generator),
    )


def _drawn(values: Mapping[str, Value], generator: np.random.Generator) -> dict[str, Any]:
    return {key: _draw(value, generator) for key, value in values.items()}


def _draw(value: Value, generator: np.random.Generator) -> Any:
    if isinstance(value, Between):
        return round(float(generator.uniform(value.low, value.high)), value.digits)
    if isinstance(value, tuple):
        return tuple(_draw(each, generator) for each in value)
    return value
