# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""At least once, in order, exactly once booked: whatever answers come, are lost, or come from an older disk."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.publish.delivery import Answer, Cursor, body_of, holes, judge
from plumbing.outbox import Message, Outbox
from plumbing.problem import Problem
from tests.agent.extenders import Books
from tests.wire.reports import report
from wire.report import Dropped, ReportAck, decode, encode

HERE = "http://target"


def answered(books: Books, body: bytes) -> Answer:
    try:
        return Answer(200, msgspec.json.encode(books.take(decode(body))))
    except Problem as problem:
        return Answer(problem.status, problem.body())


events = st.lists(
    st.sampled_from(
        ["append", "append", "send", "send", "send", "lose answer", "busy", "restart", "old disk", "poison"]
    ),
    max_size=60,
)


@given(events=events, limit=st.sampled_from([2**30, 12_000]))
def test_every_sequence_is_booked_once_or_declared(events: list[str], limit: int) -> None:
    outbox = Outbox(None, targets=(HERE,), limit_bytes=limit)
    books = Books()
    cursor = Cursor(0)
    declared: set[int] = set()

    def send(*, heard: bool = True, busy: bool = False) -> None:
        nonlocal cursor
        for message in outbox.pending(HERE, limit=1, after=cursor.sequence):
            gaps = holes(cursor, message.sequence, outbox.dropped_after(cursor.sequence))
            answer = Answer(503, b"") if busy else answered(books, body_of(message, gaps))
            if answer.status == 200:
                declared.update(each for gap in gaps for each in range(gap.first, gap.last + 1))
            if not heard:
                return
            step = judge(cursor, message, answer)
            cursor = step.cursor
            if step.settled:
                outbox.ack(HERE, cursor.sequence)

    for event in events:
        if event == "append":
            outbox.append(lambda sequence: encode(report(sequence=sequence, stream="s")))
        elif event == "send":
            send()
        elif event == "lose answer":
            send(heard=False)
        elif event == "busy":
            send(busy=True)
        elif event == "restart":
            cursor = Cursor(outbox.acked(HERE))
        elif event == "poison":
            books.poison = frozenset({outbox.last_sequence + 1})
        elif event == "old disk" and len(books.booked) > 1:
            books.booked.pop()
            books.watermarks["s"] = books.booked[-1].sequence
    # One more, because only a next report can tell of a hole before it; then everything gets through.
    books.poison = frozenset()
    outbox.append(lambda sequence: encode(report(sequence=sequence, stream="s")))
    for _ in range(4 * outbox.last_sequence + 8):
        send()
    booked = [each.sequence for each in books.booked]
    assert booked == sorted(set(booked))
    assert booked[-1] == outbox.last_sequence
    assert set(range(booked[0], booked[-1])) - set(booked) <= declared
    assert not outbox.pending(HERE, after=cursor.sequence)


def test_a_new_target_begins_where_the_outbox_does() -> None:
    assert holes(Cursor(0), 7, []) == []
    assert holes(Cursor(0), 7, [(5, 6)]) == [Dropped(5, 6)]
    assert holes(Cursor(0, asked=True), 7, []) == [Dropped(1, 6)]


def test_holes_are_merged_and_end_before_the_report() -> None:
    cursor = Cursor(4, refused=((3, 3), (4, 4)))
    assert holes(cursor, 9, [(5, 20)]) == [Dropped(3, 8)]
    many = [(10 * at, 10 * at + 1) for at in range(1, 3000)]
    bounded = holes(Cursor(0), 10**6, many)
    assert len(bounded) == 1024
    assert (bounded[0].first, bounded[-1].last) == (10, 29_991)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 429, 500, 502, 503])
def test_what_may_be_mended_is_tried_again(status: int) -> None:
    step = judge(Cursor(2), Message(3, b""), Answer(status, b"?"))
    assert (step.retry, step.settled, step.cursor) == (True, False, Cursor(2))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"acked_sequence": "x"}', b'{"acked_sequence": 2}'])
def test_an_acknowledgement_that_is_none_settles_nothing(body: bytes) -> None:
    step = judge(Cursor(2), Message(3, b""), Answer(200, body))
    assert (step.retry, step.settled) == (True, False)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_poisoned_report_is_skipped_and_declared_with_the_next(status: int) -> None:
    step = judge(Cursor(2), Message(3, b""), Answer(status, b'{"field": "domains"}'))
    assert step.refused
    assert "domains" in step.reason
    assert holes(step.cursor, 4, []) == [Dropped(3, 3)]


def test_a_target_that_is_ahead_moves_the_cursor_on() -> None:
    step = judge(Cursor(2), Message(3, b""), Answer(409, b'{"expected_sequence": 9}'))
    assert (step.settled, step.cursor.sequence) == (True, 8)


def test_a_target_that_asks_for_the_same_twice_is_not_hurried() -> None:
    first = judge(Cursor(7), Message(8, b""), Answer(409, b'{"expected_sequence": 5}'))
    assert (first.retry, first.cursor) == (False, Cursor(4, asked=True))
    assert judge(first.cursor, Message(8, b""), Answer(409, b'{"expected_sequence": 5}')).retry
    assert judge(Cursor(7), Message(8, b""), Answer(409, b"{}")).retry


def test_an_accepted_report_clears_what_was_refused() -> None:
    step = judge(
        Cursor(3, refused=((3, 3),)), Message(4, b""), Answer(200, msgspec.json.encode(ReportAck(acked_sequence=4)))
    )
    assert step.cursor == Cursor(4)
