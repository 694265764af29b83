# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A kernel without one of the tracepoints: an optional one is left out with its reason, sched_switch is not optional.

The kernel here has them all; the object is made to ask for ones that none has.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bpf.errors import BpfFailed
from bpf.sched import OPTIONAL, Sched
from tests.bpf.host import usual

pytestmark = pytest.mark.part("ebpf")

_OBJECT = Path(__file__).resolve().parents[2] / "bpf" / "sched.bpf.o"


def _asking_for_another(section: str) -> bytes:
    body = _OBJECT.read_bytes()
    name = section.encode()
    other = name[:-2] + b"zz"
    assert body.count(name + b"\0") >= 1
    return body.replace(name + b"\0", other + b"\0")


@pytest.mark.parametrize("name", ["cgroup_rmdir", "cgroup_attach_task", "sched_process_exit", "sched_process_fork"])
def test_an_optional_tracepoint_is_left_out_with_the_reason(name: str) -> None:
    assert name in OPTIONAL
    sched = Sched(usual().options(), body=_asking_for_another(f"raw_tp/{name}"))
    try:
        assert "ENOENT" in sched.left_out[name]
        sched.drain()
        # Two ticks: sooner there may be nothing new in any task's clock.
        time.sleep(0.02)
        assert sched.drain().rows.size > 0
    finally:
        sched.close()


def test_without_sched_switch_there_is_a_reason() -> None:
    with pytest.raises(BpfFailed, match="sched_swit"):
        Sched(usual().options(), body=_asking_for_another("tp_btf/sched_switch"))


def test_an_object_that_is_none_is_refused() -> None:
    with pytest.raises(BpfFailed, match="object sched"):
        Sched(usual().options(), body=b"not an object")
