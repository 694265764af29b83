# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The ACPI power meter (ACPI 6.5 chapter 10.4, device ACPI000D, driver ``power_meter``) as the platform's power.

It is the platform only where nothing says otherwise: a battery's meter is not, one whose ``measures`` folder names
devices but not the system bus is not, one that names a rail of a socket belongs to `hwmon` (Grace), and of two that
all claim the whole machine none is believed. It is never CPU.

The firmware answers a mean over ``power1_average_interval``. Failing firmware answers all ones (4.3 MW) or 0; neither
is taken for a power.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.files import read_int, reason_of
from agent.meters import chips
from agent.meters.chips import Meaning
from agent.meters.hwmon_channels import attributes, device_of, number_of, text_of
from agent.meters.protocol import Discovery, Domain, Metered, Quality, Skipped
from agent.meters.sensor import Sensor, SensorMeter

if TYPE_CHECKING:
    from pathlib import Path

    from plumbing.clock import Clock

SOURCE: Final = "acpi"
DOMAIN: Final = Domain("platform", "node")

_CHIP: Final = "power_meter"
# _PMC may state an accuracy. 100 % is what tables say that state nothing, and no board meter is better than this.
_LEAST_ERROR: Final = 0.05
_UNSTATED_ERROR: Final = 0.10


@dataclass(frozen=True, slots=True)
class _Found:
    device: str
    files: dict[str, Path]

    @property
    def shown(self) -> str:
        label = text_of(self.files.get("power1_oem_info"))
        return f"{_CHIP}@{self.device} {label!r}" if label else f"{_CHIP}@{self.device}"


def discover(sysfs: Path, *, clock: Clock, source: str = SOURCE) -> Discovery:
    """Finds the meter of the whole machine and lists the others with the reason."""
    usable: list[_Found] = []
    skipped: list[Skipped] = []
    for meter in _meters(sysfs):
        component, reason = _why_not(meter)
        if reason is None:
            usable.append(meter)
        else:
            skipped.append(Skipped(source, f"{meter.shown}: {reason}", component, meter.device, "measured"))
    if len(usable) > 1:
        for meter in usable:
            reason = f"{meter.shown}: one of {len(usable)} meters, and none says what it measures"
            skipped.append(Skipped(source, reason, "unknown", meter.device, "measured"))
        usable = []
    if not usable:
        if not skipped:
            skipped.append(Skipped(source, "no ACPI power meter: this machine's firmware shows none"))
        return Discovery(None, tuple(skipped))
    return Discovery(SensorMeter(source=source, sensors=(_sensor(usable[0]),), clock=clock), tuple(skipped))


def _meters(sysfs: Path) -> tuple[_Found, ...]:
    """By device: from the hwmon class, and from the driver, which shows them where the class is hidden."""
    found: dict[str, _Found] = {}
    for path in _folders(sysfs / "class" / "hwmon"):
        files = attributes(path)
        if text_of(files.get("name")) == _CHIP:
            found.setdefault(device_of(path), _Found(device_of(path), files))
    for device in _folders(sysfs / "bus" / "acpi" / "drivers" / _CHIP):
        if device.name.startswith("ACPI000D") and device.name not in found:
            files = attributes(device)
            for inner in _folders(device / "hwmon"):
                files |= attributes(inner)
            found[device.name] = _Found(device.name, files)
    return tuple(found[name] for name in sorted(found))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in _entries(folder) if path.is_dir())


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _why_not(meter: _Found) -> tuple[str, str | None]:
    """The component to list it under, and the reason; None where it measures the machine."""
    label = text_of(meter.files.get("power1_oem_info"))
    meaning = chips.classify(_CHIP, label, unit=0, device=meter.device)
    if isinstance(meaning, Meaning):
        return meaning.component, "read by the source hwmon, which knows this label"
    if re.search(r"\bsocket\b|\bcpu\b|\bgpu\b|\brail\b", label, re.IGNORECASE):
        return "unknown", "its label names a part of the machine, and no table knows it"
    if number_of(meter.files.get("power1_is_battery")) == 1:
        return "battery", "a battery: it stores, and draws nothing"
    measured = _measured(meter)
    if measured and not any(name.startswith(("LNXSYBUS", "LNXSYSTM")) for name in measured):
        return "unknown", f"measures {', '.join(measured)}, not the system"
    file = meter.files.get("power1_average")
    if file is None:
        return "platform", "has no power1_average: it measures nothing"
    try:
        read_int(str(file))
    except (OSError, ValueError) as error:
        if reason_of(error) == "permission_denied":
            return "platform", "permission denied"
    return "platform", None


def _measured(meter: _Found) -> list[str]:
    folders = [meter.files.get("measures")]
    if "device" in meter.files:
        folders.append(meter.files["device"] / "measures")
    for folder in folders:
        if folder is not None and (names := sorted(path.name for path in _entries(folder))):
            return names
    return []


def _sensor(meter: _Found) -> Sensor:
    window_ms = number_of(meter.files.get("power1_average_interval")) or 0
    error_ratio, stated = _error(text_of(meter.files.get("power1_accuracy")))
    return Sensor(
        metered=Metered(
            domain=DOMAIN,
            quality=Quality("measured", 1.0 - error_ratio, 1.0 + error_ratio, f"{meter.shown}: {stated}"),
        ),
        quantity="power",
        parts=((str(meter.files["power1_average"]),),),
        window_ns=max(0, window_ms) * 1_000_000,
    )


def _error(accuracy: str) -> tuple[float, str]:
    """Of the driver's text: ``99.50%`` is 99.050 %, for it prints thousandths without their leading zeros."""
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})%", accuracy, re.ASCII)
    percent = int(match[1]) + int(match[2]) / 1000 if match else 0.0
    # The specification allows 80 to 100 %; anything else was never filled in.
    if not 80.0 <= percent <= 100.0:
        return _UNSTATED_ERROR, "ACPI power meter whose firmware states no accuracy"
    return max(_LEAST_ERROR, 1.0 - percent / 100), f"ACPI power meter, accuracy stated as {percent:g} %"
