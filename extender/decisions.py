# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Every decision can be asked for: which limit, how many watts predicted, measured and held."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from extender.budgets import Verdict
    from extender.prediction import Prediction

Result = Literal["admitted", "refused", "ignored", "shadow"]

# A pod's decision is asked for while it waits or soon after; 10,000 are about 10 MB.
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Decision:
    """The latest answer to ``/filter`` for one pod."""

    uid: str
    namespace: str
    name: str
    as_of_unix_ns: int
    result: Result
    reason: str
    """The constant text that the scheduler got; empty where nothing was refused."""
    prediction: Prediction
    verdicts: tuple[Verdict, ...]
    nodes: int
    """How many nodes the scheduler showed."""


class Decisions:
    """The latest decision per pod UID, bounded; counters of all."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._by_uid: OrderedDict[str, Decision] = OrderedDict()
        self.counts: Counter[str] = Counter()

    def record(self, decision: Decision) -> None:
        """Takes the place of an older decision about the same pod."""
        self.counts[decision.result] += 1
        self._by_uid.pop(decision.uid, None)
        self._by_uid[decision.uid] = decision
        if len(self._by_uid) > self._kept:
            self._by_uid.popitem(last=False)

    def get(self, uid: str) -> Decision | None:
        """The decision, or None where there was none or it has been crowded out."""
        return self._by_uid.get(uid)

    def latest(self) -> Iterator[Decision]:
        """Newest first."""
        return reversed(self._by_uid.values())
