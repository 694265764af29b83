# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Scores: fewest marginal watts first, one winner, and unknown never wins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.nodes import NodeTable, NodeView
from extender.prediction import Ask, WattsPerCpu, marginal_w, predict
from extender.prioritize import scores
from tests.scheduling.pods import facts
from wire.report import CurvePoint, NodeFacts

NOW = 10_000_000_000
FALLBACK = WattsPerCpu(median_w=3.0, high_w=9.0)


def _view(*nodes: NodeFacts | None) -> NodeView:
    """Nodes n-0, n-1 ..; None = never reported."""
    table = NodeTable()
    for at, each in enumerate(nodes):
        if each is not None:
            table.update(f"n-{at}", each, interval_ns=2_000_000_000, as_of_ns=NOW)
    return table.view([f"n-{at}" for at in range(len(nodes))], now_ns=NOW)


def test_the_node_with_the_flattest_curve_wins() -> None:
    view = _view(facts(busy_w=90), facts(busy_w=30), facts(busy_w=50))
    assert marginal_w(view, 1.0).tolist() == pytest.approx([20.0, 5.0, 10.0])
    assert scores(view, cpus=1.0) == [0, 10, 7]


def test_equal_nodes_stay_within_one_point_and_the_first_by_name_wins() -> None:
    assert scores(_view(facts(), facts(), facts()), cpus=1.0) == [10, 9, 9]


def test_nodes_that_the_curves_cannot_tell_apart_stay_within_one_point() -> None:
    # 10 W and 10.4 W, each good to 10 %: one standard error is half a watt.
    assert scores(_view(facts(busy_w=51.6), facts(busy_w=50)), cpus=1.0) == [9, 10]


def test_a_wide_curve_narrows_the_scale() -> None:
    sharp = scores(_view(facts(busy_w=90, error=0.0), facts(busy_w=50, error=0.0)), cpus=1.0)
    wide = scores(_view(facts(busy_w=90, error=0.5), facts(busy_w=50, error=0.5)), cpus=1.0)
    assert sharp == [0, 10]
    assert wide[1] == 10
    assert 0 < wide[0] < 9


def test_a_convex_curve_favours_the_emptier_node() -> None:
    convex = tuple(CurvePoint(load_ratio=load / 10, power_w=10 + 40 * (load / 10) ** 2) for load in range(11))
    empty = NodeFacts(cpus=4, busy_cpus=0, curve=convex, curve_error_ratio=0.01)
    full = NodeFacts(cpus=4, busy_cpus=3, curve=convex, curve_error_ratio=0.01)
    assert scores(_view(full, empty), cpus=1.0) == [0, 10]


@pytest.mark.parametrize("silent", [None, NodeFacts(cpus=4), facts(busy_w=11, cpus=64)])
def test_unknown_stale_and_curveless_nodes_never_win(silent: NodeFacts | None) -> None:
    table = NodeTable()
    table.update("known", facts(busy_w=500), interval_ns=2_000_000_000, as_of_ns=NOW)
    table.update("worse", facts(busy_w=5000), interval_ns=2_000_000_000, as_of_ns=NOW)
    if silent is not None:
        # Silent for three of its intervals where it has a curve.
        as_of_ns = NOW - 6_000_000_000 if silent.curve else NOW
        table.update("silent", silent, interval_ns=2_000_000_000, as_of_ns=as_of_ns)
    result = scores(table.view(["silent", "worse", "known"], now_ns=NOW), cpus=1.0)
    assert result == [0, 1, 10]


def test_only_unknown_nodes_get_nothing_at_all() -> None:
    assert scores(_view(None, None), cpus=1.0) == [0, 0]
    assert scores(_view(), cpus=1.0) == []


@given(
    nodes=st.lists(
        st.none()
        | st.builds(
            facts,
            idle_w=st.floats(0, 500),
            busy_w=st.floats(0, 5000),
            cpus=st.integers(1, 256),
            busy=st.floats(0, 300),
            error=st.floats(0, 10),
        ),
        max_size=12,
    ),
    cpus=st.floats(1e-3, 512),
)
def test_scores_are_in_range_with_one_winner_and_follow_the_watts(nodes: list[NodeFacts | None], cpus: float) -> None:
    view = _view(*nodes)
    result = scores(view, cpus=cpus)
    added_w = marginal_w(view, cpus)
    assert all(0 <= score <= 10 for score in result)
    known = [at for at, node in enumerate(nodes) if node is not None]
    assert result.count(10) == (1 if known else 0)
    assert bool((added_w[known] >= 0).all())
    for a in known:
        for b in known:
            if added_w[a] < added_w[b]:
                assert result[a] >= result[b]
    for at, node in enumerate(nodes):
        if node is None:
            assert all(result[at] < result[other] for other in known)


@given(st.permutations(range(5)))
def test_the_winner_does_not_depend_on_the_order(order: list[int]) -> None:
    table = NodeTable()
    for at in range(5):
        table.update(f"n-{at}", facts(busy_w=50 + 10 * (at % 2)), interval_ns=2_000_000_000, as_of_ns=NOW)
    names = [f"n-{at}" for at in order]
    result = scores(table.view(names, now_ns=NOW), cpus=1.0)
    assert names[result.index(10)] == "n-0"


def test_a_view_does_not_change_when_the_node_does() -> None:
    table = NodeTable()
    table.update("n", facts(busy_w=50), interval_ns=2_000_000_000, as_of_ns=NOW)
    view = table.view(["n"], now_ns=NOW)
    table.update("n", facts(busy_w=500), interval_ns=2_000_000_000, as_of_ns=NOW)
    assert marginal_w(view, 1.0).tolist() == pytest.approx([10.0])
    with pytest.raises(ValueError, match="read-only"):
        view.curve_w[0, 0] = 1.0


def test_rows_are_used_again_and_the_table_grows() -> None:
    table = NodeTable()
    for at in range(100):
        table.update(f"n-{at}", facts(busy_w=10 + 40 * at), interval_ns=2_000_000_000, as_of_ns=NOW)
    table.forget("n-7")
    table.add_silent("late")
    view = table.view(["late", "n-99", "n-7"], now_ns=NOW)
    assert view.usable.tolist() == [False, True, False]
    assert float(marginal_w(view, 1.0)[1]) == pytest.approx(990.0)
    assert len(table) == 100


def test_prediction_is_request_times_marginal_watts() -> None:
    view = _view(facts(busy_w=50, error=0.1), facts(busy_w=90, error=0.1), facts(busy_w=130, error=0.1))
    prediction = predict(view, Ask.of(2.0), fallback=FALLBACK)
    assert prediction.median_w == pytest.approx(40.0)
    # The hungriest node's upper end, from a 95 % to a 90 % quantile.
    assert prediction.high_w == pytest.approx(60.0 * (1 + 0.1 * 1.2816 / 1.96))


def test_prediction_without_request_or_data_is_wide_and_says_so() -> None:
    unknown = predict(_view(None), Ask.of(None), fallback=FALLBACK)
    assert unknown.median_w == pytest.approx(0.3)
    assert unknown.high_w == 9.0
    assert unknown.basis == "default_curve"
    half_known = predict(_view(facts(busy_w=11), None), Ask.of(1.0), fallback=FALLBACK)
    assert half_known.median_w == pytest.approx(0.25)
    assert half_known.high_w == 9.0


def test_a_full_node_is_charged_at_its_top_end() -> None:
    view = _view(facts(busy=4.0), facts(busy=3.5), facts(cpus=2))
    assert marginal_w(view, 1.0).tolist() == pytest.approx([10.0, 10.0, 20.0])
    assert marginal_w(view, 8.0).tolist() == pytest.approx([80.0, 80.0, 160.0])
    assert np.isfinite(marginal_w(_view(None), 1.0)).all()
