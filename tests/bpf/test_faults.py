# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The checks have teeth: with the programs broken on purpose, each that should notice does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpf.sched import Faults
from tests.bpf import checks
from tests.bpf.host import usual

if TYPE_CHECKING:
    from tests.bpf.conftest import Attach

pytestmark = pytest.mark.part("ebpf")


def test_without_the_flush_a_task_that_never_yields_is_missed(attach: Attach) -> None:
    hierarchy = usual()
    with pytest.raises(AssertionError):
        checks.never_yields(attach(hierarchy.options(faults=Faults(no_flush=True))), hierarchy)


def test_rows_closed_at_sched_process_exit_lose_what_comes_after(attach: Attach) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options(faults=Faults(close_at_exit=True)))
    with pytest.raises(AssertionError):
        checks.fork_bomb(sched, hierarchy, count=300)
    with pytest.raises(AssertionError):
        checks.short_lived(sched, hierarchy, count=60, ms=1)


def test_a_key_of_tgid_alone_takes_two_processes_for_one(attach: Attach) -> None:
    hierarchy = usual()
    sched = attach(hierarchy.options(faults=Faults(key_by_tgid_only=True)))
    with pytest.raises(AssertionError):
        checks.pid_reuse(sched, hierarchy)
    with pytest.raises(AssertionError):
        checks.migration(sched, hierarchy)
