# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Attached programs for a test, and loose ends tied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from bpf.sched import Sched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpf.sched import Options


class Attach(Protocol):
    """Loads and attaches; closed after the test."""

    def __call__(self, options: Options) -> Sched: ...


@pytest.fixture
def attach() -> Iterator[Attach]:
    opened: list[Sched] = []

    def make(options: Options) -> Sched:
        sched = Sched(options)
        opened.append(sched)
        return sched

    yield make
    for sched in opened:
        sched.close()
