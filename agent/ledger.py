# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Closes an interval: attribution, totals, report, store. Runs in one thread, which owns the outbox.

The order is what makes a crash harmless: totals are saved beside the last confirmed ones, then the report enters the
outbox under its sequence, then both become what is shown.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import msgspec

from agent.attribution.engine import DomainEnergy, UnexplainedTime, attribute
from agent.attribution.static import Baseline, static_uj
from agent.meters.gpu_idle import IdleLevels, state_of
from agent.meters.reconciliation import Reconciler, Sums, independent
from agent.meters.selection import PLATFORM
from agent.publish.report import report
from agent.store.ring import Ring
from agent.store.snapshot import Origin, Span, compose
from agent.store.totals import TotalsFile
from plumbing.outbox import Outbox
from wire.report import Gap, encode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.meters.alignment import Aligned, Drew
    from agent.meters.choice import Survey
    from agent.meters.gpu_activity import Activity
    from agent.meters.protocol import Domain
    from agent.meters.reconciliation import Reconciliation
    from agent.observe.protocol import Observation
    from agent.store.snapshot import Snapshot
    from agent.store.totals import Totals
    from plumbing.clock import Clock
    from wire.report import NodeFacts

# Without a target the outbox still numbers the intervals; this cursor lets each one go at once.
NOBODY: Final = "nobody"
# A wall clock that differs from the last interval's end by less was slewed, not set: intervals then stay seamless.
_SLEWED_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Closing:
    """What an interval is made of. ``static_w`` and ``activities`` by domain name."""

    observation: Observation
    drawn: Aligned
    to_unix_ns: int
    static_w: Mapping[str, float] = field(default_factory=dict)
    activities: Mapping[str, Activity] = field(default_factory=dict)
    psu_loss_w: float | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What the outbox held when the last interval closed."""

    messages: int = 0
    size_bytes: int = 0
    dropped_total: int = 0


class Ledger:
    """The books of one node. Every method but the properties runs in the ledger's thread."""

    def __init__(
        self,
        *,
        node: str,
        boot_id: str,
        survey: Survey,
        facts: NodeFacts,
        targets: tuple[str, ...],
        state: Path | None,
        ring_length: int,
        outbox_limit_bytes: int,
        clock: Clock,
    ) -> None:
        self.outbox = Outbox(
            state / "outbox.sqlite" if state else None,
            targets=targets or (NOBODY,),
            limit_bytes=outbox_limit_bytes,
        )
        self.ring = Ring(ring_length)
        self.held = Held()
        self._targets = targets
        self._survey = survey
        self._facts = facts
        self._origin = Origin(node, boot_id, self.outbox.stream)
        self._file = TotalsFile(state / "totals.json" if state else None)
        self.totals: Totals = self._file.load(
            stream=self.outbox.stream, sequence=self.outbox.last_sequence, unix_ns=clock.unix_ns()
        )
        self._baselines: dict[str, Baseline] = {}
        self._levels: dict[str, IdleLevels] = {}
        self._reconciler = Reconciler()
        self._last_unix_ns: int | None = None
        self._undelivered: list[Gap] = []

    def close_interval(self, closing: Closing) -> Snapshot:
        """Books one interval. Raises OSError or sqlite3.Error where it cannot be stored; it is then a declared gap."""
        observation = closing.observation
        span = self._span(closing)
        energies = self._energies(closing)
        reconciliation = self._reconciled(closing)
        attribution = attribute(
            energies,
            observation.rows,
            unexplained=UnexplainedTime(
                interrupt_ns=observation.interrupt_ns,
                stolen_ns=observation.steal_ns,
                lost_ns=observation.lost_ns,
            ),
            capacity_ns=observation.cpus * observation.elapsed_ns,
        )
        gaps = (*self._undelivered, *self._gaps(closing, span))
        made: list[tuple[Snapshot, Totals]] = []

        def numbered(sequence: int) -> bytes:
            snapshot = compose(
                origin=self._origin,
                sequence=sequence,
                span=span,
                facts=msgspec.structs.replace(
                    self._facts, busy_cpus=min(observation.busy_ns / observation.elapsed_ns, float(self._facts.cpus))
                ),
                attribution=attribution,
                observation=observation,
                gaps=gaps,
                reconciliation=reconciliation,
            )
            totals = self.totals.plus(snapshot)
            self._file.save(totals, stream=self._origin.stream)
            made.append((snapshot, totals))
            return encode(report(snapshot)) if self._targets else b""

        self._last_unix_ns = span.to_unix_ns
        try:
            sequence = self.outbox.append(numbered)
        except (OSError, sqlite3.Error):
            self._undelivered.extend(
                Gap(each.domain.name, span.from_unix_ns, span.to_unix_ns, "not_stored") for each in energies
            )
            raise
        self._file.confirm()
        self._undelivered.clear()
        snapshot, self.totals = made[0]
        self.ring.append(snapshot)
        if not self._targets:
            self.outbox.ack(NOBODY, sequence)
        self.held = Held(self.outbox.depth(), self.outbox.size_bytes, self.outbox.dropped_total())
        return snapshot

    def _span(self, closing: Closing) -> Span:
        elapsed_ns = closing.observation.elapsed_ns
        from_unix_ns = closing.to_unix_ns - elapsed_ns
        last = self._last_unix_ns
        if last is not None and abs(last - from_unix_ns) < _SLEWED_NS and last <= closing.to_unix_ns:
            from_unix_ns = last
        return Span(from_unix_ns, closing.to_unix_ns, elapsed_ns)

    def _energies(self, closing: Closing) -> list[DomainEnergy]:
        observation, drew = closing.observation, closing.drawn.drew
        load_ratio = observation.busy_ns / (observation.cpus * observation.elapsed_ns)
        out: list[DomainEnergy] = []
        for name, (source, metered) in self._survey.chosen.items():
            each = drew.get(name)
            gpu = metered.domain.component == "gpu"
            if each is None:
                if gpu and name in self._levels:
                    self._levels[name] = self._levels[name].broken()
                continue
            activity = closing.activities.get(name) if gpu else None
            if gpu:
                static = self._gpu_static_uj(name, each, activity)
            else:
                static = self._static_uj(name, each, closing.static_w.get(name), load_ratio)
            out.append(
                DomainEnergy(
                    domain=self._within(metered.domain, drew),
                    source=source,
                    quality=metered.quality,
                    energy_uj=each.energy_uj,
                    elapsed_ns=each.elapsed_ns,
                    static_uj=static,
                    late_uj=each.late_uj,
                    activity=activity,
                )
            )
        return out

    def _within(self, domain: Domain, drew: Mapping[str, Drew]) -> Domain:
        """The domain below the innermost one around it that is booked in this interval."""
        parent = domain.parent
        while parent is not None and parent not in drew:
            parent = self._survey.chosen[parent][1].domain.parent
        return replace(domain, parent=parent)

    def _static_uj(self, name: str, drew: Drew, static_w: float | None, load_ratio: float) -> int | None:
        if static_w is None:
            self._baselines[name] = self._baselines.get(name, Baseline()).learn(
                energy_uj=drew.timely_uj, elapsed_ns=drew.elapsed_ns, load_ratio=load_ratio
            )
            static_w = self._baselines[name].static_w
        return static_uj(static_w, energy_uj=drew.timely_uj, elapsed_ns=drew.elapsed_ns)

    def _gpu_static_uj(self, name: str, drew: Drew, activity: Activity | None) -> int | None:
        """By the GPU's own idle levels; a GPU of which nobody says who uses it teaches nothing."""
        levels = self._levels.get(name, IdleLevels())
        if activity is None:
            self._levels[name] = levels.broken()
            return None
        state = state_of(activity)
        static = levels.static_uj(state, energy_uj=drew.timely_uj, elapsed_ns=drew.elapsed_ns)
        self._levels[name] = levels.learn(state, energy_uj=drew.timely_uj, elapsed_ns=drew.elapsed_ns)
        return static

    def _reconciled(self, closing: Closing) -> Reconciliation:
        sums = self._sums(closing.drawn.drew, closing.observation.elapsed_ns)
        self._reconciler = self._reconciler.plus(sums, to_ns=closing.observation.to_ns)
        return self._reconciler.now(sums, psu_loss_w=closing.psu_loss_w)

    def _sums(self, drew: Mapping[str, Drew], elapsed_ns: int) -> Sums | None:
        """The platform and what it contains; None unless all of them cover the whole interval."""
        chosen = self._survey.chosen
        inside = [name for name, (_, each) in chosen.items() if each.domain.parent == PLATFORM]
        if not inside or any(name not in drew or drew[name].elapsed_ns != elapsed_ns for name in (PLATFORM, *inside)):
            return None
        return Sums(
            platform_uj=drew[PLATFORM].timely_uj,
            components_uj=sum(drew[name].timely_uj for name in inside),
            elapsed_ns=elapsed_ns,
            independent=independent(chosen[PLATFORM][0], [chosen[name][0] for name in inside]),
        )

    def _gaps(self, closing: Closing, span: Span) -> list[Gap]:
        shift_ns = span.to_unix_ns - closing.observation.to_ns
        return [
            Gap(each.domain, max(0, each.from_ns + shift_ns), max(0, each.to_ns + shift_ns), each.reason)
            for each in closing.drawn.missing
        ]

    def close(self) -> None:
        """Closes the outbox."""
        self.outbox.close()
