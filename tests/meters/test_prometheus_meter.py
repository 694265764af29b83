# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Power from PromQL: one value in watts, and everything else an error that says what came.

Answers follow the Prometheus documentation, HTTP API, "Instant queries" and "Expression query result formats".
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import MeterError
from agent.meters import prometheus
from agent.meters.breaker import Breaker
from agent.meters.prometheus import PrometheusEndpoint, PrometheusMeter, QueryError, is_selector, one_value
from agent.meters.protocol import Reading, Unread
from plumbing.asgi import Answer, send
from plumbing.clock import ManualClock, SystemClock
from tests.meters.bmcs import shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plumbing.asgi import Receive, Scope, Send

NOW_S = 1_790_000_000.25
OUTLET = 'pdu_outlet_watts{outlet="7"}'


def answer(kind: str, result: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def vector(*values: str) -> bytes:
    return answer("vector", [{"metric": {"outlet": str(at)}, "value": [NOW_S, each]} for at, each in enumerate(values)])


def test_a_scalar_and_a_vector_of_one_are_the_same() -> None:
    assert one_value(answer("scalar", [NOW_S, "412.5"])) == one_value(vector("412.5"))
    assert one_value(vector("412.5")).value == 412.5
    assert one_value(vector("412.5")).at_s == NOW_S


@pytest.mark.parametrize(
    ("body", "reason", "text"),
    [
        (vector(), "no_series", "no series"),
        (vector("1", "2"), "several_series", "2 series"),
        (vector("NaN"), "not_a_number", "NaN"),
        (vector("+Inf"), "not_a_number", "Inf"),
        (answer("matrix", [{"metric": {}, "values": [[NOW_S, "1"]]}]), "not_one_value", "matrix"),
        (answer("string", [NOW_S, "hello"]), "not_one_value", "string"),
        (answer("vector", [{"metric": {}, "histogram": [NOW_S, {}]}]), "not_a_number", "histogram"),
        (answer("scalar", [NOW_S]), "not_a_number", "not a time and a value"),
        (b'{"status":"error","errorType":"bad_data","error":"parse error"}', "query_failed", "parse error"),
        (b"<html>", "not_json", "not JSON"),
        (b"[]", "query_failed", "not a success"),
    ],
)
def test_anything_else_says_what_came(body: bytes, reason: str, text: str) -> None:
    with pytest.raises(QueryError, match=text.replace("+", r"\+")) as caught:
        one_value(body)
    assert caught.value.reason == reason


@given(
    st.recursive(st.none() | st.floats() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each))
)
def test_no_answer_raises_anything_else(result: Any) -> None:
    for kind in ("vector", "scalar", "matrix", None):
        with contextlib.suppress(QueryError):
            assert one_value(answer(str(kind), result)).value >= float("-inf")


@pytest.mark.parametrize("query", ["node_power_watts", OUTLET, 'x{a="}",b=~"y{2}"}', " job:power:sum "])
def test_a_plain_selector_is_known(query: str) -> None:
    assert is_selector(query)


@pytest.mark.parametrize(
    "query", ["sum(x)", "x[5m]", "rate(x[1m])", "x + y", "x offset 5m", "1", '{__name__="x"} * 2', ""]
)
def test_anything_with_an_operator_is_none(query: str) -> None:
    assert not is_selector(query)


@dataclass
class Server:
    """A Prometheus that has one gauge, last scraped ``age_s`` ago."""

    value: str = "412"
    age_s: float = 3.0
    status: int = 200
    hung: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, to: Send) -> None:
        given = {name: each[0] for name, each in parse_qs(scope["query_string"].decode()).items()}
        self.asked.append(given)
        headers = dict(scope["headers"])
        self.tokens.append(headers.get(b"authorization", b"").decode())
        if self.hung:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        assert scope["path"] == "/api/v1/query"
        value = str(NOW_S - self.age_s) if given["query"].startswith("timestamp(") else self.value
        await send(to, Answer(vector(value), status=self.status))


@contextlib.contextmanager
def metering(server: Server, clock: ManualClock, *, query: str = OUTLET, **more: Any) -> Iterator[PrometheusMeter]:
    endpoint = PrometheusEndpoint(shared(server), query, timeout_s=0.5, stale_s=30.0, **more)
    meter = PrometheusMeter(endpoint, clock=clock, breaker=Breaker(clock=clock, pause_s=10, draw=lambda: 0.5))
    try:
        yield meter
    finally:
        meter.close()


def test_a_sample_is_placed_at_its_own_time() -> None:
    clock = ManualClock()
    server = Server()
    with metering(server, clock) as meter:
        (first,) = meter.read()
        assert isinstance(first, Reading)
        assert (clock.monotonic_ns() - first.to_ns) / 1e9 == pytest.approx(3.0)
        clock.advance(10)
        server.value = "512"
        (second,) = meter.read()
        assert isinstance(second, Reading)
        assert second.power_w == 462.0
        assert second.from_ns == first.to_ns
    assert server.asked[0] == {"query": OUTLET, "lookback_delta": "30s"}
    assert server.asked[1] == {"query": f"timestamp({OUTLET})", "lookback_delta": "30s", "time": f"{NOW_S:.3f}"}


def test_a_sample_that_is_not_newer_is_the_same_reading() -> None:
    clock = ManualClock()
    server = Server()
    with metering(server, clock) as meter:
        (first,) = meter.read()
        clock.advance(6)
        server.age_s += 6
        assert meter.read() == (first,)


def test_an_old_sample_is_stale() -> None:
    with metering(Server(age_s=31.0), ManualClock()) as meter:
        assert meter.read() == (Unread("platform/node", "stale"),)


def test_an_expression_is_asked_once_and_holds_now() -> None:
    clock = ManualClock()
    server = Server()
    with metering(server, clock, query="sum(rate(pdu_joules_total[1m]))") as meter:
        (first,) = meter.read()
        assert isinstance(first, Reading)
        assert first.to_ns == clock.monotonic_ns()
        assert len(server.asked) == 1
        clock.advance(2)
        assert meter.read() == (first,)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (Server(value="-5"), "negative"),
        (Server(status=422), "query_failed"),
        (Server(status=401), "unauthorized"),
        (Server(status=502), "server_error"),
        (Server(hung=True), "timed_out"),
    ],
)
def test_what_goes_wrong_is_named(server: Server, reason: str) -> None:
    with metering(server, ManualClock()) as meter:
        assert meter.read() == (Unread("platform/node", reason),)
        assert meter.circuit.reason == reason


def test_a_server_that_fails_is_left_alone_and_comes_back() -> None:
    clock = ManualClock()
    server = Server(status=503)
    with metering(server, clock) as meter:
        for _ in range(3):
            meter.read()
            clock.advance(5)
        assert meter.read() == (Unread("platform/node", "circuit_open"),)
        server.status = 200
        clock.advance(10)
        (back,) = meter.read()
        assert isinstance(back, Reading)


def test_a_token_is_read_from_its_file_each_time(tmp_path: Path) -> None:
    clock = ManualClock()
    server = Server()
    token = tmp_path / "token"
    with metering(server, clock, query="vector(1)", token_file=str(token)) as meter:
        assert meter.read() == (Unread("platform/node", "no_credentials"),)
        for text in ("one", "two"):
            token.write_text(text + "\n")
            clock.advance(5)
            meter.read()
    assert server.tokens == ["Bearer one", "Bearer two"]


def test_discovery_explains(tmp_path: Path) -> None:
    assert "prometheus_query" in prometheus.discover(None, clock=SystemClock()).skipped[0].reason
    endpoint = PrometheusEndpoint(shared(Server(value="NaN")), "x", verified=False)
    found = prometheus.discover(endpoint, clock=SystemClock(), probe=True)
    assert isinstance(found.meter, PrometheusMeter)
    found.meter.close()
    assert "NOT VERIFIED" in found.skipped[0].reason
    assert "not_a_number" in found.skipped[1].reason
    with pytest.raises(MeterError, match="nowhere"):
        PrometheusMeter(
            PrometheusEndpoint("https://x", "x", ca_file=str(tmp_path / "nowhere.pem")), clock=SystemClock()
        )


@contextlib.contextmanager
def real_prometheus(folder: Path, target: str) -> Iterator[str]:
    """Debian's Prometheus, scraping ``target`` every second; yields its URL."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    scrape = f"{{job_name: pdu, static_configs: [{{targets: ['{target}']}}]}}"
    (folder / "prometheus.yml").write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs: [{scrape}]\n")
    command = [
        shutil.which("prometheus") or "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.part("prometheus")
def test_a_real_prometheus(tmp_path: Path) -> None:
    async def exporter(scope: Scope, receive: Receive, to: Send) -> None:
        body = b'# TYPE pdu_outlet_watts gauge\npdu_outlet_watts{outlet="7"} 412.5\npdu_outlet_watts{outlet="8"} 99\n'
        await send(to, Answer(body, content_type="text/plain; version=0.0.4"))

    target = shared(exporter).removeprefix("http://")
    with real_prometheus(tmp_path, target) as url:
        clock = SystemClock()

        def ask(query: str) -> Reading | Unread:
            breaker = Breaker(clock=clock, failures=1000)
            endpoint = PrometheusEndpoint(url, query, timeout_s=5.0, stale_s=30.0)
            meter = PrometheusMeter(endpoint, clock=clock, breaker=breaker)
            (reading,) = meter.read()
            meter.close()
            return reading

        until_s = time.monotonic() + 20
        reading = ask(OUTLET)
        while isinstance(reading, Unread) and time.monotonic() < until_s:
            assert reading.reason in ("unreachable", "no_series", "server_error", "timed_out")
            time.sleep(0.2)
            reading = ask(OUTLET)
        assert isinstance(reading, Reading)
        assert reading.power_w == 412.5
        assert 0 <= (clock.monotonic_ns() - reading.to_ns) / 1e9 < 5
        assert ask("pdu_outlet_watts") == Unread("platform/node", "several_series")
        assert ask("pdu_outlet_watts[1m]") == Unread("platform/node", "not_one_value")
        assert ask("sum(") == Unread("platform/node", "query_failed")
        total = ask("sum(pdu_outlet_watts)")
        assert isinstance(total, Reading)
        assert total.power_w == 511.5
