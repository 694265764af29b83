# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Raw readings -> energy: exact where unambiguous, else a gap. Pure, and never inventive (METERING 7).

    state, outcome = advance(state, reading, counter)

A counter may wrap once between two reads. Whether it did is decided by power: of the two stories "no wrap" and "one
wrap" the one that stays below the plausible limit is true; if neither or both are, nobody knows, and it is a gap.

Two moments of a power are joined by the trapezoid, but not across any distance: what a machine drew between an evening
and the next morning is not the mean of the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.units import NS_PER_S

if TYPE_CHECKING:
    from agent.meters.protocol import Counter, Reading


@dataclass(frozen=True, slots=True)
class Energy:
    """What a domain drew from ``from_ns`` to ``to_ns``."""

    energy_uj: int
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A time that nobody knows the energy of."""

    reason: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class State:
    """The last good reading of one domain; ``rest_uj`` is what rounding a gauge has kept back, 0 <= rest < 1."""

    last: Reading
    rest_uj: float = 0.0


def advance(
    state: State | None, reading: Reading, counter: Counter | None, *, longest_ns: int | None = None
) -> tuple[State, Energy | Lost | None]:
    """One step. None: the first reading, which only sets the base.

    ``longest_ns`` is how far apart two moments of a power may be to belong together; None sets no bound.
    """
    if state is None:
        return State(reading), None
    last = state.last
    elapsed_ns = reading.to_ns - last.to_ns
    if elapsed_ns <= 0:
        # Two reads at one time say nothing; the earlier one stays the base.
        return state, Lost("no_time_passed", last.to_ns, last.to_ns)
    if counter is not None and reading.counter_uj is not None and last.counter_uj is not None:
        delta = counted(before_uj=last.counter_uj, after_uj=reading.counter_uj, elapsed_ns=elapsed_ns, counter=counter)
        if isinstance(delta, str):
            return State(reading), Lost(delta, last.to_ns, reading.to_ns)
        return State(reading), Energy(delta, last.to_ns, reading.to_ns)
    if reading.power_w is None or not (math.isfinite(reading.power_w) and reading.power_w >= 0):
        return State(reading), Lost("not_a_power", last.to_ns, reading.to_ns)
    moment = reading.from_ns == reading.to_ns
    if reading.from_ns > last.to_ns and not moment:
        # The gauge's window starts later than the last one ended: what lies between was never seen.
        return State(reading, state.rest_uj), Lost("window_missed", last.to_ns, reading.to_ns)
    power_w = reading.power_w
    if moment and longest_ns is not None and elapsed_ns > longest_ns:
        return State(reading, state.rest_uj), Lost("silent_too_long", last.to_ns, reading.to_ns)
    if moment and last.power_w is not None:
        power_w = (power_w + last.power_w) / 2  # two moments: the trapezoid between them
    energy_uj, rest_uj = integrate(power_w, elapsed_ns=elapsed_ns, rest_uj=state.rest_uj)
    return State(reading, rest_uj), Energy(energy_uj, last.to_ns, reading.to_ns)


def counted(*, before_uj: int, after_uj: int, elapsed_ns: int, counter: Counter) -> int | str:
    """Microjoules between two counter values, or the reason why nobody can say.

    The range is taken as the modulus. Powercap's is one counter unit (61 uJ) short of it, so that a wrap loses one
    unit and never adds any.
    """
    limit_uj = counter.plausible_w * (elapsed_ns + counter.update_ns) * 1e-3
    range_uj = counter.range_uj
    if before_uj < 0 or after_uj < 0 or (range_uj is not None and max(before_uj, after_uj) > range_uj):
        return "out_of_range"
    straight_uj = after_uj - before_uj
    if straight_uj >= 0:
        if straight_uj > limit_uj:
            return "implausible_power"
        if range_uj is not None and straight_uj + range_uj <= limit_uj:
            return "ambiguous_wrap"
        return straight_uj
    if range_uj is None:
        return "counter_reset"
    wrapped_uj = straight_uj + range_uj
    if wrapped_uj > limit_uj:
        return "counter_reset"
    if wrapped_uj + range_uj <= limit_uj:
        return "ambiguous_wrap"
    return wrapped_uj


def integrate(power_w: float, *, elapsed_ns: int, rest_uj: float) -> tuple[int, float]:
    """Whole microjoules of ``power_w`` over ``elapsed_ns`` and the fraction carried on, so that none is ever lost."""
    exact_uj = power_w * (elapsed_ns / NS_PER_S) * 1e6 + rest_uj
    whole_uj = math.floor(exact_uj)
    return whole_uj, exact_uj - whole_uj
