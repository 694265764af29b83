# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""All meters together: read at once, each in its own thread, and turned into the energy of an interval.

A meter that misses its deadline costs its own domains a gap and nobody else anything. A domain that was not read
needs a new base: the interval in which it comes back is a gap as well, never a spike.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import DeadlineExceeded, MeterError
from agent.meters.counter import Energy, Lost, State, advance
from agent.meters.protocol import Reading, Unread
from agent.worker import Worker
from wire.units import watts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.meters.choice import Survey
    from agent.meters.protocol import Meter
    from agent.vitals import Vitals
    from plumbing.clock import Clock

Key = tuple[str, str]
"""Source and domain name."""


@dataclass(frozen=True, slots=True)
class Round:
    """One reading of everything; ``at_ns`` is when it was asked for."""

    at_ns: int
    readings: Mapping[Key, Reading | Unread]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What an interval brought: per domain its energy, or why there is none. Absent: the first reading."""

    energies: Mapping[Key, Energy]
    lost: Mapping[Key, Lost]
    static_w: Mapping[Key, float]

    def power_w(self) -> dict[Key, float | None]:
        """Watts of every source over its own time."""
        return {key: watts(each.energy_uj, each.to_ns - each.from_ns) for key, each in self.energies.items()}


class Bank:
    """The meters of a survey, with their threads and their bases."""

    def __init__(self, survey: Survey, *, clock: Clock, vitals: Vitals) -> None:
        self._clock = clock
        self._vitals = vitals
        self._meters = tuple((meter, Worker(f"meter-{meter.source}")) for meter in survey.meters)
        self._counters = {
            (meter.source, each.domain.name): each.counter for meter in survey.meters for each in meter.metered
        }
        self._states: dict[Key, State] = {}
        self._lost_since: dict[Key, int] = {}
        vitals.workers.extend(worker for _, worker in self._meters)

    async def read(self, *, timeout_s: float) -> Round:
        """Reads every meter; never fails."""
        at_ns = self._clock.monotonic_ns()
        answers = await asyncio.gather(*(self._read(meter, worker, timeout_s) for meter, worker in self._meters))
        return Round(at_ns, {key: reading for answer in answers for key, reading in answer.items()})

    async def _read(self, meter: Meter, worker: Worker, timeout_s: float) -> dict[Key, Reading | Unread]:
        started_ns = self._clock.monotonic_ns()
        try:
            readings = await worker.call(meter.read, timeout_s=timeout_s)
        except DeadlineExceeded:
            readings = tuple(Unread(each.domain.name, "deadline") for each in meter.metered)
        except (MeterError, OSError, ValueError):
            readings = tuple(Unread(each.domain.name, "unreadable") for each in meter.metered)
        unread = sorted({each.reason for each in readings if isinstance(each, Unread)})
        self._vitals.note(f"meter-{meter.source}", started_ns=started_ns, reason=", ".join(unread))
        return {(meter.source, each.domain): each for each in readings}

    def advance(self, taken: Round) -> Drawn:
        """Energy since the last round that was advanced to."""
        energies: dict[Key, Energy] = {}
        lost: dict[Key, Lost] = {}
        static_w: dict[Key, float] = {}
        for key, reading in taken.readings.items():
            state = self._states.get(key)
            if isinstance(reading, Unread):
                since_ns = state.last.to_ns if state else self._lost_since.get(key, taken.at_ns)
                lost[key] = Lost(reading.reason, since_ns, max(since_ns, taken.at_ns))
                self._states.pop(key, None)
                self._lost_since[key] = taken.at_ns
                continue
            self._states[key], outcome = advance(state, reading, self._counters.get(key))
            if reading.static_w is not None:
                static_w[key] = reading.static_w
            if isinstance(outcome, Energy):
                energies[key] = outcome
            elif isinstance(outcome, Lost):
                lost[key] = outcome
            elif key in self._lost_since:
                lost[key] = Lost("no_base", self._lost_since[key], max(self._lost_since[key], reading.to_ns))
            self._lost_since.pop(key, None)
        return Drawn(energies, lost, static_w)

    def close(self) -> None:
        """Ends the threads."""
        for _, worker in self._meters:
            worker.close()
