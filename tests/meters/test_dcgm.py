# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The dcgm-exporter meter: old counters, failures, the circuit, and a real socket."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from agent.errors import MeterError
from agent.meters.dcgm import DcgmMeter, discover, fetch_over_http
from agent.meters.gpu_activity import Activity, GpuMeter, by_domain, completed
from agent.meters.gpu_shares import dynamic
from agent.meters.protocol import Reading, Unread
from plumbing.clock import ManualClock
from sim.gpu import FakeNvml, scenario, uuid
from sim.gpu_exporter import exposition
from tests.meters.gpus import Ledger, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "http://127.0.0.1:9400/metrics"


class Exporter:
    """Prints what it collected last; ``fails`` is what it does instead."""

    def __init__(self, nvml: FakeNvml, **options: object) -> None:
        self.nvml = nvml
        self.options = options
        self.fails: Exception | None = None
        self.calls = 0
        self.collect()

    def collect(self) -> None:
        self.body = exposition(self.nvml, **self.options)  # type: ignore[arg-type]

    def __call__(self, url: str) -> bytes:
        assert url == URL
        self.calls += 1
        if self.fails is not None:
            raise self.fails
        return self.body


def metered(exporter: Exporter, *, hostname: str = "") -> DcgmMeter:
    meter = discover(URL, clock=exporter.nvml.clock, hostname=hostname, fetch=exporter).meter
    assert isinstance(meter, DcgmMeter)
    exporter.nvml.run(1.0)
    exporter.collect()  # the counters have moved since the discovery
    return meter


def test_eight_gpus_are_summed() -> None:
    exporter = Exporter(scenario("eight", ManualClock()))
    meter = metered(exporter)
    assert isinstance(meter, GpuMeter)
    ledger = Ledger(meter)
    for _ in range(11):
        ledger.read()
        exporter.nvml.run(1.0)
        exporter.collect()
    drawn_j = sum(gpu.power_w for gpu in exporter.nvml.gpus) * 10.0
    assert sum(ledger.energy_uj.values()) == pytest.approx(drawn_j * 1e6, abs=8 * 2000)
    assert ledger.unread == []


def test_a_collection_every_half_minute_is_not_a_spike() -> None:
    exporter = Exporter(scenario("one", ManualClock()))
    ledger = Ledger(metered(exporter))
    for second in range(0, 121, 5):
        if second % 30 == 0:
            exporter.collect()
        ledger.read()
        exporter.nvml.run(5.0)
    assert ledger.unread == []
    assert sum(ledger.energy_uj.values()) == pytest.approx(412.5 * 120 * 1e6, abs=2000)
    # What is repeated takes no time; nothing is lost and nothing implausible.
    assert {each.to_ns - each.from_ns for each in ledger.lost} == {0}


def test_a_counter_that_stands_still_for_too_long_is_stale() -> None:
    exporter = Exporter(scenario("one", ManualClock()))
    meter = metered(exporter)
    meter.read()
    exporter.nvml.run(121.0)
    assert meter.read() == (Unread(f"gpu/{uuid(0)}", "stale"),)


def test_three_failures_open_the_circuit_for_half_a_minute() -> None:
    exporter = Exporter(scenario("one", ManualClock()))
    meter = metered(exporter)
    exporter.fails = ConnectionRefusedError(111, "refused")
    for _ in range(3):
        assert meter.read() == (Unread(f"gpu/{uuid(0)}", "unreachable"),)
    calls = exporter.calls
    for _ in range(5):
        exporter.nvml.run(4.0)
        assert meter.read() == (Unread(f"gpu/{uuid(0)}", "circuit_open"),)
    assert exporter.calls == calls
    opened = meter.circuit
    assert (opened.state, opened.opened_total) == ("open", 1)
    assert "refused" in opened.reason
    exporter.fails = None
    exporter.nvml.run(20.0)
    exporter.collect()
    assert all(isinstance(each, Reading) for each in meter.read())
    assert (meter.circuit.state, meter.circuit.failures) == ("closed", 0)


def test_an_outage_is_a_gap_and_its_energy_is_not_booked_later() -> None:
    exporter = Exporter(scenario("one", ManualClock()))
    ledger = Ledger(metered(exporter))
    ledger.read()
    exporter.fails = TimeoutError()
    exporter.nvml.run(5.0)
    ledger.read()
    exporter.fails = None
    ledger.read()  # still the figure of before the outage: nobody knows how old
    for _ in range(2):
        exporter.nvml.run(5.0)
        exporter.collect()
        ledger.read()
    assert sum(ledger.energy_uj.values()) == pytest.approx(412.5 * 5e6, abs=2000)
    assert [each.reason for each in ledger.unread] == ["unreachable", "not_refreshed"]


def test_the_first_figure_is_one_that_moved() -> None:
    # It was collected 25 s before the agent came: half a minute of energy must not fall into its first interval.
    exporter = Exporter(scenario("one", ManualClock()))
    exporter.nvml.gpus[0].power_w = 100.0
    exporter.nvml.run(25.0)
    meter = discover(URL, clock=exporter.nvml.clock, fetch=exporter).meter
    assert meter is not None
    ledger = Ledger(meter)
    ledger.read()
    exporter.nvml.run(5.0)
    exporter.collect()
    ledger.read()
    assert (sum(ledger.energy_uj.values()), [each.reason for each in ledger.unread]) == (0, ["not_refreshed"])
    exporter.nvml.run(30.0)
    exporter.collect()
    ledger.read()
    assert sum(ledger.energy_uj.values()) == pytest.approx(100 * 30e6, abs=2000)


@pytest.mark.parametrize("body", [b"", b"<html>not found</html>", b"\xff\x00", b"go_goroutines 12\n"])
def test_an_answer_without_gpus_is_a_failure_with_a_name(body: bytes) -> None:
    exporter = Exporter(scenario("one", ManualClock()))
    meter = metered(exporter)
    exporter.body = body
    assert meter.read() == (Unread(f"gpu/{uuid(0)}", "not_metrics"),)
    assert meter.circuit.failures == 1


def test_a_gpu_that_vanishes_is_that_gpus_alone() -> None:
    exporter = Exporter(scenario("eight", ManualClock()))
    meter = metered(exporter)
    gone = exporter.nvml.gpus.pop(2)
    exporter.collect()
    readings = meter.read()
    assert readings[2] == Unread(f"gpu/{gone.uuid}", "vanished")
    assert sum(isinstance(each, Reading) for each in readings) == 7


def test_without_the_counter_power_is_integrated() -> None:
    exporter = Exporter(scenario("one", ManualClock()), energy=False)
    meter = metered(exporter)
    assert meter.metered[0].counter is None
    ledger = Ledger(meter)
    for _ in range(5):
        ledger.read()
        exporter.nvml.run(5.0)
        exporter.collect()
    assert sum(ledger.energy_uj.values()) == pytest.approx(412.5 * 20e6, abs=10)


def test_mig_is_one_board_with_shares() -> None:
    pods = {(0, 2): [("chat", "bot", "serve")], (0, 9): [("ml", "tune", "main")]}
    exporter = Exporter(scenario("mig-a100", ManualClock()), pods=pods)
    found = discover(URL, clock=exporter.nvml.clock, fetch=exporter)
    assert isinstance(found.meter, DcgmMeter)
    assert [each.domain.scope for each in found.meter.metered] == [uuid(0)]
    assert [each.scope for each in found.skipped] == [f"{uuid(0)}/mig-2-0", f"{uuid(0)}/mig-9-0"]
    found.meter.read()
    (activity,) = found.meter.activity()
    assert isinstance(activity, Activity)
    shares = dynamic(2500, activity)
    assert [(each.pod, part) for each, part in zip(activity.holders, shares.parts_uj.tolist(), strict=True)] == [
        ("bot", 1500),
        ("tune", 1000),
    ]


def test_dcgm_tells_nvml_how_busy_the_instances_of_an_a100_were() -> None:
    fake, meter = opened("mig-a100")
    exporter = Exporter(fake, pods={(0, 2): [("chat", "bot", "serve")]})
    other = metered(exporter)
    other.read()
    (first,) = by_domain(meter.activity()).values()
    (second,) = by_domain(other.activity()).values()
    both = completed(first, second)
    assert [each.active_ratio for each in both.instances] == [0.5, 1.0]
    assert both.holders == first.holders  # NVML sees a process in each
    assert dynamic(2500, both).parts_uj.tolist() == [1500, 1000]


def test_activity_before_the_first_reading_is_unknown() -> None:
    assert metered(Exporter(scenario("one", ManualClock()))).activity() == (Unread(f"gpu/{uuid(0)}", "no_data"),)


@pytest.mark.parametrize(
    ("hostname", "url", "fails", "reason"),
    [
        ("", "", None, "no endpoint set: the URL of this node's dcgm-exporter"),
        ("worker-1", URL, None, f"{URL} speaks of another node's GPUs"),
        ("", URL, MeterError("http://x answered 404"), "no answer: http://x answered 404"),
        ("", URL, ConnectionRefusedError(111, "refused"), "no answer: [Errno 111] refused"),
    ],
)
def test_why_there_is_no_meter(hostname: str, url: str, fails: Exception | None, reason: str) -> None:
    exporter = Exporter(scenario("one", ManualClock()))
    exporter.fails = fails
    found = discover(url, clock=exporter.nvml.clock, hostname=hostname, fetch=exporter)
    assert found.meter is None
    assert [each.reason for each in found.skipped] == [reason]


class Page(http.server.BaseHTTPRequestHandler):
    """Serves one scenario under /metrics and nothing else."""

    nvml = scenario("one", ManualClock())

    def do_GET(self) -> None:
        found = self.path == "/metrics"
        body = exposition(self.nvml) if found else b""
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def served() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_a_real_socket(served: str) -> None:
    meter = discover(f"{served}/metrics", clock=ManualClock()).meter
    assert meter is not None
    Page.nvml.run(1.0)
    (reading,) = meter.read()
    assert isinstance(reading, Reading)
    assert reading.counter_uj == Page.nvml.gpus[0].shown_mj * 1000


def test_what_a_real_socket_may_answer_instead(served: str) -> None:
    with pytest.raises(MeterError, match="answered 404"):
        fetch_over_http(f"{served}/other")
    with pytest.raises(MeterError, match="not a URL"):
        fetch_over_http("file:///etc/passwd")
    with pytest.raises(MeterError, match="refused"):
        fetch_over_http("http://127.0.0.1:9/metrics")
