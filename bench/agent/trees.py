# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""sysfs trees to read: a two-socket machine's powercap zones and eight board sensors, on tmpfs where there is one.

tmpfs answers from memory, as sysfs does, and unlike a disk never waits; what the kernel does behind a real file
(reading the MSR on the right socket) is not in it. Layouts: Documentation/power/powercap/powercap.rst,
Documentation/ABI/testing/sysfs-class-hwmon; values are ours.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.meters import hwmon, rapl
from agent.meters.declared import declared
from estimator.curves import CpuIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.meters.protocol import Meter
    from plumbing.clock import Clock

XEON: Final = CpuIdentity("Intel(R) Xeon(R) Gold 6338N CPU @ 2.20GHz", "GenuineIntel", 6, 106, 64)

SERVER: Final = ("dram",)
"""Below each package on a Xeon."""
EVERYTHING: Final = ("core", "uncore", "dram")
"""All that the driver can show below a package; psys comes with it."""

_SOCKETS: Final = 2
_SENSORS: Final = ("platform/node", "gpu/0", "gpu/1", "gpu/2", "gpu/3", "storage/0", "nic/0", "fan/node")
_FOLDERS: Final = (Path("/dev/shm"), Path("/run"))
# 2**32 counts of 61 uJ, what most Xeons show.
_RANGE_UJ: Final = 262_143_328_850


class NotFound(Exception):
    """A tree of ours in which a meter finds nothing: the benchmark has fallen behind the meter."""


def tmpfs(mounts: Path = Path("/proc/self/mounts")) -> Path | None:
    """A folder on tmpfs, or None."""
    with contextlib.suppress(OSError):
        fields = [line.split() for line in mounts.read_text(encoding="utf-8").splitlines()]
        mounted = {Path(each[1]) for each in fields if len(each) > 2 and each[2] == "tmpfs"}
        return next((folder for folder in _FOLDERS if folder in mounted), None)
    return None


@contextlib.contextmanager
def ground() -> Iterator[Path]:
    """An empty folder, on tmpfs if possible, that goes away again."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-", dir=tmpfs()) as folder:
        yield Path(folder)


def powercap(sysfs: Path, *, inner: tuple[str, ...], clock: Clock) -> Meter:
    """The meter of two packages with the zones ``inner`` below each; with `EVERYTHING`, psys beside them."""
    zones = {f"intel-rapl:{socket}": f"package-{socket}" for socket in range(_SOCKETS)}
    zones |= {f"intel-rapl:{socket}:{at}": name for socket in range(_SOCKETS) for at, name in enumerate(inner)}
    if inner == EVERYTHING:
        zones[f"intel-rapl:{_SOCKETS}"] = "psys"
    for folder, name in zones.items():
        files = {"name": name, "energy_uj": 123_456_789_012, "max_energy_range_uj": _RANGE_UJ}
        _write(sysfs / "class" / "powercap" / folder, files)
    return _found(rapl.discover(sysfs, cpu=XEON, clock=clock).meter, len(zones))


def sensors(sysfs: Path, *, clock: Clock) -> Meter:
    """The meter of eight INA226 rail monitors, whose rails an operator has declared."""
    words = []
    for at, domain in enumerate(_SENSORS):
        device = sysfs / "devices" / "platform" / f"1-004{at}"
        home = device / "hwmon" / f"hwmon{at}"
        _write(home, {"name": "ina226", "power1_input": 23_450_000})
        (home / "device").symlink_to(device)
        link = sysfs / "class" / "hwmon" / home.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(home)
        words.append(declared(f"ina226@{device.name}/power1={domain}"))
    return _found(hwmon.discover(sysfs, cpu=XEON, clock=clock, declarations=words).meter, len(_SENSORS))


def zone_file(sysfs: Path, domain: str) -> Path:
    """The counter of ``component/socket-N`` in a tree that `powercap` made with `EVERYTHING`."""
    component, _, scope = domain.partition("/")
    folder = f"intel-rapl:{scope.removeprefix('socket-')}"
    if component != "cpu":
        folder += f":{EVERYTHING.index(component)}"
    return sysfs / "class" / "powercap" / folder / "energy_uj"


def sensor_file(sysfs: Path, domain: str) -> Path:
    """The power of ``domain`` in a tree that `sensors` made."""
    return sysfs / "class" / "hwmon" / f"hwmon{_SENSORS.index(domain)}" / "power1_input"


def _found(meter: Meter | None, domains: int) -> Meter:
    if meter is None or len(meter.metered) != domains:
        raise NotFound(f"{0 if meter is None else len(meter.metered)} of {domains} domains were found")
    return meter


def _write(folder: Path, files: Mapping[str, object]) -> None:
    folder.mkdir(parents=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n", encoding="ascii")
