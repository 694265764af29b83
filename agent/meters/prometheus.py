# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""This node's power from somebody else's meter: a PromQL expression that yields watts, such as a PDU outlet's.

    GET /api/v1/query?query=...    ->  {"status": "success", "data": {"resultType": "vector", "result": [...]}}

(Prometheus documentation, HTTP API, instant queries.) The answer must be one scalar, or a vector of one element, in
watts: a gauge of watts or a rate of joules. None, several, a matrix, NaN or a negative figure is an error that says
what came; nothing is ever added up here, that is what PromQL is for.

The time beside an instant vector's value is when the query was evaluated, not when the sample was scraped, which may
be five minutes earlier. So the look-back is narrowed to ``stale_s``, and for a plain selector ``timestamp(...)`` is
asked as well: both times come from one server, so that its clock need not agree with ours.
"""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent.errors import MeterError
from agent.meters.breaker import Breaker
from agent.meters.credentials import secret
from agent.meters.protocol import Discovery, Domain, Metered, Quality, Reading, Skipped, Unread
from agent.meters.samples import Samples
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from agent.meters.breaker import Circuit
    from plumbing.clock import Clock
    from plumbing.http import BlockingHttpClient

log = logging.getLogger(__name__)

SOURCE: Final = "prometheus"
PLATFORM: Final = Domain("platform", "node")

_QUERY: Final = "/api/v1/query"
_LARGEST_BYTES: Final = 2**20
# IEC 62053-21 class 1 meters, which metered PDUs are, are within 1 %; outlets of lesser ones within 5 %.
_QUALITY: Final = Quality(
    "measured", 0.95, 1.05, "what a PDU outlet's meter is specified to; the expression is the user's"
)
# A metric name with or without matchers, no range, no operator: the only thing whose samples have a time of their own.
_SELECTOR: Final = re.compile(r'^\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*(?:\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})?\s*$')


@dataclass(frozen=True, slots=True)
class PrometheusEndpoint:
    """Which server, and what to ask it. ``token_file`` holds a bearer token, one line."""

    url: str
    query: str
    token_file: str = ""
    ca_file: str = ""
    verified: bool = True
    timeout_s: float = 5.0
    stale_s: float = 60.0
    """Samples older than this are not used."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """One value with the time that came beside it, in seconds of the server's clock."""

    value: float
    at_s: float


class QueryError(MeterError):
    """No usable answer; ``reason`` is a word for reports."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def one_value(body: bytes) -> Sampled:
    """The one number of an instant query's answer. Raises QueryError saying what came instead."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise QueryError("not_json", f"not JSON: {error}") from error
    data = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(data, Mapping) or document.get("status") != "success":
        raise QueryError("query_failed", f"not a success: {body[:200].decode(errors='replace')}")
    kind, result = data.get("resultType"), data.get("result")
    if kind == "vector" and isinstance(result, Sequence):
        if len(result) != 1:
            raise QueryError("no_series" if not result else "several_series", f"{_count(result)}, one is wanted")
        if not isinstance(result[0], Mapping) or "value" not in result[0]:
            raise QueryError("not_a_number", "a series without a float value, perhaps a histogram")
        return _pair(result[0]["value"])
    if kind == "scalar":
        return _pair(result)
    raise QueryError("not_one_value", f"a {kind}, where a scalar or a vector of one element is wanted")


def _count(result: Sequence[Any]) -> str:
    shown = ", ".join(str(each.get("metric")) for each in result[:3] if isinstance(each, Mapping))
    return f"{len(result)} series ({shown}{', ...' if len(result) > 3 else ''})" if result else "no series"


def _pair(given: Any) -> Sampled:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise QueryError("not_a_number", f"{given!r} is not a time and a value")
    try:
        at_s, value = float(given[0]), float(given[1])
    except (TypeError, ValueError) as error:
        raise QueryError("not_a_number", f"{given!r} is not a time and a value") from error
    if not (math.isfinite(at_s) and math.isfinite(value)):
        raise QueryError("not_a_number", f"{given[1]!r} is not a figure")
    return Sampled(value=value, at_s=at_s)


def is_selector(query: str) -> bool:
    """Whether ``query`` is a plain instant selector."""
    return _SELECTOR.match(query) is not None


class PrometheusMeter:
    """One expression on one server."""

    def __init__(
        self,
        endpoint: PrometheusEndpoint,
        *,
        clock: Clock,
        refresh_s: float = 4.0,
        breaker: Breaker | None = None,
    ) -> None:
        # Imported here: httpx comes into the agent's process only with a meter that needs it (DESIGN 2).
        from plumbing.http import BlockingHttpClient, trust

        self.source = SOURCE
        self.metered: tuple[Metered, ...] = (Metered(PLATFORM, _QUALITY),)
        self._endpoint = endpoint
        self._clock = clock
        self._refresh_ns = round(refresh_s * NS_PER_S)
        self._breaker = breaker or Breaker(clock=clock)
        self._samples = Samples(longest_s=endpoint.stale_s + refresh_s)
        self._last: Reading | Unread | None = None
        self._asked_ns = 0
        self._reading = threading.Lock()
        try:
            secure = endpoint.url.startswith("https:")
            tls = trust(ca_file=endpoint.ca_file, verified=endpoint.verified) if secure else None
        except OSError as error:
            raise MeterError(f"{endpoint.ca_file}: {error}") from error
        self._client: BlockingHttpClient = BlockingHttpClient(
            endpoint.url, timeout_s=endpoint.timeout_s, tls=tls, limit_bytes=_LARGEST_BYTES
        )
        if not endpoint.verified:
            log.warning("Prometheus %s: CERTIFICATE NOT VERIFIED, as its setting says", endpoint.url)

    @property
    def circuit(self) -> Circuit:
        """Whether the server is being asked."""
        return self._breaker.circuit

    def read(self) -> tuple[Reading | Unread, ...]:
        """The expression's watts, asked for at most every ``refresh_s``; a sample that is not newer is repeated."""
        if not self._reading.acquire(blocking=False):
            # A read that was abandoned at its deadline is still under way in its old thread.
            return (Unread(PLATFORM.name, "still_reading"),)
        try:
            return (self._read(),)
        finally:
            self._reading.release()

    def _read(self) -> Reading | Unread:
        if not self._breaker.allows():
            return Unread(PLATFORM.name, "circuit_open")
        now_ns = self._clock.monotonic_ns()
        if self._last is not None and now_ns - self._asked_ns < self._refresh_ns:
            return self._last
        self._asked_ns = now_ns
        try:
            watts, at_ns = self._ask()
        except QueryError as error:
            if self._breaker.circuit.reason != error.reason:
                log.warning("Prometheus %s: %s", self._endpoint.url, error)
            self._breaker.failed(error.reason)
            self._last = Unread(PLATFORM.name, error.reason)
        else:
            self._breaker.succeeded()
            self._last = self._samples.reading(PLATFORM.name, at_ns=at_ns, power_w=watts)
        return self._last

    def _ask(self) -> tuple[float, int]:
        """Watts, and when they were true in monotonic time."""
        endpoint = self._endpoint
        sent_ns = self._clock.monotonic_ns()
        found = self._query(endpoint.query)
        at_ns = (sent_ns + self._clock.monotonic_ns()) // 2
        if found.value < 0:
            raise QueryError("negative", f"{found.value:g} W is not a power that a node draws")
        if is_selector(endpoint.query):
            # Asked for the very moment at which the value was looked up, so that both are of one sample.
            age_s = found.at_s - self._query(f"timestamp({endpoint.query})", at_s=found.at_s).value
            if age_s > endpoint.stale_s:
                raise QueryError("stale", f"the sample is {age_s:.0f} s old, {endpoint.stale_s:g} s are allowed")
            at_ns -= round(max(0.0, age_s) * NS_PER_S)
        return found.value, at_ns

    def _query(self, query: str, *, at_s: float | None = None) -> Sampled:
        from plumbing.http import HttpError, HttpStatusError, HttpTimeout, HttpUntrusted

        params = {"query": query, "lookback_delta": f"{self._endpoint.stale_s:g}s"}
        if at_s is not None:
            params["time"] = f"{at_s:.3f}"
        try:
            answer = self._client.request("GET", _QUERY, params=params, headers=self._authorization())
        except HttpTimeout as error:
            raise QueryError("timed_out", str(error)) from error
        except HttpUntrusted as error:
            raise QueryError("certificate_not_trusted", str(error)) from error
        except HttpStatusError as error:
            if error.status in (400, 422):
                raise QueryError("query_failed", str(error)) from error
            raise QueryError("unauthorized" if error.status in (401, 403) else "server_error", str(error)) from error
        except HttpError as error:
            raise QueryError("unreachable", str(error)) from error
        return one_value(answer.body)

    def _authorization(self) -> dict[str, str]:
        if not self._endpoint.token_file:
            return {}
        try:
            return {"authorization": f"Bearer {secret(self._endpoint.token_file)}"}
        except MeterError as error:
            raise QueryError("no_credentials", str(error)) from error

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()


def discover(
    endpoint: PrometheusEndpoint | None, *, clock: Clock, refresh_s: float = 4.0, probe: bool = False
) -> Discovery:
    """The expression at ``endpoint``; None: no setting names one. ``probe`` asks here and now."""
    if endpoint is None:
        reason = "no expression: the settings prometheus_url and prometheus_query name one"
        return Discovery(None, (Skipped(SOURCE, reason, "platform", "node"),))
    try:
        meter = PrometheusMeter(endpoint, clock=clock, refresh_s=refresh_s)
    except ImportError:
        return Discovery(None, (Skipped(SOURCE, "httpx is not installed", "platform", "node", "measured"),))
    except MeterError as error:
        return Discovery(None, (Skipped(SOURCE, str(error), "platform", "node", "measured"),))
    reasons = [each.reason for each in meter.read() if isinstance(each, Unread)] if probe else []
    if not endpoint.verified:
        reasons.insert(0, "CERTIFICATE NOT VERIFIED: the setting for this endpoint turns the check off")
    skipped = tuple(Skipped(SOURCE, f"{endpoint.url}: {each}", "platform", "node", "measured") for each in reasons)
    return Discovery(meter, skipped)
