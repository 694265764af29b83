# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What to send next to one target, and what its answer means. Pure, so that every order of failures can be tried.

A target takes sequence after sequence. Where sequences will never come, because the outbox dropped them, the target
had refused one, or it lost its disk and asks for what is gone, the next report declares the hole in ``dropped``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec

from wire.report import Dropped, Report, ReportAck, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plumbing.outbox import Message

# 409 is answered with the sequence to go on from. The others may be mended while the report stays as it is:
# credentials (401, 403), a route or version not rolled out yet (404, 405, 426), load (408, 425, 429).
_TRANSIENT: Final = frozenset({401, 403, 404, 405, 408, 425, 426, 429})

_MOST_RANGES: Final = 1024  # wire.report.Report.dropped


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a target stands: everything up to ``sequence`` is settled, as far as is known here.

    ``asked``: the target itself said where to go on, so that a hole after the cursor must be declared whole.
    ``refused`` are sequences that it will not take, to be declared with the next one it does.
    """

    sequence: int
    asked: bool = False
    refused: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """What an answer led to. ``settled``: acknowledge up to the cursor; ``retry``: wait before the next try."""

    cursor: Cursor
    settled: bool = False
    retry: bool = False
    refused: bool = False
    ack: ReportAck | None = None
    reason: str = ""


class _Expected(msgspec.Struct):
    expected_sequence: int


def holes(cursor: Cursor, sequence: int, dropped: Iterable[tuple[int, int]]) -> list[Dropped]:
    """Ranges before ``sequence`` to declare with it, given what the outbox ``dropped``; at most as many as fit."""
    ranges = [*cursor.refused, *dropped]
    # A target that has taken something knows where it stands; a new one begins with whatever it is sent first.
    if cursor.sequence > 0 or cursor.asked:
        ranges.append((cursor.sequence + 1, sequence - 1))
    merged: list[tuple[int, int]] = []
    for first, last in sorted((first, min(last, sequence - 1)) for first, last in ranges):
        if first > last:
            continue
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    if len(merged) > _MOST_RANGES:
        merged = [(merged[0][0], merged[-_MOST_RANGES][1]), *merged[-_MOST_RANGES + 1 :]]
    return [Dropped(first=first, last=last) for first, last in merged]


def body_of(message: Message, declared: list[Dropped]) -> bytes:
    """The report as stored, with holes declared where there are any."""
    if not declared:
        return message.body
    stored = msgspec.json.decode(message.body, type=Report)
    return encode(msgspec.structs.replace(stored, dropped=declared))


def judge(cursor: Cursor, message: Message, answer: Answer) -> Step:
    """What to do after ``answer`` to ``message``."""
    if 200 <= answer.status < 300:
        try:
            ack = msgspec.json.decode(answer.body, type=ReportAck)
        except msgspec.DecodeError as error:
            return Step(cursor, retry=True, reason=f"an acknowledgement that is none: {error}")
        if ack.acked_sequence < message.sequence:
            return Step(cursor, retry=True, reason=f"acknowledged {ack.acked_sequence}, not {message.sequence}")
        return Step(Cursor(ack.acked_sequence), settled=True, ack=ack)
    if answer.status == 409:
        return _go_on_from(cursor, message, answer)
    if answer.status in _TRANSIENT or answer.status >= 500 or answer.status < 400:
        return Step(cursor, retry=True, reason=f"status {answer.status}")
    refused = replace(
        cursor, sequence=message.sequence, refused=(*cursor.refused, (message.sequence, message.sequence))
    )
    detail = answer.body[:300].decode("utf-8", "replace")
    return Step(refused, settled=True, refused=True, reason=f"status {answer.status}: {detail}")


def _go_on_from(cursor: Cursor, message: Message, answer: Answer) -> Step:
    try:
        expected = msgspec.json.decode(answer.body, type=_Expected).expected_sequence
    except msgspec.DecodeError as error:
        return Step(cursor, retry=True, reason=f"status 409 without expected_sequence: {error}")
    moved = Cursor(max(expected - 1, 0), asked=True)
    if expected > message.sequence:
        return Step(moved, settled=True, reason=f"has everything before {expected}")
    # Asked for the very same place again: what was sent from there did not satisfy it, so do not hurry.
    stuck = cursor.asked and cursor.sequence == moved.sequence
    return Step(moved, retry=stuck, reason=f"goes on from {expected}")
