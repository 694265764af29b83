# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The committed table is what the public data give, and its intervals hold for CPUs that had no part in them."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from estimator.curves import PACKAGED, Table
from estimator.training import load_curves, specpower
from estimator.training.cpus import Cpu, group
from estimator.training.left_out import LeftOut, coverage, errors, factors
from estimator.training.rungs import left_out_cpus

if TYPE_CHECKING:
    from pathlib import Path


@cache
def cpus(power: Path) -> list[Cpu]:
    return group(specpower.load(power))


@pytest.mark.part("data")
def test_the_committed_table_is_derived_byte_for_byte(data_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "load_curves.json"
    assert load_curves.main(["--data", str(data_folder / "power"), "--out", str(out), "-o", "json"]) == 0
    assert out.read_bytes() == PACKAGED.read_bytes()


@pytest.mark.part("data")
def test_intervals_made_without_a_cpu_cover_its_servers(data_folder: Path) -> None:
    _, judged = load_curves.derive(data_folder / "power")
    for each in judged.values():
        assert 0.93 <= each.score.coverage_ratio <= 1.0, each
        assert each.score.cpus >= 20, each
    # Closer relatives know more.
    assert judged["cpu", ""].score.mape_ratio < judged["microarchitecture", "4 cpus or more"].score.mape_ratio
    assert judged["microarchitecture", "4 cpus or more"].score.mape_ratio < judged["any", ""].score.mape_ratio


@pytest.mark.part("data")
def test_intervals_hold_when_half_of_the_cpus_were_never_seen(data_folder: Path) -> None:
    """Calibrated on one half of the CPU models, scored on the other, over twenty splits."""
    samples = left_out_cpus(cpus(data_folder / "power"), others=1)
    generator = np.random.default_rng(7)
    achieved = []
    for _ in range(20):
        order = generator.permutation(len(samples))
        half = len(samples) // 2
        interval = factors([samples[at] for at in order[:half]])
        for at in order[half:]:
            ratio = np.exp(samples[at].log_ratio)
            achieved.append(float(((ratio >= interval.low_ratio) & (ratio <= interval.high_ratio)).mean()))
    assert 0.93 <= float(np.mean(achieved)) <= 0.995


@pytest.mark.part("data")
def test_every_published_name_finds_its_own_curve(data_folder: Path) -> None:
    table = Table.load()
    from estimator.curves import cpu_key

    dataset = specpower.load(data_folder / "power")
    lost = {system.cpu_name for system in dataset.systems if cpu_key(system.cpu_name) not in table.curves["cpu"]}
    # Names without a model, and two that no machine would give itself.
    assert len(lost) <= 8, sorted(lost)
    assert dataset.left_out["threads are neither 1 nor 2 per core"] == 8


def test_a_cpu_weighs_the_same_however_often_it_was_published() -> None:
    calm = [LeftOut(f"calm-{at}", np.full(10_000, 0.01 * at)) for at in range(50)]
    wild = [LeftOut(f"wild-{at}", np.array([2.0])) for at in range(5)]
    assert factors([*calm, *wild]).high_ratio == pytest.approx(np.exp(2.0))


def test_with_few_cpus_the_interval_is_their_extreme() -> None:
    samples = [LeftOut(str(at), np.array([0.1 * at])) for at in range(-3, 4)]
    interval = factors(samples)
    assert interval.low_ratio == pytest.approx(np.exp(-0.3))
    assert interval.high_ratio == pytest.approx(np.exp(0.3))


def test_coverage_scores_a_cpu_by_the_others_alone() -> None:
    samples = [LeftOut(str(at), np.array([0.0])) for at in range(100)]
    samples.append(LeftOut("odd", np.array([3.0])))
    score = coverage(samples)
    assert score.coverage_ratio == pytest.approx(100 / 101)
    assert score.cpus == 101


def test_errors_are_taken_where_the_truth_is_known() -> None:
    truth = np.array([1.0, np.nan, 4.0])
    prediction = np.array([2.0, 2.0, 2.0])
    left_out = errors("a", truths=[truth], predictions=[prediction, prediction])
    assert np.exp(left_out.log_ratio).tolist() == pytest.approx([0.5, 2.0, 0.5, 2.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("90", "lots"), "levels.csv:2: watts_100: 'lots'"),
        (("90", "-1"), "levels.csv:2: watts_100"),
        (("90", "nan"), "levels.csv:2: watts_100"),
        (("epyc7713", "cpu-of-tomorrow"), "cpu-of-tomorrow"),
    ],
)
def test_bad_data_is_refused_by_file_and_row(
    change: tuple[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watts = ",".join(f"watts_{level}" for level in range(10, 101, 10))
    head = f"cpu_key,cpu_name,vendor,cores,threads,watts_idle,{watts}\n"
    row = "epyc7713,AMD EPYC 7713,Maker,4,8,10," + ",".join(str(level) for level in range(11, 20)) + ",90\n"
    folder = tmp_path / "specpower"
    folder.mkdir()
    (folder / "levels.csv").write_text(head + row.replace(*change), encoding="utf-8")
    (folder / "idle_full_2026.csv").write_text("cpu_key,cpu_name,vendor,cores,threads,watts_idle,watts_100\n", "utf-8")
    out = tmp_path / "out.json"
    assert load_curves.main(["--data", str(tmp_path), "--out", str(out)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_missing_data_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_curves.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out.json")]) == 1
    assert "levels.csv" in capsys.readouterr().err


def test_the_table_is_one_line_per_curve() -> None:
    lines = PACKAGED.read_text(encoding="utf-8").splitlines()
    curves = json.loads(PACKAGED.read_bytes())["curves"]
    assert sum('"watts_per_thread"' in line for line in lines) == sum(len(rows) for rows in curves.values())
