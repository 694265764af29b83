# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""How far healthy readings are from the moment they were due, while something beside them hangs.

Rounds are due every 100 ms from the start on, whatever the last one took: a round that holds the next one up makes
that one late, and is not forgiven. A round's lateness is that of its worst healthy reading, by the time that the
reading itself carries, before or after; a healthy domain that was not read at all counts as late by a whole period,
because not before the next round is there another one. The meters are read by the agent's own `Bank`.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agent.meters.bank import Bank
from agent.meters.choice import Survey
from agent.meters.protocol import Reading
from agent.vitals import Vitals
from bench.agent import trees
from bench.agent.faults import FAULTS, Ground
from bench.agent.reports import PROCESSES, Encoder, report
from bench.figures import Figure, quantile
from estimator.curves import Table
from plumbing.clock import SystemClock
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from agent.meters.bank import Key, Round
    from agent.meters.protocol import Meter
    from bench.agent.faults import Scene
    from bench.agent.reports import Pace
    from bench.figures import Condition
    from plumbing.clock import Clock

    Read = Callable[[float], Awaitable[Round]]
    """A round with this deadline in seconds."""

PERIOD_S: Final = 0.1
"""The fast tier (METERING 7)."""
DEADLINE_S: Final = PERIOD_S / 2
"""After half a period a meter that has not answered is given up, so that the next round can be on time."""
TARGET_MS: Final = 20.0
"""METERING 7: no other reading is late by more at p99."""

_WARM_UP: Final = 5


@dataclass(slots=True)
class Seen:
    """What became of the rounds of one scene."""

    late_ms: list[float] = field(default_factory=list)
    """Per round, that of the worst healthy reading."""
    answered_ms: list[float] = field(default_factory=list)
    """Per round, when its readings were in the caller's hands."""
    healthy: list[bool] = field(default_factory=list)
    """Per healthy domain and round, whether it was read."""
    siblings: list[bool] = field(default_factory=list)

    def note(self, taken: Round, scene: Scene, *, due_ns: int, answered_ns: int) -> None:
        """Adds a round."""
        healthy = [_off_ns(taken, key, due_ns) for key in scene.healthy]
        self.healthy += [each is not None for each in healthy]
        self.siblings += [_off_ns(taken, key, due_ns) is not None for key in scene.siblings]
        self.late_ms.append(max(PERIOD_S * 1e3 if each is None else each / 1e6 for each in healthy))
        self.answered_ms.append((answered_ns - due_ns) / 1e6)


def _off_ns(taken: Round, key: Key, due_ns: int) -> int | None:
    reading = taken.readings.get(key)
    return abs(reading.to_ns - due_ns) if isinstance(reading, Reading) else None


def bank_of(meters: tuple[Meter, ...], *, clock: Clock) -> tuple[Read, Callable[[], None]]:
    """The agent's bank with these meters: how to read a round, and how to end it."""
    bank, _ = _bank(meters, clock=clock)
    return (lambda timeout_s: bank.read(timeout_s=timeout_s)), bank.close


def _bank(meters: tuple[Meter, ...], *, clock: Clock) -> tuple[Bank, Vitals]:
    table = Table(curves={}, microarchitectures=(), revision="")
    vitals = Vitals(clock)
    return Bank(Survey(meters, {}, (), trees.XEON, table), clock=clock, vitals=vitals), vitals


def lateness(fault: str, *, rounds: int, hang_s: float, pace: Pace | None, processes: int = PROCESSES) -> list[Figure]:
    """The figures of one fault; without a ``pace`` nothing is encoded. Raises OSError where it cannot be made here."""
    clock = SystemClock()
    with contextlib.ExitStack() as stack:
        ground = Ground(stack.enter_context(trees.ground()), hang_s, clock)
        scene = stack.enter_context(FAULTS[fault](ground))
        bank, vitals = _bank(scene.meters, clock=clock)
        stack.callback(bank.close)
        encoder = Encoder(report(processes), pace=pace) if pace else None
        if encoder:
            stack.callback(encoder.stop)
        seen = asyncio.run(_watch(bank, scene, rounds=rounds, encoder=encoder, clock=clock))
    where: dict[str, Condition] = {"fault": fault, "encoding": pace or "nothing"}
    figures = [*_figures(seen, where), Figure("calls_abandoned", "1", _abandoned(vitals), rounds, "lower", where)]
    if encoder and fault == "none":
        where = {"processes": processes, "statistic": "median"}
        figures.append(Figure.of("report_encode", quantile(encoder.took_ms, 0.5), unit="ms", where=where))
    return figures


def _abandoned(vitals: Vitals) -> int:
    return sum(vitals.abandoned().values())


async def _watch(bank: Bank, scene: Scene, *, rounds: int, encoder: Encoder | None, clock: Clock) -> Seen:
    seen = Seen()
    period_ns = round(PERIOD_S * NS_PER_S)
    start_ns = clock.monotonic_ns() + period_ns
    for number in range(_WARM_UP + rounds):
        due_ns = start_ns + number * period_ns
        await asyncio.sleep(max(0, due_ns - clock.monotonic_ns()) / NS_PER_S)
        if encoder:
            encoder.begin()
        taken = await bank.read(timeout_s=DEADLINE_S)
        if number >= _WARM_UP:
            seen.note(taken, scene, due_ns=due_ns, answered_ns=clock.monotonic_ns())
    return seen


def _figures(seen: Seen, where: Mapping[str, Condition]) -> list[Figure]:
    late, answered = quantile(seen.late_ms, 0.99), quantile(seen.answered_ms, 0.99)
    p99, median = {**where, "statistic": "p99"}, {**where, "statistic": "median"}
    figures = [
        Figure.of("healthy_late", late, unit="ms", where=p99, target=TARGET_MS),
        Figure.of("healthy_late", quantile(seen.late_ms, 0.5), unit="ms", where=median),
        Figure.of("round_answered", answered, unit="ms", where=p99),
        _unread("healthy_unread_ratio", seen.healthy, where),
    ]
    if seen.siblings:
        figures.append(_unread("sibling_unread_ratio", seen.siblings, where))
    return figures


def _unread(name: str, read: list[bool], where: Mapping[str, Condition]) -> Figure:
    return Figure(name, "1", read.count(False) / len(read), len(read), "lower", where)
