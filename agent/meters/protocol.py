# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a meter is: what it covers, how good it is, and what a reading says.

A reading is an energy counter, which is best, or a power averaged over (from, to). Meters block, are called from one
worker thread each, and read all their domains in one call; a domain that cannot be read is a `Unread` beside the
others, never a failure of them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from wire.units import Kind

Component = Literal["platform", "module", "cpu", "core", "uncore", "soc", "dram", "gpu", "fan", "storage", "nic", "psu"]
"""``module`` is CPU and GPU behind one sensor; ``soc`` what a chip has beside its cores and outside their figure."""


@dataclass(frozen=True, slots=True)
class Domain:
    """What a reading covers. ``parent`` is the name of the domain that contains it (METERING 1).

    ``module/*`` as a parent says that a module contains it, and that the meter does not know which one.
    """

    component: Component
    scope: str
    parent: str | None = None

    @property
    def name(self) -> str:
        """``component/scope``, as in reports."""
        return f"{self.component}/{self.scope}"


@dataclass(frozen=True, slots=True)
class Quality:
    """How a source's number came about and how far it may be off.

    ``low_ratio`` and ``high_ratio`` are the ends of the 95 % interval as factors on the number; ``origin`` says where
    they come from.
    """

    kind: Kind
    low_ratio: float
    high_ratio: float
    origin: str

    @property
    def error_ratio(self) -> float:
        """Half width of the narrowest interval that is symmetric and holds the whole one; reports carry this."""
        return max(self.high_ratio - 1.0, 1.0 - self.low_ratio)


@dataclass(frozen=True, slots=True)
class Counter:
    """How an energy counter counts: modulo ``range_uj`` (None never wraps), and at most ``plausible_w``.

    It moves in steps of up to ``update_ns``: two reads close together may see one step, which is then no sign of an
    implausible power. RAPL updates every millisecond or so, boards and GPUs every 20 to 100 ms.
    """

    range_uj: int | None
    plausible_w: float
    update_ns: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Metered:
    """One domain of a source."""

    domain: Domain
    quality: Quality
    counter: Counter | None = None
    """None for a power gauge."""
    through: bool = False
    """Power that flows through (into or out of a supply) to consumers that are booked: shown, never booked itself."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One domain at one time, in monotonic nanoseconds; exactly one of ``counter_uj`` and ``power_w`` is given.

    A counter is read at ``to_ns``. A power is the mean over ``from_ns..to_ns``, or of one moment where they are equal.
    """

    domain: str
    from_ns: int
    to_ns: int
    counter_uj: int | None = None
    power_w: float | None = None
    static_w: float | None = None
    """The part that the source itself says is drawn with no work."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A domain that could not be read this time, and why, in one word with underscores."""

    domain: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that exists, or might, and is not used."""

    source: str
    reason: str
    component: str = ""
    scope: str = ""
    kind: Kind | None = None


class Meter(Protocol):
    """A source of readings. ``read`` blocks and is called from one thread."""

    @property
    def source(self) -> str: ...

    @property
    def metered(self) -> tuple[Metered, ...]: ...

    def read(self) -> tuple[Reading | Unread, ...]: ...


@runtime_checkable
class Closable(Protocol):
    """A meter that holds something open: file descriptors, a session, a driver's library."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a source found: a meter if there is something to read, and what it passed over."""

    meter: Meter | None
    skipped: tuple[Skipped, ...] = field(default=())
