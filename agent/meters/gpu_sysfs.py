# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""AMD and Intel GPUs through the hwmon folder of their DRM card.

    amdgpu   power1_average, else power1_input, in microwatts (Documentation/gpu/amdgpu/thermal.rst). On an APU it is
             the power of the whole socket, CPU included, which is no GPU's: listed, not used
    i915     energy1_input of the hwmon called ``i915``: the whole card in microjoules; ``i915_gtN`` lies inside it
             (Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon)
    xe       energyN_input labelled ``card``, else ``pkg``, which lies inside the card
             (Documentation/ABI/testing/sysfs-driver-intel-xe-hwmon)

Intel's drivers add their 32-bit register up into 63 bits, so no wrap is seen here; but they look at it only when asked,
and at 1 kW it wraps in 4.4 minutes (drivers/gpu/drm/xe/xe_hwmon.c). After a longer pause what was read is a new base.
A card that sleeps is not woken to be asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.files import read_int, read_text, reason_of
from agent.meters.protocol import Counter, Discovery, Domain, Metered, Quality, Reading, Skipped, Unread
from agent.meters.samples import Samples
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plumbing.clock import Clock

SOURCE: Final = "gpu-sysfs"

_CARD: Final = re.compile(r"^card(\d+)$")
_PCI: Final = re.compile(r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$")
_ENERGY: Final = re.compile(r"^energy(\d+)_input$")
# MI300A: an APU without the north-bridge voltage by which the others are told (pci.ids, vendor 1002).
_MI300A: Final = "0x74a0"
_PLAUSIBLE_W: Final = 3000.0
_LONGEST_S: Final = 10.0
# 2**32 counts of 2**-14 J.
_REGISTER_J: Final = 2**18
# Nobody has published a comparison of these figures with a meter; the width is that of such vendors in `quality`.
_FIRMWARE: Final = Quality("estimated", 0.85, 1.15, "figure of the card's firmware, without published comparison")


@dataclass(frozen=True, slots=True)
class Sensor:
    """The one file of a card that is read."""

    file: str
    sleeps: str
    """``power/runtime_status`` of the card."""
    metered: Metered


class GpuSysfsMeter:
    """Reads one file per card."""

    def __init__(self, *, sensors: tuple[Sensor, ...], clock: Clock) -> None:
        self.source = SOURCE
        self.metered = tuple(each.metered for each in sensors)
        self._sensors = sensors
        self._clock = clock
        self._gauges = Samples(longest_s=_LONGEST_S)
        self._read_ns: dict[str, int] = {}

    def read(self) -> tuple[Reading | Unread, ...]:
        """All cards one after the other, each with its own time."""
        return tuple(self._read(each) for each in self._sensors)

    def _read(self, sensor: Sensor) -> Reading | Unread:
        domain = sensor.metered.domain.name
        if _suspended(sensor.sleeps):
            return Unread(domain, "suspended")
        try:
            value = read_int(sensor.file)
        except (OSError, ValueError) as error:
            return Unread(domain, reason_of(error))
        now_ns = self._clock.monotonic_ns()
        if value < 0:
            return Unread(domain, "negative")
        if sensor.metered.counter is None:
            return self._gauges.reading(domain, at_ns=now_ns, power_w=value / 1e6)
        last_ns = self._read_ns.get(domain)
        self._read_ns[domain] = now_ns
        if last_ns is not None and now_ns - last_ns > _blind_ns(sensor.metered.counter):
            return Unread(domain, "register_wrapped")
        return Reading(domain=domain, from_ns=now_ns, to_ns=now_ns, counter_uj=value)


def _blind_ns(counter: Counter) -> float:
    """After this long without a look the driver's register may have wrapped unseen."""
    return _REGISTER_J / counter.plausible_w * NS_PER_S


def _status(card: Path) -> str:
    return str(card / "device" / "power" / "runtime_status")


def _suspended(file: str) -> bool:
    try:
        return read_text(file) == "suspended"
    except OSError:
        return False  # a kernel without runtime power management: nothing ever sleeps


def discover(sysfs: Path, *, clock: Clock) -> Discovery:
    """Goes through the DRM cards; each gives a sensor or a reason why not."""
    found = list(_cards(sysfs / "class" / "drm"))
    if not found:
        return Discovery(None, (Skipped(SOURCE, "no DRM card: this machine shows no GPU in sysfs", "gpu"),))
    sensors: list[Sensor] = []
    skipped: list[Skipped] = []
    for card in found:
        scope = _address(card)
        for each in _survey(card, scope):
            if isinstance(each, Sensor):
                sensors.append(each)
            else:
                skipped.append(Skipped(SOURCE, f"{card.name}: {each}", "gpu", scope))
    return Discovery(GpuSysfsMeter(sensors=tuple(sensors), clock=clock) if sensors else None, tuple(skipped))


def _cards(drm: Path) -> Iterator[Path]:
    try:
        names = {int(match[1]): path for path in drm.iterdir() if (match := _CARD.match(path.name))}
    except OSError:
        return
    yield from (names[number] for number in sorted(names))


def _uevent(card: Path) -> dict[str, str]:
    try:
        lines = read_text(str(card / "device" / "uevent")).splitlines()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _address(card: Path) -> str:
    """The PCI address, by which a card is known whatever order the drivers come up in."""
    given = _uevent(card).get("PCI_SLOT_NAME", "")
    return given if _PCI.match(given) else card.name


def _survey(card: Path, scope: str) -> Iterator[Sensor | str]:
    driver = _uevent(card).get("DRIVER", "")
    if driver == "amdgpu":
        yield _amd(card, scope)
    elif driver in ("i915", "xe"):
        yield from _intel(card, scope, driver)
    elif driver == "nvidia":
        yield "driver nvidia shows no power here; its meter is NVML"
    else:
        yield f"driver {driver or 'unknown'} documents no power of a GPU"


def _hwmons(card: Path) -> dict[str, Path]:
    """hwmon folders by the name of their chip."""
    found: dict[str, Path] = {}
    try:
        folders = sorted((card / "device" / "hwmon").iterdir())
    except OSError:
        return found
    for folder in folders:
        try:
            found.setdefault(read_text(str(folder / "name")), folder)
        except OSError:
            continue
    return found


def _amd(card: Path, scope: str) -> Sensor | str:
    hwmon = _hwmons(card).get("amdgpu")
    if hwmon is None:
        return "no hwmon: a partition or a virtual function of another card"
    # Only APUs have a north-bridge voltage (in1, labelled vddnb).
    if (hwmon / "in1_input").exists() or _text(card / "device" / "device") == _MI300A:
        return "an APU: its power is the socket's, CPU included"
    asleep = _suspended(_status(card))
    caps_w = [0.0] if asleep else [_watts(hwmon / "power1_cap_max"), 2 * _watts(hwmon / "power1_cap_default")]
    if (hwmon / "power1_cap_max").exists() and not asleep and not any(caps_w):
        return "second die of a package whose first die meters both"
    for name in ("energy1_input", "power1_average", "power1_input"):
        if (hwmon / name).exists():
            return _sensor(card, hwmon / name, scope, plausible_w=max(caps_w))
    return "shows no power"


def _intel(card: Path, scope: str, driver: str) -> Iterator[Sensor | str]:
    hwmons = _hwmons(card)
    for name in sorted(hwmons):
        if name.startswith("i915_gt"):
            yield f"{name} is contained in the card"
    hwmon = hwmons.get(driver)
    channels = _channels(hwmon) if hwmon is not None else {}
    # Before labels came (Linux 6.8) the one channel was the card's.
    own = channels.get("card") or channels.get("") or channels.get("pkg")
    if hwmon is None or own is None:
        yield "shows no energy: an integrated GPU is part of the CPU package"
        return
    yield from (f"{label} is contained in the card" for label, file in sorted(channels.items()) if file != own)
    limits_w = [0.0]
    if not _suspended(_status(card)):
        limits_w += [_watts(hwmon / "power1_max"), *(2 * _watts(hwmon / f"power{n}_rated_max") for n in (1, 2))]
    yield _sensor(card, own, scope, plausible_w=max(limits_w))


def _channels(hwmon: Path) -> dict[str, Path]:
    """Energy files by label; of several without one the first."""
    found: dict[str, Path] = {}
    for path in sorted(hwmon.glob("energy*_input")):
        if match := _ENERGY.match(path.name):
            found.setdefault(_text(hwmon / f"energy{match[1]}_label"), path)
    return found


def _sensor(card: Path, file: Path, scope: str, *, plausible_w: float) -> Sensor:
    counted = file.name.startswith("energy")
    counter = Counter(range_uj=None, plausible_w=plausible_w or _PLAUSIBLE_W) if counted else None
    return Sensor(
        file=str(file),
        sleeps=_status(card),
        metered=Metered(domain=Domain("gpu", scope), quality=_FIRMWARE, counter=counter),
    )


def _text(file: Path) -> str:
    try:
        return read_text(str(file))
    except OSError:
        return ""


def _watts(file: Path) -> float:
    try:
        return max(0, read_int(str(file))) / 1e6
    except (OSError, ValueError):
        return 0.0
