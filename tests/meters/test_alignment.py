# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Readings of any length, in any order, with any holes: no energy is invented and none is lost."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.meters.alignment import Aligned, Alignment
from agent.meters.counter import Energy, Lost
from agent.meters.track import LATE, Track, clipped

if TYPE_CHECKING:
    from collections.abc import Mapping

S = 1_000_000_000
TREE = {
    "platform/node": None,
    "module/socket-0": "platform/node",
    "dram/socket-0": "platform/node",
    "cpu/socket-0": "module/socket-0",
    "gpu/a": "module/socket-0",
}
TWO_SOCKETS = {"cpu/socket-0": None, "cpu/socket-1": None}
INTERVAL = 4
INTERVALS = 6


@st.composite
def pieces(draw: st.DrawFn, *, divisible: bool) -> list[Energy | Lost]:
    """One domain's outcomes in order of time, in seconds; holes are losses."""
    out: list[Energy | Lost] = []
    at = 0
    while at < INTERVAL * INTERVALS:
        length = draw(st.integers(1, 7))
        end = min(at + length, INTERVAL * INTERVALS)
        if draw(st.integers(0, 4)) == 0:
            out.append(Lost("vanished", at * S, end * S))
        else:
            rate = draw(st.integers(0, 9))
            energy_uj = rate * (end - at) if divisible else draw(st.integers(0, 10**6))
            out.append(Energy(energy_uj, at * S, end * S))
        at = end
    return out


@st.composite
def stories(draw: st.DrawFn, *, divisible: bool = True) -> tuple[dict[str, str | None], dict[str, list[Energy | Lost]]]:
    """A tree and what each of its domains will say."""
    tree: dict[str, str | None] = draw(st.sampled_from((TREE, TWO_SOCKETS)))
    return tree, {name: draw(pieces(divisible=divisible)) for name in tree}


def told(
    tree: Mapping[str, str | None], said: Mapping[str, list[Energy | Lost]], late_by: Mapping[str, int]
) -> tuple[list[Aligned], Alignment]:
    """Closes every interval at its end; each domain's outcomes come ``late_by`` intervals late."""
    alignment = Alignment(tree)
    left = {name: list(each) for name, each in said.items()}
    closed: list[Aligned] = []
    end = 0
    for number in range(INTERVALS + 4):
        end = (number + 1) * INTERVAL
        for name, outcomes in left.items():
            while outcomes and outcomes[0].to_ns <= (end - late_by.get(name, 0) * INTERVAL) * S:
                alignment.add(name, outcomes.pop(0))
        if number < INTERVALS:
            closed.append(alignment.close((end - INTERVAL) * S, end * S))
    alignment.close((end + 10) * S, (end + 10) * S)  # an empty one takes in what came last
    return closed, alignment


def roots(tree: Mapping[str, str | None], drew: Mapping[str, object]) -> list[str]:
    """Booked domains that no booked one contains."""

    def free(name: str) -> bool:
        parent = tree[name]
        while parent is not None:
            if parent in drew:
                return False
            parent = tree[parent]
        return True

    return [name for name in drew if free(name)]


def booked_uj(tree: Mapping[str, str | None], closed: list[Aligned]) -> int:
    return sum(each.drew[name].energy_uj for each in closed for name in roots(tree, each.drew))


def outermost_uj(tree: Mapping[str, str | None], said: Mapping[str, list[Energy | Lost]]) -> int:
    """Second by second, what the outermost domain with a figure says: written down a second time, differently."""
    rates: dict[str, dict[int, int]] = {name: {} for name in tree}
    for name, outcomes in said.items():
        for each in outcomes:
            if isinstance(each, Energy):
                seconds = range(each.from_ns // S, each.to_ns // S)
                rates[name] |= dict.fromkeys(seconds, each.energy_uj // len(seconds))
    total = 0
    for second in range(INTERVAL * INTERVALS):
        figures = {name: rates[name][second] for name in tree if second in rates[name]}
        total += sum(figures[name] for name in roots(tree, figures))
    return total


delays = st.dictionaries(st.sampled_from((*TREE, *TWO_SOCKETS)), st.integers(0, 3))


@given(story=stories(), late_by=delays)
def test_what_is_booked_and_owed_is_what_the_outermost_meters_said(
    story: tuple[dict[str, str | None], dict[str, list[Energy | Lost]]], late_by: dict[str, int]
) -> None:
    tree, said = story
    closed, alignment = told(tree, said, late_by)
    assert booked_uj(tree, closed) + sum(alignment.owed_uj.values()) == outermost_uj(tree, said)


@given(story=stories(divisible=False), late_by=delays)
def test_the_order_of_readings_changes_no_microjoule(
    story: tuple[dict[str, str | None], dict[str, list[Energy | Lost]]], late_by: dict[str, int]
) -> None:
    tree, said = story
    late, after = told(tree, said, late_by)
    timely, before = told(tree, said, {})
    assert booked_uj(tree, late) + sum(after.owed_uj.values()) == (
        booked_uj(tree, timely) + sum(before.owed_uj.values())
    )


@given(story=stories(divisible=False), late_by=delays)
def test_only_what_contains_others_may_owe(
    story: tuple[dict[str, str | None], dict[str, list[Energy | Lost]]], late_by: dict[str, int]
) -> None:
    tree, said = story
    closed, _ = told(tree, said, late_by)
    for each in closed:
        for name, drew in each.drew.items():
            contains = any(name in _ancestors(tree, other) for other in each.drew)
            assert drew.energy_uj >= 0
            assert drew.timely_uj >= 0
            assert contains or drew.late_uj >= 0
            assert name in roots(tree, each.drew) or drew.late_uj == 0


def _ancestors(tree: Mapping[str, str | None], name: str) -> list[str]:
    out = []
    parent = tree[name]
    while parent is not None:
        out.append(parent)
        parent = tree[parent]
    return out


@given(energy_uj=st.integers(0, 2**60), cuts=st.lists(st.integers(1, 999), max_size=8, unique=True))
def test_a_piece_cut_anywhere_adds_up(energy_uj: int, cuts: list[int]) -> None:
    piece = Energy(energy_uj, 0, 1000)
    edges = [0, *sorted(cuts), 1000]
    parts = [clipped(piece, begin, end) for begin, end in itertools.pairwise(edges)]
    assert sum(each.energy_uj for each in parts if each) == energy_uj
    assert all(each is not None and each.energy_uj >= 0 for each in parts)


@given(story=stories())
def test_every_moment_has_energy_or_a_gap_with_a_reason(
    story: tuple[dict[str, str | None], dict[str, list[Energy | Lost]]],
) -> None:
    tree, said = story
    closed, _ = told(tree, said, {})
    for number, each in enumerate(closed):
        from_ns, to_ns = number * INTERVAL * S, (number + 1) * INTERVAL * S
        for name in tree:
            covered_ns = sum(
                min(piece.to_ns, to_ns) - max(piece.from_ns, from_ns)
                for piece in said[name]
                if isinstance(piece, Energy) and piece.to_ns <= to_ns and piece.to_ns > from_ns
            )
            gaps = [gap for gap in each.missing if gap.domain == name]
            assert covered_ns + sum(gap.to_ns - gap.from_ns for gap in gaps) >= to_ns - from_ns
            assert {gap.reason for gap in gaps} <= {"vanished", LATE}
            assert all(from_ns <= gap.from_ns < gap.to_ns <= to_ns for gap in gaps)


def test_a_late_platform_is_booked_in_the_residual_where_it_arrives() -> None:
    tree = {"platform/node": None, "cpu/socket-0": "platform/node"}
    alignment = Alignment(tree)
    alignment.add("cpu/socket-0", Energy(400, 0, 8 * S))
    first = alignment.close(0, 4 * S)
    assert set(first.drew) == {"cpu/socket-0"}
    assert [(gap.domain, gap.reason) for gap in first.missing] == [("platform/node", LATE)]
    alignment.add("platform/node", Energy(1000, 0, 8 * S))
    second = alignment.close(4 * S, 8 * S)
    platform = second.drew["platform/node"]
    assert (platform.timely_uj, platform.late_uj) == (500, 500 - 200), "the cpu's part was booked then"
    assert not alignment.owed_uj


def test_an_interval_is_settled_once_every_chosen_meter_covers_it_or_says_why_not() -> None:
    alignment = Alignment(TWO_SOCKETS)
    alignment.add("cpu/socket-0", Energy(10, 0, 5 * S))
    assert not alignment.settled(4 * S)
    alignment.add("cpu/socket-1", Lost("deadline", 0, 3 * S))
    assert not alignment.settled(4 * S)
    alignment.add("cpu/socket-1", Lost("deadline", 3 * S, 5 * S))
    assert alignment.settled(4 * S)
    assert not alignment.settled(6 * S)


def test_the_same_time_is_not_booked_twice() -> None:
    track = Track("cpu/socket-0")
    track.add(Energy(100, 0, 10 * S))
    track.add(Energy(100, 5 * S, 15 * S))
    assert sum(each.energy_uj for each in track.within(0, 20 * S)) == 150


def test_memory_of_closed_intervals_is_bounded() -> None:
    alignment = Alignment({"cpu/socket-0": None})
    for number in range(2000):
        alignment.add("cpu/socket-0", Energy(1, number * S, (number + 1) * S))
        alignment.close(number * S, (number + 1) * S)
    held = alignment._tracks["cpu/socket-0"]._pieces
    assert len(held) < 200
