# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the GPU tests share: meters on make-believe machines, and readings turned into energy as the agent does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.meters import nvml
from agent.meters.counter import Energy, Lost, State, advance
from agent.meters.protocol import Reading, Unread
from plumbing.clock import ManualClock
from sim.gpu import FakeNvml, scenario

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.meters.protocol import Meter


def opened(name: str) -> tuple[FakeNvml, nvml.NvmlMeter]:
    """A scenario and the meter on it."""
    clock = ManualClock()
    fake = scenario(name, clock)
    found = nvml.discover(clock, nvml=fake)
    assert isinstance(found.meter, nvml.NvmlMeter)
    return fake, found.meter


class Ledger:
    """Adds readings up as the agent's bank does: a domain that was not read needs a new base."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._counters = {each.domain.name: each.counter for each in meter.metered}
        self._states: dict[str, State] = {}
        self.energy_uj: dict[str, int] = dict.fromkeys(self._counters, 0)
        self.lost: list[Lost] = []
        self.unread: list[Unread] = []

    def read(self) -> None:
        """One round."""
        self.book(self._meter.read())

    def book(self, readings: Iterable[Reading | Unread]) -> None:
        """Takes these readings."""
        for reading in readings:
            if isinstance(reading, Unread):
                self.unread.append(reading)
                self._states.pop(reading.domain, None)
                continue
            state, outcome = advance(self._states.get(reading.domain), reading, self._counters[reading.domain])
            self._states[reading.domain] = state
            if isinstance(outcome, Energy):
                self.energy_uj[reading.domain] += outcome.energy_uj
            elif isinstance(outcome, Lost):
                self.lost.append(outcome)
