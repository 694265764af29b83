# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""cgroup paths as kubelet, runtimes and systemd write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.workloads.identity import Workload, identify

UID = "0b6c1a52-8d3e-4f5a-9c1b-2d3e4f5a6b7c"
SYSTEMD_UID = UID.replace("-", "_")
CONTAINER = "4f" * 32


@pytest.mark.parametrize(
    "path",
    [
        f"/kubepods/burstable/pod{UID}/{CONTAINER}",
        f"/kubepods/pod{UID}/{CONTAINER}",
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{SYSTEMD_UID}.slice/cri-containerd-{CONTAINER}.scope",
        f"/kubepods.slice/kubepods-pod{SYSTEMD_UID}.slice/crio-{CONTAINER}.scope",
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SYSTEMD_UID}.slice/docker-{CONTAINER}.scope",
        f"/kubepods.slice/kubepods-pod{SYSTEMD_UID}.slice/libpod-{CONTAINER}.scope/container",
        f"/kubelet/kubepods/besteffort/pod{UID}/{CONTAINER}/init.scope",
    ],
)
def test_a_container_of_a_pod_has_uid_and_container(path: str) -> None:
    assert identify(path) == Workload("unknown", UID, UID, CONTAINER)


def test_a_pod_without_a_container_is_still_that_pod() -> None:
    assert identify(f"/kubepods/burstable/pod{UID}") == Workload("unknown", UID, UID, "")


def test_a_static_pod_has_a_hash_for_a_uid() -> None:
    static = "d" * 32
    assert identify(f"/kubepods/burstable/pod{static}/{CONTAINER}").uid == static


@pytest.mark.parametrize(
    "path",
    ["/", "/system.slice/cron.service", f"/docker/{CONTAINER}", "/kubepods", "/kubepods/burstable", "/kubepods.slice"],
)
def test_what_is_in_no_pod_belongs_to_the_host_under_its_path(path: str) -> None:
    assert identify(path) == Workload("host", path)


@given(st.text())
def test_any_path_has_a_name_that_the_wire_takes(path: str) -> None:
    found = identify(path)
    assert 1 <= len(found.name) <= 1024
    assert found.namespace in ("host", "unknown")
