# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The policy folder: what changes takes effect, what is bad leaves the last good one in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extender.policies import PolicyFolder
from tests.extender.replica import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def _budget(folder: Path, name: str, limit: str, *, more: str = "") -> None:
    (folder / f"{name}.yaml").write_text(
        "apiVersion: penstock.dev/v1alpha1\nkind: PowerBudget\n"
        f"metadata: {{name: {name}, namespace: team-a}}\nspec:\n  limitWatts: {limit}\n{more}"
    )


async def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path)
    assert await folder.refresh()
    assert list(folder.budgets) == []
    _budget(tmp_path, "one", "100")
    assert await folder.refresh()
    assert not await folder.refresh()
    budget = folder.budgets[0]
    assert (budget.namespace, budget.name, budget.limit_w, budget.window_s) == ("team-a", "one", 100.0, 60.0)
    assert (budget.action, budget.view) == ("throttle", "dynamic")
    (tmp_path / "one.yaml").unlink()
    assert await folder.refresh()
    assert folder.budgets == ()


async def test_a_bad_file_keeps_its_last_good_budgets_and_no_other_file_waits_for_it(tmp_path: Path) -> None:
    folder = PolicyFolder(tmp_path)
    _budget(tmp_path, "one", "100")
    _budget(tmp_path, "two", "200")
    await folder.refresh()
    _budget(tmp_path, "one", "lots")
    _budget(tmp_path, "two", "2222")
    await folder.refresh()
    assert {budget.name: budget.limit_w for budget in folder.budgets} == {"one": 100.0, "two": 2222.0}
    (fault,) = folder.faults
    assert str(fault).startswith(f"{tmp_path / 'one.yaml'}:5: spec.limitWatts: ")
    _budget(tmp_path, "one", "111111")
    await folder.refresh()
    assert folder.faults == ()
    assert {budget.name: budget.limit_w for budget in folder.budgets} == {"one": 111111.0, "two": 2222.0}


async def test_a_folder_that_vanishes_keeps_what_was_in_force(tmp_path: Path) -> None:
    inner = tmp_path / "policies"
    inner.mkdir()
    _budget(inner, "one", "100")
    folder = PolicyFolder(inner)
    await folder.refresh()
    (inner / "one.yaml").unlink()
    inner.rmdir()
    await folder.refresh()
    assert [budget.name for budget in folder.budgets] == ["one"]
    assert len(folder.faults) == 1


async def test_problems_and_what_is_not_served_yet_are_shown(tmp_path: Path) -> None:
    _budget(tmp_path, "one", "100", more="  enforcement: gate\n")
    _budget(tmp_path, "two", "-1")
    async with running(policies=str(tmp_path)) as replica:
        policies = (await replica.get("/v1/cluster"))["policies"]
        assert [problem["field"] for problem in policies["problems"]] == ["spec.limitWatts"]
        assert [notice["field"] for notice in policies["notices"]] == ["spec.enforcement"]
        assert "penstock_cluster_policy_problems 1" in (await replica.http.get("/metrics")).body.decode()
