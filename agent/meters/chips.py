# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the power sensors of a chip mean: the typed chip table of `hwmon` (DESIGN 3, law 5).

A meaning needs both, the chip's name and its channel's label, because most chips measure whatever rail a board wires
to them. Three answers are possible: a `Meaning`, a `Refused` sensor that is known and never ours (a battery, a GPU that
its own meter reads, the output side of a supply), and an unknown one, `Refused` with the component ``unknown``, that
an operator who knows the board may declare in a setting.

Every entry names the document that its names come from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.meters.protocol import Component
    from wire.units import Kind


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one channel measures. ``inside`` names the domain that contains it, if that one is there."""

    component: Component
    scope: str
    kind: Kind
    error_ratio: float
    origin: str
    inside: str | None = None
    sum_into: str | None = None
    """A domain that is the sum of all such channels: the machine that its supplies feed. They are shown beside it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A channel that is listed and not used."""

    component: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A meaning for a chip and a label; a scope may name ``{unit}``, its number among its like, or ``{device}``."""

    chip: re.Pattern[str]
    label: re.Pattern[str]
    component: Component
    scope: str
    kind: Kind
    error_ratio: float
    origin: str
    inside: str | None = None
    sum_into: str | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """Chips whose quantities are known and whose rail is not; ``pairs`` are (voltage, current) channels of one rail."""

    name: str
    chips: re.Pattern[str]
    pairs: tuple[tuple[int, int], ...] = ()
    caveat: str = ""


def _rule(
    chip: str,
    label: str,
    domain: str,
    *,
    kind: Kind = "measured",
    error_ratio: float,
    origin: str,
    inside: str | None = None,
    sum_into: str | None = None,
) -> Rule:
    component, _, scope = domain.partition("/")
    return Rule(
        chip=re.compile(chip),
        label=re.compile(label, re.IGNORECASE | re.ASCII),
        component=component,  # type: ignore[arg-type]
        scope=scope,
        kind=kind,
        error_ratio=error_ratio,
        origin=origin,
        inside=inside,
        sum_into=sum_into,
    )


# A shunt of 1 % and an amplifier of about 1 % on a board that nobody has calibrated: 5 % holds both and their drift.
_SHUNT: Final = 0.05
# Telemetry of a voltage regulator or of the firmware's own power controller; spread as for Intel packages, doubled
# because nobody has published a comparison against a wall meter.
_TELEMETRY: Final = 0.06
# Most supplies' manuals are not public; an allowance of ours, as wide as a shunt's.
_SUPPLY: Final = 0.05

_GRACE: Final = "power meter of the Grace firmware (edk2-nvidia, TH500 ACPI tables)"
_JETSON: Final = "INA3221 rail of a Jetson module (its device tree: tegra194, tegra234 in Linux, L4T before)"
_POWER9: Final = "on-chip controller of POWER9 (Documentation/hwmon/ibmpowernv.rst, OpenPOWER sensor listing)"
_XGENE: Final = "SLIMpro of the X-Gene (Documentation/hwmon/xgene-hwmon.rst)"
_ALTRA: Final = "SMpro regulator telemetry of the Altra (Documentation/hwmon/smpro-hwmon.rst)"
_VEXPRESS: Final = "core meter of a Versatile Express tile (bindings/hwmon/vexpress.txt)"
_PSU: Final = "telemetry of a PMBus supply (Documentation/hwmon/pmbus.rst and the page of its driver)"
_FAM15H: Final = "running average power of the processor (Documentation/hwmon/fam15h_power.rst)"

# Names of supplies alone: converters on a board speak PMBus with the same labels and feed one rail.
# bel-pfe, bpa-rs600, crps, dps920ab, fsp-3y (without yh5151e, which sits behind a supply), ibm-cffps, inspur-ipsps1,
# acbel-fsg032, d1u74t; Delta's in pmbus.c.
_SUPPLIES: Final = (
    r"pfe[13][01]00|bp[ad]-rs600|crps185|dps(460|650ab|800|920ab)|ym2151e|cffps[12]?|ipsps1|fsg032|d1u74t"
)

RULES: Final[tuple[Rule, ...]] = (
    # Grace, contents as Alumet's page on its grace-hopper plugin gives them: the module is the CPU socket, its GPU, all
    # memory and regulator losses; the socket holds the rails of its cores and of the rest of the chip.
    _rule(
        "power_meter",
        r"module power socket (?P<n>\d+)",
        "module/socket-{n}",
        error_ratio=_TELEMETRY,
        origin=_GRACE,
        inside="platform/node",
    ),
    _rule(
        "power_meter",
        r"grace power socket (?P<n>\d+)",
        "cpu/socket-{n}",
        error_ratio=_TELEMETRY,
        origin=_GRACE,
        inside="module/socket-{n}",
    ),
    _rule(
        "power_meter",
        r"cpu power socket (?P<n>\d+)",
        "core/socket-{n}",
        error_ratio=_TELEMETRY,
        origin=_GRACE,
        inside="cpu/socket-{n}",
    ),
    _rule(
        "power_meter",
        r"sysio power socket (?P<n>\d+)",
        "uncore/socket-{n}",
        error_ratio=_TELEMETRY,
        origin=_GRACE,
        inside="cpu/socket-{n}",
    ),
    # Jetson: Orin NX and Nano, Xavier NX (VDD_*), AGX Orin, TX2 (VDD_SYS_*), Nano (POM_5V_*), AGX Xavier (bare names).
    # A rail that feeds CPU and GPU together is a module; one that feeds a component and its small neighbours says so.
    *(
        _rule(r"ina3221x?", label, domain, error_ratio=_SHUNT, origin=_JETSON, inside=inside)
        for label, domain, inside in (
            (r"vdd_in|pom_5v_in", "platform/node", None),
            (r"vdd_cpu_gpu_cv", "module/cpu-gpu-cv", "platform/node"),
            (r"vdd_cpu_cv", "cpu/cpu-cv", "platform/node"),
            (r"vdd_gpu_soc", "module/gpu-soc", "platform/node"),
            (r"vddq_vdd2_1v8ao", "dram/vddq-vdd2-1v8ao", "platform/node"),
            (r"vdd_soc|vdd_sys_soc|soc", "soc/node", "platform/node"),
            (r"vdd_sys_cpu|pom_5v_cpu|cpu", "cpu/socket-0", "platform/node"),
            (r"vdd_sys_gpu|pom_5v_gpu|gpu", "gpu/0", "platform/node"),
            (r"vdd_sys_ddr|vddrq", "dram/node", "platform/node"),
        )
    ),
    # POWER9: chip numbers are the kernel's physical package ids; a chip's figure holds its Vdd (cores) and Vdn (nest).
    *(
        _rule("ibmpowernv", label, domain, error_ratio=_TELEMETRY, origin=_POWER9, inside=inside)
        for label, domain, inside in (
            (r"system", "platform/node", None),
            (r"chip (?P<n>\d+)", "cpu/socket-{n}", "platform/node"),
            (r"chip (?P<n>\d+) vdd", "core/socket-{n}", "cpu/socket-{n}"),
            (r"chip (?P<n>\d+) vdn", "uncore/socket-{n}", "cpu/socket-{n}"),
            (r"chip (?P<n>\d+) memory", "dram/socket-{n}", "platform/node"),
            (r"chip (?P<n>\d+) gpu", "gpu/socket-{n}", "platform/node"),
        )
    ),
    _rule("apm_xgene", r"cpu power", "cpu/socket-{unit}", error_ratio=_TELEMETRY, origin=_XGENE),
    _rule("apm_xgene", r"io power", "soc/socket-{unit}", error_ratio=_TELEMETRY, origin=_XGENE),
    *(
        _rule("smpro_hwmon", label, domain, error_ratio=_TELEMETRY, origin=_ALTRA)
        for label, domain in (
            (r"power1 core vrd", "cpu/socket-{unit}"),
            (r"power2 soc", "soc/socket-{unit}"),
            (r"power5 rca vrd", "soc/socket-{unit}-rca"),
        )
    ),
    _rule(
        "smpro_hwmon",
        r"power[34] dimm vrd(?P<n>\d)",
        "dram/socket-{unit}-vrd-{n}",
        error_ratio=_TELEMETRY,
        origin=_ALTRA,
    ),
    _rule(
        "vexpress_(energy|power)",
        r"(?P<core>a\d+) [jp]core",
        "cpu/cluster-{core}",
        error_ratio=_SHUNT,
        origin=_VEXPRESS,
    ),
    _rule("fam15h_power", r"", "cpu/socket-{unit}", kind="estimated", error_ratio=0.15, origin=_FAM15H),
    # NUMA nodes stand in for sockets in this driver; hwmon maps them to packages. The error is RAPL's for AMD.
    _rule(
        "amd_energy|zenergy",
        r"esocket(?P<n>\d+)",
        "cpu/numa-{n}",
        kind="estimated",
        error_ratio=0.12,
        origin="AMD RAPL registers (Documentation/hwmon/amd_energy.rst)",
    ),
    # Several redundant supplies feed one machine: its power is the sum of their inputs, and of nothing less.
    _rule(_SUPPLIES, r"pin1?", "psu/{device}-input", error_ratio=_SUPPLY, origin=_PSU, sum_into="platform/node"),
    _rule(_SUPPLIES, r"pout1?", "psu/{device}-output", error_ratio=_SUPPLY, origin=_PSU),
)

_NEVER: Final[tuple[tuple[str, str, str], ...]] = (
    # Names of power-supply class devices pass through drivers/power/supply/power_supply_hwmon.c.
    (
        r"(BAT|CMB)[A-Z]?\d*|.*_?batt(ery)?(_.*)?|bq2\d+(_\w+)?|sbs_\w+|max170\d\d(_\w+)?|cw20\d\d(_\w+)?",
        "battery",
        "a battery: it stores, and draws nothing",
    ),
    (r"(AC|ADP)(AD)?\d*|(.*_)?(charger|mains)(_.*)?", "adapter", "an adapter's contract, not a power drawn"),
    (r"(ucsi|tcpm)_source_psy_.*", "usb", "a USB port's contract, not a power drawn"),
    (r"amdgpu|radeon|nouveau|i915(_gt\d+)?|xe", "gpu", "a GPU: read by the GPU meter, never CPU"),
    (r"nvme|drivetemp", "storage", "storage, never CPU"),
    (
        r"iwlwifi(_\d+)?|mlx[45](_\w+)?|bnxt_en|ixgbe|i40e|ice|r8169_\w+|mt7\w+_phy\d+|ath1[0-2]k_hwmon|q?sfp(_?\w+)?",
        "nic",
        "network, never CPU",
    ),
    (r"corsairpsu", "psu", "does not say whether its watts are before or after its own loss"),
)
_REFUSALS: Final = tuple((re.compile(chip), component, reason) for chip, component, reason in _NEVER)

_LABEL_REFUSALS: Final[tuple[tuple[re.Pattern[str], re.Pattern[str], str, str], ...]] = (
    (re.compile(_SUPPLIES), re.compile(r"p(in|out)[2-9]"), "psu", "another page of a supply: its first is used"),
    (
        re.compile(_SUPPLIES),
        re.compile(r"v\w+\*i\w+"),
        "psu",
        "volts times amperes of an alternating supply are not watts",
    ),
    (re.compile(r"ina3221x?"), re.compile(r"nc", re.IGNORECASE), "unknown", "not connected"),
    (
        re.compile(r"ina3221x?"),
        re.compile(r"vin_sys_5v0|sys5v|cv", re.IGNORECASE),
        "unknown",
        "a rail of several small parts, none of them ours",
    ),
    (
        re.compile("amd_energy|zenergy"),
        re.compile(r"ecore\d+", re.IGNORECASE),
        "core",
        "one core each, contained in their sockets",
    ),
    (
        re.compile("ibmpowernv"),
        re.compile(r"apss \d+", re.IGNORECASE),
        "unknown",
        "a raw channel of the power sequencer",
    ),
)

_ONE_MILLIOHM: Final = "; its driver assumes a shunt of 1 mOhm, so a declaration needs the factor"
_PMBUS: Final = (
    r"adm1(075|27[2-8]|281|29[34])|lt[cm](297\d|2980|388\d|3889|4[67]\d\d|2987)|max(34440|34441|34446|34451|3446[01]|"
    r"15301|15303|16601|20[67]\d\d)|tps(536\d\d|40422|40400|544[bc]2\d|25990)|ucd9\w+|xdpe\w+|isl6\w+|raa\w+|ir3\w+|"
    r"lm(5064|5066i?|25056|25066)|bmr\d+|q54sj108a2|pim4328|mp(2\d+|5\d+)|pmbus|pxe1\w+|zl\d+|stpddc60|e50sn12051|yh5151e"
)

FAMILIES: Final[tuple[Family, ...]] = (
    # Documentation/hwmon/ina3221.rst: three rails; channels 4 to 7 are shunt voltages and the sum of currents.
    Family("INA3221 three-rail monitor", re.compile(r"ina3221x?"), ((1, 1), (2, 2), (3, 3))),
    # ina2xx.rst, ina209.rst, ina238.rst: channel 1 is the bus; their power register is the product already.
    Family("INA2xx rail monitor", re.compile(r"ina2(09|19|20|26|28|30|31|33|34|37|38|60|70|80)|sq52206"), ((1, 1),)),
    # ltc2947.rst, ltc2945.rst, ltc2992.rst.
    Family("LTC2947 energy monitor", re.compile(r"ltc2947"), ((0, 1),)),
    Family("LTC29xx monitor", re.compile(r"ltc29(45|9[0-2])"), (), _ONE_MILLIOHM),
    # ltc4282.rst is told its shunt; ltc4151.rst, ltc4260.rst and the older ones assume one.
    Family("LTC42xx hot-swap controller", re.compile(r"ltc428[0-6]")),
    Family("LTC4xxx hot-swap controller", re.compile(r"ltc4(151|215|222|245|260|261)"), ((1, 1),), _ONE_MILLIOHM),
    # adm1177.rst: in0 and curr1.
    Family("ADM1177 hot-swap controller", re.compile(r"adm1177"), ((0, 1),)),
    Family("PMBus supply", re.compile(_SUPPLIES)),
    Family("PMBus converter or hot-swap controller", re.compile(_PMBUS)),
    # Firmware names these sensors as it likes: drivers/hwmon/scmi-hwmon.c and scpi-hwmon.c pass the text through.
    Family("firmware sensor", re.compile(r"scmi_sensors|scpi_sensors|ibmpowernv|vexpress_(energy|power)")),
    Family("ACPI power meter", re.compile(r"power_meter")),
)


def family(chip: str) -> Family | None:
    """The family of ``chip`` by its hwmon name, or None."""
    return next((each for each in FAMILIES if each.chips.fullmatch(chip)), None)


def is_slow(chip: str) -> bool:
    """Whether a read of it goes over PMBus or through the firmware's methods: milliseconds, not microseconds."""
    known = family(chip)
    return known is not None and (known.name.startswith("PMBus") or known.name == "ACPI power meter")


def is_supply(chip: str) -> bool:
    """Whether every such chip is one of the machine's power supplies."""
    return re.fullmatch(_SUPPLIES, chip) is not None


def pairs_by_label(labels: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    """PMBus: pairs of labels (voltage, current) of one side of a converter, of the ``labels`` that are there."""
    outputs = tuple(
        (label, "i" + label[1:])
        for label in sorted(labels)
        if re.fullmatch(r"vout\d+", label) and "i" + label[1:] in labels
    )
    inputs = tuple((volt, amp) for volt, amp in (("vin", "iin"), ("vin1", "iin1")) if volt in labels and amp in labels)
    return inputs + outputs


def classify(chip: str, label: str, *, unit: int, device: str) -> Meaning | Refused:
    """What channel ``label`` of a chip means; ``unit`` counts the devices of that name from 0."""
    for pattern, component, reason in _REFUSALS:
        if pattern.fullmatch(chip):
            return Refused(component, reason)
    for rule in RULES:
        if rule.chip.fullmatch(chip) and (match := rule.label.fullmatch(label)):
            names = {key: text.lower() for key, text in match.groupdict().items()} | {
                "unit": str(unit),
                "device": device,
            }
            return Meaning(
                component=rule.component,
                scope=rule.scope.format(**names),
                kind=rule.kind,
                error_ratio=rule.error_ratio,
                origin=rule.origin,
                inside=rule.inside.format(**names) if rule.inside else None,
                sum_into=rule.sum_into,
            )
    for chips, labels, component, reason in _LABEL_REFUSALS:
        if chips.fullmatch(chip) and labels.fullmatch(label):
            return Refused(component, reason)
    if known := family(chip):
        return Refused("unknown", f"{known.name}: nothing here says which part it feeds{known.caveat}")
    return Refused("unknown", f"chip {chip!r} is in no table")


Side = Literal["average", "input"]


def power_sides(chip: str) -> tuple[Side, ...]:
    """Which file of a power channel is read, best first: a mean misses nothing that a moment misses.

    Family 15h's mean is that of its compute units alone, and its input that of the processor (fam15h_power.rst).
    """
    return ("input",) if chip == "fam15h_power" else ("average", "input")
