# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Bad files: each problem at its very line and field, with a reason that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gitops.loading import load_folder
from tests.gitops.files import BUDGET, PROFILE, load, located, problems

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("limitWatts: 250.5", "limitWatts: 0", "7: spec.limitWatts: Input should be greater than 0, is '0'"),
        ("limitWatts: 250.5", "limitWatts: -3", "7: spec.limitWatts: Input should be greater than 0, is '-3'"),
        ("limitWatts: 250.5", 'limitWatts: "250"', "7: spec.limitWatts: Input should be a valid number, is '250'"),
        ("limitWatts: 250.5", "limitWatts: true", "7: spec.limitWatts: Input should be a valid number, is 'True'"),
        ("limitWatts: 250.5", "limitWatts: .nan", "7: spec.limitWatts: Input should be a finite number, is 'nan'"),
        ("limitWatts: 250.5", "limitWatts: .inf", "7: spec.limitWatts: Input should be a finite number, is 'inf'"),
        ("limitWatts: 250.5", "limitWatts:", "7: spec.limitWatts: Input should be a valid number, is 'None'"),
        ("limitWatts: 250.5", "limitWats: 250.5", "7: spec.limitWats: unknown field; did you mean limitWatts?"),
        ("limitWatts: 250.5", "limit_watts: 250.5", "7: spec.limit_watts: unknown field; did you mean limitWatts?"),
        ("limitWatts: 250.5", "{}", "6: spec.limitWatts: is missing"),
        ("spec:\n  limitWatts: 250.5\n", "", "1: spec: is missing"),
        ("  namespace: prod\n", "", "3: metadata.namespace: is missing"),
        ("namespace: prod", "namespace: Prod", "5: metadata.namespace: String should match pattern"),
        ("name: team-a", "name: team_a", "4: metadata.name: String should match pattern"),
        ("name: team-a", "name: 7", "4: metadata.name: Input should be a valid string, is '7'"),
        ("kind: PowerBudget", "kind: PowerBudgets", "2: kind: 'PowerBudgets' is not a kind of penstock.dev; known are"),
        ("kind: PowerBudget", "kind: [PowerBudget]", "2: kind: ['PowerBudget'] is not a kind of penstock.dev"),
        ("kind: PowerBudget\n", "", "1: document: kind is missing"),
        ("apiVersion: penstock.dev/v1alpha1\n", "", "1: document: apiVersion is missing"),
        ("v1alpha1", "v1", "1: apiVersion: is 'penstock.dev/v1', known is penstock.dev/v1alpha1"),
        (
            "penstock.dev",
            "penstok.dev",
            "1: apiVersion: is 'penstok.dev/v1alpha1'; did you mean penstock.dev/v1alpha1?",
        ),
        (
            "250.5",
            "250.5\n  action: block",
            "8: spec.action: Input should be 'alert', 'throttle' or 'reject', is 'block'",
        ),
        ("250.5", "250.5\n  windowSeconds: 5", "8: spec.windowSeconds: Input should be greater than or equal to 10"),
        ("250.5", "250.5\n  windowSeconds: 3601", "8: spec.windowSeconds: Input should be less than or equal to 3600"),
        ("250.5", "250.5\n  windowSeconds: 60.5", "8: spec.windowSeconds: Input should be a valid integer"),
        ("250.5", "250.5\n  action: reject\n  view: loaded", "9: spec.view: action reject needs view dynamic"),
        ("250.5", "250.5\n  view: loaded\n  action: reject", "8: spec.view: action reject needs view dynamic"),
        ("250.5", "250.5\n  action: alert\n  enforcement: gate", "9: spec.enforcement: action alert never holds a pod"),
        (
            "250.5",
            "250.5\n  action: alert\n  preemptLowerPriority: true",
            "9: spec.preemptLowerPriority: action alert never holds a pod",
        ),
        (
            "250.5",
            "250.5\n  selector:\n    matchLabels:\n      tier: [web]",
            "10: spec.selector.matchLabels.tier: Input should be a valid string",
        ),
        (
            "250.5",
            "250.5\n  selector:\n    matchExpressions:\n    - {key: a, operator: Exists}\n    - {key: b, operator: In}",
            "11: spec.selector.matchExpressions[1]: operator In needs values",
        ),
        ("250.5", "250.5\n  limitWatts: 300", "8: spec.limitWatts: given twice, first in line 7"),
        ("spec:", "spec: &a", ""),
    ],
)
def test_a_wrong_budget_is_refused_at_its_line(old: str, new: str, problem: str, tmp_path: Path) -> None:
    assert BUDGET.count(old) == 1
    loaded = load(tmp_path, budget=BUDGET.replace(old, new))
    if not problem:
        assert not loaded.problems
        assert len(loaded.objects) == 1
        return
    assert not loaded.objects
    assert any(each.startswith(f"budget.yaml:{problem}") for each in problems(loaded)), problems(loaded)


def test_a_namespace_on_a_cluster_wide_kind_is_refused(tmp_path: Path) -> None:
    loaded = load(tmp_path, profile=PROFILE.replace("name: default", "name: default\n  namespace: prod"))
    assert problems(loaded) == ["profile.yaml:5: metadata.namespace: this kind is cluster-wide and has no namespace"]


def test_all_problems_of_a_folder_are_told_at_once(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        a=BUDGET.replace("limitWatts: 250.5", "limitWatts: no\n  colour: red").replace("name: team-a", "name: A"),
        b=PROFILE.replace("standard", "huge"),
        c=BUDGET,
    )
    assert located(loaded) == [(4, "metadata.name"), (7, "spec.limitWatts"), (8, "spec.colour"), (6, "spec.profile")]
    assert len(loaded.objects) == 1


def test_an_object_defined_twice_names_the_first(tmp_path: Path) -> None:
    loaded = load(tmp_path, a=BUDGET, b="---\n" + BUDGET, c=BUDGET.replace("namespace: prod", "namespace: dev"))
    (problem,) = loaded.problems
    assert (problem.line, problem.field) == (5, "metadata.name")
    assert problem.reason == f"PowerBudget prod/team-a is already defined in {tmp_path / 'a.yaml'}:1"


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("a: [1, 2\nb: 3\n", 2, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("a: 1\na: 2\n", 2, "given twice"),
        ("1: a\n", 1, "every key must be a text"),
        ("? [a]\n: b\n", 1, "every key must be a text"),
        ("a: *nothing\n", 1, "not YAML"),
        ("a: &x [*x]\n", 1, "contains itself"),
        ("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "is not allowed"),
        ("a: !secret 1\n", 1, "is not allowed"),
        ("x: &d {a: 1}\nb:\n  <<: *d\n", 3, "merge keys are not supported"),
        ("a: " + "9" * 5000 + "\n", 1, "is not a number"),
        (b"a: 1\nb: \xff\xfe\n", 2, "not UTF-8"),
        (b"a: 1\nb: \x07\n", 2, "YAML does not allow"),
        ("a: " + "[" * 60 + "]" * 60, 1, "nested deeper"),
        ("a: " + "{a: " * 20_000, 1, "nested deeper"),
        ("[" + "1, " * 60_000 + "]", 1, "more than 50000 values"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_file_that_cannot_be_read_is_a_problem(content: str | bytes, line: int, reason: str, tmp_path: Path) -> None:
    (problem,) = load(tmp_path, file=content).problems
    assert problem.line == line
    assert reason in problem.reason


def test_an_alias_bomb_ends_early(tmp_path: Path) -> None:
    """Ten levels of ten aliases each: 10**10 values in 400 bytes."""
    levels = [f"l{at}: &l{at} [" + ", ".join([f"*l{at - 1}"] * 10) + "]" for at in range(1, 11)]
    loaded = load(tmp_path, bomb="l0: &l0 [x, x]\n" + "\n".join(levels))
    assert "more than 50000 values" in loaded.problems[0].reason


def test_a_file_too_large_is_not_parsed(tmp_path: Path) -> None:
    (problem,) = load(tmp_path, big="a: 1\n" * 300_000).problems
    assert "larger than" in problem.reason


def test_documents_before_a_broken_one_are_still_told(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, a=BUDGET + "---\n" + BUDGET.replace("team-a", "b").replace("250.5", "x") + "---\na: 1\na: 2\n"
    )
    assert located(loaded) == [(15, "spec.limitWatts"), (18, "a")]


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    loaded = load_folder(tmp_path / "nowhere")
    assert [each.reason for each in loaded.problems] == ["No such file or directory"]
    assert not loaded.revision


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    (tmp_path / "folder.yaml").mkdir()
    import os

    os.mkfifo(tmp_path / "pipe.yaml")
    loaded = load(tmp_path, budget=BUDGET)
    assert len(loaded.objects) == 1
    assert {(each.field, each.reason) for each in loaded.problems} == {("file", "not a regular file")}
    assert len(loaded.problems) == 2
