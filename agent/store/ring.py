# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The last intervals, bounded: for queries over a window."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.store.snapshot import Snapshot


class Ring:
    """Closed intervals, newest last; the oldest goes when it is full."""

    def __init__(self, length: int) -> None:
        self._held: deque[Snapshot] = deque(maxlen=length)

    def __len__(self) -> int:
        return len(self._held)

    def append(self, snapshot: Snapshot) -> None:
        """Adds the newest interval."""
        self._held.append(snapshot)

    @property
    def latest(self) -> Snapshot | None:
        """The newest interval."""
        return self._held[-1] if self._held else None

    def window(self, window_s: float) -> tuple[Snapshot, ...]:
        """The newest intervals that together cover at least ``window_s``, oldest first; fewer if fewer are held."""
        taken: list[Snapshot] = []
        left_ns = window_s * 1e9
        # Copied first, in one step: another thread appends.
        for snapshot in reversed(tuple(self._held)):
            if left_ns <= 0:
                break
            taken.append(snapshot)
            left_ns -= snapshot.span.elapsed_ns
        return tuple(reversed(taken))
