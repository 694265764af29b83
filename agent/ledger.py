# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Closes an interval: attribution, totals, report, store. Runs in one thread, which owns the outbox.

The order is what makes a crash harmless: totals are saved beside the last confirmed ones, then the report enters the
outbox under its sequence, then both become what is shown.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from agent.attribution.engine import DomainEnergy, UnexplainedTime, attribute
from agent.attribution.static import Baseline, static_uj
from agent.publish.report import report
from agent.store.ring import Ring
from agent.store.snapshot import Origin, Span, compose
from agent.store.totals import TotalsFile
from plumbing.outbox import Outbox
from wire.report import Gap, encode

if TYPE_CHECKING:
    from pathlib import Path

    from agent.meters.bank import Drawn
    from agent.meters.choice import Survey
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
    """What an interval is made of."""

    observation: Observation
    drawn: Drawn
    to_unix_ns: int


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
        self._last_unix_ns: int | None = None
        self._undelivered: list[Gap] = []

    def close_interval(self, closing: Closing) -> Snapshot:
        """Books one interval. Raises OSError or sqlite3.Error where it cannot be stored; it is then a declared gap."""
        observation = closing.observation
        span = self._span(closing)
        energies = self._energies(closing)
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
        observation, drawn = closing.observation, closing.drawn
        load_ratio = observation.busy_ns / (observation.cpus * observation.elapsed_ns)
        out: list[DomainEnergy] = []
        for name, (source, metered) in self._survey.chosen.items():
            energy = drawn.energies.get((source, name))
            if energy is None:
                continue
            elapsed_ns = energy.to_ns - energy.from_ns
            static_w = drawn.static_w.get((source, name))
            if static_w is None:
                self._baselines[name] = self._baselines.get(name, Baseline()).learn(
                    energy_uj=energy.energy_uj, elapsed_ns=elapsed_ns, load_ratio=load_ratio
                )
                static_w = self._baselines[name].static_w
            out.append(
                DomainEnergy(
                    domain=metered.domain,
                    source=source,
                    quality=metered.quality,
                    energy_uj=energy.energy_uj,
                    elapsed_ns=elapsed_ns,
                    static_uj=static_uj(static_w, energy_uj=energy.energy_uj, elapsed_ns=elapsed_ns),
                )
            )
        return out

    def _gaps(self, closing: Closing, span: Span) -> list[Gap]:
        shift_ns = span.to_unix_ns - closing.observation.to_ns
        return [
            Gap(name, max(0, lost.from_ns + shift_ns), max(0, lost.to_ns + shift_ns), lost.reason)
            for (source, name), lost in closing.drawn.lost.items()
            # No time, no gap: the same moment read twice keeps its base, and its energy comes with the next interval.
            if lost.to_ns > lost.from_ns and name in self._survey.chosen and self._survey.chosen[name][0] == source
        ]

    def close(self) -> None:
        """Closes the outbox."""
        self.outbox.close()
