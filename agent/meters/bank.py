# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""All meters together: asked each at its own pace, in its own thread, and put on one time axis.

A meter that hangs costs its own domains a gap and nobody else anything: nobody waits for one that is in trouble. A
domain that was not read needs a new base, so that the time until it has one is a gap as well, never a spike.

Every reading counts for energy. Around a drain the counters are read besides, so that the end of an interval lies
between two readings milliseconds apart; gauges whose turn is near are asked along with them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.meters import gpu_activity, modelled
from agent.meters.alignment import Alignment
from agent.meters.counter import Energy, Lost, State, advance
from agent.meters.protocol import Reading, Unread
from agent.meters.reconciliation import psu_loss_w
from agent.meters.seat import Seat
from agent.meters.tiers import PERIOD_S, period_s, tier_of
from wire.units import NS_PER_S, watts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from agent.meters.choice import Survey
    from agent.meters.gpu_activity import Activity
    from agent.meters.protocol import Counter
    from agent.vitals import Vitals
    from plumbing.clock import Clock

Key = tuple[str, str]
"""Source and domain name."""

# Power that changed by so much of itself, and of a watt, has moved; for so long readings then come at their full pace.
_MOVED_RATIO: Final = 0.2
_MOVED_W: Final = 2.0
_LIVELY_NS: Final = 3 * NS_PER_S
# Below this a RAPL counter (1 ms, 61 uJ) says little about power.
_SHORTEST_NS: Final = 50_000_000
# Two moments of a gauge further apart than this many of its periods are not joined.
_PERIODS: Final = 3


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one reading of everything; ``at_ns`` is when it was asked for."""

    at_ns: int
    readings: Mapping[Key, Reading | Unread]


@dataclass(frozen=True, slots=True)
class Figure:
    """The newest word of a domain: mean watts up to ``at_ns``, or why there are none."""

    at_ns: int
    power_w: float | None = None
    reason: str = ""


class Bank:
    """The meters of a survey, with their threads and their bases."""

    def __init__(self, survey: Survey, *, clock: Clock, vitals: Vitals) -> None:
        self._clock = clock
        self._chosen = {name: source for name, (source, _) in survey.chosen.items()}
        self.alignment = Alignment({name: each.domain.parent for name, (_, each) in survey.chosen.items()})
        used = set(self._chosen.values())
        self.seats = tuple(
            Seat(
                meter,
                # What nobody books is read for the list alone.
                tier=tier_of(meter) if meter.source in used or not self._chosen else "heartbeat",
                clock=clock,
                vitals=vitals,
                on_answer=self._take,
            )
            for meter in survey.meters
        )
        self._states: dict[Key, State] = {}
        self._lost_since: dict[Key, int] = {}
        self._begun_ns = clock.monotonic_ns()
        self._lively_until_ns = self._begun_ns
        self.figures: dict[Key, Figure] = {}
        self.static_w: dict[str, float] = {}
        """By chosen domain, what its source says is drawn with no work."""
        self.changed = asyncio.Event()
        """Set with every answer; whoever waits for it clears it."""

    async def poll(self, seat: Seat, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Asks one meter at its pace until cancelled."""
        while True:
            await seat.ask()
            await sleep(period_s(seat.tier, lively=self._clock.monotonic_ns() < self._lively_until_ns))

    def wanted(self) -> None:
        """Somebody looks at the newest figures: they come at their full pace for a while."""
        self._lively_until_ns = self._clock.monotonic_ns() + _LIVELY_NS

    async def read(self, *, timeout_s: float) -> Round:
        """Asks every meter; returns what has come when all that are well have answered."""
        return await self._ask(self.seats, timeout_s)

    async def edge(self, *, timeout_s: float) -> Round:
        """Reads the counters now, for the end of an interval, and does not wait for the gauges that it asks along."""
        now_ns = self._clock.monotonic_ns()
        # A meter behind a network is asked at its own pace alone: its figures are seconds old anyway.
        near = [seat for seat in self.seats if seat.tier != "heartbeat" and seat.meter.source in self._chosen.values()]
        counters = [seat for seat in near if any(each.counter is not None for each in seat.meter.metered)]
        for seat in near:
            if seat not in counters and now_ns - seat.asked_ns > PERIOD_S[seat.tier] * NS_PER_S / 2:
                seat.ask()
        return await self._ask(counters, timeout_s)

    async def _ask(self, seats: Iterable[Seat], timeout_s: float) -> Round:
        at_ns = self._clock.monotonic_ns()
        asked = {seat: seat.ask(timeout_s=timeout_s) for seat in seats}
        tasks = [task for seat, task in asked.items() if not seat.in_trouble]
        if tasks:
            # Twice: what was asked for before may have to end first.
            await asyncio.wait(tasks, timeout=2 * timeout_s)
        return Round(
            at_ns,
            {
                (seat.meter.source, each.domain): each
                for seat, task in asked.items()
                if task.done()
                for each in seat.answer
            },
        )

    async def activities(self) -> dict[str, Activity]:
        """Who used the booked GPUs since the last call, by domain; what NVML leaves open is taken from DCGM."""
        found: dict[str, Activity] = {}
        for watched in await asyncio.gather(*(seat.watch() for seat in self.seats)):
            for each in watched:
                first = found.get(each.domain)
                found[each.domain] = gpu_activity.completed(first, each) if first else each
        return {name: each for name, each in found.items() if name in self._chosen}

    def _take(self, seat: Seat) -> None:
        source, now_ns = seat.meter.source, self._clock.monotonic_ns()
        counters = {each.domain.name: each.counter for each in seat.meter.metered}
        longest_ns = round(_PERIODS * max(period_s(seat.tier, lively=False), 1.0) * NS_PER_S)
        for each in seat.answer:
            key = (source, each.domain)
            if isinstance(each, Unread):
                outcome: Energy | Lost | None = self._unread(key, each.reason, seat.asked_ns)
            else:
                outcome = self._read(key, each, counters.get(each.domain), longest_ns)
            if isinstance(outcome, Energy):
                self._show(key, outcome)
            elif isinstance(outcome, Lost) and outcome.reason not in ("no_base", "no_time_passed"):
                self.figures[key] = Figure(now_ns, reason=outcome.reason)
            if self._chosen.get(each.domain) == source:
                if isinstance(each, Reading) and each.static_w is not None:
                    self.static_w[each.domain] = each.static_w
                if outcome is not None:
                    self.alignment.add(each.domain, outcome)
        self.changed.set()

    def _unread(self, key: Key, reason: str, at_ns: int) -> Lost:
        state = self._states.pop(key, None)
        since_ns = state.last.to_ns if state else self._lost_since.get(key, self._begun_ns)
        self._lost_since[key] = max(since_ns, at_ns)
        return Lost(reason, since_ns, max(since_ns, at_ns))

    def _read(self, key: Key, reading: Reading, counter: Counter | None, longest_ns: int) -> Energy | Lost | None:
        state = self._states.get(key)
        self._states[key], outcome = advance(state, reading, counter, longest_ns=longest_ns)
        if state is None:
            since_ns = self._lost_since.pop(key, self._begun_ns)
            if reading.power_w is not None:
                self.figures[key] = Figure(reading.to_ns, reading.power_w)
            return Lost("no_base", since_ns, max(since_ns, reading.to_ns))
        return outcome

    def _show(self, key: Key, energy: Energy) -> None:
        length_ns = energy.to_ns - energy.from_ns
        before = self.figures.get(key)
        if length_ns < _SHORTEST_NS and before is not None and before.power_w is not None:
            return
        power_w = watts(energy.energy_uj, length_ns)
        if before is not None and before.power_w is not None and self._moved(key, before.power_w, power_w):
            self._lively_until_ns = self._clock.monotonic_ns() + _LIVELY_NS
        self.figures[key] = Figure(energy.to_ns, power_w)

    def _moved(self, key: Key, before_w: float, power_w: float) -> bool:
        # The model follows /proc/stat, whose ticks are coarse: it would keep itself awake.
        if self._chosen.get(key[1]) != key[0] or key[0] == modelled.SOURCE:
            return False
        return abs(power_w - before_w) > max(_MOVED_W, _MOVED_RATIO * before_w)

    def psu_loss_w(self) -> float | None:
        """What the supplies lose now, where one source measures both sides of all of them."""
        for seat in self.seats:
            source = seat.meter.source
            flows_w = {
                each.domain.name: self._fresh_w((source, each.domain.name), seat)
                for each in seat.meter.metered
                if each.through
            }
            loss_w = psu_loss_w(flows_w)
            if loss_w is not None:
                return loss_w
        return None

    def _fresh_w(self, key: Key, seat: Seat) -> float | None:
        figure = self.figures.get(key)
        if figure is None or self._clock.monotonic_ns() - figure.at_ns > 2 * _PERIODS * PERIOD_S[seat.tier] * NS_PER_S:
            return None
        return figure.power_w

    async def leave(self) -> None:
        """Gives back what meters hold open, as far as they answer, and ends the threads."""
        await asyncio.gather(*(seat.leave() for seat in self.seats))
        self.close()

    def close(self) -> None:
        """Ends the threads."""
        for seat in self.seats:
            seat.close()
