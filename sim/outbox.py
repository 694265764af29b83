# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What one simulated node has not delivered yet: bounded, in memory, with drops declared.

A report is encoded only when it is sent, because what was dropped must be declared by the very next one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from wire.report import Dropped, encode

if TYPE_CHECKING:
    from wire.report import Report


class Outbox:
    """Reports of one stream in the order of their sequences, which start at 1."""

    def __init__(self, *, limit: int) -> None:
        self._waiting: deque[Report] = deque()
        self._limit = limit
        self._acked = 0
        self.next_sequence = 1
        """Sequence of the next report to `put`."""
        self.dropped = 0
        """Reports that will never be delivered."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, report: Report) -> None:
        """Takes the next report; beyond the limit the oldest is given up. Raises ValueError for another sequence."""
        if report.sequence != self.next_sequence:
            raise ValueError(f"sequence {report.sequence} came, {self.next_sequence} is next")
        self.next_sequence += 1
        self._waiting.append(report)
        if len(self._waiting) > self._limit:
            self.drop_head()

    def head(self) -> bytes | None:
        """The oldest report as it must be sent now, declaring whatever is missing before it; None when empty."""
        if not self._waiting:
            return None
        report = self._waiting[0]
        if report.sequence > self._acked + 1:
            gap = Dropped(first=self._acked + 1, last=report.sequence - 1)
            report = msgspec.structs.replace(report, dropped=[gap])
        return encode(report)

    def drop_head(self) -> None:
        """Gives the oldest report up: no room, or the receiver will never take it."""
        self._waiting.popleft()
        self.dropped += 1

    def acknowledge(self, sequence: int) -> None:
        """Everything up to ``sequence`` is on the receiver's disk."""
        self._acked = max(self._acked, min(sequence, self.next_sequence - 1))
        while self._waiting and self._waiting[0].sequence <= self._acked:
            self._waiting.popleft()

    def rewind(self, expected_sequence: int) -> None:
        """The receiver wants ``expected_sequence`` next: what is before it is booked or, if no longer here, lost."""
        self.acknowledge(expected_sequence - 1)
        self._acked = min(self._acked, expected_sequence - 1)
