# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What drives a simulated machine: a script, or the load of the host that it runs on."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


class Load(Protocol):
    """A load ratio over time."""

    def ratio(self, time_s: float) -> float:
        """Mean busy share of all CPUs since the last call, 0..1, at ``time_s`` of the machine's time."""
        ...


class ScriptedLoad:
    """Steps: each load holds from its time on until the next."""

    def __init__(self, *steps: tuple[float, float]) -> None:
        if not steps or any(later[0] <= earlier[0] for earlier, later in pairwise(steps)):
            raise ValueError("a script needs steps at rising times")
        if any(not 0 <= ratio <= 1 for _, ratio in steps):
            raise ValueError("a load is a ratio from 0 to 1")
        self._steps = steps

    def ratio(self, time_s: float) -> float:
        """The load of the last step that has begun; before the first, the first's."""
        begun = [ratio for at_s, ratio in self._steps if at_s <= time_s]
        return begun[-1] if begun else self._steps[0][1]


class HostLoad:
    """Busy share of this host's CPUs between two calls, from ``<procfs>/stat``."""

    def __init__(self, procfs: Path) -> None:
        self._file = procfs / "stat"
        self._busy, self._all = self._read()

    def ratio(self, time_s: float) -> float:  # noqa: ARG002 - the host's time is its own
        """Raises OSError where procfs cannot be read; 0 when no tick has passed."""
        busy, everything = self._read()
        passed = everything - self._all
        ratio = (busy - self._busy) / passed if passed > 0 else 0.0
        self._busy, self._all = busy, everything
        return min(1.0, max(0.0, ratio))

    def _read(self) -> tuple[int, int]:
        # proc(5): cpu user nice system idle iowait irq softirq steal ...; guest time is in user already.
        first = self._file.read_text(encoding="ascii").partition("\n")[0]
        ticks = [int(word) for word in first.split()[1:9]]
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
