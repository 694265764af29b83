# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The agent assembled: every interval reads the meters, drains the observer, reads again, and closes the books.

Nothing that blocks runs on the event loop. Meter readings and run time share their edges: the counters are read right
before and right after the drain, so that its moment lies between two readings. An interval stays provisional until
every chosen meter covers its end, at the latest ten seconds, and only then is booked, reported and shown.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from agent.errors import DeadlineExceeded, ObserverError
from agent.facts import boot_id, node_facts
from agent.ledger import Closing, Ledger
from agent.meters.alignment import LONGEST_OPEN_NS, Aligned
from agent.meters.bank import Bank
from agent.meters.choice import survey
from agent.observe.procfs import ProcfsObserver
from agent.publish.pages import pages
from agent.publish.push import Pusher
from agent.publish.server import Server
from agent.vitals import Vitals
from agent.worker import Worker
from plumbing import tasks
from plumbing.clock import Clock, SystemClock
from plumbing.state import StateFolder
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.meters.gpu_activity import Activity
    from agent.observe.protocol import Observation
    from agent.settings import AgentSettings
    from wire.report import ReportAck

log = logging.getLogger(__name__)

# Somebody is waiting for the first figures; from then on the interval is the configured one.
_FIRST_INTERVAL_S: Final = 1.0
_SHORTEST_INTERVAL_S: Final = 0.2
_LONGEST_INTERVAL_S: Final = 3600.0
_LONGEST_ELAPSED_NS: Final = 7 * 24 * 3600 * 10**9
_METER_TIMEOUT_S: Final = 1.0
_DRAIN_TIMEOUT_S: Final = 10.0
_LEDGER_TIMEOUT_S: Final = 10.0
_LAST_WORDS_S: Final = 2.0
# How often an open interval is looked at while no meter says anything.
_LOOK_S: Final = 1.0
# Intervals without which a node counts as silent.
_STALE_INTERVALS: Final = 3


class Agent:
    """One agent, from `start` to `stop`."""

    def __init__(self, settings: AgentSettings, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._interval_s = settings.interval_s
        self._changed = asyncio.Event()
        self._folder = StateFolder(Path(settings.state)) if settings.state else None
        self._survey = survey(settings, clock=self._clock)
        self.vitals = Vitals(self._clock)
        self._bank = Bank(self._survey, clock=self._clock, vitals=self.vitals)
        procfs = Path(settings.procfs)
        self._observer = ProcfsObserver(procfs=procfs, cgroupfs=Path(settings.cgroupfs), clock=self._clock)
        self.ledger = Ledger(
            node=settings.node_name,
            boot_id=boot_id(procfs),
            survey=self._survey,
            facts=node_facts(self._survey, procfs=procfs),
            targets=settings.targets,
            state=self._folder.path if self._folder else None,
            ring_length=settings.ring_length,
            outbox_limit_bytes=settings.outbox_limit_bytes,
            clock=self._clock,
        )
        self._observe_worker = Worker(f"observe-{self._observer.name}", spares=0)
        self._ledger_worker = Worker("ledger", spares=0)
        self._pushers = [
            Pusher(url, outbox=self.ledger.outbox, outbox_worker=self._ledger_worker, on_ack=self._apply)
            for url in settings.targets
        ]
        self.vitals.workers += [self._observe_worker, self._ledger_worker, *(each.worker for each in self._pushers)]
        self._provisional: deque[Closing] = deque()
        self._settling = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.server = Server(
            pages(
                survey=self._survey,
                bank=self._bank,
                ledger=self.ledger,
                vitals=self.vitals,
                clock=self._clock,
                delivered=lambda: {each.url: each.counts for each in self._pushers},
                unready=self._unready,
            )
        )

    @property
    def interval_s(self) -> float:
        """The interval in force."""
        return self._interval_s

    @property
    def stuck(self) -> bool:
        """Whether a thread hangs in a call that will not come back: the process must then leave by ``os._exit``."""
        return any(worker.stuck for worker in self.vitals.workers)

    async def start(self) -> None:
        """Listens, takes the first readings and goes on from there. Raises OSError where the port is taken."""
        await self.server.start(host=self._settings.host, port=self._settings.port)
        for line in self._survey.sources:
            if line.chosen:
                log.info("Meter chosen", extra={"source": line.source, "domain": line.domain, "reason": line.reason})
        if not self._survey.chosen:
            log.warning("No usable meter: run time is reported, watts are not")
        if self._observer.cgroup_reason:
            log.warning("Exited processes are not recovered", extra={"reason": self._observer.cgroup_reason})
        self._tasks = [tasks.guard("intervals", self._run), tasks.guard("closing", self._close_late)]
        self._tasks += [
            tasks.guard(f"meter {seat.meter.source}", partial(self._bank.poll, seat)) for seat in self._bank.seats
        ]
        self._tasks += [tasks.guard(f"push {each.url}", each.run) for each in self._pushers]

    async def stop(self) -> None:
        """Closes the interval under way, gives the targets a moment to take it, and ends everything in order."""
        if self._tasks:
            await tasks.stop(self._tasks.pop(0))
            await self.tick()
            await self._settle(waits=False)
            waiting = [asyncio.ensure_future(each.idle.wait()) for each in self._pushers]
            if waiting:
                _, late = await asyncio.wait(waiting, timeout=_LAST_WORDS_S)
                for each in late:
                    each.cancel()
            await tasks.stop(*self._tasks)
        await self.server.stop()
        for pusher in self._pushers:
            pusher.close()
        await self._bank.leave()
        self._observe_worker.close()
        if not self._ledger_worker.stuck:
            await self._ledger_worker.call(self.ledger.close, timeout_s=_LEDGER_TIMEOUT_S)
        self._ledger_worker.close()
        if self._folder is not None:
            self._folder.close()

    async def _run(self) -> None:
        pause_s = min(_FIRST_INTERVAL_S, self._interval_s)
        loop = asyncio.get_running_loop()
        last_s = loop.time()
        await self.tick()
        while True:
            # A tick that overran is not made up for: intervals are measured, not assumed.
            due_s = max(last_s + pause_s, loop.time() + _SHORTEST_INTERVAL_S / 2)
            self._changed.clear()
            try:
                async with asyncio.timeout_at(due_s):
                    await self._changed.wait()
            except TimeoutError:
                last_s = due_s
                await self.tick()
            pause_s = self._interval_s

    async def tick(self) -> None:
        """One edge: ends an interval and begins the next. What cannot be had now is not lost, only later."""
        if self._ledger_worker.stuck or self._observe_worker.stuck:
            return  # meters and run times are cumulative: the next interval covers this one
        timeout_s = min(_METER_TIMEOUT_S, self._interval_s)
        before = await self._bank.edge(timeout_s=timeout_s)
        started_ns = self._clock.monotonic_ns()
        try:
            observation = await self._observe_worker.call(self._observer.drain, timeout_s=_DRAIN_TIMEOUT_S)
        except (ObserverError, DeadlineExceeded) as error:
            self.vitals.note(f"observe-{self._observer.name}", started_ns=started_ns, reason=str(error))
            return
        self.vitals.note(f"observe-{self._observer.name}", started_ns=started_ns)
        after = await self._bank.edge(timeout_s=timeout_s)
        self.vitals.edge_gap_ns = after.at_ns - before.at_ns
        activities = await self._bank.activities()
        if observation is None or not 0 < observation.elapsed_ns <= _LONGEST_ELAPSED_NS:
            return
        to_unix_ns = self._clock.unix_ns() - (self._clock.monotonic_ns() - observation.to_ns)
        observation = await self._with_holders(observation, activities)
        self._provisional.append(Closing(observation, Aligned({}, ()), to_unix_ns, activities=activities))
        await self._settle()

    async def _with_holders(self, observation: Observation, activities: Mapping[str, Activity]) -> Observation:
        """Adds the processes that have a GPU and did not run: theirs is energy all the same."""
        pids = {holder.pid for each in activities.values() for holder in each.holders if holder.pid > 0}
        if not pids:
            return observation
        try:
            still = await self._observe_worker.call(lambda: self._observer.still(pids), timeout_s=_DRAIN_TIMEOUT_S)
        except DeadlineExceeded:
            return observation
        return replace(observation, rows=np.concatenate((observation.rows, still)))

    async def _close_late(self) -> None:
        """Closes intervals as slow meters come to cover them."""
        while True:
            self._bank.changed.clear()
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._bank.changed.wait()
            except TimeoutError:
                pass
            await self._settle()

    async def _settle(self, *, waits: bool = True) -> None:
        """Books provisional intervals, oldest first, as far as they are settled or have waited long enough."""
        async with self._settling:
            while self._provisional and not self._ledger_worker.stuck:
                closing = self._provisional[0]
                from_ns, to_ns = closing.observation.from_ns, closing.observation.to_ns
                open_ns = self._clock.monotonic_ns() - to_ns
                if waits and open_ns < LONGEST_OPEN_NS and not self._bank.alignment.settled(to_ns):
                    break
                self._provisional.popleft()
                drawn = self._bank.alignment.close(from_ns, to_ns)
                loss_w = self._bank.psu_loss_w()
                await self._book(replace(closing, drawn=drawn, static_w=dict(self._bank.static_w), psu_loss_w=loss_w))
            self.vitals.provisional = len(self._provisional)

    async def _book(self, closing: Closing) -> None:
        started_ns = self._clock.monotonic_ns()
        try:
            await self._ledger_worker.call(lambda: self.ledger.close_interval(closing), timeout_s=_LEDGER_TIMEOUT_S)
        except (OSError, sqlite3.Error, DeadlineExceeded) as error:
            self.vitals.note("ledger", started_ns=started_ns, reason=str(error))
            log.error("Interval not stored", extra={"reason": str(error)})
            return
        self.vitals.note("ledger", started_ns=started_ns)
        self.vitals.intervals_total += 1
        self.vitals.last_interval_ns = self._clock.monotonic_ns()
        for missing in closing.drawn.missing:
            self.vitals.gaps_total[missing.reason] += 1
        for pusher in self._pushers:
            pusher.wake()

    def _apply(self, ack: ReportAck) -> None:
        """Takes over what the extender's profile says, without a restart."""
        wanted_s = ack.profile.interval_s
        if wanted_s is None or not _SHORTEST_INTERVAL_S <= wanted_s <= _LONGEST_INTERVAL_S:
            return
        if wanted_s != self._interval_s:
            log.info("Interval changed", extra={"interval_s": wanted_s, "revision": ack.profile.revision})
            self._interval_s = wanted_s
            self._changed.set()

    def _unready(self) -> str:
        """Why this agent is of no use now; empty where it is."""
        last_ns = self.vitals.last_interval_ns
        if last_ns is None:
            return "no interval has closed yet"
        longest_s = _STALE_INTERVALS * max(self._interval_s, 1.0)
        if self._provisional:
            longest_s += LONGEST_OPEN_NS / NS_PER_S  # one that waits for a slow meter is on its way
        age_s = self.vitals.age_s(last_ns)
        if age_s > longest_s:
            return f"the last interval closed {age_s:.1f} s ago"
        return "" if self._survey.chosen else "no usable meter"
