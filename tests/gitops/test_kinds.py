# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds: defaults, the words they use outside, and how selectors match."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gitops.kinds.base import Fields, LabelSelector
from gitops.kinds.known import KINDS
from gitops.kinds.power_budget import PowerBudget
from gitops.kinds.power_profile import PowerProfile


def budget(**spec: Any) -> PowerBudget:
    return PowerBudget.model_validate(
        {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "PowerBudget",
            "metadata": {"name": "a", "namespace": "n"},
            "spec": {"limitWatts": 10, **spec},
        }
    )


def test_a_budget_of_one_number_has_stated_defaults() -> None:
    spec = budget().spec
    assert (spec.limit_watts, spec.window_seconds, spec.action, spec.view, spec.enforcement) == (
        10.0,
        60,
        "throttle",
        "dynamic",
        "extender",
    )
    assert not spec.preempt_lower_priority
    assert spec.selector.matches({"any": "pod"})


def test_objects_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(budget().spec, "limit_watts", 5)  # noqa: B010 - mypy knows that it cannot be done


def test_a_profile_is_cluster_wide() -> None:
    profile = PowerProfile.model_validate(
        {
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "PowerProfile",
            "metadata": {"name": "p"},
            "spec": {"profile": "full", "intervalSeconds": 2, "overrides": {"mapEntries": 1000}},
        }
    )
    assert profile.identity == ("PowerProfile", "", "p")
    assert profile.spec.overrides.map_entries == 1000


def test_what_is_written_is_what_kubernetes_would_see() -> None:
    assert budget(windowSeconds=30).model_dump(by_alias=True, exclude_defaults=True)["spec"] == {
        "limitWatts": 10.0,
        "windowSeconds": 30,
    }


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ({}, {}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "2"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {"a": "1"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, {"a": "1"}, False),
    ],
)
def test_selectors_match_as_kubernetes_does(selector: Any, labels: dict[str, str], *, matches: bool) -> None:
    assert LabelSelector.model_validate(selector).matches(labels) is matches


def _models(model: type[Fields]) -> list[type[Fields]]:
    found = [model]
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Fields):
            found += _models(field.annotation)
    return found


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_field_of_a_spec_is_described(kind: type[Fields]) -> None:
    spec = kind.model_fields["spec"].annotation
    assert isinstance(spec, type)
    for model in _models(spec):
        if model.__module__ == "gitops.kinds.base":
            continue
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert field.description.endswith("."), f"{model.__name__}.{name}"
