# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Power of a machine without a meter: load curves by CPU, evaluated with NumPy alone.

The packaged table (``models/load_curves.json``, made by ``python -m estimator.training.load_curves``) holds wall watts
of whole servers per hardware thread at 0, 10 .. 100 % load. A CPU finds its curve on a ladder of rungs, best first:

    cpu                 the very CPU model was measured
    microarchitecture   its core design was, by CPUID vendor, family and model
    vendor              something recent of the same vendor was
    any                 nothing is known but that it is a server of 2017 or later

Each rung states its own 95 % interval, as two factors on the watts. Names lie in virtual machines ("AMD EPYC" and
nothing else), so a name that matches no measured CPU is no error: the next rung answers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT: Final = "penstock-load-curves"
VERSION: Final = 1
UNIT: Final = "wall watts of the whole server per hardware thread"

Rung = Literal["cpu", "microarchitecture", "vendor", "any"]
RUNGS: Final[tuple[Rung, ...]] = get_args(Rung)

PACKAGED: Final = Path(__file__).resolve().parent / "models" / "load_curves.json"

# A table is tens of kilobytes; more than this is not one of ours.
_LARGEST_BYTES = 4 << 20
# The hungriest measured machine, a Pentium D of 2006, is at 150 W per thread; more is a unit mix-up.
_MOST_WATTS_PER_THREAD = 1000.0

# What a vendor calls itself in CPUID (x86) or as implementer code in /proc/cpuinfo (ARM).
_VENDORS: Mapping[str, str] = {
    "genuineintel": "intel",
    "authenticamd": "amd",
    "hygongenuine": "amd",  # Dhyana: Zen cores under AMD's licence
    "arm": "arm",
    "0x41": "arm",  # Arm Ltd: Neoverse in Graviton, Altra, Grace, Cobalt, Axion
    "0xc0": "arm",  # Ampere
}

_NOISE = re.compile(
    r"\((?:r|tm)\)|[®™]|\b(?:intel|amd|xeon|platinum|gold|silver|bronze|processor|cpu|quad-core|six-core)\b"
    r"|\d+(?:\.\d+)?\s*[gm]hz|\(.*\)|@.*|,.*|\b\d+-core\b.*",
)


class TableError(ValueError):
    """A table that must not be used; ``field`` names what is wrong with it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def cpu_key(model_name: str) -> str:
    """The part of a CPU's name that tells models apart: ``Intel(R) Xeon(R) Gold 6338N CPU @ 2.20GHz`` -> ``6338n``.

    Empty where the name holds no model, as ``Intel Xeon Processor`` in a virtual machine; ``AMD EPYC`` gives ``epyc``.
    """
    return re.sub(r"\s+", "", _NOISE.sub(" ", model_name.lower()))


@dataclass(frozen=True, slots=True)
class CpuIdentity:
    """What ``/proc/cpuinfo`` says about the first CPU; on ARM vendor is the implementer and model the part number."""

    model_name: str
    vendor: str
    family: int
    model: int
    threads: int

    @classmethod
    def parse(cls, cpuinfo: str) -> CpuIdentity:
        """Reads the text of ``/proc/cpuinfo``; what it does not say stays empty or 0."""
        first: dict[str, str] = {}
        threads = 0
        for line in cpuinfo.splitlines():
            name, _, value = line.partition(":")
            key = name.strip().lower()
            threads += key == "processor" and value.strip().isdigit()
            first.setdefault(key, value.strip())
        return cls(
            model_name=first.get("model name", ""),
            vendor=first.get("vendor_id", first.get("cpu implementer", "")),
            family=_number(first.get("cpu family", first.get("cpu architecture", ""))),
            model=_number(first.get("model", first.get("cpu part", ""))),
            threads=threads,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Wall watts per hardware thread over load, with the interval that its rung deserves.

    ``load_ratio`` (11,) rises from 0 to 1, ``watts_per_thread`` (11,) never falls. The truth lies between
    ``low_ratio`` and ``high_ratio`` times the watts in 95 of 100 cases of this kind.
    """

    name: str
    load_ratio: NDArray[np.float64]
    watts_per_thread: NDArray[np.float64]
    low_ratio: float
    high_ratio: float
    systems: int
    source: str

    def power_w(self, load_ratio: float, *, threads: int) -> float:
        """Watts of ``threads`` hardware threads at ``load_ratio``, which is held to 0..1; linear between the levels."""
        return float(np.interp(load_ratio, self.load_ratio, self.watts_per_thread)) * threads

    def static_w(self, *, threads: int) -> float:
        """Watts of ``threads`` hardware threads with no load."""
        return float(self.watts_per_thread[0]) * threads


@dataclass(frozen=True, slots=True)
class Choice:
    """The curve that a CPU got, the rung it stands on, and why, in a sentence for people."""

    curve: Curve
    rung: Rung
    reason: str


@dataclass(frozen=True, slots=True)
class Microarchitecture:
    """One core design and the CPUID numbers it answers with: ``models`` are (family, first model, last model)."""

    name: str
    vendor: str
    client: bool
    models: tuple[tuple[int, int, int], ...]

    def includes(self, *, vendor: str, family: int, model: int) -> bool:
        """Whether a CPU that gives these numbers has this core."""
        return vendor == self.vendor and any(
            family == each and first <= model <= last for each, first, last in self.models
        )


@dataclass(frozen=True, slots=True)
class Table:
    """Every curve there is, by rung and name."""

    curves: Mapping[Rung, Mapping[str, Curve]]
    microarchitectures: tuple[Microarchitecture, ...]
    revision: str

    @classmethod
    def load(cls, path: Path | None = None) -> Table:
        """Reads a table, the packaged one by default. Raises TableError naming the field, OSError if unreadable."""
        file = path or PACKAGED
        if file.stat().st_size > _LARGEST_BYTES:
            raise TableError(file.name, f"larger than {_LARGEST_BYTES} bytes")
        return cls.parse(file.read_bytes())

    @classmethod
    def parse(cls, body: bytes) -> Table:
        """Reads the JSON of a table. Raises TableError naming the field."""
        try:
            document = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise TableError("document", f"not valid JSON: {error}") from error
        return _table(document)

    def choose(self, cpu: CpuIdentity) -> Choice:
        """The best curve for ``cpu``; every CPU gets one."""
        key = cpu_key(cpu.model_name)
        if curve := self.curves["cpu"].get(key):
            return Choice(curve, "cpu", f"{curve.systems} measured servers have this CPU, {cpu.model_name.strip()!r}")
        unknown = f"no measured server has {cpu.model_name.strip()!r}" if key else "the CPU gives no model name"
        vendor = _VENDORS.get(cpu.vendor.strip().lower(), "")
        numbers = f"{cpu.vendor} family {cpu.family} model {cpu.model}"
        doubt = f"{numbers} has no measured relative"
        for design in self.microarchitectures:
            if not design.includes(vendor=vendor, family=cpu.family, model=cpu.model):
                continue
            if design.client and not any(character.isdigit() for character in key):
                # Seen: a guest on a big server whose CPUID says Rocket Lake and whose name says nothing.
                doubt = (
                    f"{numbers} is {design.name}, a desktop part, which the name does not confirm: a guest's numbers"
                )
                continue
            curve = self.curves["microarchitecture"].get(design.name)
            if curve is not None:
                return Choice(curve, "microarchitecture", f"{unknown}; {numbers} is {design.name}")
        curve = self.curves["vendor"].get(vendor)
        if curve is not None:
            return Choice(curve, "vendor", f"{unknown}; {doubt}")
        return Choice(self.curves["any"]["any"], "any", f"{unknown}; vendor {cpu.vendor!r} is not in the table")


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return 0


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _table(document: Any) -> Table:
    fields = _object(document, "document")
    for name, expected in (("format", FORMAT), ("version", VERSION), ("unit", UNIT)):
        if fields.get(name) != expected:
            raise TableError(name, f"is {fields.get(name)!r}, must be {expected!r}")
    load_ratio = _numbers(fields.get("load_ratio"), "load_ratio", least=0.0, most=1.0)
    if load_ratio.size < 2 or load_ratio[0] != 0 or load_ratio[-1] != 1 or not (np.diff(load_ratio) > 0).all():
        raise TableError("load_ratio", "must rise from 0 to 1")
    by_rung = _object(fields.get("curves"), "curves")
    curves: dict[Rung, dict[str, Curve]] = {}
    for rung in RUNGS:
        rows = _array(by_rung.get(rung), f"curves.{rung}")
        curves[rung] = {}
        for at, row in enumerate(rows):
            curve = _curve(row, f"curves.{rung}[{at}]", load_ratio)
            if curves[rung].setdefault(curve.name, curve) is not curve:
                raise TableError(f"curves.{rung}[{at}].name", f"{curve.name!r} appears twice")
    if "any" not in curves["any"]:
        raise TableError("curves.any", "must hold the curve 'any'")
    designs = tuple(
        _microarchitecture(row, f"microarchitectures[{at}]")
        for at, row in enumerate(_array(fields.get("microarchitectures"), "microarchitectures"))
    )
    return Table(curves=curves, microarchitectures=designs, revision=_text(fields, "revision", ""))


def _curve(row: Any, at: str, load_ratio: NDArray[np.float64]) -> Curve:
    fields = _object(row, at)
    watts = _numbers(fields.get("watts_per_thread"), f"{at}.watts_per_thread", least=0.0, most=_MOST_WATTS_PER_THREAD)
    if watts.shape != load_ratio.shape:
        raise TableError(f"{at}.watts_per_thread", f"has {watts.size} entries, load_ratio has {load_ratio.size}")
    if (np.diff(watts) < 0).any():
        raise TableError(f"{at}.watts_per_thread", "must not fall with load")
    factors = {}
    for name, least, most in (("low_ratio", 0.0, 1.0), ("high_ratio", 1.0, 1000.0)):
        factors[name] = float(_numbers([fields.get(name)], f"{at}.{name}", least=least, most=most)[0])
    systems = fields.get("systems")
    if not isinstance(systems, int) or isinstance(systems, bool) or systems < 1:
        raise TableError(f"{at}.systems", f"is {systems!r}, must be a positive integer")
    return Curve(
        name=_text(fields, "name", at),
        load_ratio=load_ratio,
        watts_per_thread=watts,
        low_ratio=factors["low_ratio"],
        high_ratio=factors["high_ratio"],
        systems=systems,
        source=_text(fields, "source", at),
    )


def _microarchitecture(row: Any, at: str) -> Microarchitecture:
    fields = _object(row, at)
    models: list[tuple[int, int, int]] = []
    for number, entry in enumerate(_array(fields.get("models"), f"{at}.models")):
        values = _numbers(entry, f"{at}.models[{number}]", least=0, most=0xFFFF)
        if values.size != 3:
            raise TableError(f"{at}.models[{number}]", "must be [family, first model, last model]")
        models.append((int(values[0]), int(values[1]), int(values[2])))
    client = fields.get("client")
    if not isinstance(client, bool):
        raise TableError(f"{at}.client", "must be true or false")
    return Microarchitecture(
        name=_text(fields, "name", at),
        vendor=_text(fields, "vendor", at),
        client=client,
        models=tuple(models),
    )


def _object(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TableError(at, "must be an object")
    return value


def _array(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise TableError(at, "must be a list")
    return value


def _text(fields: dict[str, Any], name: str, at: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise TableError(f"{at}.{name}".lstrip("."), "must be a text that is not empty")
    return value


def _numbers(value: Any, at: str, *, least: float, most: float) -> NDArray[np.float64]:
    entries = _array(value, at)
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in entries):
        raise TableError(at, "must hold numbers only")
    try:
        numbers = np.array(entries, dtype=np.float64)
    except OverflowError as error:
        raise TableError(at, "holds a number that is out of range") from error
    if not ((numbers >= least) & (numbers <= most)).all():
        raise TableError(at, f"must be within {least:g}..{most:g}")
    numbers.setflags(write=False)
    return numbers
