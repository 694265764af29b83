# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What kinds of work do to a core: how hard it switches, how long it waits for memory, how siblings share it.

The four named classes are drawn per seed from ranges around what seven kernels did on two EPYC 7502 at 2.5 GHz: extra
package watts per busy core of 1.06 (spin), 1.33 (integer compute), 1.44..2.06 (memory) and 3.65 (matrix multiply); a
second thread of the same kind that adds 57 %, 73 %, 0..3 % and 2..36 %. A script may bring classes of its own, which is
how a benchmark shows work that no model has seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

# On the classes' own stream of random numbers, so that a machine drawn from the same seed does not change them.
_STREAM: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskClass:
    """One kind of work. Rates hold for one thread alone on its core at the machine's base frequency."""

    name: str
    weight_ratio: float
    """Switching power of the core, as a factor on the machine's ``core_w``."""
    stall_ratio: float = 0.0
    """Share of the time in which the core waits for memory, whose speed does not follow the core's clock."""
    instructions_per_cycle: float = 1.5
    misses_per_kilo: float = 0.2
    """Last-level cache misses, each a line of 64 bytes from memory, per 1000 instructions."""
    smt_gain_ratio: float = 0.5
    """Energy that a second thread of this class adds to the first one's on the same core."""
    smt_speed_ratio: float = 0.62
    """A thread's own speed while its sibling is busy."""
    slowdown_ghz: float = 0.0
    """What wide vectors take off the highest frequency (the licence of the core)."""
    disk_bytes_per_s: float = 0.0
    nic_bytes_per_s: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "name" and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{field.name}: {value} is not a number from 0 on")
        for name in ("stall_ratio", "smt_gain_ratio", "smt_speed_ratio"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name}: {getattr(self, name)} is above 1")
        if self.smt_speed_ratio == 0:
            raise ValueError("smt_speed_ratio: a thread beside a busy sibling is slower, but runs")

    def scaled(self, activity_ratio: float, *, name: str) -> TaskClass:
        """The same work switching ``activity_ratio`` times as hard, under another name."""
        return replace(self, name=name, weight_ratio=self.weight_ratio * activity_ratio)


_Range = tuple[float, float]

# The core part of memory-bound work is about half of what it draws, the rest follows its bandwidth (see `Tables`).
_RANGES: Final[dict[str, dict[str, _Range]]] = {
    "compute": {
        "weight_ratio": (0.9, 1.1),
        "stall_ratio": (0.0, 0.05),
        "instructions_per_cycle": (1.8, 2.8),
        "misses_per_kilo": (0.02, 0.2),
        "smt_gain_ratio": (0.62, 0.80),
        "smt_speed_ratio": (0.56, 0.66),
    },
    "memory": {
        "weight_ratio": (0.40, 0.70),
        "stall_ratio": (0.72, 0.88),
        "instructions_per_cycle": (0.35, 0.65),
        "misses_per_kilo": (45.0, 75.0),
        "smt_gain_ratio": (0.0, 0.05),
        "smt_speed_ratio": (0.50, 0.60),
    },
    "spin": {
        "weight_ratio": (0.70, 0.88),
        "stall_ratio": (0.0, 0.0),
        "instructions_per_cycle": (0.4, 1.0),
        "misses_per_kilo": (0.0, 0.01),
        "smt_gain_ratio": (0.48, 0.66),
        "smt_speed_ratio": (0.60, 0.80),
    },
    "vector": {
        "weight_ratio": (2.5, 3.3),
        "stall_ratio": (0.02, 0.15),
        "instructions_per_cycle": (1.6, 2.6),
        "misses_per_kilo": (0.5, 3.0),
        "smt_gain_ratio": (0.02, 0.36),
        "smt_speed_ratio": (0.50, 0.56),
        "slowdown_ghz": (0.0, 0.5),
    },
}

NAMES: Final = tuple(_RANGES)


def draw(seed: int) -> tuple[TaskClass, ...]:
    """The four named classes of this seed, in the order of `NAMES`."""
    generator = np.random.default_rng([seed, _STREAM])
    drawn: list[TaskClass] = []
    for name, ranges in _RANGES.items():
        values = {key: float(generator.uniform(low, high)) for key, (low, high) in ranges.items()}
        drawn.append(replace(TaskClass(name=name, weight_ratio=1.0), **values))  # type: ignore[arg-type]
    return tuple(drawn)
