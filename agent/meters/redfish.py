# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The node's BMC through Redfish: whole-machine power, every supply's two sides, and what else it meters apart.

The walk through the service is done once and goes on in whatever time a refresh leaves over, so that a BMC that takes
a second per document still gives its total every refresh. A refresh asks only for the documents that hold figures in
use, with their entity tags, at most every ``refresh_s`` (4 s: less than a heartbeat, so that each one gets new
figures); between refreshes ``read`` repeats the last readings with their own times. A BMC that is not there, or turns
slow, costs its own domains and nobody else anything: its circuit opens, and closes by itself; nothing is decided at
the start that a later answer could not change.

BMC figures lag by seconds and are moments; two of them make a reading over the time between (`Samples`).
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from agent.errors import MeterError
from agent.meters.breaker import Breaker
from agent.meters.counter import counted
from agent.meters.protocol import Counter, Discovery, Domain, Metered, Quality, Reading, Skipped, Unread
from agent.meters.redfish_documents import RedfishDocuments
from agent.meters.redfish_power import Findings, findings
from agent.meters.redfish_service import RedfishService, ServiceError
from agent.meters.samples import Samples
from wire.units import NS_PER_S, UJ_PER_J, watts

if TYPE_CHECKING:
    from agent.meters.breaker import Circuit
    from agent.meters.redfish_parts import Part
    from agent.meters.redfish_power import Candidate
    from agent.meters.redfish_service import Endpoint
    from agent.meters.redfish_supplies import Supply
    from plumbing.clock import Clock

log = logging.getLogger(__name__)

SOURCE: Final = "redfish"
PLATFORM: Final = Domain("platform", "node")

# What the whole machine may be before it is known: the widest of the ways to it.
_UNSEEN: Final = Quality("measured", 0.92, 1.21, "not reached yet")
# No server draws more: 8 accelerators of 1.2 kW and as much again.
_COUNTER: Final = Counter(range_uj=None, plausible_w=20_000.0)
# A way that gave no figure this often in a row is given up for the next best one.
_GIVE_UP: Final = 3


class RedfishMeter:
    """One BMC. ``read`` blocks for ``endpoint.timeout_s`` and a request more at most."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        clock: Clock,
        system: str = "",
        refresh_s: float = 4.0,
        breaker: Breaker | None = None,
    ) -> None:
        self.source = SOURCE
        self.supplies: tuple[Supply, ...] = ()
        self._service = RedfishService(endpoint, clock=clock)
        self._documents = RedfishDocuments(self._service, clock=clock, system=system, timeout_s=endpoint.timeout_s)
        self._clock = clock
        self._system = system
        self._refresh_ns = round(refresh_s * NS_PER_S)
        self._stale_ns = max(3 * self._refresh_ns, 30 * NS_PER_S)
        self._breaker = breaker or Breaker(clock=clock)
        self._samples = Samples(longest_s=self._stale_ns / NS_PER_S)
        self._rung: str | None = None
        self._misses = 0
        self._findings = Findings(reason="not_reached_yet")
        self._opened: tuple[Metered, ...] = (Metered(PLATFORM, _UNSEEN),)
        self._last: tuple[Reading | Unread, ...] = (Unread(PLATFORM.name, "not_reached_yet"),)
        self._counter: tuple[int, int, Reading | Unread] | None = None
        self._refreshed_ns: int | None = None
        self._walked = False
        self._trouble = ""
        self._reading = threading.Lock()

    @property
    def metered(self) -> tuple[Metered, ...]:
        """What is known to be metered by now: the whole machine from the start, its parts once they were found."""
        return self._opened

    @property
    def circuit(self) -> Circuit:
        """Whether the BMC is being asked."""
        return self._breaker.circuit

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What the BMC has and this meter does not use, each with its figure where it has one."""
        found = [
            Skipped(SOURCE, _other(each), "platform", each.rung, each.quality.kind)
            for each in self._findings.candidates
            if each.rung != self._rung
        ]
        found += [Skipped(SOURCE, each.reason, each.component, each.scope) for each in self._findings.passed]
        return tuple(found)

    def read(self) -> tuple[Reading | Unread, ...]:
        """Readings of all domains; an ``Unread`` says why in one word."""
        if not self._reading.acquire(blocking=False):
            # A read that was abandoned at its deadline is still under way in its old thread.
            return self._unread("still_reading")
        try:
            return self._read()
        finally:
            self._reading.release()

    def _read(self) -> tuple[Reading | Unread, ...]:
        now_ns = self._clock.monotonic_ns()
        if not self._breaker.allows():
            return self._unread("circuit_open")
        if self._walked and self._refreshed_ns is not None and now_ns - self._refreshed_ns < self._refresh_ns:
            return self._last
        self._refreshed_ns = now_ns
        try:
            self._documents.refresh(self._in_use(), first=self._first())
        except ServiceError as error:
            if error.reason != self._trouble:
                log.warning("Redfish %s: %s", self._service.endpoint.url, error)
            self._trouble = error.reason
            self._breaker.failed(error.reason, pause_s=error.pause_s)
            self._last = self._unread(error.reason)
            return self._last
        if self._trouble:
            log.info("Redfish %s answers again", self._service.endpoint.url)
            self._trouble = ""
            self._documents.look_again(self._in_use())
        self._breaker.succeeded()
        self._last = self._evaluate(now_ns)
        return self._last

    def close(self) -> None:
        """Logs out."""
        self._service.close()

    def _unread(self, reason: str) -> tuple[Unread, ...]:
        return tuple(Unread(each.domain.name, reason) for each in self._opened)

    def _first(self) -> frozenset[str]:
        """The documents of the whole machine's figure."""
        chosen = self._findings.best(self._rung) if self._rung else None
        return chosen.uris if chosen else frozenset()

    def _in_use(self) -> frozenset[str]:
        return self._first().union(*(part.uris for part in self._findings.parts))

    def _evaluate(self, now_ns: int) -> tuple[Reading | Unread, ...]:
        found = findings(self._documents.bodies, system=self._system)
        self._findings = found
        self.supplies = found.supplies
        # Once walked, it stays so: what a later look finds missing is a change, not a beginning.
        self._walked |= self._documents.complete
        whole = self._whole(found)
        parts = found.parts if self._walked else ()
        self._open(found.best(self._rung) if self._rung else None, parts)
        return (whole, *(self._part(each, now_ns) for each in parts))

    def _whole(self, found: Findings) -> Reading | Unread:
        """The whole machine, by the way that was taken first, until that way fails for good."""
        if found.reason or not self._walked:
            return Unread(PLATFORM.name, "system_not_known" if found.reason else "walking")
        chosen = found.best(self._rung) if self._rung else None
        self._misses = 0 if chosen is not None and chosen.usable else self._misses + 1
        better = found.best()
        if better is not None and (self._rung is None or self._misses >= _GIVE_UP):
            if better.rung != self._rung:
                log.info("Redfish %s: the whole machine from %s", self._service.endpoint.url, better.text)
                self._samples.forget((PLATFORM.name,))
            chosen, self._rung, self._misses = better, better.rung, 0
        if chosen is None:
            return Unread(PLATFORM.name, "vanished" if self._rung else "no_sensor")
        return self._reading_of(chosen)

    def _reading_of(self, chosen: Candidate) -> Reading | Unread:
        at_ns = self._documents.at_ns(chosen.uris)
        if self._clock.monotonic_ns() - at_ns > self._stale_ns:
            return Unread(PLATFORM.name, "stale")
        if chosen.energy_j is not None:
            return self._counter_of(chosen.energy_j, at_ns)
        if chosen.power_w is None:
            return Unread(PLATFORM.name, chosen.reason)
        return self._samples.reading(PLATFORM.name, at_ns=at_ns, power_w=chosen.power_w)

    def _counter_of(self, energy_j: float, at_ns: int) -> Reading | Unread:
        """Mean power since the count last moved. A BMC counts at its own pace: until it moves, the last one stands."""
        counter_uj = round(energy_j * UJ_PER_J)
        if self._counter is None:
            self._counter = (counter_uj, at_ns, Unread(PLATFORM.name, "no_base"))
            return self._counter[2]
        before_uj, before_ns, last = self._counter
        if counter_uj == before_uj or at_ns <= before_ns:
            return last if at_ns - before_ns <= self._stale_ns else Unread(PLATFORM.name, "counter_stands")
        elapsed_ns = at_ns - before_ns
        delta = counted(before_uj=before_uj, after_uj=counter_uj, elapsed_ns=elapsed_ns, counter=_COUNTER)
        made: Reading | Unread
        if isinstance(delta, str):
            made = Unread(PLATFORM.name, delta)
        else:
            made = Reading(domain=PLATFORM.name, from_ns=before_ns, to_ns=at_ns, power_w=watts(delta, elapsed_ns))
        self._counter = (counter_uj, at_ns, made)
        return made

    def _part(self, part: Part, now_ns: int) -> Reading | Unread:
        if part.power_w is None:
            return Unread(part.domain, part.reason)
        at_ns = self._documents.at_ns(part.uris)
        if now_ns - at_ns > self._stale_ns:
            return Unread(part.domain, "stale")
        return self._samples.reading(part.domain, at_ns=at_ns, power_w=part.power_w)

    def _open(self, chosen: Candidate | None, parts: tuple[Part, ...]) -> None:
        quality = chosen.quality if chosen else _UNSEEN
        made = [Metered(PLATFORM, quality)]
        made += [
            Metered(Domain(each.component, each.scope, each.parent), each.quality, through=each.through)
            for each in parts
        ]
        self._opened = tuple(made)


def _other(candidate: Candidate) -> str:
    if candidate.power_w is not None:
        return f"{candidate.text}: {candidate.power_w:g} W now; another way to the whole machine"
    if candidate.energy_j is not None:
        return f"{candidate.text}: {candidate.energy_j:g} J now; another way to the whole machine"
    return f"{candidate.text}: {candidate.reason}"


def discover(
    endpoint: Endpoint | None,
    *,
    clock: Clock,
    system: str = "",
    refresh_s: float = 4.0,
    budget_s: float = 0.0,
) -> Discovery:
    """The BMC at ``endpoint``; None: no setting names one.

    With ``budget_s`` the walk is begun here and now for about that long, which a person waits for; without it the
    meter's own thread does it, so that no agent starts late because of its BMC. An unreachable BMC is a meter all the
    same: it is there when it comes back.
    """
    if endpoint is None:
        return Discovery(None, (Skipped(SOURCE, "no BMC: the setting redfish_url names one", "platform", "node"),))
    try:
        meter = RedfishMeter(endpoint, clock=clock, system=system, refresh_s=refresh_s)
    except ImportError:
        return Discovery(None, (Skipped(SOURCE, "httpx is not installed", "platform", "node", "measured"),))
    except MeterError as error:
        return Discovery(None, (Skipped(SOURCE, str(error), "platform", "node", "measured"),))
    until_ns = clock.monotonic_ns() + round(budget_s * NS_PER_S)
    while clock.monotonic_ns() < until_ns:
        whole = meter.read()[0]
        if not isinstance(whole, Unread) or whole.reason != "walking":
            break
    skipped = list(meter.skipped)
    if endpoint.caution:
        skipped.insert(0, Skipped(SOURCE, f"{endpoint.url}: {endpoint.caution}", "platform", "node", "measured"))
    if meter.circuit.reason:
        skipped.append(Skipped(SOURCE, f"{endpoint.url}: {meter.circuit.reason}", "platform", "node", "measured"))
    return Discovery(meter, tuple(skipped))
