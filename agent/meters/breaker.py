# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps a device that fails from being asked all the time, and finds out by itself when it is back.

    closed      every call may go; after ``failures`` in a row the circuit opens
    open        no call may go until a pause is over, which doubles with every opening and is jittered, so that a
                thousand agents do not all come back to one rebooted switch in the same second
    half-open   the pause is over: one call may go, and decides

A device that fails again soon after it came back is flapping: it opens at the first failure, and its pauses go on
doubling until it has stayed well for ``healthy_s``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from plumbing.clock import Clock

CircuitState = Literal["closed", "open", "half-open"]

# 2**6 times the first pause is past any longest pause in use; beyond it the power would only overflow.
_MOST_DOUBLINGS: Final = 16


@dataclass(frozen=True, slots=True)
class Circuit:
    """How a circuit stands, for discovery, metrics and logs."""

    state: CircuitState
    failures: int
    """In a row, so far."""
    opened_total: int
    retry_in_s: float
    """Until the next call may go; 0 where one may go now."""
    reason: str
    """Of the last failure; empty after a success."""


class Breaker:
    """One circuit. Not thread-safe: a meter has one thread."""

    def __init__(
        self,
        *,
        clock: Clock,
        failures: int = 3,
        pause_s: float = 5.0,
        longest_s: float = 300.0,
        healthy_s: float = 60.0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._failures_to_open = failures
        self._pause_s = pause_s
        self._longest_s = longest_s
        self._healthy_ns = round(healthy_s * NS_PER_S)
        self._draw = draw
        self._failures = 0
        self._openings = 0
        self._opened_total = 0
        self._reason = ""
        self._retry_ns: int | None = None
        self._well_since_ns: int | None = None

    @property
    def state(self) -> CircuitState:
        """Where the circuit is now."""
        if self._retry_ns is None:
            return "closed"
        return "open" if self._clock.monotonic_ns() < self._retry_ns else "half-open"

    def allows(self) -> bool:
        """Whether a call may go now. The caller then says how it went, or the question stays open."""
        return self.state != "open"

    def succeeded(self) -> None:
        """A call brought an answer."""
        now_ns = self._clock.monotonic_ns()
        if self._well_since_ns is None:
            self._well_since_ns = now_ns
        self._retry_ns = None
        self._failures = 0
        self._reason = ""
        if now_ns - self._well_since_ns >= self._healthy_ns:
            self._openings = 0

    def failed(self, reason: str, *, pause_s: float | None = None) -> None:
        """A call failed. ``pause_s`` opens the circuit at once, for that long or longer: the device asked for it, or
        asking again would do harm, as with a wrong password.
        """
        self._failures += 1
        self._reason = reason
        self._well_since_ns = None
        flapping = self._openings > 0
        if pause_s is None and not flapping and self._failures < self._failures_to_open:
            return
        doubled_s = self._pause_s * 2 ** min(self._openings, _MOST_DOUBLINGS)
        waited_s = max(min(doubled_s, self._longest_s) * (0.75 + 0.5 * self._draw()), pause_s or 0.0)
        self._retry_ns = self._clock.monotonic_ns() + round(waited_s * NS_PER_S)
        self._openings += 1
        self._opened_total += 1

    @property
    def circuit(self) -> Circuit:
        """The state in words and numbers."""
        waits_ns = 0 if self._retry_ns is None else max(0, self._retry_ns - self._clock.monotonic_ns())
        return Circuit(
            state=self.state,
            failures=self._failures,
            opened_total=self._opened_total,
            retry_in_s=waits_ns / NS_PER_S,
            reason=self._reason,
        )
