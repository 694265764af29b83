# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""RAPL through perf events: the PMU ``power`` of ``<sysfs>/bus/event_source/devices`` (arch/x86/events/rapl.c).

It shows the same registers as powercap, and serves where powercap is missing or, since the PLATYPUS mitigation made its
files 0400, unreadable: perf wants CAP_PERFMON only. One event per domain and CPU of ``cpumask``, which names one CPU
per socket (per die where a package has several).

The kernel extends the 32-bit registers to 64 bits itself, so nothing wraps. A counter starts at 0 when it is opened:
what was drawn while the agent was away is not in it.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from agent.files import read_int, read_text, reason_of
from agent.meters.perf_event import KernelEvents
from agent.meters.protocol import Counter, Discovery, Domain, Metered, Reading, Skipped, Unread
from agent.meters.quality import rapl_quality

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.meters.perf_event import Count, Events
    from agent.meters.protocol import Component
    from estimator.curves import CpuIdentity
    from plumbing.clock import Clock

SOURCE: Final = "rapl-perf"

_EVENTS: Final[dict[str, Component]] = {
    "energy-pkg": "cpu",
    "energy-cores": "core",
    "energy-gpu": "uncore",
    "energy-ram": "dram",
    "energy-psys": "platform",
}
# As for powercap zones that state no limit; perf states none at all.
_PLAUSIBLE_W: Final[dict[str, float]] = {"dram": 400.0, "platform": 4000.0}
_SOCKET_W: Final = 1000.0
# Both readers truncate to one register count, 61 uJ on most parts; the rest is the time between their two reads.
_REGISTER_UJ: Final = 61


@dataclass(frozen=True, slots=True)
class _Socket:
    cpu: int
    package: int
    die: int


@dataclass(frozen=True, slots=True)
class _Event:
    """An open counter; ``uj_per_count`` is exact."""

    metered: Metered
    fd: int
    uj_per_count: Fraction


class PerfRaplMeter:
    """Reads the open counters; `close` gives them back."""

    def __init__(self, *, source: str, events: tuple[_Event, ...], kernel: Events, clock: Clock) -> None:
        self.source = source
        self.metered = tuple(event.metered for event in events)
        self._events = events
        self._kernel = kernel
        self._clock = clock
        self._seen: dict[int, Count] = {}

    def read(self) -> tuple[Reading | Unread, ...]:
        """All counters one after the other, each with its own time."""
        return tuple(self._one(event) for event in self._events)

    def _one(self, event: _Event) -> Reading | Unread:
        domain = event.metered.domain.name
        try:
            count = self._kernel.read(event.fd)
        except OSError as error:
            self._seen.pop(event.fd, None)
            return Unread(domain, reason_of(error))
        now_ns = self._clock.monotonic_ns()
        last = self._seen.get(event.fd)
        self._seen[event.fd] = count
        if last is not None and count.running_ns - last.running_ns < count.enabled_ns - last.enabled_ns:
            # Its CPU was away and took the counter along: what was drawn meanwhile is in nobody's count.
            return Unread(domain, "not_counting")
        counter_uj = count.value * event.uj_per_count.numerator // event.uj_per_count.denominator
        return Reading(domain=domain, from_ns=now_ns, to_ns=now_ns, counter_uj=counter_uj)

    def close(self) -> None:
        """Closes every counter; the meter reads nothing afterwards."""
        for event in self._events:
            self._kernel.close(event.fd)
        self._events = ()


def discover(
    sysfs: Path, *, cpu: CpuIdentity, clock: Clock, kernel: Events | None = None, source: str = SOURCE
) -> Discovery:
    """Opens every event of every socket and lists what could not be opened, and why."""
    devices = sysfs / "bus" / "event_source" / "devices"
    power = devices / "power"
    skipped: list[Skipped] = []
    if (devices / "power_core").is_dir():
        skipped.append(
            Skipped(source, "power_core counts one core each, contained in their packages", "core", "each", "estimated")
        )
    if not power.is_dir():
        reason = "no event source 'power': this machine or kernel shows no RAPL to perf"
        return Discovery(None, (Skipped(source, reason), *skipped))
    try:
        kind = read_int(str(power / "type"))
        sockets = _sockets(sysfs, read_text(str(power / "cpumask")))
        shift = _shift(read_text(str(power / "format" / "event")))
        names = sorted(path.name for path in (power / "events").iterdir() if path.name in _EVENTS)
    except (OSError, ValueError) as error:
        return Discovery(None, (Skipped(source, f"event source 'power': {error}"), *skipped))
    kernel = kernel or KernelEvents()
    opened: list[_Event] = []
    for name in names:
        component = _EVENTS[name]
        quality = rapl_quality(component, cpu)
        for number, socket in enumerate(sockets):
            scope = _scope(socket, sockets)
            try:
                uj_per_count = _uj_per_count(power / "events", name)
                config = _config(read_text(str(power / "events" / name))) << shift
                if component == "platform":
                    if number:
                        raise ValueError("one register stands for the whole machine; the first socket's is read")
                    scope = "node"
                fd = kernel.open(kind=kind, config=config, cpu=socket.cpu)
            except (OSError, ValueError) as error:
                skipped.append(
                    Skipped(source, f"{name} on cpu {socket.cpu}: {_why(error)}", component, scope, quality.kind)
                )
                continue
            metered = Metered(
                domain=Domain(component, scope),
                quality=quality,
                counter=Counter(range_uj=None, plausible_w=_PLAUSIBLE_W.get(component, _SOCKET_W)),
            )
            opened.append(_Event(metered, fd, uj_per_count))
    if not opened:
        return Discovery(None, tuple(skipped) or (Skipped(source, "event source 'power' has no known event"),))
    return Discovery(PerfRaplMeter(source=source, events=tuple(opened), kernel=kernel, clock=clock), tuple(skipped))


def _sockets(sysfs: Path, mask: str) -> tuple[_Socket, ...]:
    """The CPUs of a list such as ``0,28-29`` with their package and die. Raises OSError and ValueError."""
    found: list[_Socket] = []
    for part in mask.split(","):
        if not re.fullmatch(r"\d{1,5}(-\d{1,5})?", part, re.ASCII):
            raise ValueError(f"cpumask {mask[:40]!r} is no list of CPUs")
        first, _, last = part.partition("-")
        for cpu in range(int(first), int(last or first) + 1):
            topology = sysfs / "devices" / "system" / "cpu" / f"cpu{cpu}" / "topology"
            package = read_int(str(topology / "physical_package_id"))
            die = read_int(str(topology / "die_id")) if (topology / "die_id").exists() else 0
            found.append(_Socket(cpu, package, die))
    return tuple(found)


def _scope(socket: _Socket, sockets: tuple[_Socket, ...]) -> str:
    """As powercap names it: with the die only where its package has several."""
    several = sum(each.package == socket.package for each in sockets) > 1
    return f"socket-{socket.package}" + (f"-die-{socket.die}" if several else "")


def _shift(layout: str) -> int:
    match = re.fullmatch(r"config:(\d{1,2})(-\d{1,2})?", layout, re.ASCII)
    if match is None:
        raise ValueError(f"format of events {layout[:40]!r} is unknown")
    return int(match[1])


def _config(text: str) -> int:
    match = re.fullmatch(r"event=(0x[0-9a-fA-F]{1,8}|\d{1,8})", text, re.ASCII)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no event of this source")
    return int(match[1], 0)


def _uj_per_count(events: Path, name: str) -> Fraction:
    """Exact: the scale is 2**-32 J written out in full, which a float would keep and a product of floats would not."""
    unit = read_text(str(events / f"{name}.unit"))
    scale = read_text(str(events / f"{name}.scale"))
    if unit != "Joules":
        raise ValueError(f"unit {unit[:40]!r} is not Joules")
    if not re.fullmatch(r"\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,2})?", scale, re.ASCII) or not Fraction(scale):
        raise ValueError(f"scale {scale[:40]!r} is not a number above 0")
    return Fraction(scale) * 1_000_000


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied: needs CAP_PERFMON, or kernel.perf_event_paranoid below 1"
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP, errno.EINVAL):
        return "the kernel names this event and does not count it here"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "no file descriptor left"
    return f"cannot be opened: {error.strerror or error}"


def differences(
    perf_uj: Mapping[str, int], powercap_uj: Mapping[str, int], *, skew_uj: int = 0
) -> dict[str, float | None]:
    """Per domain that both read over one window, (perf - powercap) / powercap; the same registers should give 0.

    ``skew_uj`` is what may lie between the two reads (their distance in time x the power). None where both are within
    that and one register count of each other, which is agreement as far as anyone can tell.
    """
    out: dict[str, float | None] = {}
    for domain in sorted(perf_uj.keys() & powercap_uj.keys()):
        apart_uj = perf_uj[domain] - powercap_uj[domain]
        if abs(apart_uj) <= skew_uj + 2 * _REGISTER_UJ:
            out[domain] = None
        else:
            out[domain] = apart_uj / powercap_uj[domain] if powercap_uj[domain] else float("inf")
    return out
