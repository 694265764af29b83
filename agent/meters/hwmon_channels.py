# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The channels of hwmon as they lie on disk: energies, powers, and currents with the voltage that belongs to them.

Layout and units are those of Documentation/ABI/testing/sysfs-class-hwmon: microjoules, microwatts, millivolts,
milliamperes; ``*_enable`` 0 is off; a label is the driver's word, and ``label`` the board's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.files import read_int, read_text
from agent.meters import chips

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.meters.sensor import Quantity

_INPUT: Final = re.compile(r"^(?P<type>energy|power|curr)(?P<index>\d+)_(?P<side>input|average)$")


@dataclass(frozen=True, slots=True)
class Channel:
    """One sensor of one chip. ``name`` is ``power1``, ``energy2``, or ``curr3`` for volts times amperes.

    A current without a known voltage has no ``files``: it is listed and says nothing.
    """

    chip: str
    device: str
    unit: int
    name: str
    label: str
    quantity: Quantity
    files: tuple[str, ...]
    rank: int
    """0 for an energy counter, 1 for a mean power, 2 for one of the moment, 3 for volts times amperes."""
    window_ns: int = 0
    enabled: bool = True

    @property
    def id(self) -> str:
        """``chip@device/channel``, as in declarations."""
        return f"{self.chip}@{self.device}/{self.name}"

    @property
    def shown(self) -> str:
        """The id, and the label where there is one."""
        return f"{self.id} {self.label!r}" if self.label else self.id


def channels(sysfs: Path) -> Iterator[Channel]:
    """Every energy, power and paired current channel, by chip and device; a chip without a name is passed over."""
    found: list[tuple[str, str, dict[str, Path]]] = []
    for path in _entries(sysfs / "class" / "hwmon").values():
        files = attributes(path)
        name = text_of(files.get("name"))
        if name:
            found.append((name, device_of(path), files))
    units: dict[str, int] = {}
    # Bus addresses are padded hexadecimal, so that text order is their order.
    for name, device, files in sorted(found, key=lambda each: each[:2]):
        unit = units.get(name, 0)
        units[name] = unit + 1
        yield from _of_chip(name, device, unit=unit, files=files)


def attributes(path: Path) -> dict[str, Path]:
    """Files of a hwmon folder; drivers that register without a name keep theirs in ``device`` (acpi_power_meter)."""
    own = _entries(path)
    if any(_INPUT.match(name) for name in own):
        return own
    # A board's label is of the hwmon folder alone; a PCI device has one of its own, which names the slot.
    return {name: file for name, file in _entries(path / "device").items() if name != "label"} | own


def _entries(folder: Path) -> dict[str, Path]:
    try:
        return {entry.name: entry for entry in folder.iterdir()}
    except OSError:
        return {}


def device_of(path: Path) -> str:
    """The device that a hwmon folder belongs to, such as ``1-0040``; without one, the folder's own name."""
    device = path / "device"
    return device.resolve().name if device.exists() else path.name


def text_of(path: Path | None) -> str:
    """A label or name; empty where there is none or it cannot be read."""
    if path is None:
        return ""
    try:
        text = read_text(str(path))
    except OSError:
        return ""
    return text if text.isprintable() and len(text) <= 128 else ""


def number_of(path: Path | None) -> int | None:
    """A setting of a sensor, None where there is none or it is no number."""
    if path is None:
        return None
    try:
        return read_int(str(path))
    except (OSError, ValueError):
        return None


def _of_chip(name: str, device: str, *, unit: int, files: dict[str, Path]) -> Iterator[Channel]:
    seen: dict[tuple[str, int], set[str]] = {}
    for file in files:
        if match := _INPUT.match(file):
            seen.setdefault((match["type"], int(match["index"])), set()).add(match["side"])
    board = text_of(files.get("label"))
    for (kind, index), sides in sorted(seen.items()):
        channel = f"{kind}{index}"
        label = text_of(files.get(f"{channel}_label")) or text_of(files.get(f"{channel}_oem_info")) or board
        enabled = number_of(files.get(f"{channel}_enable")) != 0
        if kind == "energy" and "input" in sides:
            yield Channel(
                name, device, unit, channel, label, "energy", (str(files[f"{channel}_input"]),), 0, enabled=enabled
            )
        elif kind == "power":
            side = next((each for each in chips.power_sides(name) if each in sides), None)
            if side is None:
                continue
            window_ms = number_of(files.get(f"{channel}_average_interval")) if side == "average" else None
            yield Channel(
                name, device, unit, channel, label, "power", (str(files[f"{channel}_{side}"]),),
                1 if side == "average" else 2, window_ns=max(0, window_ms or 0) * 1_000_000, enabled=enabled,
            )  # fmt: skip
    powered = any(kind in ("energy", "power") for kind, _ in seen)
    yield from _products(name, device, unit=unit, files=files, powered=powered)


def _products(name: str, device: str, *, unit: int, files: dict[str, Path], powered: bool) -> Iterator[Channel]:
    """Volts times amperes, where the chip's pairs are known and it has no power of its own for them."""
    known = chips.family(name)
    pairs: dict[int, int] = {}
    labels: dict[int, str] = {}
    if known and known.pairs:
        pairs = {} if powered else {amp: volt for volt, amp in known.pairs}
    elif known:
        numbers = _labelled(files, "in") | _labelled(files, "curr")
        powers = _labelled(files, "power")
        for volt_label, amp_label in chips.pairs_by_label(numbers):
            if "p" + volt_label[1:] not in powers:
                pairs[numbers[amp_label]] = numbers[volt_label]
                labels[numbers[amp_label]] = f"{volt_label}*{amp_label}"
    board = text_of(files.get("label"))
    amps = sorted(int(match["index"]) for match in map(_INPUT.match, files) if match and match["type"] == "curr")
    for index in dict.fromkeys(amps):
        amp_file, volt_file = files.get(f"curr{index}_input"), files.get(f"in{pairs.get(index, -1)}_input")
        if amp_file is None or volt_file is None:
            if not (powered or pairs or amp_file is None):
                yield Channel(
                    name, device, unit, f"curr{index}", text_of(files.get(f"curr{index}_label")), "volt_amp", (), 3
                )
            continue
        volt = pairs[index]
        off = (number_of(files.get(f"in{volt}_enable")), number_of(files.get(f"curr{index}_enable")))
        label = labels.get(index) or text_of(files.get(f"in{volt}_label")) or board
        yield Channel(
            name, device, unit, f"curr{index}", label, "volt_amp", (str(volt_file), str(amp_file)), 3,
            enabled=0 not in off,
        )  # fmt: skip


def _labelled(files: dict[str, Path], kind: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for file, path in files.items():
        if match := re.fullmatch(rf"{kind}(\d+)_label", file):
            found[text_of(path)] = int(match[1])
    return found
