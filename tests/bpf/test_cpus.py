# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Cpus that come and go, and cpus that nobody may interrupt; as a made-up sysfs tells it, the real ones stay online."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.bpf import checks
from tests.bpf.host import Book, Load, boxes, off_by, record, usual

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bpf.conftest import Attach

pytestmark = [
    pytest.mark.part("ebpf"),
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two cpus are needed"),
]


def _sysfs(root: Path, **files: str) -> Path:
    folder = root / "devices/system/cpu"
    folder.mkdir(parents=True)
    (root / "kernel/btf").mkdir(parents=True)
    (root / "kernel/btf/vmlinux").write_bytes(b"")
    last = (os.cpu_count() or 1) - 1
    for name, text in {"possible": f"0-{last}", "online": f"0-{last}", **files}.items():
        (folder / name).write_text(text, encoding="ascii")
    return root


def test_an_isolated_cpu_is_never_interrupted_and_loses_nothing(attach: Attach, tmp_path: Path) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options(sysfs=_sysfs(tmp_path, isolated="1")))
    with boxes(hierarchy) as (box,):
        load = Load(box, "spin", 1, 1, "alone")
        before_ns = box.usage_ns()
        book = record(sched, load, every_s=0.2)
        load.end()
        # The last switch settles it.
        time.sleep(0.05)
        book.drain(sched)
        book.drain(sched)
        truth_ns = box.usage_ns() - before_ns
    tables = np.concatenate([part.cpus for part in book.parts])
    assert not tables["interrupted"][tables["cpu"] == 1].any()
    assert tables["interrupted"][tables["cpu"] != 1].any()
    assert off_by(book.run_ns(cgroup=box.id), truth_ns) < checks.TOLERANCE


def test_a_cpu_that_was_offline_has_no_time_from_then(attach: Attach, tmp_path: Path) -> None:
    sysfs = _sysfs(tmp_path, online="0")
    sched = attach(usual().options(sysfs=sysfs))
    for _ in range(2):
        sched.drain()
        time.sleep(0.3)
    (sysfs / "devices/system/cpu/online").write_text("0-1", encoding="ascii")
    began_ns = time.monotonic_ns()
    book = Book()
    with boxes(usual()) as (box,):
        load = Load(box, "spin", 0.3, 1)
        load.begin()
        while load.working(0.1):
            book.drain(sched)
        load.end()
    book.drain(sched)
    tables = np.concatenate([part.cpus for part in book.parts])
    back = tables[tables["cpu"] == 1]
    elapsed_ns = int((back["to_ns"] - back["from_ns"]).sum())
    whole_ns = sum(int(back[name].sum()) for name in ("task_ns", "stolen_ns", "idle_ns", "missed_ns"))
    assert off_by(whole_ns, elapsed_ns) < 0.001
    assert back["from_ns"][0] > began_ns - 400_000_000
    assert elapsed_ns < time.monotonic_ns() - back["from_ns"][0]
    assert book.run_ns(cgroup=box.id, cpu=1) > 0.1e9
