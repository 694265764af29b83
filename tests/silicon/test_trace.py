# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Traces: written, read back the same, documented column by column, and refused where they are none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from sim.silicon import presets, trace, truths
from sim.silicon.run import Run
from sim.silicon.work import Script, Task, place
from tests.silicon.machines import KINDS, busy

DOC = Path(__file__).resolve().parents[2] / "docs" / "trace-format.md"


def made(name: str = "xeon-1s", *, seconds: float = 3.0) -> Run:
    machine = presets.draw(name, seed=1)
    tasks = (busy("a", "compute", 0, 1), busy("b", "memory", 3), Task(name="c", task_class="spin", start_s=1.5))
    run = Run(machine, place(Script(tasks, KINDS), machine), seed=1)
    run.advance(seconds)
    return run


@pytest.mark.parametrize("style", ["npz", "csv"])
def test_a_trace_comes_back_as_it_was(tmp_path: Path, style: Literal["npz", "csv"]) -> None:
    whole = made().trace()
    trace.write(whole, tmp_path, style=style)
    again = trace.read(tmp_path)
    assert again.about == json.loads(json.dumps(whole.about))
    assert again.tables.keys() == whole.tables.keys()
    for name, columns in whole.tables.items():
        assert again.tables[name].keys() == columns.keys()
        for column, values in columns.items():
            np.testing.assert_array_equal(again.tables[name][column], values)
            assert again.tables[name][column].dtype == trace.TABLES[name][column]


def test_the_tables_say_what_happened(tmp_path: Path) -> None:
    run = made()
    whole = run.trace()
    observed, truth, readings = (whole.tables[name] for name in ("observations", "truth", "readings"))
    assert whole.tables["intervals"]["to_ns"].tolist() == [1_000_000_000, 2_000_000_000, 3_000_000_000]
    assert set(zip(observed["task"].tolist(), observed["cpu"].tolist(), strict=True)) == {
        (0, 0),
        (0, 1),
        (1, 3),
        (2, 2),
    }
    domains = whole.about["domains"]
    assert domains == ["cpu/socket-0", "dram/socket-0", "device/node", "platform/node"]
    assert truth["energy_uj"].sum() == sum(int(each.energy_uj.sum()) for each in run.intervals)
    meters = whole.about["meters"]
    assert [each["domain"] for each in meters] == [
        "cpu/socket-0", "core/socket-0", "uncore/socket-0", "dram/socket-0", "platform/node",
    ]  # fmt: skip
    package = readings["counter_uj"][readings["meter"] == 0]
    assert readings["at_ns"][readings["meter"] == 0].tolist() == [0, 10**9, 2 * 10**9, 3 * 10**9]
    metered_uj = np.diff(package) % (meters[0]["range_uj"] + 61)
    total_uj = whole.tables["shared"]["total_uj"][whole.tables["shared"]["domain"] == 0]
    np.testing.assert_allclose(metered_uj, total_uj, rtol=0.08)
    gauge = readings["meter"] == 4
    assert (readings["counter_uj"][gauge] == -1).all()
    assert (readings["power_w"][gauge] > 0).all()
    assert np.isnan(readings["power_w"][~gauge]).all()


def test_a_virtual_machine_has_a_truth_and_no_meter() -> None:
    whole = made("vm").trace()
    assert whole.about["meters"] == []
    assert whole.tables["readings"]["meter"].size == 0
    assert whole.tables["truth"]["energy_uj"].sum() > 0


def test_more_truths_can_go_along(tmp_path: Path) -> None:
    whole = made(seconds=1.0).trace()
    script = place(Script((busy("a", "compute", 0),), KINDS), presets.draw("xeon-1s", seed=1))
    caused = truths.counterfactual_uj(script, 0.1)
    task, domain = np.indices(caused.shape)
    columns = {"task": task.ravel(), "domain": domain.ravel(), "energy_uj": caused.ravel()}
    trace.write(trace.Trace(whole.about, {**whole.tables, "counterfactual": columns}), tmp_path)
    assert trace.read(tmp_path).tables["counterfactual"]["energy_uj"].tolist() == caused.ravel().tolist()


def test_the_document_names_every_table_and_column() -> None:
    text = DOC.read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z0-9_]+)`", text))
    for table, columns in trace.TABLES.items():
        assert f"**{table}**" in text
        assert columns.keys() <= named
    assert set(made(seconds=1.0).trace().about) <= named


def test_what_is_no_trace_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(trace.TraceError, match=r"no trace\.json"):
        trace.read(tmp_path)
    whole = made(seconds=1.0).trace()
    trace.write(whole, tmp_path, style="csv")
    truth = tmp_path / "truth.csv"
    good = truth.read_text()
    for text, message in (
        ("interval,task,domain\n0,0,0\n", "truth: has no column energy_uj"),
        ("interval,task,domain,energy_uj\n0,0,0,1.5\n", "column energy_uj"),
        ("interval,task,domain,energy_uj\n0,0,0\n", "line 2 has 3 values for 4"),
        ("interval,task,domain,energy_uj\n0,0,0," + "9" * 30 + "\n", "column energy_uj"),
        (good.replace("energy_uj", "energy_uj,more", 1), "line 2"),
    ):
        truth.write_text(text)
        with pytest.raises(trace.TraceError, match=message):
            trace.read(tmp_path)
    truth.unlink()
    with pytest.raises(trace.TraceError, match=r"truth: neither truth\.npz nor truth\.csv"):
        trace.read(tmp_path)
    (tmp_path / "truth.npz").write_bytes(b"not a zip")
    with pytest.raises(trace.TraceError, match=r"truth\.npz"):
        trace.read(tmp_path)
    (tmp_path / "trace.json").write_text('{"format": "penstock-trace", "version": 2}')
    with pytest.raises(trace.TraceError, match="version 1"):
        trace.read(tmp_path)


def test_missing_signals_are_allowed_and_unknown_ones_are_not(tmp_path: Path) -> None:
    whole = made(seconds=1.0).trace()
    observed = {key: whole.tables["observations"][key] for key in ("interval", "task", "cpu", "run_ns")}
    tables = {name: whole.tables[name] for name in ("intervals", "readings", "truth")}
    trace.write(trace.Trace(whole.about, {**tables, "observations": observed}), tmp_path)
    assert set(trace.read(tmp_path).tables["observations"]) == {"interval", "task", "cpu", "run_ns"}
    observed["mood"] = observed["task"]
    trace.write(trace.Trace(whole.about, {**tables, "observations": observed}), tmp_path)
    with pytest.raises(trace.TraceError, match="column mood"):
        trace.read(tmp_path)
