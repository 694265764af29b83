# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What keeps a live machine busy: this host's cpus, or one load for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim.load import HostWork, steady
from sim.silicon import classes, presets
from sim.silicon.run import Run

MACHINE = presets.draw("laptop", seed=1)
KINDS = classes.draw(1)

FIRST = "cpu  300 0 100 1600 0 0 0 0 0 0\ncpu0 100 0 0 900 0 0 0 0 0 0\ncpu1 200 0 100 700 0 0 0 0 0 0\nintr 1\n"
# cpu0 60 of 100 ticks, cpu1 30 of 120 with 10 of them waiting for a disk; guest time is in user already.
SECOND = "cpu  ...\ncpu0 150 0 5 940 0 0 5 0 50 0\ncpu1 230 0 100 780 10 0 0 0 0 0\nintr 2\n"


def test_cpus_take_the_hosts_busy_shares_in_turn(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text(FIRST)
    work = HostWork(tmp_path, machine=MACHINE, classes=KINDS)
    assert work.rows(from_s=0.0, step_s=0.01, steps=10).thread.size == 0
    stat.write_text(SECOND)
    rows = work.rows(from_s=0.1, step_s=0.01, steps=10)
    assert rows.thread.tolist() == list(range(8))
    np.testing.assert_allclose(rows.share, np.tile([0.6, 0.25], (10, 4)))
    # Too few ticks to tell: the last share holds.
    np.testing.assert_allclose(work.rows(from_s=0.2, step_s=0.01, steps=10).share, rows.share)


def test_a_cpu_that_comes_or_goes_is_no_load(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text(FIRST)
    work = HostWork(tmp_path, machine=MACHINE, classes=KINDS)
    stat.write_text("cpu  ...\ncpu0 150 0 5 940 0 0 5 0 50 0\n")
    assert work.ratio().tolist() == [0.0]


@pytest.mark.parametrize("content", ["", "cpu 1 2 3 4\n", "cpu0 1 2 3\n", "cpu0 a b c d e f g h\n"])
def test_what_is_no_stat_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "stat").write_text(content)
    with pytest.raises(ValueError, match=r"stat|convert"):
        HostWork(tmp_path, machine=MACHINE, classes=KINDS)


def test_this_host_keeps_a_machine_busy() -> None:
    work = HostWork(Path("/proc"), machine=MACHINE, classes=KINDS)
    run = Run(MACHINE, work, seed=1)
    run.advance(1.0)
    assert run.intervals[0].total_uj[0] > 0


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_a_steady_load_is_what_it_says(ratio: float) -> None:
    run = Run(MACHINE, steady(ratio, machine=MACHINE, classes=KINDS), seed=1)
    run.advance(2.0)
    assert sum(int(each.run_ns.sum()) for each in run.intervals) == pytest.approx(ratio * 8 * 2e9, rel=1e-6)
