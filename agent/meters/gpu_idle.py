# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The idle watts of a GPU, learned in three states (METERING 7). Pure; one `IdleLevels` per GPU.

    empty   nobody has it: its watts are the node's, nobody can be charged
    held    somebody has it and lets it wait: a CUDA context alone keeps clocks up, so this is another level, and it is
            the holder's in the loaded view
    busy    work runs: only a bound, for a GPU that was never seen waiting

A level is the lowest ten-second mean seen in its state and acts forward only. The tail of a load (clocks fall over
seconds, and the sensor is a one-second mean) raises no level, because only the lowest mean counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from wire.units import watts

if TYPE_CHECKING:
    from agent.meters.gpu_activity import Activity

State = Literal["empty", "held", "busy"]

WINDOW_NS: Final = 10_000_000_000


def state_of(activity: Activity) -> State:
    """Where nobody counts activity, a GPU with holders is taken for busy: work must never be learned as idleness."""
    if activity.sharing == "mig":
        ratios = [each.active_ratio for each in activity.instances]
        if any(ratio is not None and ratio > 0 for ratio in ratios):
            return "busy"
    else:
        ratios = [each.sm_ratio for each in activity.holders]
    if not activity.holders:
        return "empty"
    return "held" if all(ratio == 0 for ratio in ratios) else "busy"


@dataclass(frozen=True, slots=True)
class IdleLevels:
    """What is known of one GPU, in watts, and the window that is being filled."""

    empty_w: float | None = None
    held_w: float | None = None
    busy_w: float | None = None
    window: State | None = None
    window_uj: int = 0
    window_ns: int = 0

    def learn(self, state: State, *, energy_uj: int, elapsed_ns: int) -> IdleLevels:
        """One interval more; another state than the window's empties it, and so does a gap (pass it as `broken`)."""
        if elapsed_ns <= 0:
            return self
        kept = self if self.window == state else self.broken()
        window_uj, window_ns = kept.window_uj + energy_uj, kept.window_ns + elapsed_ns
        if window_ns < WINDOW_NS:
            return replace(kept, window=state, window_uj=window_uj, window_ns=window_ns)
        mean_w = watts(window_uj, window_ns)
        known_w = kept.level_w(state)
        return kept._with(state, mean_w if known_w is None else min(known_w, mean_w)).broken()

    def broken(self) -> IdleLevels:
        """The same levels with an empty window."""
        return replace(self, window=None, window_uj=0, window_ns=0)

    def level_w(self, state: State) -> float | None:
        """The lowest mean seen in ``state``."""
        return {"empty": self.empty_w, "held": self.held_w, "busy": self.busy_w}[state]

    def static_w(self, state: State) -> float | None:
        """What the GPU draws in ``state`` without work; None before anything was learned that bounds it.

        A busy GPU would draw its held level without its work. Where that was never seen the empty level stands in, and
        neither may exceed the lowest power seen at work.
        """
        if state == "empty":
            return self.empty_w
        idle_w = self.held_w if self.held_w is not None else self.empty_w
        if state == "busy" and idle_w is not None and self.busy_w is not None:
            return min(idle_w, self.busy_w)
        return idle_w

    def static_uj(self, state: State, *, energy_uj: int, elapsed_ns: int) -> int | None:
        """The static part of an interval's energy, never above it; None where nothing is known."""
        level_w = self.static_w(state)
        return None if level_w is None else min(int(level_w * elapsed_ns * 1e-3), energy_uj)

    def _with(self, state: State, level_w: float) -> IdleLevels:
        if state == "empty":
            return replace(self, empty_w=level_w)
        if state == "held":
            return replace(self, held_w=level_w)
        return replace(self, busy_w=level_w)
