# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated agent's outbox: nothing twice, nothing lost without a word, whatever the receiver does."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.outbox import Outbox
from tests.wire.reports import report
from wire.report import decode


class Receiver:
    """Books as an extender does: in order, exactly once, holes only where they were declared."""

    def __init__(self) -> None:
        self.watermark = 0
        self.booked: list[int] = []
        self.declared: list[int] = []

    def take(self, body: bytes) -> int | None:
        """The acknowledged sequence, or None for 409."""
        got = decode(body)
        if got.sequence <= self.watermark:
            return self.watermark
        for gap in got.dropped:
            if gap.first <= self.watermark + 1:
                lost = range(self.watermark + 1, gap.last + 1)
                self.declared += lost
                self.watermark = max(self.watermark, gap.last)
        if got.sequence != self.watermark + 1:
            return None
        self.watermark = got.sequence
        self.booked.append(got.sequence)
        return self.watermark


def test_what_does_not_fit_is_declared_by_the_next() -> None:
    outbox = Outbox(limit=2)
    for sequence in range(1, 6):
        outbox.put(report(sequence=sequence))
    assert (len(outbox), outbox.dropped, outbox.next_sequence) == (2, 3, 6)
    body = outbox.head()
    assert body is not None
    head = decode(body)
    assert head.sequence == 4
    assert [(gap.first, gap.last) for gap in head.dropped] == [(1, 3)]


def test_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="2 came, 1 is next"):
        Outbox(limit=2).put(report(sequence=2))


def test_a_receiver_that_forgot_is_told_what_is_lost() -> None:
    outbox = Outbox(limit=10)
    for sequence in range(1, 6):
        outbox.put(report(sequence=sequence))
    outbox.acknowledge(4)
    outbox.rewind(2)
    body = outbox.head()
    assert body is not None
    assert [(gap.first, gap.last) for gap in decode(body).dropped] == [(2, 4)]


def test_an_acknowledgement_from_the_future_is_held_to_what_was_made() -> None:
    outbox = Outbox(limit=10)
    outbox.put(report(sequence=1))
    outbox.acknowledge(10**9)
    assert (len(outbox), outbox.next_sequence) == (0, 2)
    outbox.put(report(sequence=2))
    body = outbox.head()
    assert body is not None
    assert decode(body).dropped == []


events = st.lists(st.sampled_from(["make", "send", "lose ack", "refuse", "forget"]), max_size=60)


@given(events=events, limit=st.integers(1, 5))
def test_every_sequence_is_booked_once_or_declared(events: list[str], limit: int) -> None:
    outbox, receiver = Outbox(limit=limit), Receiver()

    def send(*, acknowledge: bool) -> None:
        body = outbox.head()
        if body is None:
            return
        answer = receiver.take(body)
        if answer is None:
            outbox.rewind(receiver.watermark + 1)
        elif acknowledge:
            outbox.acknowledge(answer)

    for event in [*events, *["send"] * 20, "make", *["send"] * 20]:
        if event == "make":
            outbox.put(report(sequence=outbox.next_sequence))
        elif event == "refuse" and len(outbox):
            outbox.drop_head()
        elif event == "forget" and receiver.watermark:
            # Restored from a backup that lacks the last booking.
            receiver.watermark -= 1
            for known in (receiver.booked, receiver.declared):
                if receiver.watermark + 1 in known:
                    known.remove(receiver.watermark + 1)
        elif event.startswith(("send", "lose")):
            send(acknowledge=event == "send")
    assert len(outbox) == 0
    assert sorted(receiver.booked + receiver.declared) == list(range(1, outbox.next_sequence))


def test_encoding_leaves_the_report_alone() -> None:
    outbox = Outbox(limit=1)
    first, second = report(sequence=1), report(sequence=2)
    outbox.put(first)
    outbox.put(second)
    assert outbox.head() != msgspec.json.encode(second)
    assert second.dropped == []
