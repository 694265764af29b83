# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the cluster draws now: the latest interval of every node, and who drew it.

Belongs to the event loop and follows the ledger's commits. A node's `Live` is replaced as a whole by its next report,
so a copied dict of them is an immutable snapshot of the cluster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from extender.nodes import NodeTable
from wire.units import watts, worst_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from extender.ledger import Entry
    from extender.rows import Share, WorkloadKey
    from wire.report import NodeFacts
    from wire.units import Kind

Status = Literal["fresh", "stale", "gone"]


@dataclass(frozen=True, slots=True)
class Draw:
    """Power of one owner in both views; the error is the half width of the 95 % interval of the dynamic one."""

    dynamic_w: float
    loaded_w: float
    meter_error_w: float
    share_error_w2: float


@dataclass(frozen=True, slots=True)
class Live:
    """A node's latest interval."""

    node: str
    from_unix_ns: int
    to_unix_ns: int
    """Where the receiver placed its end."""
    elapsed_ns: int
    as_of_ns: int
    """Its end on the receiver's monotonic clock."""
    facts: NodeFacts
    power_w: float
    meter_error_by_source_w: Mapping[str, float]
    kind: Kind
    namespaces: Mapping[str, Draw]
    workloads: Mapping[WorkloadKey, Draw]


@dataclass(frozen=True, slots=True)
class PowerSum:
    """Power with its 95 % interval and the worst kind in it."""

    power_w: float
    power_low_w: float
    power_high_w: float
    kind: Kind


class ClusterState:
    """Live watts of all nodes that count."""

    def __init__(self, *, forget_after_ns: int) -> None:
        self.nodes = NodeTable()
        self._live: dict[str, Live] = {}
        self._heard_ns: dict[str, int] = {}
        self._forget_after_ns = forget_after_ns
        # Smallest (received - end of interval) per numbering: how far a node's wall clock stands from ours, at most.
        self._offset_ns: dict[str, tuple[object, int]] = {}

    def add_silent(self, node: str, *, heard_ns: int) -> None:
        """A node known from the ledger, last heard at ``heard_ns`` on the monotonic clock."""
        self.nodes.add_silent(node)
        self._heard_ns[node] = heard_ns

    def apply(self, entry: Entry, *, received_ns: int) -> Live:
        """Takes a booked entry that came at ``received_ns`` on the monotonic clock."""
        report, booking, node = entry.report, entry.booking, entry.key.node
        interval = report.interval
        to_unix_ns = interval.to_unix_ns + entry.shift_ns
        age_ns = entry.received_unix_ns - to_unix_ns
        numbering, offset_ns = self._offset_ns.get(node, (None, age_ns))
        offset_ns = min(offset_ns, age_ns) if numbering == entry.key else age_ns
        self._offset_ns[node] = (entry.key, offset_ns)
        elapsed_ns = interval.elapsed_ns
        live = Live(
            node=node,
            from_unix_ns=interval.from_unix_ns + entry.shift_ns,
            to_unix_ns=to_unix_ns,
            elapsed_ns=elapsed_ns,
            # A backlog that an agent catches up on is old although it has only just come.
            as_of_ns=received_ns - (age_ns - offset_ns),
            facts=report.facts,
            power_w=watts(booking.energy_uj, elapsed_ns),
            meter_error_by_source_w={
                source: watts(error_uj, elapsed_ns) for source, error_uj in booking.meter_error_by_source_uj.items()
            },
            kind=worst_kind(list(booking.kinds)),
            namespaces={name: _draw(share, elapsed_ns) for name, share in booking.namespaces.items()},
            workloads={key: _draw(share, elapsed_ns) for key, share in booking.workloads.items()},
        )
        self._live[node] = live
        self._heard_ns[node] = received_ns
        self.nodes.update(node, report.facts, interval_ns=elapsed_ns, as_of_ns=live.as_of_ns)
        return live

    def evict(self, *, now_ns: int) -> list[str]:
        """Takes out the nodes that have been silent for too long and returns their names."""
        gone = [node for node, heard_ns in self._heard_ns.items() if now_ns - heard_ns > self._forget_after_ns]
        for node in gone:
            self.nodes.forget(node)
            self._live.pop(node, None)
            self._offset_ns.pop(node, None)
            del self._heard_ns[node]
        return gone

    def snapshot(self) -> Mapping[str, Live]:
        """Latest intervals by node, of nodes that have reported since this process started."""
        return dict(self._live)

    def status(self, node: str, *, now_ns: int) -> Status:
        """``stale``: reported, then silent for 3 intervals; ``gone``: silent for so long that it no longer counts."""
        if node not in self.nodes:
            return "gone"
        return "fresh" if self.nodes.fresh(node, now_ns=now_ns) else "stale"

    def fresh(self, *, now_ns: int) -> list[Live]:
        """Latest intervals of the nodes that are fresh."""
        return [live for live in self._live.values() if self.nodes.fresh(live.node, now_ns=now_ns)]


def _draw(share: Share, elapsed_ns: int) -> Draw:
    per_ns = 1e3 / elapsed_ns
    return Draw(
        dynamic_w=share.dynamic_uj * per_ns,
        loaded_w=share.loaded_uj * per_ns,
        meter_error_w=share.meter_error_uj * per_ns,
        share_error_w2=share.share_error_uj2 * per_ns * per_ns,
    )


def node_power(lives: Iterable[Live]) -> PowerSum:
    """Meter power of nodes: errors add up linearly within a source and in quadrature across (METERING 3)."""
    power_w = 0.0
    by_source: dict[str, float] = {}
    kinds: list[Kind] = []
    for live in lives:
        power_w += live.power_w
        kinds.append(live.kind)
        for source, error_w in live.meter_error_by_source_w.items():
            by_source[source] = by_source.get(source, 0.0) + error_w
    error_w = math.sqrt(sum(error * error for error in by_source.values()))
    return PowerSum(power_w, max(0.0, power_w - error_w), power_w + error_w, worst_kind(kinds))


def share_power(draws: Iterable[tuple[Draw, Kind]]) -> PowerSum:
    """Dynamic power of owners. A share is worked out, so it is at best ``estimated``, whatever the meter is."""
    power_w = meter_error_w = share_error_w2 = 0.0
    kinds: list[Kind] = []
    for draw, kind in draws:
        power_w += draw.dynamic_w
        meter_error_w += draw.meter_error_w
        share_error_w2 += draw.share_error_w2
        kinds.append(worst_kind([kind, "estimated"]))
    error_w = math.sqrt(meter_error_w**2 + share_error_w2)
    return PowerSum(power_w, max(0.0, power_w - error_w), power_w + error_w, worst_kind(kinds))
