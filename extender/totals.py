# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The ledger's totals in memory, as of the last commit.

Changed on the event loop in commit order and only there, so whoever reads without awaiting in between sees totals and
watermarks of the same moment. What is here equals what a restart reads from the ledger (a test holds it to that).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extender.ledger import bounded_gap_ns, gap_ns
from extender.rows import NODE_ROWS, WorkloadKey
from wire.units import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from extender.ledger import Entry, Ledger, Outcome, StreamKey


@dataclass(slots=True)
class Pair:
    """One owner's energy in both views."""

    dynamic_uj: int = 0
    loaded_uj: int = 0
    seen_unix_ns: int = 0


@dataclass(slots=True)
class NodeTotals:
    """One node's rows; ``kinds`` are those that anything of it was ever metered with."""

    rows_uj: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NODE_ROWS, 0))
    unallocated_uj: int = 0
    loaded_uj: int = 0
    """Of all workloads; with ``unallocated_uj`` the same as `energy_uj`."""
    kinds: set[Kind] = field(default_factory=set)

    @property
    def energy_uj(self) -> int:
        """What the meters say: the sum of the rows."""
        return sum(self.rows_uj.values())


@dataclass(slots=True)
class MeterGaps:
    """Intervals of one domain that nobody metered, for one reason."""

    gaps: int = 0
    gap_ns: int = 0
    last_unix_ns: int = 0


@dataclass(slots=True)
class NodeGaps:
    """What is not in a node's totals."""

    lost: Counter[str] = field(default_factory=Counter)
    """Intervals that were declared or shown to be missing, by reason, without those that came after all."""
    restated: int = 0
    """Intervals that came after they had been declared missing."""
    meters: dict[tuple[str, str], MeterGaps] = field(default_factory=dict)
    """By domain and reason."""

    @property
    def lost_intervals(self) -> int:
        """Missing now."""
        return sum(self.lost.values())


@dataclass(slots=True)
class Totals:
    """Everything that was ever booked."""

    nodes: dict[str, NodeTotals] = field(default_factory=dict)
    namespaces: dict[str, Pair] = field(default_factory=dict)
    presence: dict[str, dict[str, Pair]] = field(default_factory=dict)
    """Node -> namespace -> its energy there."""
    workloads: dict[tuple[str, WorkloadKey], Pair] = field(default_factory=dict)
    watermarks: dict[StreamKey, int] = field(default_factory=dict)
    gaps: dict[str, NodeGaps] = field(default_factory=dict)
    """By node; absent where nothing is missing."""

    @classmethod
    def load(cls, ledger: Ledger) -> Totals:
        """Reads all of it back."""
        totals = cls()
        for node, row, _source, kind, energy_uj, loaded_uj, _error in ledger.node_totals():
            totals._add_row(node, row=row, kind=_kind(kind), energy_uj=energy_uj, loaded_uj=loaded_uj)
        for node, namespace, dynamic_uj, loaded_uj, seen in ledger.namespace_totals():
            totals._add_namespace(node, namespace, Pair(dynamic_uj, loaded_uj, seen))
        for node, namespace, name, uid, dynamic_uj, loaded_uj, seen in ledger.workload_totals():
            totals.workloads[node, WorkloadKey(namespace, name, uid)] = Pair(dynamic_uj, loaded_uj, seen)
        for stream in ledger.streams():
            totals.watermarks[stream.key] = stream.watermark
        for node, reason, count in ledger.lost():
            totals._gaps(node).lost[reason] = count
        for node, count in ledger.restated():
            totals._gaps(node).restated = count
        for node, domain, reason, gaps, length_ns, last_unix_ns in ledger.meter_gaps():
            totals._gaps(node).meters[domain, reason] = MeterGaps(gaps, length_ns, last_unix_ns)
        return totals

    def apply(self, entry: Entry, outcome: Outcome) -> None:
        """Follows the ledger after a commit."""
        if outcome.status not in {"booked", "restated"}:
            return
        self._apply_gaps(entry, outcome)
        node, booking, seen = entry.key.node, entry.booking, entry.received_unix_ns
        self.watermarks[entry.key] = outcome.watermark
        for key, row in booking.rows.items():
            self._add_row(node, row=key.row, kind=key.kind, energy_uj=row.energy_uj, loaded_uj=row.loaded_uj)
        for namespace, share in booking.namespaces.items():
            self._add_namespace(node, namespace, Pair(share.dynamic_uj, share.loaded_uj, seen))
        for workload, share in booking.workloads.items():
            _add(self.workloads.setdefault((node, workload), Pair()), Pair(share.dynamic_uj, share.loaded_uj, seen))

    def _apply_gaps(self, entry: Entry, outcome: Outcome) -> None:
        node = entry.key.node
        if outcome.lost:
            self._gaps(node).lost[outcome.gap_reason] += outcome.lost
        if outcome.status == "restated":
            mine = self._gaps(node)
            mine.restated += 1
            mine.lost[outcome.gap_reason] -= 1
        for gap in entry.report.gaps:
            meter = self._gaps(node).meters.setdefault((gap.domain, gap.reason), MeterGaps())
            meter.gaps += 1
            meter.gap_ns = bounded_gap_ns(meter.gap_ns + gap_ns(gap))
            meter.last_unix_ns = max(meter.last_unix_ns, gap.to_unix_ns + entry.shift_ns)

    def _gaps(self, node: str) -> NodeGaps:
        return self.gaps.setdefault(node, NodeGaps())

    def dismiss_node(self, node: str) -> None:
        """Follows `Ledger.dismiss_node`."""
        for pair in self.presence.get(node, {}).values():
            pair.seen_unix_ns = 0

    def forget_workloads(self, *, before_unix_ns: int) -> None:
        """Follows the ledger's retention of workloads; their energy stays in their namespace."""
        self.workloads = {key: pair for key, pair in self.workloads.items() if pair.seen_unix_ns >= before_unix_ns}

    def cluster(self) -> NodeTotals:
        """The sum over all nodes."""
        whole = NodeTotals()
        for node in self.nodes.values():
            for row, energy_uj in node.rows_uj.items():
                whole.rows_uj[row] += energy_uj
            whole.unallocated_uj += node.unallocated_uj
            whole.loaded_uj += node.loaded_uj
            whole.kinds |= node.kinds
        return whole

    def _add_row(self, node: str, *, row: str, kind: Kind, energy_uj: int, loaded_uj: int) -> None:
        totals = self.nodes.setdefault(node, NodeTotals())
        totals.kinds.add(kind)
        if row == "unallocated":
            totals.unallocated_uj += loaded_uj
        else:
            totals.rows_uj[row] += energy_uj
            totals.loaded_uj += loaded_uj

    def _add_namespace(self, node: str, namespace: str, pair: Pair) -> None:
        _add(self.namespaces.setdefault(namespace, Pair()), pair)
        _add(self.presence.setdefault(node, {}).setdefault(namespace, Pair()), pair)


def watermark_items(
    watermarks: Mapping[StreamKey, int], *, nodes: Iterable[str] | None = None
) -> list[dict[str, object]]:
    """Up to which interval totals count, as every answer that states energy says it."""
    wanted = None if nodes is None else set(nodes)
    return [
        {"node": key.node, "boot_id": key.boot_id, "stream": key.stream, "sequence": sequence}
        for key, sequence in sorted(watermarks.items())
        if wanted is None or key.node in wanted
    ]


def _add(to: Pair, pair: Pair) -> None:
    to.dynamic_uj += pair.dynamic_uj
    to.loaded_uj += pair.loaded_uj
    to.seen_unix_ns = max(to.seen_unix_ns, pair.seen_unix_ns)


def _kind(text: str) -> Kind:
    return next(kind for kind in KINDS if kind == text)
