# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated machine's meters: the powercap reader on a tree that `penstock sim` writes.

Simulated joules must never pass for real ones. The tree carries a marker file, without which this meter refuses to
start, and everything read here is of source ``simulated`` and kind ``modelled``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from agent.errors import MeterError
from agent.meters import quality, rapl
from agent.meters.protocol import Discovery

if TYPE_CHECKING:
    from pathlib import Path

    from agent.meters.protocol import Metered, Reading, Unread
    from estimator.curves import CpuIdentity
    from plumbing.clock import Clock

SOURCE: Final = "simulated"
MARKER: Final = "penstock-simulated.json"


class SimulatedMeter:
    """Another meter's readings under the kind they deserve."""

    def __init__(self, meter: rapl.RaplMeter) -> None:
        self.source = SOURCE
        self._meter = meter
        self.metered: tuple[Metered, ...] = tuple(
            replace(each, quality=quality.simulated(each.quality)) for each in meter.metered
        )

    def read(self) -> tuple[Reading | Unread, ...]:
        """The tree's counters."""
        return self._meter.read()


def discover(root: Path, *, cpu: CpuIdentity, clock: Clock) -> Discovery:
    """Opens the tree at ``root``. Raises MeterError where the marker is missing."""
    if not (root / MARKER).is_file():
        raise MeterError(f"{root}: no {MARKER} there, so this is not a simulated tree")
    found = rapl.discover(root, cpu=cpu, clock=clock, source=SOURCE)
    skipped = tuple(replace(each, kind="modelled") for each in found.skipped)
    if not isinstance(found.meter, rapl.RaplMeter):
        return Discovery(None, skipped)
    return Discovery(SimulatedMeter(found.meter), skipped)
