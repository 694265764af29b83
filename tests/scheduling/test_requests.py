# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Requests as the scheduler computes them, and who is exempt."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
import pytest

from extender import contract
from extender.pods import ask, cpu_request
from tests.scheduling.pods import pod


def _pod(document: dict[str, Any]) -> contract.Pod:
    return msgspec.convert(document, contract.Pod)


def _container(cpu: str | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": {"cpu": cpu}} if cpu else {}, **more}


@pytest.mark.parametrize(
    ("spec", "cpus"),
    [
        ({"containers": [_container("1"), _container("500m"), _container()]}, "3/2"),
        # The init phase peaks above what runs later.
        ({"containers": [_container("1")], "initContainers": [_container("3"), _container("2")]}, "3"),
        # A restartable init container runs on, beside the containers and beside later init containers.
        (
            {"containers": [_container("1")], "initContainers": [_container("500m", restartPolicy="Always")]},
            "3/2",
        ),
        (
            {
                "containers": [_container("1")],
                "initContainers": [_container("500m", restartPolicy="Always"), _container("2")],
            },
            "5/2",
        ),
        # One that starts after the ordinary one does not run beside it.
        (
            {
                "containers": [_container("1")],
                "initContainers": [_container("2"), _container("500m", restartPolicy="Always")],
            },
            "2",
        ),
        ({"containers": [_container("1")], "overhead": {"cpu": "250m"}}, "5/4"),
        # Pod-level requests replace the sum, overhead still comes on top.
        (
            {
                "containers": [_container("1")],
                "resources": {"requests": {"cpu": "4"}},
                "overhead": {"cpu": "1"},
            },
            "5",
        ),
        ({"containers": [_container("1")], "resources": {"requests": {"memory": "1Gi"}}}, "1"),
        ({"containers": []}, "0"),
        ({"containers": None, "initContainers": None}, "0"),
    ],
)
def test_cpu_request(spec: dict[str, Any], cpus: str) -> None:
    assert cpu_request(_pod({"metadata": {}, "spec": spec})) == Fraction(cpus)


@pytest.mark.parametrize(
    ("change", "treatment"),
    [
        ({}, "enforce"),
        ({"namespace": "kube-system"}, "ignore"),
        ({"namespace": "penstock-system"}, "ignore"),
        ({"labels": {"penstock.dev/scheduling": "ignore"}}, "ignore"),
        ({"labels": {"penstock.dev/scheduling": "shadow"}}, "shadow"),
        ({"labels": {"penstock.dev/scheduling": "off"}}, "enforce"),
    ],
)
def test_treatment(change: dict[str, Any], treatment: str) -> None:
    document = pod()
    document["metadata"] |= change
    assert ask(_pod(document), own_namespace="penstock-system").treatment == treatment


def test_critical_pods_are_ignored_and_those_of_daemon_sets_not_refusable() -> None:
    critical = ask(_pod(pod(priorityClassName="system-node-critical")), own_namespace="x")
    assert critical.treatment == "ignore"
    document = pod()
    document["metadata"]["ownerReferences"] = [{"kind": "DaemonSet", "name": "d", "apiVersion": "apps/v1"}]
    assert not ask(_pod(document), own_namespace="x").refusable


def test_no_request_is_none_not_zero() -> None:
    assert ask(_pod(pod(cpu=None)), own_namespace="x").cpus is None
    assert ask(_pod(pod(cpu="0")), own_namespace="x").cpus is None
    assert ask(_pod(pod(cpu="10m")), own_namespace="x").cpus == 0.01
