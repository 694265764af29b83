# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the cluster draws now: the latest interval of every node, and who drew it.

Belongs to the event loop and follows the ledger's commits. A node's `Live` is replaced as a whole by its next report,
so a copied dict of them is an immutable snapshot of the cluster.

A node may report in several numberings. One after the other is an agent that began anew; at the same time they are two
agents with one name, which is shown as a conflict.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from extender.nodes import NodeTable, lifetime_ns
from wire.units import watts, worst_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from extender.ledger import Entry, StreamKey
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
    stream: StreamKey
    succeeds: StreamKey | None = None
    """The numbering that ended where this one began."""
    ended: tuple[StreamKey, ...] = ()
    """Numberings of this node that fell silent while this one went on."""

    def fresh(self, *, now_ns: int) -> bool:
        """Whether it still says what is the case."""
        return self.as_of_ns + lifetime_ns(self.elapsed_ns) > now_ns


@dataclass(slots=True)
class _Numbering:
    """What is known of one stream of a node."""

    offset_ns: int
    """Smallest (received - end of interval): how far the node's wall clock stands from ours, at most."""
    settled: bool = False
    """Whether it has ever delivered an interval in time; until then its age may be all backlog."""
    from_unix_ns: int = 0
    to_unix_ns: int = 0
    received_ns: int = 0
    elapsed_ns: int = 1

    def place(self, *, age_ns: int, received_ns: int, elapsed_ns: int) -> int:
        """The end of an interval of wall age ``age_ns`` on the receiver's monotonic clock."""
        self.offset_ns = min(self.offset_ns, age_ns)
        self.settled = self.settled or age_ns < lifetime_ns(elapsed_ns)
        # A backlog that an agent catches up on is old although it has only just come.
        return received_ns - (age_ns - self.offset_ns if self.settled else age_ns)

    def overlaps(self, interval: tuple[int, int]) -> bool:
        """Whether more than half of the shorter one is common; less is the seam of an agent that began anew."""
        common_ns = min(self.to_unix_ns, interval[1]) - max(self.from_unix_ns, interval[0])
        return 2 * common_ns > min(self.to_unix_ns - self.from_unix_ns, interval[1] - interval[0])

    def precedes(self, interval: tuple[int, int]) -> bool:
        """Whether an interval goes on where this numbering stands."""
        return interval[0] >= self.from_unix_ns and not self.overlaps(interval)

    def silent(self, *, now_ns: int) -> bool:
        """Whether nothing has come of it for its last interval's lifetime."""
        return now_ns - self.received_ns > lifetime_ns(self.elapsed_ns)


@dataclass(frozen=True, slots=True)
class PowerSum:
    """Power with its 95 % interval and the worst kind in it."""

    power_w: float | None
    power_low_w: float | None
    power_high_w: float | None
    kind: Kind | None


NO_DATA = PowerSum(None, None, None, None)
"""The sum over nothing: not 0 W, of which something would have to be known."""


class ClusterState:
    """Live watts of all nodes that count."""

    def __init__(self, *, forget_after_ns: int) -> None:
        self.nodes = NodeTable()
        self._live: dict[str, Live] = {}
        self._heard_ns: dict[str, int] = {}
        self._forget_after_ns = forget_after_ns
        self._numberings: dict[str, dict[StreamKey, _Numbering]] = {}
        self._conflict_until_ns: dict[str, int] = {}
        self.conflicts: Counter[str] = Counter()
        """Intervals by node that another numbering of the same node had reported as well."""

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
        from_unix_ns = interval.from_unix_ns + entry.shift_ns
        elapsed_ns = interval.elapsed_ns
        succeeds, ended = self._sort_out(
            entry.key, interval=(from_unix_ns, to_unix_ns), elapsed_ns=elapsed_ns, received_ns=received_ns
        )
        mine = self._numberings.setdefault(node, {}).setdefault(entry.key, _Numbering(age_ns))
        as_of_ns = mine.place(age_ns=age_ns, received_ns=received_ns, elapsed_ns=elapsed_ns)
        mine.from_unix_ns, mine.to_unix_ns = from_unix_ns, to_unix_ns
        mine.received_ns, mine.elapsed_ns = received_ns, elapsed_ns
        live = Live(
            node=node,
            from_unix_ns=from_unix_ns,
            to_unix_ns=to_unix_ns,
            elapsed_ns=elapsed_ns,
            as_of_ns=as_of_ns,
            facts=report.facts,
            power_w=watts(booking.energy_uj, elapsed_ns),
            meter_error_by_source_w={
                source: watts(error_uj, elapsed_ns) for source, error_uj in booking.meter_error_by_source_uj.items()
            },
            kind=worst_kind(list(booking.kinds)),
            namespaces={name: _draw(share, elapsed_ns) for name, share in booking.namespaces.items()},
            workloads={key: _draw(share, elapsed_ns) for key, share in booking.workloads.items()},
            stream=entry.key,
            succeeds=succeeds,
            ended=ended,
        )
        self._live[node] = live
        self._heard_ns[node] = received_ns
        self.nodes.update(node, report.facts, interval_ns=elapsed_ns, as_of_ns=live.as_of_ns)
        return live

    def _sort_out(
        self, key: StreamKey, *, interval: tuple[int, int], elapsed_ns: int, received_ns: int
    ) -> tuple[StreamKey | None, tuple[StreamKey, ...]]:
        """What an interval of ``key`` says about the node's other numberings: which it continues, which have ended."""
        every = self._numberings.get(key.node, {})
        others = {other: numbering for other, numbering in every.items() if other != key}
        if not others:
            return None, ()
        if any(numbering.overlaps(interval) for numbering in others.values()):
            self.conflicts[key.node] += 1
            self._conflict_until_ns[key.node] = received_ns + lifetime_ns(elapsed_ns)
        over = [
            other
            for other, numbering in others.items()
            if numbering.silent(now_ns=received_ns) or (key not in every and numbering.precedes(interval))
        ]
        for other in over:
            del every[other]
        before = max(over, key=lambda other: others[other].to_unix_ns, default=None) if key not in every else None
        return before, tuple(other for other in over if other != before)

    def in_conflict(self, node: str, *, now_ns: int) -> bool:
        """Whether two agents use this node's name at the same time."""
        return self._conflict_until_ns.get(node, now_ns) > now_ns

    def dismiss(self, node: str) -> None:
        """Takes a node out now."""
        self.nodes.forget(node)
        self._live.pop(node, None)
        self._heard_ns.pop(node, None)
        self._numberings.pop(node, None)
        self._conflict_until_ns.pop(node, None)

    def evict(self, *, now_ns: int) -> list[str]:
        """Takes out the nodes that have been silent for too long and returns their names."""
        gone = [node for node, heard_ns in self._heard_ns.items() if now_ns - heard_ns > self._forget_after_ns]
        for node in gone:
            self.dismiss(node)
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
    """Meter power of nodes: errors add up linearly within a source and in quadrature across (METERING 3).

    `NO_DATA` for no node.
    """
    power_w = 0.0
    by_source: dict[str, float] = {}
    kinds: list[Kind] = []
    for live in lives:
        power_w += live.power_w
        kinds.append(live.kind)
        for source, error_w in live.meter_error_by_source_w.items():
            by_source[source] = by_source.get(source, 0.0) + error_w
    if not kinds:
        return NO_DATA
    error_w = math.sqrt(sum(error * error for error in by_source.values()))
    return PowerSum(power_w, max(0.0, power_w - error_w), power_w + error_w, worst_kind(kinds))


def share_power(draws: Iterable[tuple[Draw, Kind]]) -> PowerSum:
    """Dynamic power of owners. A share is worked out, so it is at best ``estimated``, whatever the meter is.

    `NO_DATA` where nobody was seen.
    """
    power_w = meter_error_w = share_error_w2 = 0.0
    kinds: list[Kind] = []
    for draw, kind in draws:
        power_w += draw.dynamic_w
        meter_error_w += draw.meter_error_w
        share_error_w2 += draw.share_error_w2
        kinds.append(worst_kind([kind, "estimated"]))
    if not kinds:
        return NO_DATA
    error_w = math.sqrt(meter_error_w**2 + share_error_w2)
    return PowerSum(power_w, max(0.0, power_w - error_w), power_w + error_w, worst_kind(kinds))
