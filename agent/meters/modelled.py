# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The meter of last resort: load from ``<procfs>/stat`` through a published load curve of the CPU's kind.

It reads no sensor and says so: kind ``modelled``, source ``modelled``, component ``platform``, scope ``share``, which
is this machine's share (its hardware threads, or a guest's vCPUs) of a whole server's wall power. The joules booked
are the curve's own, the interval is the curve's: several times as wide upwards as down, because errors of such
curves are factors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.files import read_bytes, reason_of
from agent.meters.counter import integrate
from agent.meters.protocol import Counter, Discovery, Domain, Metered, Quality, Reading, Skipped, Unread
from agent.stat import CpuTimes, parse_stat

if TYPE_CHECKING:
    from pathlib import Path

    from estimator.curves import Choice, CpuIdentity, Table
    from plumbing.clock import Clock

SOURCE: Final = "modelled"
DOMAIN: Final = Domain("platform", "share")

# /proc/stat counts in ticks of 10 ms; below two of them a load is a guess, and the last one stands.
_SHORTEST_NS: Final = 20_000_000


class ModelledMeter:
    """Integrates the curve's power over measured time into a counter that never wraps."""

    def __init__(self, *, procfs: Path, choice: Choice, threads: int, clock: Clock) -> None:
        self.source = SOURCE
        self.choice = choice
        self._stat = str(procfs / "stat")
        self._threads = threads
        self._clock = clock
        curve = choice.curve
        self.static_w = curve.static_w(threads=threads)
        self.metered: tuple[Metered, ...] = (
            Metered(
                domain=DOMAIN,
                quality=Quality("modelled", curve.low_ratio, curve.high_ratio, f"{choice.reason}; {curve.source}"),
                # It counts in software and can only be wrong by a bug; four times full load is one.
                counter=Counter(range_uj=None, plausible_w=4 * curve.power_w(1.0, threads=threads) + 1.0),
            ),
        )
        self._at_ns = self._loaded_ns = clock.monotonic_ns()
        self._times = self._read_times()
        self._power_w: float | None = None
        self._counter_uj = 0
        self._rest_uj = 0.0

    def _read_times(self) -> CpuTimes:
        return parse_stat(read_bytes(self._stat, limit=1 << 20)).total

    def read(self) -> tuple[Reading | Unread, ...]:
        """The counter now. Before the first load is known, a read too soon repeats the start with its own time."""
        try:
            times = self._read_times()
        except (OSError, ValueError) as error:
            return (Unread(DOMAIN.name, reason_of(error)),)
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._loaded_ns >= _SHORTEST_NS:
            # Steal is another guest's work: the hardware thread was not ours then.
            self._power_w = self.choice.curve.power_w(times.load_ratio_since(self._times), threads=self._threads)
            self._loaded_ns, self._times = now_ns, times
        if self._power_w is not None:
            elapsed_ns = now_ns - self._at_ns
            energy_uj, self._rest_uj = integrate(self._power_w, elapsed_ns=elapsed_ns, rest_uj=self._rest_uj)
            self._counter_uj += energy_uj
            self._at_ns = now_ns
        return (
            Reading(
                domain=DOMAIN.name,
                from_ns=self._at_ns,
                to_ns=self._at_ns,
                counter_uj=self._counter_uj,
                static_w=self.static_w,
            ),
        )


def discover(procfs: Path, *, table: Table, cpu: CpuIdentity, clock: Clock) -> Discovery:
    """Chooses the curve for this CPU; without a readable ``stat`` there is no load to put into it."""
    if cpu.threads <= 0:
        return Discovery(None, (Skipped(SOURCE, "cpuinfo names no processor", "platform", "share", "modelled"),))
    try:
        meter = ModelledMeter(procfs=procfs, choice=table.choose(cpu), threads=cpu.threads, clock=clock)
    except (OSError, ValueError) as error:
        return Discovery(None, (Skipped(SOURCE, f"no load: {error}", "platform", "share", "modelled"),))
    return Discovery(meter)
