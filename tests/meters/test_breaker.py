# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A circuit opens, waits longer each time, and finds out by itself that a device is back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.meters.breaker import Breaker
from plumbing.clock import ManualClock


def state(circuit: Breaker) -> str:
    return circuit.circuit.state


def breaker(clock: ManualClock) -> Breaker:
    return Breaker(clock=clock, failures=3, pause_s=4.0, longest_s=60.0, healthy_s=30.0, draw=lambda: 0.5)


def test_a_single_failure_changes_nothing_and_a_success_forgets_it() -> None:
    clock = ManualClock()
    circuit = breaker(clock)
    circuit.failed("timed_out")
    circuit.failed("timed_out")
    assert state(circuit) == "closed"
    circuit.succeeded()
    circuit.failed("timed_out")
    assert circuit.allows()
    assert circuit.circuit.failures == 1


def test_three_failures_in_a_row_open_it_until_the_pause_is_over() -> None:
    clock = ManualClock()
    circuit = breaker(clock)
    for _ in range(3):
        circuit.failed("unreachable")
    assert state(circuit) == "open"
    assert not circuit.allows()
    assert circuit.circuit.reason == "unreachable"
    assert circuit.circuit.retry_in_s == 4.0
    clock.advance(4.0)
    assert state(circuit) == "half-open"
    assert circuit.allows()
    circuit.succeeded()
    assert state(circuit) == "closed"
    assert circuit.circuit.reason == ""


def test_a_failed_trial_doubles_the_pause_up_to_the_longest() -> None:
    clock = ManualClock()
    circuit = breaker(clock)
    pauses = []
    for _ in range(3):
        circuit.failed("timed_out")
    for _ in range(6):
        pauses.append(circuit.circuit.retry_in_s)
        clock.advance(pauses[-1])
        circuit.failed("timed_out")
    assert pauses == [4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_a_flapping_device_is_not_trusted_until_it_stays_well() -> None:
    clock = ManualClock()
    circuit = breaker(clock)
    for _ in range(3):
        circuit.failed("timed_out")
    clock.advance(4.0)
    circuit.succeeded()
    clock.advance(5.0)
    circuit.failed("timed_out")
    assert state(circuit) == "open", "one failure is enough on probation"
    assert circuit.circuit.retry_in_s == 8.0
    clock.advance(8.0)
    for _ in range(8):
        circuit.succeeded()
        clock.advance(5.0)
    circuit.failed("timed_out")
    assert state(circuit) == "closed", "well for 30 s: three failures are needed again"


def test_a_device_that_asks_for_a_pause_gets_it() -> None:
    clock = ManualClock()
    circuit = breaker(clock)
    circuit.failed("unauthorized", pause_s=600.0)
    assert circuit.circuit.retry_in_s == 600.0
    clock.advance(599.0)
    assert not circuit.allows()


def test_two_agents_do_not_come_back_at_one_time() -> None:
    clock = ManualClock()
    draws = iter((0.0, 1.0))
    circuits = [Breaker(clock=clock, failures=1, pause_s=10.0, draw=lambda: next(draws)) for _ in range(2)]
    for circuit in circuits:
        circuit.failed("timed_out")
    assert [circuit.circuit.retry_in_s for circuit in circuits] == [7.5, 12.5]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 400)), max_size=60))
def test_whatever_happens_an_open_circuit_opens_up_again(events: list[tuple[bool, float]]) -> None:
    clock = ManualClock()
    circuit = Breaker(clock=clock, failures=2, pause_s=1.0, longest_s=100.0)
    for good, later_s in events:
        if circuit.allows():
            if good:
                circuit.succeeded()
            else:
                circuit.failed("timed_out")
        assert (state(circuit) == "open") == (not circuit.allows())
        assert 0 <= circuit.circuit.retry_in_s <= 125.0
        clock.advance(later_s)
    clock.advance(125.0)
    assert circuit.allows()
