# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Things that hang beside healthy RAPL zones, each of them for ``hang_s`` at a time and then anew, without end.

Each fault yields a `Scene`: the meters, and which readings are broken by the fault itself. What is not broken and of
RAPL is healthy; what is not broken and of the meter that hangs is its sibling. Whatever guards a meter against its
device by itself (time limit, circuit) is set so wide that the hang is felt whole.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.meters import nvml, rapl
from agent.meters.breaker import Breaker
from agent.meters.redfish import RedfishMeter
from agent.meters.redfish_service import Endpoint
from bench.agent import trees
from bench.agent.slow_files import slow
from plumbing.clock import ManualClock
from sim import gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from agent.meters.bank import Key
    from agent.meters.protocol import Meter
    from plumbing.clock import Clock

_GPU: Final = 3
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Ground:
    """What a fault is made of: an empty folder, the length of a hang, and the meters' clock."""

    folder: Path
    hang_s: float
    clock: Clock


@dataclass(frozen=True, slots=True)
class Scene:
    """What is read, and what of it is broken."""

    meters: tuple[Meter, ...]
    broken: frozenset[Key] = frozenset()

    @property
    def healthy(self) -> frozenset[Key]:
        """RAPL zones that nothing is wrong with."""
        return frozenset(key for key in self._keys() if key[0] == rapl.SOURCE) - self.broken

    @property
    def siblings(self) -> frozenset[Key]:
        """Sound domains of the meter that hangs."""
        return self._keys() - self.healthy - self.broken

    def _keys(self) -> frozenset[Key]:
        return frozenset((meter.source, each.domain.name) for meter in self.meters for each in meter.metered)


@contextlib.contextmanager
def none(at: Ground) -> Iterator[Scene]:
    """Nothing hangs."""
    yield Scene((trees.powercap(at.folder, inner=trees.EVERYTHING, clock=at.clock),))


@contextlib.contextmanager
def fifo(at: Ground) -> Iterator[Scene]:
    """Two of the RAPL zones are FIFOs: one that nobody writes to, one whose writer is silent."""
    meter = trees.powercap(at.folder, inner=trees.EVERYTHING, clock=at.clock)
    domains = ("core/socket-0", "uncore/socket-0")
    files = tuple(trees.zone_file(at.folder, each) for each in domains)
    for file in files:
        file.unlink()
        os.mkfifo(file)
    silent = os.open(files[1], os.O_RDWR | os.O_NONBLOCK)
    try:
        yield Scene((meter,), frozenset((meter.source, each) for each in domains))
    finally:
        os.close(silent)
        # Lets a reader out that waits in open(2); ENXIO says that nobody does.
        for file in files:
            with contextlib.suppress(OSError):
                os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))


@contextlib.contextmanager
def silent_bmc(at: Ground) -> Iterator[Scene]:
    """A BMC takes every connection and never answers; it hangs up after ``hang_s``, and is asked again at once."""
    healthy = trees.powercap(at.folder, inner=trees.EVERYTHING, clock=at.clock)
    with contextlib.ExitStack() as stack:
        bmc = stack.enter_context(contextlib.closing(_SilentServer(hang_s=at.hang_s)))
        stack.enter_context(_repeating(bmc.look))
        meter = RedfishMeter(
            Endpoint(bmc.url, timeout_s=2 * at.hang_s),
            clock=at.clock,
            breaker=Breaker(clock=at.clock, failures=1_000_000),
        )
        stack.callback(meter.close)
        yield Scene((healthy, meter), frozenset((meter.source, each.domain.name) for each in meter.metered))


@contextlib.contextmanager
def hung_gpu(at: Ground) -> Iterator[Scene]:
    """NVML does not come back from a call about one of eight GPUs."""
    healthy = trees.powercap(at.folder, inner=trees.EVERYTHING, clock=at.clock)
    fake = gpu.scenario("eight", ManualClock())
    meter = nvml.discover(at.clock, nvml=fake).meter
    if meter is None:
        raise trees.NotFound("no GPU was found")
    hung = fake.hang(_GPU)
    since_s = time.monotonic()

    def let_go() -> None:
        nonlocal hung, since_s
        if time.monotonic() - since_s >= at.hang_s:
            before, hung, since_s = hung, fake.hang(_GPU), time.monotonic()
            before.set()

    try:
        with _repeating(let_go):
            yield Scene((healthy, meter), frozenset({(meter.source, meter.metered[_GPU].domain.name)}))
    finally:
        hung.set()


@contextlib.contextmanager
def slow_files(at: Ground) -> Iterator[Scene]:
    """One of eight board sensors lies on a file system that keeps open(2) waiting. Raises OSError without the right."""
    healthy = trees.powercap(at.folder / "rapl", inner=trees.EVERYTHING, clock=at.clock)
    meter = trees.sensors(at.folder / "hwmon", clock=at.clock)
    with slow(trees.sensor_file(at.folder / "hwmon", "gpu/2"), hang_s=at.hang_s):
        yield Scene((healthy, meter), frozenset({(meter.source, "gpu/2")}))


FAULTS: Final[Mapping[str, Callable[[Ground], AbstractContextManager[Scene]]]] = {
    "none": none,
    "fifo": fifo,
    "bmc": silent_bmc,
    "nvml": hung_gpu,
    "slow-files": slow_files,
}


class _SilentServer:
    """Takes connections on loopback, says nothing, and hangs up after ``hang_s``."""

    def __init__(self, *, hang_s: float) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(_LOOK_S)
        self._hang_s = hang_s
        self._held: list[tuple[float, socket.socket]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def look(self) -> None:
        """Hangs up where it is time to, and takes one connection more."""
        while self._held and self._held[0][0] <= time.monotonic():
            self._held.pop(0)[1].close()
        with contextlib.suppress(TimeoutError):
            connection, _ = self._server.accept()
            self._held.append((time.monotonic() + self._hang_s, connection))

    def close(self) -> None:
        """Hangs up on everybody."""
        for _, connection in self._held:
            connection.close()
        self._server.close()


@contextlib.contextmanager
def _repeating(step: Callable[[], None]) -> Iterator[None]:
    """Runs ``step`` in a thread every 50 ms until the block ends."""
    enough = threading.Event()

    def run() -> None:
        while not enough.wait(_LOOK_S):
            step()

    thread = threading.Thread(target=run, name="fault")
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
