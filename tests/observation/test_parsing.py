# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes of procfs: what is there is read, what is not is refused, and nothing crashes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.observe.cgroup import Group, Tree, own_growth, path_of
from agent.stat import CpuTimes, parse_process, parse_stat


def test_stat_of_an_old_kernel_has_fewer_columns() -> None:
    stat = parse_stat(b"cpu  1 2 3 4 5 6 7\ncpu0 1 2 3 4 5 6 7\nprocesses 9\n")
    assert stat.total == CpuTimes(60_000_000, 90_000_000, 130_000_000, 0)
    assert (stat.cpus, stat.forks, stat.hard_interrupt_ns) == (1, 9, 60_000_000)


@given(st.binary(max_size=300))
def test_garbage_is_a_value_error(body: bytes) -> None:
    for parse in (parse_process, parse_stat):
        with contextlib.suppress(ValueError):
            parse(body)


@pytest.mark.parametrize("body", [b"", b"1 (sh) S 1", b"no parentheses at all"])
def test_half_a_process_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="stat"):
        parse_process(body)


def test_load_never_goes_below_nothing() -> None:
    assert CpuTimes(0, 0, 0, 0).load_ratio_since(CpuTimes(9, 9, 9, 9)) == 0.0
    assert CpuTimes(30, 60, 10, 100).load_ratio_since(CpuTimes(0, 0, 0, 0)) == 0.2


def test_the_line_of_the_right_hierarchy_is_taken() -> None:
    body = b"9:name=systemd:/s\n2:cpu,cpuacct:/c:with colon\n0::/u\n"
    assert path_of(body, b"cpuacct") == "/c:with colon"
    assert path_of(body, b"") == "/u"
    assert path_of(b"1:memory:/\n", b"") is None


@given(
    st.dictionaries(st.sampled_from(["/", "/a", "/a/b", "/a/c", "/d"]), st.integers(0, 10**15), min_size=1),
    st.dictionaries(st.sampled_from(["/", "/a", "/a/b", "/a/c", "/d"]), st.integers(0, 10**15)),
)
def test_own_growth_adds_up_to_that_of_the_tops(now: dict[str, int], before: dict[str, int]) -> None:
    tree = Tree(tuple(Group(path, (), usage_ns) for path, usage_ns in now.items()), exact_total=False)
    growth = own_growth(tree, before)
    tops = [path for path in now if path == "/" or (path.rpartition("/")[0] or "/") not in now]
    assert sum(growth.values()) == sum(now[path] - before.get(path, 0) for path in tops)
