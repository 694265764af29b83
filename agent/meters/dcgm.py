# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""NVIDIA GPUs through the dcgm-exporter of this node, where the driver's library cannot be opened: over HTTP.

The exporter prints what it collected last, every 30 s by default and without a time. A counter that has not moved is
therefore an old one, and is given again with the time at which it was first seen; otherwise half a minute of energy
would fall into the interval that happens to see it move. For the same reason the first figure, at the start and after
an outage, is the first that was seen to move. Run the exporter with ``--collect-interval 1000``.
"""

from __future__ import annotations

import http.client
import urllib.parse
from typing import TYPE_CHECKING, Final

from agent.errors import MeterError
from agent.meters.breaker import Breaker
from agent.meters.dcgm_text import gpus, parse
from agent.meters.gpu_activity import Activity
from agent.meters.nvml_devices import MODULE, on_module, quality
from agent.meters.protocol import Counter, Discovery, Domain, Metered, Reading, Skipped, Unread
from agent.meters.samples import Samples
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.meters.breaker import Circuit
    from agent.meters.dcgm_text import Gpu
    from agent.meters.gpu_activity import Sharing
    from plumbing.clock import Clock

SOURCE: Final = "dcgm"

_FAILURES: Final = 3
_PAUSE_S: Final = 30.0
# Four collections of an exporter with its default interval; a board that draws no millijoule for so long is not read.
_STALE_NS: Final = 120 * NS_PER_S
_LONGEST_S: Final = 60.0
_TIMEOUT_S: Final = 2.0
_LARGEST_BYTES: Final = 16 * 2**20
_PLAUSIBLE_W: Final = 3000.0
_UJ_PER_MJ: Final = 1000
_PART_TIME: Final = ("A100", "A30", "H100", "H200")


def fetch_over_http(url: str) -> bytes:
    """GET with a deadline, without redirects or proxies: the endpoint is on this node. Raises MeterError."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise MeterError(f"{url!r} is not a URL such as http://127.0.0.1:9400/metrics")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/metrics", headers={"Accept": "text/plain"})
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise MeterError(f"{url} answered {answer.status}")
        body = answer.read(_LARGEST_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise MeterError(f"{url}: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()
    return body


class DcgmMeter:
    """One fetch per reading; ``activity`` speaks of the last one."""

    def __init__(
        self,
        *,
        url: str,
        hostname: str,
        found: tuple[tuple[Metered, Gpu], ...],
        fetch: Callable[[str], bytes],
        clock: Clock,
    ) -> None:
        self.source = SOURCE
        self.metered = tuple(metered for metered, _ in found)
        self.bad_rows_total = 0
        self._url = url
        self._hostname = hostname
        self._fetch = fetch
        self._clock = clock
        self._breaker = Breaker(clock=clock, failures=_FAILURES, pause_s=_PAUSE_S, longest_s=_PAUSE_S)
        self._gauges = Samples(longest_s=_LONGEST_S)
        self._last: dict[str, Reading] = {}
        # Counters of unknown age, which must move before they can be a base.
        self._old_mj = {metered.domain.name: gpu.energy_mj for metered, gpu in found}
        self._seen: dict[str, Gpu] = {}
        self._seen_ns = 0

    @property
    def circuit(self) -> Circuit:
        """Whether the exporter is being asked."""
        return self._breaker.circuit

    def read(self) -> tuple[Reading | Unread, ...]:
        """All GPUs from one answer. After three failures in a row nothing is asked for half a minute."""
        if not self._breaker.allows():
            return self._none("circuit_open")
        try:
            found = self._gpus()
        except (MeterError, OSError, ValueError) as error:
            self._breaker.failed(str(error))
            return self._none("unreachable" if isinstance(error, OSError | MeterError) else "not_metrics")
        self._breaker.succeeded()
        self._seen, self._seen_ns = {each.scope: each for each in found}, self._clock.monotonic_ns()
        return tuple(self._reading(each) for each in self.metered)

    def activity(self) -> tuple[Activity | Unread, ...]:
        """Pods and instance activity as of the last reading."""
        return tuple(self._activity(each.domain) for each in self.metered)

    def _gpus(self) -> tuple[Gpu, ...]:
        samples, bad = parse(self._fetch(self._url))
        self.bad_rows_total += bad
        found = gpus(samples, hostname=self._hostname)
        if not found:
            raise ValueError("no GPU of this node in the answer")
        return found

    def _none(self, reason: str) -> tuple[Unread, ...]:
        self._seen = {}
        for each in self.metered:
            self._forget(each.domain.name)
        return tuple(Unread(each.domain.name, reason) for each in self.metered)

    def _reading(self, metered: Metered) -> Reading | Unread:
        domain = metered.domain.name
        gpu = self._seen.get(metered.domain.scope)
        if gpu is None:
            self._forget(domain)
            return Unread(domain, "vanished")
        if metered.counter is None:
            if gpu.power_w is None:
                return Unread(domain, "no_data")
            return self._gauges.reading(domain, at_ns=self._seen_ns, power_w=gpu.power_w)
        if gpu.energy_mj is None:
            return Unread(domain, "no_data")
        if self._old_mj.get(domain) == gpu.energy_mj:
            return Unread(domain, "not_refreshed")
        self._old_mj.pop(domain, None)
        counter_uj = gpu.energy_mj * _UJ_PER_MJ
        last = self._last.get(domain)
        if last is not None and last.counter_uj == counter_uj:
            return last if self._seen_ns - last.to_ns <= _STALE_NS else Unread(domain, "stale")
        fresh = Reading(domain=domain, from_ns=self._seen_ns, to_ns=self._seen_ns, counter_uj=counter_uj)
        self._last[domain] = fresh
        return fresh

    def _forget(self, domain: str) -> None:
        """What comes back after a gap needs a new base."""
        last = self._last.pop(domain, None)
        if last is not None and last.counter_uj is not None:
            self._old_mj[domain] = last.counter_uj // _UJ_PER_MJ

    def _activity(self, domain: Domain) -> Activity | Unread:
        gpu = self._seen.get(domain.scope)
        if gpu is None:
            return Unread(domain.name, "no_data")
        sharing: Sharing = "mig" if gpu.instances else "exclusive" if len(gpu.holders) < 2 else "time_sliced"
        return Activity(domain.name, self._seen_ns, sharing, gpu.holders, gpu.instances, gpu.slices)


def discover(
    url: str, *, clock: Clock, hostname: str = "", fetch: Callable[[str], bytes] = fetch_over_http
) -> Discovery:
    """Asks the exporter once. ``hostname`` is this node's name as the exporter prints it; empty trusts every row."""
    if not url:
        return Discovery(None, (Skipped(SOURCE, "no endpoint set: the URL of this node's dcgm-exporter", "gpu"),))
    try:
        samples, _ = parse(fetch(url))
    except (MeterError, OSError, ValueError) as error:
        return Discovery(None, (Skipped(SOURCE, f"no answer: {error}", "gpu"),))
    found = gpus(samples, hostname=hostname)
    if not found:
        others = gpus(samples)
        reason = f"{url} speaks of another node's GPUs" if others else f"{url} shows no GPU"
        return Discovery(None, (Skipped(SOURCE, reason, "gpu"),))
    metered: list[tuple[Metered, Gpu]] = []
    skipped: list[Skipped] = []
    for gpu in found:
        if gpu.energy_mj is None and gpu.power_w is None:
            skipped.append(Skipped(SOURCE, f"GPU {gpu.index}: neither energy nor power", "gpu", gpu.scope, "measured"))
            continue
        metered.append((_metered(gpu), gpu))
        for each in gpu.instances:
            reason = f"MIG {each.profile} of GPU {gpu.index}: a share of gpu/{gpu.scope}"
            skipped.append(Skipped(SOURCE, reason, "gpu", each.scope, "measured"))
    meter = DcgmMeter(url=url, hostname=hostname, found=tuple(metered), fetch=fetch, clock=clock)
    return Discovery(meter if metered else None, tuple(skipped))


def _metered(gpu: Gpu) -> Metered:
    part_time = any(name in gpu.name for name in _PART_TIME)
    plausible_w = 2 * gpu.limit_w if gpu.limit_w else _PLAUSIBLE_W
    return Metered(
        domain=Domain("gpu", gpu.scope, MODULE if on_module(gpu.name) else None),
        quality=quality((9, 0) if part_time else (0, 0)),
        counter=None if gpu.energy_mj is None else Counter(range_uj=None, plausible_w=plausible_w),
    )
