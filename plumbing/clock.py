# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Time as a dependency: monotonic time measures, wall time places."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Both clocks of a host, in nanoseconds."""

    def monotonic_ns(self) -> int: ...

    def unix_ns(self) -> int: ...


class SystemClock:
    """The real one. Monotonic time is CLOCK_BOOTTIME: energy counters run on while a laptop sleeps, so must time."""

    def monotonic_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def unix_ns(self) -> int:
        return time.time_ns()


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is told to move; wall time can be set apart from monotonic time."""

    monotonic: int = 1_000_000_000_000
    unix: int = 1_790_000_000_000_000_000

    def monotonic_ns(self) -> int:
        return self.monotonic

    def unix_ns(self) -> int:
        return self.unix

    def advance(self, seconds: float) -> None:
        """Moves both clocks forward."""
        self.monotonic += round(seconds * 1e9)
        self.unix += round(seconds * 1e9)

    def jump(self, seconds: float) -> None:
        """Moves wall time alone, as NTP or an operator does."""
        self.unix += round(seconds * 1e9)
