# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Good folders become objects; what is none of ours is skipped; the revision follows the contents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitops.kinds.power_budget import PowerBudget
from gitops.loading import load_folder
from tests.gitops.files import BUDGET, PROFILE, load, problems

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "policies"


def test_the_example_repository_is_right() -> None:
    loaded = load_folder(EXAMPLE)
    assert not loaded.problems
    assert {each.object.identity for each in loaded.objects} == {
        ("PowerBudget", "host", "host"),
        ("PowerProfile", "", "default"),
    }
    budget = next(each.object for each in loaded.objects if isinstance(each.object, PowerBudget))
    assert budget.spec.limit_watts >= 1000, "the example must hold nobody until a number was chosen"


def test_objects_know_their_file_and_line(tmp_path: Path) -> None:
    loaded = load(tmp_path, a="# a comment\n---\n" + BUDGET + "---\n" + PROFILE, sub__b=PROFILE.replace("default", "b"))
    assert not loaded.problems
    assert [(each.object.identity[2], Path(each.file).name, each.line) for each in loaded.objects] == [
        ("team-a", "a.yaml", 3),
        ("default", "a.yaml", 11),
        ("b", "b.yaml", 1),
    ]


def test_others_are_counted_and_skipped(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        deployment="apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {anything: [1, 2]}\n",
        application="apiVersion: argoproj.io/v1alpha1\nkind: Application\n",
        values="replicas: 2\n",
        operations="- {op: replace, path: /spec, value: 1}\n",
        same_kind="apiVersion: other.example/v1\nkind: PowerBudget\nspec: {watts: many}\n",
        empty="",
        comment="# nothing\n---\n---\n",
        kustomization="resources: [a.yaml]\nnonsense: true\n",
        budget=BUDGET,
    )
    assert problems(loaded) == []
    assert len(loaded.objects) == 1
    assert loaded.skipped == 5


def test_hidden_and_foreign_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config.yaml").write_text("kind: [")
    (tmp_path / ".draft.yaml").write_text("kind: [")
    (tmp_path / "README.md").write_text("kind: [")
    assert load(tmp_path, budget=BUDGET).problems == ()


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    """Kubernetes mounts files as links into a dated, hidden folder."""
    (tmp_path / "..2026_11_22").mkdir()
    (tmp_path / "..2026_11_22" / "budget.yaml").write_text(BUDGET)
    (tmp_path / "..data").symlink_to("..2026_11_22")
    (tmp_path / "budget.yaml").symlink_to("..data/budget.yaml")
    loaded = load_folder(tmp_path)
    assert not loaded.problems
    assert len(loaded.objects) == 1


def test_one_file_can_be_loaded(tmp_path: Path) -> None:
    file = tmp_path / "any-name.yaml"
    file.write_text(BUDGET)
    assert [each.file for each in load_folder(file).objects] == [str(file)]


def test_json_is_yaml(tmp_path: Path) -> None:
    (tmp_path / "budget.json").write_text(
        '{"apiVersion": "penstock.dev/v1alpha1", "kind": "PowerBudget", "metadata": {"name": "a", "namespace": "n"},'
        ' "spec": {"limitWatts": 1e3}}'
    )
    (located,) = load_folder(tmp_path).objects
    assert isinstance(located.object, PowerBudget)
    assert located.object.spec.limit_watts == 1000.0


def test_objects_in_a_kubernetes_list_are_found(tmp_path: Path) -> None:
    item = "- " + BUDGET.replace("\n", "\n  ").rstrip() + "\n"
    loaded = load(tmp_path, list="apiVersion: v1\nkind: List\nitems:\n" + item + item.replace("limitWatts", "limit"))
    assert len(loaded.objects) == 1
    assert [(each.line, each.field) for each in loaded.problems] == [
        (16, "items[1].spec.limitWatts"),
        (17, "items[1].spec.limit"),
    ]


def test_patches_are_checked_but_are_no_objects(tmp_path: Path) -> None:
    patch = "apiVersion: penstock.dev/v1alpha1\nkind: PowerBudget\nmetadata: {name: team-a}\nspec:\n"
    loaded = load(
        tmp_path,
        base__budget=BUDGET,
        **{
            "overlay__good.patch": patch + "  $patch: merge\n  action: alert\n  windowSeconds: null\n",
            "overlay__whole.patch": BUDGET,
            "overlay__bad.patch": patch + "  acton: alert\n  windowSeconds: 5\n",
        },
    )
    assert [each.object.identity[2] for each in loaded.objects] == ["team-a"]
    assert problems(loaded) == [
        "bad.patch.yaml:5: spec.acton: unknown field; did you mean action?",
        "bad.patch.yaml:6: spec.windowSeconds: Input should be greater than or equal to 10, is '5'",
    ]


def test_the_revision_follows_names_and_contents(tmp_path: Path) -> None:
    first = load(tmp_path, a=BUDGET).revision
    assert load(tmp_path, a=BUDGET).revision == first
    changed = load(tmp_path, a=BUDGET.replace("250.5", "251")).revision
    (tmp_path / "a.yaml").rename(tmp_path / "b.yaml")
    renamed = load_folder(tmp_path).revision
    assert len({first, changed, renamed}) == 3


def test_the_revision_does_not_depend_on_where_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absolute = load(tmp_path, a=BUDGET, sub__b=PROFILE)
    monkeypatch.chdir(tmp_path)
    relative = load_folder(Path())
    assert relative.revision == absolute.revision
    assert relative.objects[0].file == "a.yaml"
