# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with meters, when and for how long.

A fault concerns what is shown, never the machine: its truth goes on. ``vanish`` from time 0 on is a meter that is
plugged in later. Root reads what is ``denied``; only an unprivileged reader sees that one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

FaultKind = Literal["vanish", "unreadable", "denied", "stuck", "garbage", "frozen", "zero", "reset", "step_back"]

KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)

PLATFORM: Final = "platform"

# Happen once, when their time has come.
MOMENTARY: Final[frozenset[FaultKind]] = frozenset({"reset", "step_back"})
# Nothing can be read while they last.
BLINDING: Final[frozenset[FaultKind]] = frozenset({"vanish", "unreadable", "denied", "stuck", "garbage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``kind`` of fault of ``target`` (a zone's folder, or ``platform``) from ``at_s`` until ``until_s``."""

    at_s: float
    kind: FaultKind
    target: str
    until_s: float = math.inf
    counts: int = 0
    """Of ``step_back``: by how many counts the register falls."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: {self.kind!r} is none of {', '.join(KINDS)}")
        if not 0 <= self.at_s < self.until_s:
            raise ValueError(f"at_s, until_s: must rise from 0 on, not {self.at_s}, {self.until_s}")
        if self.target == PLATFORM and self.kind in MOMENTARY:
            raise ValueError(f"kind: a gauge has no register for {self.kind}")


def check(faults: Sequence[Fault], *, targets: Collection[str]) -> None:
    """Raises ValueError for a target that the machine has not."""
    for fault in faults:
        if fault.target not in targets:
            raise ValueError(f"target: {fault.target!r} is none of {', '.join(sorted(targets)) or 'no meters'}")


def in_force(faults: Sequence[Fault], at_s: float) -> dict[str, FaultKind]:
    """The lasting fault of each target at a time; the last of several in the list holds."""
    return {
        fault.target: fault.kind
        for fault in faults
        if fault.kind not in MOMENTARY and fault.at_s <= at_s + 1e-9 and at_s + 1e-9 < fault.until_s
    }


def due(faults: Sequence[Fault], *, after_s: float, to_s: float) -> tuple[Fault, ...]:
    """The momentary faults within (after_s, to_s]."""
    return tuple(fault for fault in faults if fault.kind in MOMENTARY and after_s + 1e-9 < fault.at_s <= to_s + 1e-9)
