# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""CPU time as the key, per socket where the CPU is known, and what it may be off by."""

from __future__ import annotations

import numpy as np
import pytest

from agent.attribution.cpu_time_ratio import weights
from agent.attribution.engine import UnexplainedTime, attribute
from agent.attribution.uncertainty import bounds, share_error_uj
from agent.observe.protocol import PROCESS
from tests.attribution.intervals import ELAPSED_NS, domain, rows


def test_a_socket_is_paid_by_those_who_ran_on_it() -> None:
    these = rows((1, 0, PROCESS, 10), (2, 0, PROCESS, 20), (3, 0, PROCESS, 30))
    these["cpu"] = [0, 3, -1]
    sockets = np.array([0, 0, 1, 1])
    assert weights(these, "socket-0", sockets).tolist() == [10, 0, 30]
    assert weights(these, "socket-1-die-1", sockets).tolist() == [0, 20, 30]
    assert weights(these, "share", sockets).tolist() == [10, 20, 30]
    assert weights(these, "socket-1", None).tolist() == [10, 20, 30]


def test_the_whole_domain_has_no_share_error_and_halves_have_the_measured_spread() -> None:
    assert share_error_uj(np.array([1000]), 1000).tolist() == [0]
    assert share_error_uj(np.array([500, 500]), 1000).tolist() == [302, 302]
    assert share_error_uj(np.array([0]), 0).tolist() == [0]


def test_meter_errors_add_up_within_a_source_and_splits_do_not() -> None:
    done = attribute(
        [domain(energy_uj=1000), domain(scope="socket-1", energy_uj=1000)],
        rows((1, 0, PROCESS, 10)),
        unexplained=UnexplainedTime(),
        capacity_ns=ELAPSED_NS,
    )
    assert bounds([1000.0, 1000.0], [], done.domains) == pytest.approx((1940.0, 2060.0))
    low, high = bounds([1000.0, 1000.0], [30.0, 40.0], done.domains)
    assert (2000 - low, high - 2000) == pytest.approx((np.hypot(60, 50), np.hypot(60, 50)))
    assert bounds([1.0, 0.0], [500.0, 0.0], done.domains)[0] == 0.0
