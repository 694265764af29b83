# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A host that cannot do it says why, in words, before anything is loaded; what it reads of sysfs it reads right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpf import cpus, host
from bpf.errors import BpfAbsent
from bpf.libbpf import Library

if TYPE_CHECKING:
    from pathlib import Path

_ALL = (1 << 41) - 1


def _tree(root: Path, *, btf: bool = True, lockdown: str = "", capabilities: int = _ALL) -> tuple[Path, Path]:
    sysfs, procfs = root / "sys", root / "proc"
    (sysfs / "kernel/btf").mkdir(parents=True)
    (sysfs / "kernel/security").mkdir()
    (procfs / "self").mkdir(parents=True)
    if btf:
        (sysfs / "kernel/btf/vmlinux").write_bytes(b"")
    if lockdown:
        (sysfs / "kernel/security/lockdown").write_text(lockdown, encoding="ascii")
    (procfs / "self/status").write_text(f"Name:\tx\nCapEff:\t{capabilities:016x}\n", encoding="ascii")
    return sysfs, procfs


@pytest.mark.parametrize(
    ("lack", "reason"),
    [
        ({"btf": False}, "BTF"),
        ({"lockdown": "none integrity [confidentiality]"}, "lockdown"),
        ({"capabilities": 0}, "no capability BPF and PERFMON"),
        ({"capabilities": 1 << host.CAP_BPF}, "no capability PERFMON"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, lack: dict[str, Any], reason: str) -> None:
    sysfs, procfs = _tree(tmp_path, **lack)
    with pytest.raises(BpfAbsent, match=reason):
        host.require(sysfs=sysfs, procfs=procfs)


@pytest.mark.parametrize(
    "enough",
    [
        {"capabilities": 1 << host.CAP_BPF | 1 << host.CAP_PERFMON},
        {"capabilities": 1 << host.CAP_SYS_ADMIN},
        {"lockdown": "none [integrity] confidentiality"},
    ],
)
def test_what_is_enough_is_enough(tmp_path: Path, enough: dict[str, Any]) -> None:
    sysfs, procfs = _tree(tmp_path, **enough)
    host.require(sysfs=sysfs, procfs=procfs)


def test_a_library_that_is_not_there_or_too_old_is_refused() -> None:
    with pytest.raises(BpfAbsent, match="not installed"):
        Library("libpenstock-none.so.9")
    # Any library without the functions stands for one of before they came.
    with pytest.raises(BpfAbsent, match="too old"):
        Library("libc.so.6")


@given(st.frozensets(st.integers(0, 300)))
def test_a_cpu_list_reads_back(wanted: frozenset[int]) -> None:
    runs: list[list[int]] = []
    for cpu in sorted(wanted):
        if runs and runs[-1][-1] == cpu - 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    text = ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    assert cpus.parse_list(text + "\n") == wanted


def test_cpus_are_read_from_sysfs(tmp_path: Path) -> None:
    folder = tmp_path / "devices/system/cpu"
    for cpu, threads in {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}.items():
        (folder / f"cpu{cpu}/topology").mkdir(parents=True)
        (folder / f"cpu{cpu}/topology/thread_siblings_list").write_text(threads, encoding="ascii")
    (folder / "cpu0/cpufreq").mkdir()
    (folder / "cpu0/cpufreq/scaling_cur_freq").write_text("2400000\n", encoding="ascii")
    for name, text in {"possible": "0-7", "online": "0-1,4-5", "isolated": "1", "nohz_full": " (null)\n"}.items():
        (folder / name).write_text(text, encoding="ascii")
    for name, kind, listed in (("cpu_core", "4", "0,4"), ("cpu_atom", "10", "1,5")):
        (tmp_path / "devices" / name).mkdir()
        (tmp_path / "devices" / name / "type").write_text(kind, encoding="ascii")
        (tmp_path / "devices" / name / "cpus").write_text(listed, encoding="ascii")
    assert cpus.possible(tmp_path) == 8
    assert cpus.online(tmp_path) == {0, 1, 4, 5}
    assert cpus.quiet(tmp_path) == {1}
    assert cpus.siblings(tmp_path) == {0: 4, 4: 0, 1: 5, 5: 1}
    assert cpus.frequencies_mhz(tmp_path) == {0: 2400}
    assert cpus.core_types(tmp_path)[5] == ("cpu_atom", 10)
    with pytest.raises(BpfAbsent, match="possible"):
        cpus.possible(tmp_path / "nowhere")
