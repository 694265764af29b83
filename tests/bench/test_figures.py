# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The shape that all benchmarks share: quantiles with their intervals, targets, table, JSON, exit status."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import Better, Document, Figure, interval_ranks, machine, parser, publish, quantile, table

GOLDEN = Path(__file__).parent / "table.txt"


def figure(value: float, *, target: float | None = 20.0, better: Better = "lower") -> Figure:
    return Figure("late", "ms", value, 100, better, {"fault": "fifo"}, value / 2, None, target)


def document(*figures: Figure) -> Document:
    return Document("agent", {"cpu": "Some CPU", "threads": 2, "skipped": []}, figures)


@pytest.mark.parametrize(
    # Tables of distribution-free intervals: the 40th and the 61st of 100 for a median; fewer than six hold none.
    ("n", "ratio", "ranks"),
    [(100, 0.5, (40, 61)), (6, 0.5, (1, 6)), (5, 0.5, (0, 6)), (250, 0.99, (244, 251)), (400, 0.99, (392, 400))],
)
def test_ranks_of_the_interval(n: int, ratio: float, ranks: tuple[int, int]) -> None:
    assert interval_ranks(n, ratio) == ranks


@given(samples=st.lists(st.floats(0, 1e6), min_size=1, max_size=300), ratio=st.floats(0.01, 0.99))
def test_a_quantile_is_a_sample_within_its_interval(samples: list[float], ratio: float) -> None:
    found = quantile(samples, ratio)
    assert found.value in samples
    assert sum(each <= found.value for each in samples) >= ratio * len(samples) - 1e-9
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.value <= found.high


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    chance = random.Random(7)
    hits = 0
    for _ in range(400):
        found = quantile([chance.random() for _ in range(61)], 0.5)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.5 <= found.high
    assert 0.93 <= hits / 400 <= 0.995


def test_no_samples_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="0 samples"):
        quantile([], 0.5)


def test_a_target_is_met_from_its_better_side() -> None:
    assert figure(20.0).met is True
    assert figure(20.1).met is False
    assert figure(20.1, better="higher").met is True
    assert figure(1e9, target=None).met is None
    assert document(figure(3), figure(30), figure(300, target=None)).missed == (figure(30),)


def test_json_has_the_shape_that_others_rely_on() -> None:
    read = json.loads(document(figure(12.5)).encoded())
    assert read == {
        "bench": "agent",
        "meta": {"cpu": "Some CPU", "threads": 2, "skipped": []},
        "figures": [
            {
                "name": "late",
                "where": {"fault": "fifo"},
                "unit": "ms",
                "value": 12.5,
                "low": 6.25,
                "high": None,
                "n": 100,
                "target": 20.0,
                "better": "lower",
            }
        ],
    }


def test_json_takes_no_number_that_json_has_not() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        document(figure(float("nan"))).encoded()


def test_the_table_can_be_read() -> None:
    ratio = Figure("unread_ratio", "1", 0.0, 2000, "lower", {"fault": "bmc", "rounds": 250})
    rate = Figure("reads", "1/s", 12_345.6, 3, "higher", {}, 11_000.0, 13_000.0, 10_000.0)
    assert table(document(figure(12.5), figure(31.0), ratio, rate)) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_the_status_tells_a_missed_target_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missed, out = document(figure(31.0)), tmp_path / "out.json"
    assert publish(missed, json_path=out, check=False) == 0
    assert publish(missed, json_path=None, check=True) == 1
    assert publish(document(figure(1.0)), json_path=None, check=True) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["figures"][0]["value"] == 31.0
    assert "MISSED" in capsys.readouterr().out


def test_options_that_all_benchmarks_have() -> None:
    asked = parser("agent", about="").parse_args(["--json", "out.json", "--check"])
    assert (asked.json, asked.check) == (Path("out.json"), True)


def test_a_machine_is_described_and_not_named(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\n"
        "model name\t: AMD EPYC 7763\nflags\t\t: fpu hypervisor\n\n",
        encoding="utf-8",
    )
    described = machine(tmp_path)
    assert described["cpu"] == "AMD EPYC 7763"
    assert described["virtual"] is True
    assert set(described) == {"cpu", "threads", "virtual", "kernel", "python", "load_average"}
