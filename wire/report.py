# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What an agent tells an extender: one closed interval of one node, and the answer to it.

``POST /v1/reports`` carries one :class:`Report` (JSON, optionally gzip), the answer is a :class:`ReportAck`. A report
is identified by (node, boot_id, stream, sequence); sequences of a stream start at 1 and have no holes that the agent
does not declare in ``dropped``. Delivery is at least once, booking exactly once.

Equations that :func:`check` holds every report to, all in integer microjoules:

* leaf domain:     energy = sum of dynamic over workloads + shared + static + sum of unattributed
* parent domain:   energy = sum of its children's energy + residual   (residual is signed)
* loaded view:     sum of loaded over workloads + unallocated = energy of a leaf, residual of a parent

Wall time places an interval and the monotonic clock measures it, so both must tell nearly the same length: an agent
takes one wall reading at the end and derives the start from it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from wire.units import NS_PER_S, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 1

Name = Annotated[str, Meta(min_length=1, max_length=253)]
"""A Kubernetes object name or something of that size."""
Text = Annotated[str, Meta(max_length=1024)]
Identity = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[A-Za-z0-9._-]+\Z")]
Sequence = Annotated[int, Meta(ge=1, le=2**62)]
# One interval of one domain: 2**53 uJ is 9 GJ, 2.5 MWh. More is a bug or an attack, and sums stay far from 2**63.
EnergyUj = Annotated[int, Meta(ge=0, le=2**53)]
SignedEnergyUj = Annotated[int, Meta(ge=-(2**53), le=2**53)]
UnixNs = Annotated[int, Meta(ge=0, le=2**62)]
LONGEST_NS = 7 * 24 * 3600 * NS_PER_S
"""No interval is longer, by either clock."""
DurationNs = Annotated[int, Meta(ge=1, le=LONGEST_NS)]
Watts = Annotated[float, Meta(ge=0, le=1e9)]
Ratio = Annotated[float, Meta(ge=0, le=1)]

WALL_TOLERANCE_NS = 5 * NS_PER_S
"""By how much the wall span of an interval may differ from its length. Agents smooth a slewed clock by up to a second;
more is a clock that was set, which shifts an honest interval as a whole (LEDGER 1 tolerates as much between clocks)."""

_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
# C0, DEL, C1, the two separators that end lines, and lone surrogates, which no UTF-8 holds.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Interval(Struct, frozen=True, forbid_unknown_fields=True):
    """When the energy was spent: placed by wall time, measured by the monotonic clock."""

    from_unix_ns: UnixNs
    to_unix_ns: UnixNs
    elapsed_ns: DurationNs


class CurvePoint(Struct, frozen=True, forbid_unknown_fields=True):
    """Node power at a load: the node's own learned curve, or the estimator's."""

    load_ratio: Ratio
    power_w: Watts


class NodeFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """What a scheduler must know about the node beside its watts."""

    cpus: Annotated[int, Meta(ge=1, le=65536)]
    cpu_model: Text = ""
    memory_bytes: Annotated[int, Meta(ge=0)] = 0
    busy_cpus: Annotated[float, Meta(ge=0, le=65536)] = 0.0
    curve: Annotated[tuple[CurvePoint, ...], Meta(max_length=64)] = ()
    curve_kind: Kind = "modelled"
    curve_error_ratio: Annotated[float, Meta(ge=0, le=10)] = 0.5
    """Half width of the curve's 95 % interval, relative to its watts."""
    simulated: bool = False


class DomainRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One metered domain over the interval, split as METERING 1 says."""

    domain: Name
    """``component/scope``, such as ``cpu/socket-0`` or ``platform/share``."""
    component: Name
    scope: Name
    source: Name
    kind: Kind
    energy_uj: EnergyUj
    parent: str | None = None
    """The domain that contains this one, listed before it; only domains without a parent are ever added up."""
    static_uj: EnergyUj = 0
    shared_uj: EnergyUj = 0
    unattributed_uj: dict[Name, EnergyUj] = {}
    """By reason."""
    residual_uj: SignedEnergyUj = 0
    unallocated_uj: SignedEnergyUj = 0
    meter_error_uj: EnergyUj = 0
    """Half width of the 95 % interval of ``energy_uj``: common to all that this source says."""
    model: Name = "none"
    """The attribution model that split the dynamic part."""


class WorkloadColumns(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry per workload seen in the interval; all lists have the same length."""

    namespace: list[Name] = []
    name: list[Text] = []
    """Pod name; outside any pod (namespace ``host``) the cgroup path or a name in brackets such as ``[kernel]``."""
    uid: list[Text] = []
    """Pod UID, empty outside Kubernetes."""
    container: list[Text] = []
    run_ns: list[Annotated[int, Meta(ge=0, le=2**62)]] = []


class ShareColumns(Struct, frozen=True, forbid_unknown_fields=True):
    """Sparse table workload x domain; all lists have the same length."""

    workload: list[Annotated[int, Meta(ge=0)]] = []
    domain: list[Annotated[int, Meta(ge=0)]] = []
    dynamic_uj: list[EnergyUj] = []
    loaded_uj: list[EnergyUj] = []
    share_error_uj: list[EnergyUj] = []
    """Half width of the 95 % interval due to how the meter was split; adds in quadrature across domains."""


class Gap(Struct, frozen=True, forbid_unknown_fields=True):
    """An interval of a domain that nobody metered."""

    domain: Name
    from_unix_ns: UnixNs
    to_unix_ns: UnixNs
    reason: Name


class Dropped(Struct, frozen=True, forbid_unknown_fields=True):
    """Sequences that this stream will never deliver, because the outbox was full."""

    first: Sequence
    last: Sequence


class Report(Struct, frozen=True, forbid_unknown_fields=True):
    """One closed interval of one node."""

    node: Name
    boot_id: Identity
    stream: Identity
    sequence: Sequence
    interval: Interval
    facts: NodeFacts
    domains: Annotated[list[DomainRow], Meta(max_length=4096)]
    workloads: WorkloadColumns
    shares: ShareColumns
    gaps: Annotated[list[Gap], Meta(max_length=4096)] = []
    dropped: Annotated[list[Dropped], Meta(max_length=1024)] = []
    version: Annotated[int, Meta(ge=VERSION, le=VERSION)] = VERSION


class ProfileInForce(Struct, frozen=True, forbid_unknown_fields=True):
    """The PowerProfile that the node shall run, with the revision of the policy that says so."""

    name: str = "standard"
    revision: str = ""
    interval_s: float | None = None


class ReportAck(Struct, frozen=True, forbid_unknown_fields=True):
    """The receiver has every sequence up to ``acked_sequence`` of this stream on its disk."""

    acked_sequence: int
    duplicate: bool = False
    profile: ProfileInForce = ProfileInForce()
    model_revision: str = ""


class ReportError(ValueError):
    """A report that must not be booked; ``field`` names what is wrong in the sender's own words."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


_decoder = msgspec.json.Decoder(Report)
_encoder = msgspec.json.Encoder()
# msgspec ends its messages with " - at `$.domains[0].energy_uj`".
_AT = re.compile(r" - at `(?:key in )?\$\.?(?P<path>.*)`$")


def encode(report: Report) -> bytes:
    """The report as JSON, uncompressed."""
    return _encoder.encode(report)


def decode(body: bytes | bytearray | memoryview) -> Report:
    """Parses and checks a report. Raises ReportError naming the field; NaN and infinities are not JSON."""
    try:
        report = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise ReportError(*field_and_reason(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError("body", f"not valid JSON: {error}") from error
    check(report)
    return report


def field_and_reason(error: msgspec.ValidationError) -> tuple[str, str]:
    """Splits msgspec's message into the path of the field and what is wrong with it."""
    message = str(error)
    at = _AT.search(message)
    reason = _AT.sub("", message)
    named = re.search(r"unknown field `([^`]+)`|missing required field `([^`]+)`", message)
    parts = [at["path"] if at else "", (named[1] or named[2]) if named else ""]
    return ".".join(part for part in parts if part) or "body", reason


def check(report: Report) -> None:
    """Holds a report to the equations of this module. Raises ReportError naming the first field that breaks one."""
    if not _NODE_NAME.fullmatch(report.node):
        raise ReportError("node", f"{report.node!r} is not a DNS-1123 name")
    _check_interval(report.interval)
    for at, gap in enumerate(report.gaps):
        if gap.to_unix_ns < gap.from_unix_ns:
            raise ReportError(f"gaps[{at}].to_unix_ns", "lies before from_unix_ns")
    for at, dropped in enumerate(report.dropped):
        if not dropped.first <= dropped.last < report.sequence:
            raise ReportError(f"dropped[{at}]", "must be a range of sequences before this report's")
    _same_length("workloads", report.workloads)
    _same_length("shares", report.shares)
    _check_texts(report)
    _check_domains(report)


def has_control(text: str) -> bool:
    """Whether a name holds what could forge a line or a terminal's output; both ends of every wire refuse it."""
    return _CONTROL.search(text) is not None


def _check_interval(interval: Interval) -> None:
    span_ns = interval.to_unix_ns - interval.from_unix_ns
    if span_ns < 0:
        raise ReportError("interval.to_unix_ns", "lies before from_unix_ns")
    if abs(span_ns - interval.elapsed_ns) > WALL_TOLERANCE_NS or span_ns > LONGEST_NS:
        raise ReportError(
            "interval",
            f"spans {span_ns / NS_PER_S:.3f} s of wall time but lasted {interval.elapsed_ns / NS_PER_S:.3f} s;"
            f" they may differ by {WALL_TOLERANCE_NS // NS_PER_S} s and be {LONGEST_NS // NS_PER_S} s at most",
        )


def _check_texts(report: Report) -> None:
    columns = report.workloads
    for name in ("namespace", "name", "uid", "container"):
        texts: list[str] = getattr(columns, name)
        # One search for the whole column; only where it hits is it worth knowing which.
        if _CONTROL.search("".join(texts)):
            at = next(at for at, text in enumerate(texts) if _CONTROL.search(text))
            raise ReportError(f"workloads.{name}[{at}]", f"{texts[at]!r} holds control characters")
    for path, text in _texts(report):
        if _CONTROL.search(text):
            raise ReportError(path, f"{text!r} holds control characters")


def _texts(report: Report) -> Iterator[tuple[str, str]]:
    yield "facts.cpu_model", report.facts.cpu_model
    for at, row in enumerate(report.domains):
        for name in ("domain", "component", "scope", "source", "model"):
            yield f"domains[{at}].{name}", getattr(row, name)
        for reason in row.unattributed_uj:
            yield f"domains[{at}].unattributed_uj", reason
    for at, gap in enumerate(report.gaps):
        yield f"gaps[{at}].domain", gap.domain
        yield f"gaps[{at}].reason", gap.reason


def _same_length(name: str, columns: WorkloadColumns | ShareColumns) -> None:
    fields = columns.__struct_fields__
    expected = len(getattr(columns, fields[0]))
    for field in fields[1:]:
        if len(getattr(columns, field)) != expected:
            raise ReportError(
                f"{name}.{field}", f"has {len(getattr(columns, field))} entries, {fields[0]} has {expected}"
            )


def _check_domains(report: Report) -> None:
    index: dict[str, int] = {}
    for at, row in enumerate(report.domains):
        if index.setdefault(row.domain, at) != at:
            raise ReportError(f"domains[{at}].domain", f"{row.domain!r} appears twice")
    children_uj = [0] * len(report.domains)
    is_parent = [False] * len(report.domains)
    for at, row in enumerate(report.domains):
        if row.parent is None:
            continue
        above = index.get(row.parent, at)
        if above >= at:
            raise ReportError(f"domains[{at}].parent", f"{row.parent!r} is not a domain listed before it")
        children_uj[above] += row.energy_uj
        is_parent[above] = True

    dynamic_uj = [0] * len(report.domains)
    loaded_uj = [0] * len(report.domains)
    shares = report.shares
    workloads = len(report.workloads.namespace)
    for at, (workload, domain) in enumerate(zip(shares.workload, shares.domain, strict=True)):
        if workload >= workloads:
            raise ReportError(
                f"shares.workload[{at}]", f"{workload} is not an index into workloads ({workloads} entries)"
            )
        if domain >= len(report.domains):
            raise ReportError(
                f"shares.domain[{at}]", f"{domain} is not an index into domains ({len(report.domains)} entries)"
            )
        dynamic_uj[domain] += shares.dynamic_uj[at]
        loaded_uj[domain] += shares.loaded_uj[at]

    for at, row in enumerate(report.domains):
        if is_parent[at]:
            booked = children_uj[at] + row.residual_uj
            split_uj = dynamic_uj[at] + row.static_uj + row.shared_uj + sum(row.unattributed_uj.values())
            if split_uj:
                raise ReportError(f"domains[{at}]", "contains other domains and so cannot be split itself")
            to_load = row.residual_uj
        else:
            booked = dynamic_uj[at] + row.shared_uj + row.static_uj + sum(row.unattributed_uj.values())
            if row.residual_uj:
                raise ReportError(f"domains[{at}].residual_uj", "only a domain that contains others has a residual")
            to_load = row.energy_uj
        if booked != row.energy_uj:
            raise ReportError(f"domains[{at}].energy_uj", f"{row.energy_uj} uJ metered but {booked} uJ booked")
        if loaded_uj[at] + row.unallocated_uj != to_load:
            raise ReportError(
                f"domains[{at}].unallocated_uj",
                f"{loaded_uj[at]} uJ loaded + {row.unallocated_uj} uJ is not {to_load} uJ",
            )
