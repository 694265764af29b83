# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What an observing process needs, and what is left of one that is killed."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from bpf.host import CAP_BPF, CAP_PERFMON
from bpf.libbpf import Library
from tests.bpf.host import off_by
from tests.parts import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.part("ebpf")


def _child(how: str, *before: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-m", "tests.bpf.child", how], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def _said(how: str, *before: str) -> dict[str, Any]:
    with _child(how, *before) as child:
        assert child.stdout is not None
        said = json.loads(child.stdout.read())
    assert isinstance(said, dict)
    return said


def test_bpf_and_perfmon_are_all_it_needs() -> None:
    said = _said("bare")
    wanted = f"{1 << CAP_BPF | 1 << CAP_PERFMON:016x}"
    assert said["uid"] == 65534
    assert set(said["capabilities"].values()) == {wanted}
    assert said["own_ns"] > 20_000_000
    # One tick at each edge, on a process that began to be watched while it ran.
    assert off_by(said["run_ns"], said["own_ns"]) < 0.1
    assert "sched_process_exit" not in said["left_out"]
    assert "cgroup_attach_task" not in said["left_out"]


def test_without_them_it_says_so() -> None:
    assert _said("none")["reason"] == "ebpf: no capability BPF and PERFMON"


def test_in_another_pid_namespace_it_would_name_the_wrong_processes() -> None:
    assert "PID namespace" in _said("plain", "unshare", "--pid", "--fork")["reason"]


def _openers() -> dict[str, Callable[[int], int]]:
    calls = Library().calls
    openers: dict[str, Callable[[int], int]] = {}
    for kind, name in (("programs", "bpf_prog_get_fd_by_id"), ("maps", "bpf_map_get_fd_by_id")):
        function = getattr(calls, name)
        function.argtypes = (ctypes.c_uint32,)
        function.restype = ctypes.c_int
        openers[kind] = function
    return openers


def _there(fd: int) -> bool:
    if fd >= 0:
        os.close(fd)
    return fd != -errno.ENOENT


def test_a_killed_process_leaves_nothing_in_the_kernel() -> None:
    openers = _openers()
    with _child("hold") as child:
        assert child.stdout is not None
        ids = json.loads(child.stdout.readline())
        assert len(ids["programs"]) >= 2
        child.send_signal(signal.SIGKILL)
    # The kernel frees both after a grace period.
    until = time.monotonic() + 10
    left = [(kind, each) for kind, numbers in ids.items() for each in numbers]
    while left and time.monotonic() < until:
        left = [(kind, each) for kind, each in left if _there(openers[kind](each))]
        time.sleep(0.05)
    assert not left
