# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The Redfish meter against a BMC on a real socket: every vendor, every way in which a BMC fails, and back again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from agent.meters import redfish
from agent.meters.breaker import Breaker
from agent.meters.protocol import Reading, Unread
from agent.meters.redfish import RedfishMeter
from plumbing.clock import ManualClock, SystemClock
from sim.bmc.app import VENDORS, Bmc
from sim.bmc.documents import Draw, Flow
from sim.bmc.scenarios import SCENARIOS, Scenario
from tests.meters.bmcs import by_domain, entry, metering, power_w, reason, serving, walked

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.part("redfish")

NODE = "platform/node"
WHOLE_W = {"dell": 410.0, "hpe": 376.0, "lenovo": 410.0, "openbmc": 410.0, "supermicro": 410.0}
HALF_W = {"dell": 376.0, "hpe": 376.0, "lenovo": 410.0, "openbmc": 410.0, "supermicro": 410.0}


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_healthy(vendor: str, tmp_path: Path) -> None:
    bmc = Bmc(vendor=vendor)
    with metering(bmc, tmp_path) as meter:
        readings = walked(meter)
        assert power_w(readings[NODE]) == WHOLE_W[vendor]
        assert {each.domain.name for each in meter.metered} == set(readings)
        before = readings[NODE]
        bmc.draw = Draw(supplies=(Flow(502.0, 476.0), Flow(8.0, 0.0)))
        after = by_domain(meter)[NODE]
        assert isinstance(before, Reading)
        assert isinstance(after, Reading)
        assert after.power_w == WHOLE_W[vendor] + 50.0, "the mean of two moments"
        assert after.from_ns == before.to_ns
    assert bmc.tokens == {}


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_half_the_sensors_missing(vendor: str, tmp_path: Path) -> None:
    with metering(Bmc(vendor=vendor, scenario=SCENARIOS["half_missing"]), tmp_path) as meter:
        readings = walked(meter)
    assert power_w(readings[NODE]) == HALF_W[vendor], "another way, never a part of a sum"
    missing = {each.reason for each in readings.values() if isinstance(each, Unread)}
    assert missing <= {"null", "a_side_is_not_measured"}


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_slow(vendor: str, tmp_path: Path) -> None:
    # 0.8 s for a read and 0.08 s per document: the walk takes several reads, the total does not wait for it. Ten times
    # the delay is room for a busy machine, on which a tighter limit opened the circuit.
    with metering(Bmc(vendor=vendor, scenario=Scenario(delay_s=0.08)), tmp_path, timeout_s=0.8) as meter:
        longest_s = 0.0
        for _ in range(60):
            started_s = time.perf_counter()
            whole = by_domain(meter)[NODE]
            longest_s = max(longest_s, time.perf_counter() - started_s)
            if isinstance(whole, Reading):
                break
            assert whole.reason in ("walking", "timed_out")
        assert power_w(by_domain(meter)[NODE]) == WHOLE_W[vendor]
        assert meter.circuit.state == "closed"
    assert longest_s < 3.0, "twice the time of a read, and room for a slow machine"


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_unauthorized(vendor: str, tmp_path: Path) -> None:
    bmc = Bmc(vendor=vendor, scenario=SCENARIOS["unauthorized"])
    with metering(bmc, tmp_path) as meter:
        assert reason(by_domain(meter)[NODE]) == "unauthorized"
        assert meter.circuit.state == "open"
        assert meter.circuit.retry_in_s > 500
        for _ in range(5):
            assert reason(by_domain(meter)[NODE]) == "circuit_open"
    assert sum(count for path, count in bmc.asked.items() if path.startswith("POST")) == 1


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_vanishing_and_returning(vendor: str, tmp_path: Path) -> None:
    bmc = Bmc(vendor=vendor)
    with metering(bmc, tmp_path, timeout_s=0.4) as meter:
        assert power_w(walked(meter)[NODE]) == WHOLE_W[vendor]
        bmc.down = True
        reasons = [reason(by_domain(meter)[NODE]) for _ in range(4)]
        assert reasons == ["timed_out", "timed_out", "timed_out", "circuit_open"]
        assert meter.circuit.opened_total == 1
        bmc.down = False
        bmc.tokens.clear()  # it restarted
        back = until_read(meter)
        assert back.power_w == WHOLE_W[vendor]
        assert meter.circuit.state == "closed"


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_flapping(vendor: str, tmp_path: Path) -> None:
    bmc = Bmc(vendor=vendor)
    with metering(bmc, tmp_path, timeout_s=0.1, failures=1) as meter:
        walked(meter, reads=200)
        seen: list[float] = []
        for turn in range(6):
            bmc.down = turn % 2 == 1
            for _ in range(3):
                whole = by_domain(meter)[NODE]
                if isinstance(whole, Reading):
                    seen.append(power_w(whole))
                else:
                    assert whole.reason in ("timed_out", "circuit_open")
                time.sleep(0.03)
        assert meter.circuit.opened_total >= 2
        bmc.down = False
        assert until_read(meter).power_w == WHOLE_W[vendor]
    assert set(seen) <= {WHOLE_W[vendor]}


def until_read(meter: RedfishMeter, *, within_s: float = 5.0) -> Reading:
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        whole = by_domain(meter)[NODE]
        if isinstance(whole, Reading):
            return whole
        time.sleep(0.02)
    raise AssertionError(f"not back: {meter.circuit}")


def test_a_bmc_that_is_not_there_at_the_start_is_metered_when_it_comes(tmp_path: Path) -> None:
    with serving(Bmc()) as url:
        port = int(url.rsplit(":", 1)[1])
    clock = SystemClock()
    meter = RedfishMeter(
        entry(tmp_path, url, timeout_s=0.5),
        clock=clock,
        refresh_s=0.0,
        breaker=Breaker(clock=clock, failures=1, pause_s=0.05, longest_s=0.1),
    )
    assert [each.domain.name for each in meter.metered] == [NODE]
    assert reason(by_domain(meter)[NODE]) == "unreachable"
    with serving(Bmc(), port=port):
        assert until_read(meter).power_w == 410.0
        assert len(meter.metered) > 1
        meter.close()


def test_a_read_that_was_abandoned_is_not_read_beside(tmp_path: Path) -> None:
    with metering(Bmc(down=True), tmp_path, timeout_s=0.5) as meter:
        abandoned = threading.Thread(target=meter.read)
        abandoned.start()
        time.sleep(0.1)
        started_s = time.perf_counter()
        assert reason(by_domain(meter)[NODE]) == "still_reading"
        assert time.perf_counter() - started_s < 0.2
        abandoned.join()
        assert meter.circuit.failures == 1


def test_a_service_that_is_still_starting_is_asked_again(tmp_path: Path) -> None:
    bmc = Bmc(missing={"/redfish/v1/"})
    with metering(bmc, tmp_path) as meter:
        assert reason(by_domain(meter)[NODE]) == "no_redfish_service"
        bmc.missing.clear()
        assert until_read(meter).power_w == 410.0


def test_discovery_does_not_wait_for_a_bmc_unless_told_to(tmp_path: Path) -> None:
    with serving(Bmc(down=True)) as url:
        started_s = time.perf_counter()
        found = redfish.discover(entry(tmp_path, url), clock=SystemClock())
        assert time.perf_counter() - started_s < 0.5
        assert isinstance(found.meter, RedfishMeter)
        assert [each.domain.name for each in found.meter.metered] == [NODE]
        found.meter.close()


def test_discovery_for_a_person_shows_the_other_ways_with_their_watts(tmp_path: Path) -> None:
    with serving(Bmc()) as url:
        found = redfish.discover(entry(tmp_path, url), clock=SystemClock(), budget_s=5.0)
        assert isinstance(found.meter, RedfishMeter)
        found.meter.close()
    reasons = {each.scope: each.reason for each in found.skipped}
    assert "376 W now" in reasons["power-control"]
    assert reasons["SystemBoardCPUUsage"] == "a percentage is not a power"
    assert {each.domain.name for each in found.meter.metered if each.through} == {
        f"psu/PSU.Slot.{number}-{side}" for number in (1, 2) for side in ("input", "output")
    }


def test_discovery_says_why_a_bmc_gives_nothing(tmp_path: Path) -> None:
    with serving(Bmc()) as url:
        found = redfish.discover(entry(tmp_path, url, password="wrong"), clock=SystemClock(), budget_s=5.0)
    assert found.skipped[-1].reason.endswith("unauthorized")
    assert isinstance(found.meter, RedfishMeter)
    found.meter.close()


def test_the_bmc_is_left_alone_between_refreshes(tmp_path: Path) -> None:
    clock = ManualClock()
    bmc = Bmc()
    with serving(bmc) as url:
        meter = RedfishMeter(entry(tmp_path, url), clock=clock, refresh_s=10.0)
        first = by_domain(meter)
        asked = sum(bmc.asked.values())
        for _ in range(5):
            clock.advance(1.9)
            assert by_domain(meter) == first, "the same readings, with their own times"
        assert sum(bmc.asked.values()) == asked
        clock.advance(1.0)
        again = by_domain(meter)[NODE]
        assert isinstance(again, Reading)
        assert again.to_ns - again.from_ns == pytest.approx(10.5e9)
        meter.close()


def test_a_refresh_asks_only_for_what_is_in_use_and_only_for_changes(tmp_path: Path) -> None:
    bmc = Bmc()
    with metering(bmc, tmp_path) as meter:
        walked(meter)
        before = dict(bmc.asked)
        by_domain(meter)
    new = {path: count - before.get(path, 0) for path, count in bmc.asked.items() if count != before.get(path, 0)}
    metrics = [
        f"/redfish/v1/Chassis/System.Embedded.1/PowerSubsystem/PowerSupplies/PSU.Slot.{n}/Metrics" for n in (1, 2)
    ]
    assert new == {**{f"304 {uri}": 1 for uri in metrics}, "DELETE session": 1}


def test_tags_that_lie_are_found_out(tmp_path: Path) -> None:
    bmc = Bmc(vendor="lenovo", tags_lie=True)
    with metering(bmc, tmp_path) as meter:
        walked(meter)
        bmc.draw = Draw(supplies=(Flow(502.0, 476.0), Flow(8.0, 0.0)))
        seen = [power_w(by_domain(meter)[NODE]) for _ in range(12)]
        assert seen[-1] == 510.0
        before = bmc.asked["GET /redfish/v1/Chassis/1/Power"]
        by_domain(meter)
        assert bmc.asked["GET /redfish/v1/Chassis/1/Power"] == before + 1, "never believed again"


def test_a_supply_that_is_pulled_leaves_a_gap_and_then_the_others(tmp_path: Path) -> None:
    bmc = Bmc()
    with metering(bmc, tmp_path) as meter:
        walked(meter)
        bmc.draw = Draw(supplies=(Flow(410.0, 380.0),))
        seen = [by_domain(meter)[NODE] for _ in range(6)]
        assert {each.reason for each in seen if isinstance(each, Unread)} <= {"no_figure_of_supply_PSU.Slot.2"}
        assert 402.0 not in [each.power_w for each in seen if isinstance(each, Reading)]
        assert power_w(seen[-1]) == 410.0
        assert "psu/PSU.Slot.2-input" not in by_domain(meter)


def test_one_document_that_fails_costs_its_own_domains_only(tmp_path: Path) -> None:
    uri = "/redfish/v1/Chassis/System.Embedded.1/PowerSubsystem/PowerSupplies/PSU.Slot.2/Metrics"
    with metering(Bmc(failing={uri: 500}), tmp_path) as meter:
        readings = walked(meter)
        assert power_w(readings[NODE]) == 376.0
        assert power_w(readings["psu/PSU.Slot.1-input"]) == 402.0
        assert meter.circuit.state == "closed"


def test_a_way_that_fails_for_good_is_given_up_for_the_next(tmp_path: Path) -> None:
    bmc = Bmc(vendor="lenovo")
    with metering(bmc, tmp_path) as meter:
        walked(meter)
        bmc.scenario = SCENARIOS["half_missing"]
        seen = [by_domain(meter)[NODE] for _ in range(5)]
        assert [reason(each) for each in seen[:2]] == ["no_figure_of_supply_0"] * 2
        assert power_w(seen[-1]) == 410.0
        assert "Server Power Control" not in " ".join(each.reason for each in meter.skipped)


def test_an_energy_counter_gives_the_mean_since_it_last_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joules = [1000.0]

    def counting(draw: Draw) -> dict[str, dict[str, object]]:
        tree = VENDORS["openbmc"](draw)
        tree["/redfish/v1/Chassis/chassis/EnvironmentMetrics"]["EnergyJoules"] = {"Reading": joules[0]}
        return tree

    monkeypatch.setattr("sim.bmc.app.VENDORS", {"counting": counting})
    clock = ManualClock()
    with serving(Bmc(vendor="counting")) as url:
        meter = RedfishMeter(entry(tmp_path, url), clock=clock, refresh_s=1.0)
        assert reason(by_domain(meter)[NODE]) == "no_base"
        steps: list[tuple[float, float, float | str]] = [
            (2.0, 1800.0, 400.0),  # 800 J in 2 s
            (2.0, 1800.0, 400.0),  # it stands: the reading before stands as well
            (2.0, 3400.0, 400.0),  # 1600 J in 4 s
            (2.0, 10.0, "counter_reset"),
            (2.0, 810.0, 400.0),
            (2.0, 900_000.0, "implausible_power"),
            (40.0, 900_000.0, "counter_stands"),
        ]
        for later_s, count, expected in steps:
            clock.advance(later_s)
            joules[0] = count
            whole = by_domain(meter)[NODE]
            assert (whole.reason if isinstance(whole, Unread) else whole.power_w) == expected
        meter.close()
