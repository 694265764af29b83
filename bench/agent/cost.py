# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What reading costs: CPU time of the reading thread, in the kernel and outside, per call of a meter's ``read``.

Each sample is one call; the two looks at the thread's clock around it are part of it. The files lie on tmpfs, so the
kernel's own work behind a real zone (an MSR read, on the other socket an interrupt to it) is not in it; `files` says
how much dearer a file of this machine's sysfs is than one on tmpfs.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.files import read_int
from bench.agent import trees
from bench.agent.lateness import bank_of
from bench.figures import Figure, quantile
from plumbing.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.meters.protocol import Meter
    from bench.figures import Condition

# Issue "Meters": all RAPL zones of a two-socket machine in under 200 microseconds of CPU.
TARGET_US: Final = 200.0

_WARM_UP: Final = 50
# Any integer that the kernel has ready, in every Linux since 2.6.
_SYSFS_FILE: Final = Path("/sys/class/net/lo/mtu")


def rapl(samples: int) -> list[Figure]:
    """The powercap reader, with the zones of a server and with all zones that there can be."""
    clock = SystemClock()
    return [
        _read("rapl_read_cpu", samples, partial(trees.powercap, inner=inner, clock=clock))
        for inner in (trees.SERVER, trees.EVERYTHING)
    ]


def hwmon(samples: int) -> list[Figure]:
    """The hwmon reader with eight sensors."""
    return [_read("hwmon_read_cpu", samples, partial(trees.sensors, clock=SystemClock()))]


def _read(name: str, samples: int, make: Callable[[Path], Meter]) -> Figure:
    with trees.ground() as folder:
        meter = make(folder)
        taken_us = _cpu_us(meter.read, samples)
        where: dict[str, Condition] = {"domains": len(meter.metered), "statistic": "median"}
    return Figure.of(name, quantile(taken_us, 0.5), unit="us", where=where, target=TARGET_US)


def files(samples: int) -> list[Figure]:
    """One small file on tmpfs and one in sysfs, and how they compare."""
    with trees.ground() as folder:
        file = folder / "energy_uj"
        file.write_text("123456789012\n", encoding="ascii")
        tmpfs = quantile(_cpu_us(lambda: read_int(str(file)), samples), 0.5)
    figures = [Figure.of("file_read_cpu", tmpfs, unit="us", where={"on": "tmpfs", "statistic": "median"})]
    if _SYSFS_FILE.is_file():
        sysfs = quantile(_cpu_us(lambda: read_int(str(_SYSFS_FILE)), samples), 0.5)
        figures.append(Figure.of("file_read_cpu", sysfs, unit="us", where={"on": "sysfs", "statistic": "median"}))
        ratio = sysfs.value / tmpfs.value
        figures.append(Figure("sysfs_to_tmpfs_ratio", "1", ratio, samples, "lower"))
    return figures


def bank(samples: int) -> list[Figure]:
    """A round through the agent's bank: the same zones with thread, deadline and event loop, all threads together."""
    with trees.ground() as folder:
        meter = trees.powercap(folder, inner=trees.SERVER, clock=SystemClock())
        taken_us = asyncio.run(_rounds_cpu_us(meter, samples))
        where: dict[str, Condition] = {"domains": len(meter.metered), "statistic": "median"}
    return [Figure.of("bank_round_cpu", quantile(taken_us, 0.5), unit="us", where=where)]


async def _rounds_cpu_us(meter: Meter, samples: int) -> list[float]:
    taken_us: list[float] = []
    clock = SystemClock()
    read, close = bank_of((meter,), clock=clock)
    for _ in range(_WARM_UP + samples):
        before_ns = time.process_time_ns()
        await read(1.0)
        taken_us.append((time.process_time_ns() - before_ns) / 1e3)
    close()
    return taken_us[_WARM_UP:]


def _cpu_us(call: Callable[[], object], samples: int) -> list[float]:
    taken_us: list[float] = []
    for _ in range(_WARM_UP + samples):
        before_ns = time.thread_time_ns()
        call()
        taken_us.append((time.thread_time_ns() - before_ns) / 1e3)
    return taken_us[_WARM_UP:]
