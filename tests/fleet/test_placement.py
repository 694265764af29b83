# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""LEDGER 4: what is chosen, what is rejected, what unknown means, and that a decision replays to the same bytes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_router.placement.cost import run_hours
from fleet_router.placement.decisions import Decision, Inputs, decide
from fleet_router.placement.request import Duration
from tests.fleet.fleets import candidate, decided, intensity, no_intensity

GOLDEN = Path(__file__).parent / "golden" / "recommend.json"


def names(decision: Decision) -> list[str]:
    return [item["name"] for item in answer(decision)["items"]]


def answer(decision: Decision) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(decision.answer)
    return document


def golden_case() -> Decision:
    return decided(
        candidate("berlin", carbon=intensity(276.0), price="0.25"),
        candidate("paris", carbon=intensity(16.0, zone="FR"), price="0.25"),
        candidate("nowhere", carbon=no_intensity(), price="0.01"),
        candidate("full", free_cpus=1.0),
        candidate("silent", age_s=100.0),
        workload={"current_cluster": "berlin", "memory_bytes": 2**30},
        move_cost="0.001",
    )


def test_the_golden_answer() -> None:
    assert json.loads(golden_case().answer) == json.loads(GOLDEN.read_bytes())


def test_a_replay_gives_the_same_bytes() -> None:
    first = golden_case()
    again = decide(Inputs.decode(first.inputs))
    assert again.answer == first.answer
    assert again.decision_id == first.decision_id


def test_the_order_of_candidates_does_not_matter_but_for_the_list_of_rejections() -> None:
    every = [candidate(name, carbon=intensity(grams)) for name, grams in (("a", 300.0), ("b", 30.0), ("c", 310.0))]
    assert names(decided(*every)) == names(decided(*reversed(every))) == ["b", "a", "c"]


def test_grams_are_kwh_times_pue_times_intensity() -> None:
    item = answer(decided(candidate("a", carbon=intensity(250.0))))["items"][0]
    # 4 CPUs x 8 W x 2 h = 0.064 kWh; x 1.2 x 250 g/kWh = 19.2 g
    assert item["power_w"] == 32.0
    assert item["energy_uj"] == round(0.064 * 3.6e12)
    assert item["grams"]["value"] == pytest.approx(19.2)
    assert item["grams"]["low"] < 19.2 < item["grams"]["high"]
    # 0.0768 facility kWh x 0.30 + 0.0192 kg x 0.1
    assert item["cost"]["energy"] == "0.023040"
    assert item["cost"]["carbon"] == "0.001920"
    assert item["cost"]["total"] == "0.024960"
    assert item["cost"]["complete"] is True


known = st.builds(lambda grams, price: (grams, price), st.floats(1, 2000), st.floats(0.01, 1))


@given(knowns=st.lists(known, min_size=1, max_size=5), price=st.floats(0.001, 1))
def test_unknown_never_wins_on_carbon(knowns: list[tuple[float, float]], price: float) -> None:
    every = [
        candidate(f"k{at}", carbon=intensity(grams), price=f"{cost:.4f}") for at, (grams, cost) in enumerate(knowns)
    ]
    every.append(candidate("a-unknown", carbon=no_intensity(), price=f"{price:.4f}"))
    every.append(candidate("a-other", carbon=intensity(1.0, method="lifecycle"), price=f"{price:.4f}"))
    for changes in ({}, {"lexicographic": ["carbon", "cost"]}):
        assert names(decided(*every, **changes))[-2:] == ["a-other", "a-unknown"]


def test_unknown_can_win_on_price_and_when_it_is_all_there_is() -> None:
    dear, cheap = candidate("dear", price="0.50"), candidate("cheap", carbon=no_intensity(), price="0.05")
    for changes in ({"carbon_price_per_kg": 0}, {"lexicographic": ["cost", "carbon"]}):
        decision = decided(dear, cheap, **changes)
        assert names(decision) == ["cheap", "dear"]
        assert "its carbon is unknown" in answer(decision)["explanation"]
    alone = answer(decided(cheap))
    assert [item["name"] for item in alone["items"]] == ["cheap"]
    assert alone["items"][0]["grams"]["rung"] == "none"
    assert "not comparable" in alone["explanation"]
    assert alone["saving"]["grams"] is None


def test_an_unknown_price_ranks_below_a_known_one_of_the_same_carbon() -> None:
    every = (candidate("a", price=None), candidate("b", currency="USD"), candidate("c", price="9.0"))
    decision = decided(*every)
    assert names(decision) == ["c", "a", "b"]
    assert answer(decision)["items"][1]["cost"]["energy"] is None


def test_a_tie_goes_to_the_cheaper_then_the_current_then_by_name() -> None:
    same = intensity(300.0)
    cheaper = decided(candidate("a", carbon=same, price="0.31"), candidate("b", carbon=same, price="0.30"))
    assert names(cheaper) == ["b", "a"]
    stays = decided(candidate("a", carbon=same), candidate("b", carbon=same), workload={"current_cluster": "b"})
    assert names(stays) == ["b", "a"]
    assert names(decided(candidate("b", carbon=same), candidate("a", carbon=same))) == ["a", "b"]
    items = answer(decided(candidate("b", carbon=same), candidate("a", carbon=same)))["items"]
    assert [item["tie"] for item in items] == [1, 1]


def test_the_cost_of_moving_is_paid_by_who_moves() -> None:
    here, there = candidate("here", carbon=intensity(300.0)), candidate("there", carbon=intensity(20.0, zone="FR"))
    ask = {"workload": {"current_cluster": "here"}, "carbon_price_per_kg": "1.0"}
    assert names(decided(here, there, **ask)) == ["there", "here"]
    dear = decided(here, there, **ask, move_cost="5")
    assert names(dear) == ["here", "there"]
    assert answer(dear)["items"][1]["cost"]["move"] == "5.000000"
    assert answer(dear)["baseline"]["definition"] == "stay in here"


REJECTIONS = [
    ("capacity_cpus", candidate("x", free_cpus=3.9), {}),
    ("capacity_memory", candidate("x"), {"workload": {"memory_bytes": 2**40}}),
    ("data_age", candidate("x", age_s=31.0), {}),
    ("data_age", candidate("x", age_s=11.0), {"constraints": {"max_data_age_s": 10}}),
    ("no_nodes", candidate("x", nodes_fresh=0), {}),
    ("residency", candidate("x"), {"constraints": {"zones": ["FR"]}}),
    ("residency", candidate("x", carbon=intensity(1.0, zone="US-CAL-CISO")), {"constraints": {"countries": ["DE"]}}),
    ("power_unknown", candidate("x", watts_per_cpu=0.0), {}),
    ("carbon_unknown", candidate("x", carbon=no_intensity()), {"constraints": {"require_carbon": True}}),
    ("not_listed", candidate("x"), {"clusters": ["y"]}),
]


@pytest.mark.parametrize(
    ("code", "which", "changes"), REJECTIONS, ids=[f"{r[0]}-{i}" for i, r in enumerate(REJECTIONS)]
)
def test_every_rejection_has_its_code_and_reason(code: str, which: Any, changes: dict[str, Any]) -> None:
    document = answer(decided(which, **changes))
    assert document["items"] == []
    assert [(each["name"], each["code"]) for each in document["rejected"]] == [("x", code)]
    assert document["rejected"][0]["reason"]
    assert document["baseline"] is None


def test_where_it_runs_it_needs_no_free_capacity() -> None:
    assert names(decided(candidate("x", free_cpus=0.0), workload={"current_cluster": "x"})) == ["x"]


def test_an_empty_fleet_has_an_answer() -> None:
    document = answer(decided())
    assert (document["items"], document["rejected"]) == ([], [])
    assert document["explanation"] == "No cluster has reported yet."


def test_stated_power_needs_no_model() -> None:
    item = answer(decided(candidate("x", watts_per_cpu=0.0), workload={"power_w": 100}))["items"][0]
    assert item["power_w"] == item["power_low_w"] == item["power_high_w"] == 100.0


def test_unknown_duration_is_a_distribution_and_costs_its_mean() -> None:
    fixed = run_hours(Duration(3.0, 3.0, "stated"))
    assert (fixed.value, fixed.low, fixed.high) == (3.0, 3.0, 3.0)
    spread = run_hours(Duration(2.0, 8.0, "distribution"))
    sigma = math.log(4) / 1.2815515655446004
    assert spread.value == pytest.approx(2 * math.exp(sigma**2 / 2))
    assert spread.low < 2.0 < spread.value < 8.0 < spread.high
    ratio = [
        answer(decided(candidate("x"), workload=workload))["items"][0]["grams"]["value"]
        for workload in ({}, {"duration_hours": None, "duration_p50_hours": 2, "duration_p90_hours": 8})
    ]
    assert ratio[1] / ratio[0] == pytest.approx(spread.value / 2.0)
    assert answer(decided(candidate("x"), workload={"duration_hours": None}))["provenance"]["duration"] == {
        "p50_hours": 1.0,
        "p90_hours": 8.0,
        "kind": "default",
    }


def test_a_negative_price_pays() -> None:
    item = answer(decided(candidate("x", price="-0.05"), candidate("y", price="0.05")))["items"][0]
    assert (item["name"], item["cost"]["energy"]) == ("x", "-0.003840")


def test_common_uncertainty_does_not_make_a_tie() -> None:
    # A hundredfold spread of duration concerns both alike.
    workload = {"duration_hours": None, "duration_p50_hours": 1, "duration_p90_hours": 100}
    items = answer(
        decided(candidate("a", carbon=intensity(900.0)), candidate("b", carbon=intensity(10.0)), workload=workload)
    )["items"]
    assert [(item["name"], item["tie"]) for item in items] == [("b", 1), ("a", 2)]
