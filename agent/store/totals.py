# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What was drawn since the state began: integers that only grow, at every level, and survive a restart.

The file holds the totals after the last two sequences. It is written before the report of its sequence enters the
outbox, so whichever of the two writes a crash cut off, one of the two records fits the outbox's last sequence.
Where none fits, or the stream is another one, the totals begin again at 0 with a new created time (METERING 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from agent.workloads.identity import Workload

if TYPE_CHECKING:
    from pathlib import Path

    from agent.store.snapshot import Snapshot

# A series of an ended workload is kept for the longest time that METERING 8 asks for.
KEEP_NS: Final = 15 * 60 * 1_000_000_000

ProcessKey = tuple[int, int, Workload]


class DomainTotal(msgspec.Struct, frozen=True):
    """One domain of one source."""

    component: str
    scope: str
    source: str
    kind: str
    energy_uj: int = 0
    static_uj: int = 0
    unattributed_uj: int = 0
    residual_uj: int = 0


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Energy of a workload or namespace, dynamic and loaded view."""

    dynamic_uj: int = 0
    loaded_uj: int = 0

    def plus(self, dynamic_uj: int, loaded_uj: int) -> Part:
        """The sum."""
        return Part(self.dynamic_uj + dynamic_uj, self.loaded_uj + loaded_uj)


class WorkloadTotal(msgspec.Struct, frozen=True):
    """One workload; ``parts`` by component."""

    namespace: str
    name: str
    uid: str
    container: str
    parts: dict[str, Part]
    last_unix_ns: int

    @property
    def sum(self) -> Part:
        """Over all components."""
        return Part(
            sum(each.dynamic_uj for each in self.parts.values()), sum(each.loaded_uj for each in self.parts.values())
        )


class Record(msgspec.Struct, frozen=True):
    """All totals after one sequence."""

    sequence: int
    created_unix_ns: int
    rows_uj: dict[str, int] = {}
    unallocated_uj: int = 0
    domains: dict[str, DomainTotal] = {}
    namespaces: dict[str, Part] = {}
    workloads: list[WorkloadTotal] = []


class _File(msgspec.Struct, frozen=True):
    stream: str
    records: list[Record]


@dataclass(frozen=True, slots=True)
class Totals:
    """Immutable; `plus` gives the next. Process totals live in memory alone: a process does not outlive its pid."""

    sequence: int
    created_unix_ns: int
    rows_uj: dict[str, int] = field(default_factory=dict)
    unallocated_uj: int = 0
    domains: dict[str, DomainTotal] = field(default_factory=dict)
    namespaces: dict[str, Part] = field(default_factory=dict)
    workloads: dict[Workload, WorkloadTotal] = field(default_factory=dict)
    processes: dict[ProcessKey, tuple[Part, int]] = field(default_factory=dict)

    @property
    def energy_uj(self) -> int:
        """The node's energy."""
        return sum(self.rows_uj.values())

    def plus(self, snapshot: Snapshot) -> Totals:
        """These totals and one more interval."""
        now_ns = snapshot.span.to_unix_ns
        return Totals(
            sequence=snapshot.sequence,
            created_unix_ns=self.created_unix_ns,
            rows_uj={name: self.rows_uj.get(name, 0) + uj for name, uj in snapshot.rows_uj().items()},
            unallocated_uj=self.unallocated_uj + sum(split.unallocated_uj for split in snapshot.domains),
            domains=_domains(self.domains, snapshot),
            namespaces=_namespaces(self.namespaces, snapshot),
            workloads=_workloads(self.workloads, snapshot, now_ns),
            processes=_processes(self.processes, snapshot, now_ns),
        )

    def record(self) -> Record:
        """What is kept on disk."""
        return Record(
            sequence=self.sequence,
            created_unix_ns=self.created_unix_ns,
            rows_uj=self.rows_uj,
            unallocated_uj=self.unallocated_uj,
            domains=self.domains,
            namespaces=self.namespaces,
            workloads=list(self.workloads.values()),
        )


def _domains(before: dict[str, DomainTotal], snapshot: Snapshot) -> dict[str, DomainTotal]:
    after = dict(before)
    for split in snapshot.domains:
        energy = split.energy
        # A domain that changes its source begins a series of its own: no counter mixes kinds.
        key = f"{energy.domain.name} {energy.source} {energy.quality.kind}"
        last = after.get(key) or DomainTotal(
            energy.domain.component, energy.domain.scope, energy.source, energy.quality.kind
        )
        after[key] = msgspec.structs.replace(
            last,
            energy_uj=last.energy_uj + energy.energy_uj,
            static_uj=last.static_uj + split.static_uj,
            unattributed_uj=last.unattributed_uj + sum(split.unattributed_uj.values()),
            residual_uj=last.residual_uj + split.residual_uj,
        )
    return after


def _namespaces(before: dict[str, Part], snapshot: Snapshot) -> dict[str, Part]:
    after = dict(before)
    dynamic = snapshot.by_workload(snapshot.dynamic_uj).sum(axis=1).tolist()
    loaded = snapshot.by_workload(snapshot.loaded_uj).sum(axis=1).tolist()
    for workload, dynamic_uj, loaded_uj in zip(snapshot.workloads, dynamic, loaded, strict=True):
        after[workload.namespace] = after.get(workload.namespace, Part()).plus(dynamic_uj, loaded_uj)
    return after


def _workloads(before: dict[Workload, WorkloadTotal], snapshot: Snapshot, now_ns: int) -> dict[Workload, WorkloadTotal]:
    after = {key: each for key, each in before.items() if now_ns - each.last_unix_ns < KEEP_NS}
    dynamic = snapshot.by_workload(snapshot.dynamic_uj).tolist()
    loaded = snapshot.by_workload(snapshot.loaded_uj).tolist()
    components = [split.energy.domain.component for split in snapshot.domains]
    for at, workload in enumerate(snapshot.workloads):
        last = after.get(workload)
        parts = dict(last.parts) if last else {}
        for column, component in enumerate(components):
            parts[component] = parts.get(component, Part()).plus(dynamic[at][column], loaded[at][column])
        after[workload] = WorkloadTotal(
            workload.namespace, workload.name, workload.uid, workload.container, parts, now_ns
        )
    return after


def _processes(
    before: dict[ProcessKey, tuple[Part, int]], snapshot: Snapshot, now_ns: int
) -> dict[ProcessKey, tuple[Part, int]]:
    after = {key: each for key, each in before.items() if now_ns - each[1] < KEEP_NS}
    dynamic = snapshot.dynamic_uj.sum(axis=1).tolist()
    loaded = snapshot.loaded_uj.sum(axis=1).tolist()
    keys = zip(
        snapshot.rows["pid"].tolist(), snapshot.rows["start_ns"].tolist(), snapshot.workload_of.tolist(), strict=True
    )
    for at, (pid, start_ns, workload) in enumerate(keys):
        key = (pid, start_ns, snapshot.workloads[workload])
        part, _ = after.get(key, (Part(), 0))
        after[key] = (part.plus(dynamic[at], loaded[at]), now_ns)
    return after


class TotalsFile:
    """Keeps the last two records; ``path`` None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._last: Record | None = None
        self._next: Record | None = None

    def load(self, *, stream: str, sequence: int, unix_ns: int) -> Totals:
        """The totals after ``sequence`` of ``stream``, or none with ``unix_ns`` as their created time."""
        for record in self._records(stream):
            if record.sequence == sequence:
                self._last = record
                return Totals(
                    sequence=sequence,
                    created_unix_ns=record.created_unix_ns,
                    rows_uj=record.rows_uj,
                    unallocated_uj=record.unallocated_uj,
                    domains=record.domains,
                    namespaces=record.namespaces,
                    workloads={
                        Workload(each.namespace, each.name, each.uid, each.container): each for each in record.workloads
                    },
                )
        return Totals(sequence=sequence, created_unix_ns=unix_ns)

    def _records(self, stream: str) -> list[Record]:
        if self._path is None:
            return []
        try:
            held = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError):
            return []
        return held.records if held.stream == stream else []

    def save(self, totals: Totals, *, stream: str) -> None:
        """Writes these totals beside the last confirmed ones, atomically. Raises OSError."""
        self._next = totals.record()
        if self._path is not None:
            beside = self._path.with_suffix(".new")
            kept = [each for each in (self._last, self._next) if each is not None]
            beside.write_bytes(msgspec.json.encode(_File(stream, kept)))
            beside.replace(self._path)

    def confirm(self) -> None:
        """The report of the totals saved last is in the outbox."""
        self._last = self._next
