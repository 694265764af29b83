# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The agent's benchmark with counts too small to mean anything: it measures what it says, or says why not."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.meters.bank import Round
from agent.meters.protocol import Reading, Unread
from bench.agent import __main__ as command
from bench.agent import faults, trees
from bench.agent.lateness import PERIOD_S, Seen
from bench.agent.reports import Encoder, report
from plumbing.clock import SystemClock
from wire.report import decode, encode

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ["--samples", "5", "--rounds", "4", "--hang", "0.1", "--processes", "50"]


def run(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = tmp_path / "out.json"
    status = command.main([*SMALL, "--json", str(out), *arguments])
    return status, json.loads(out.read_text(encoding="utf-8"))


def test_costs_have_their_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, made = run(tmp_path, "--only", "rapl", "--only", "hwmon", "--only", "files", "--only", "bank")
    assert status == 0
    assert made["bench"] == "agent"
    figures = {(each["name"], each["where"].get("domains")): each for each in made["figures"]}
    assert figures["rapl_read_cpu", 4]["target"] == figures["rapl_read_cpu", 9]["target"] == 200.0
    assert figures["hwmon_read_cpu", 8]["target"] == 200.0
    assert all(each["value"] > 0 and each["n"] >= 5 for each in made["figures"])
    assert figures["bank_round_cpu", 4]["value"] > 0
    assert "targets met" in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["quiet", "none", "fifo", "bmc", "nvml"])
def test_lateness_of_each_fault(fault: str, tmp_path: Path) -> None:
    status, made = run(tmp_path, "--only", fault)
    assert status == 0
    late = [each for each in made["figures"] if each["name"] == "healthy_late"]
    assert [each["where"]["statistic"] for each in late] == ["p99", "median"]
    assert {each["where"]["encoding"] for each in late} == {"nothing" if fault == "quiet" else "without-pause"}
    assert [each["target"] for each in late] == [20.0, None]
    assert all(each["n"] == 4 and each["value"] > 0 for each in late)
    siblings = [each for each in made["figures"] if each["name"] == "sibling_unread_ratio"]
    assert [each["n"] for each in siblings] == ([4 * 7] if fault == "nvml" else [])


def test_slow_files_are_measured_or_named_as_left_out(tmp_path: Path) -> None:
    _, made = run(tmp_path, "--only", "slow-files")
    measured = {each["where"].get("fault") for each in made["figures"]}
    left_out = {each["name"] for each in made["meta"]["skipped"]}
    assert measured | left_out == {"slow-files"}
    assert not measured & left_out


def test_the_conditions_are_in_the_meta_data(tmp_path: Path) -> None:
    _, made = run(tmp_path, "--only", "files", "--encoding", "once-a-round", "--switch-interval", "0.001")
    meta = made["meta"]
    assert (meta["rounds"], meta["hang_s"], meta["switch_interval_s"]) == (4, 0.1, 0.001)
    assert meta["encoding"] == "50 processes, once-a-round"
    assert str(tmp_path) not in json.dumps(made)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--only", "everything"), ("--rounds", "0"), ("--hang", "31"), ("--samples", "x"), ("--switch-interval", "0")],
)
def test_a_senseless_option_is_refused(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([option, value])
    assert ended.value.code == 2
    assert option in capsys.readouterr().err


def test_a_fifo_stands_where_a_zone_was(tmp_path: Path) -> None:
    with faults.fifo(faults.Ground(tmp_path, 0.1, SystemClock())) as scene:
        assert {domain for _, domain in scene.broken} == {"core/socket-0", "uncore/socket-0"}
        assert trees.zone_file(tmp_path, "core/socket-0").is_fifo()
        read = {each.domain: each for meter in scene.meters for each in meter.read()}
    assert {domain for domain, each in read.items() if isinstance(each, Unread)} == {"core/socket-0", "uncore/socket-0"}
    assert len(scene.healthy) == 7
    assert not scene.siblings


def test_a_reading_that_never_came_is_late_by_a_period(tmp_path: Path) -> None:
    with faults.none(faults.Ground(tmp_path, 0.1, SystemClock())) as scene:
        keys = sorted(scene.healthy)
    due_ns = 1_000_000_000
    seen = Seen()
    early = {key: Reading(key[1], due_ns - 3_000_000, due_ns - 3_000_000, counter_uj=1) for key in keys}
    seen.note(Round(due_ns, early), scene, due_ns=due_ns, answered_ns=due_ns + 1_000_000)
    seen.note(
        Round(due_ns, early | {keys[0]: Unread(keys[0][1], "deadline")}), scene, due_ns=due_ns, answered_ns=due_ns
    )
    assert seen.late_ms == pytest.approx([3.0, PERIOD_S * 1e3])
    assert seen.healthy.count(False) == 1


def test_the_report_books_and_is_encoded_as_often_as_asked() -> None:
    made = report(100)
    assert decode(encode(made)) == made
    assert len(made.shares.workload) == 400
    encoder = Encoder(made, pace="once-a-round")
    assert encoder.took_ms == []
    for wanted in (1, 2):
        encoder.begin()
        until_s = time.monotonic() + 10
        while len(encoder.took_ms) < wanted and time.monotonic() < until_s:
            time.sleep(0.001)
        assert len(encoder.took_ms) == wanted
    encoder.stop()
    assert len(encoder.took_ms) == 2


def test_tmpfs_is_found_in_the_mount_table(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("proc /proc proc rw 0 0\ntmpfs /run tmpfs rw 0 0\n", encoding="utf-8")
    found = trees.tmpfs(mounts)
    assert found is not None
    assert found.as_posix() == "/run"
    mounts.write_text("/dev/vda / ext4 rw 0 0\n", encoding="utf-8")
    assert trees.tmpfs(mounts) is None
    assert trees.tmpfs(tmp_path / "none") is None
