# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Totals survive whatever a crash cuts off, and begin again where they cannot be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.attribution.engine import UnexplainedTime
from agent.observe.protocol import PROCESS
from agent.store.totals import KEEP_NS, Totals, TotalsFile
from tests.attribution.intervals import domain, rows
from tests.attribution.test_conservation import snapshot

if TYPE_CHECKING:
    from pathlib import Path

NOW_NS = 5


def interval(sequence: int, pid: int = 1) -> Totals:
    made = snapshot([domain(energy_uj=1000)], rows((pid, 1, PROCESS, 10)), UnexplainedTime(), sequence=sequence)
    return Totals(sequence - 1, NOW_NS).plus(made)


def test_the_record_that_fits_the_outbox_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "totals.json"
    file = TotalsFile(path)
    file.save(interval(1), stream="s")
    file.confirm()
    file.save(interval(2), stream="s")
    # The crash came before, or after, report 2 was in the outbox: both ways there is a record.
    for sequence in (1, 2):
        loaded = TotalsFile(path).load(stream="s", sequence=sequence, unix_ns=99)
        assert (loaded.sequence, loaded.created_unix_ns, loaded.energy_uj) == (sequence, NOW_NS, 1000)
        assert loaded.workloads == interval(sequence).workloads


@pytest.mark.parametrize(
    ("stream", "sequence", "damage"), [("other", 1, ""), ("s", 7, ""), ("s", 1, "{"), ("s", 1, '{"stream": 1}')]
)
def test_what_does_not_fit_begins_at_nothing_with_a_new_created_time(
    tmp_path: Path, stream: str, sequence: int, damage: str
) -> None:
    path = tmp_path / "totals.json"
    TotalsFile(path).save(interval(1), stream="s")
    if damage:
        path.write_text(damage)
    loaded = TotalsFile(path).load(stream=stream, sequence=sequence, unix_ns=99)
    assert (loaded.energy_uj, loaded.created_unix_ns, loaded.sequence) == (0, 99, sequence)


def test_an_ended_workload_leaves_its_series_but_not_its_parents() -> None:
    first = interval(1)
    later = snapshot([domain(energy_uj=10)], rows((2, 0, PROCESS, 10)), UnexplainedTime(), sequence=2)
    from dataclasses import replace

    later = replace(later, span=replace(later.span, to_unix_ns=later.span.to_unix_ns + KEEP_NS))
    after = first.plus(later)
    assert [each.name for each in after.workloads.values()] == ["/"]
    assert after.namespaces["host"].dynamic_uj == 1010
    assert after.energy_uj == 1010
