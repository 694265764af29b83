# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing numbered is lost until every target has it, and what had to go is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from plumbing.outbox import Outbox

if TYPE_CHECKING:
    from pathlib import Path


def put(box: Outbox, size: int = 10) -> int:
    return box.append(lambda sequence: f"{sequence:0{size}d}".encode())


def test_sequences_have_no_holes_and_carry_their_number(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.sqlite", targets=("a",))
    assert [put(box) for _ in range(3)] == [1, 2, 3]
    assert [(message.sequence, int(message.body)) for message in box.pending("a")] == [(1, 1), (2, 2), (3, 3)]


def test_a_message_stays_until_every_target_has_it(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.sqlite", targets=("a", "b"))
    for _ in range(4):
        put(box)
    box.ack("a", 4)
    assert box.pending("a") == []
    assert [message.sequence for message in box.pending("b")] == [1, 2, 3, 4]
    box.ack("b", 2)
    assert box.depth() == 2
    box.ack("b", 1)
    assert box.acked("b") == 2, "an old acknowledgement never moves a cursor back"


def test_the_stream_survives_a_restart_and_ends_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    first = Outbox(path, targets=("a",))
    put(first)
    first.close()
    second = Outbox(path, targets=("a", "b"))
    assert second.stream == first.stream
    assert put(second) == 2
    assert [message.sequence for message in second.pending("b")] == [1, 2], "a new target gets all that is held"
    second.close()
    path.unlink()
    assert Outbox(path, targets=("a",)).stream != first.stream


def test_a_full_outbox_drops_the_oldest_and_says_which(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "outbox.sqlite", targets=("a",), limit_bytes=100)
    for _ in range(13):
        put(box)
    assert box.dropped_total() == 3
    assert box.dropped_after(0) == [(1, 3)]
    assert box.dropped_after(2) == [(3, 3)]
    assert box.pending("a")[0].sequence == 4


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(1, 40)),
            st.tuples(st.sampled_from(["ack-a", "ack-b"]), st.integers(0, 60)),
        ),
        max_size=80,
    )
)
def test_every_sequence_is_held_acknowledged_or_declared(steps: list[tuple[str, int]]) -> None:
    box = Outbox(None, targets=("a", "b"), limit_bytes=120)
    for step, number in steps:
        if step == "put":
            put(box, number)
        else:
            box.ack(step[-1], number)
        for target in ("a", "b"):
            held = {message.sequence for message in box.pending(target, limit=1000)}
            gone = {
                sequence for first, last in box.dropped_after(box.acked(target)) for sequence in range(first, last + 1)
            }
            assert held | gone == set(range(box.acked(target) + 1, box.last_sequence + 1))
            assert not held & gone
        assert box.size_bytes <= 120
        assert box.size_bytes == sum(
            len(message.body) for message in box.pending("a" if box.acked("a") < box.acked("b") else "b", limit=1000)
        )
    box.close()
