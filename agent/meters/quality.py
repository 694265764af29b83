# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Kind and default uncertainty per source and CPU family (METERING 2), each with the origin of its number.

Intel server parts since Haswell take package energy from the voltage regulators' telemetry; earlier parts, and every
AMD part, compute it from activity counters. DRAM figures are computed, or scaled from one sensor, nearly everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.meters.protocol import Quality

if TYPE_CHECKING:
    from agent.meters.protocol import Component
    from estimator.curves import CpuIdentity

# Family 6 models before Haswell (Intel SDM volume 4, table 2-1): Sandy Bridge, Ivy Bridge, and the first Atoms.
_INTEL_COMPUTED: Final = frozenset({42, 45, 58, 62, 55, 76, 77})


def _around(kind: str, ratio: float, origin: str) -> Quality:
    return Quality(
        kind="measured" if kind == "measured" else "estimated",
        low_ratio=1.0 - ratio,
        high_ratio=1.0 + ratio,
        origin=origin,
    )


# +-3 %: the spread of per-socket gain that the reference notes give for Intel parts, and the residual of package + DRAM
# against a wall meter on a Xeon (2.8 %).
_INTEL_PACKAGE: Final = _around("measured", 0.03, "regulator telemetry; gain spread between sockets")
_INTEL_OLD_PACKAGE: Final = _around("estimated", 0.10, "computed from activity before Haswell")
# 5.6 % is the mean error against the wall on a two-socket EPYC, with a bias of up to +23 W of 350 W by kind of work,
# which is 6.6 %; twice the mean error holds about 95 % of it.
_AMD_PACKAGE: Final = _around(
    "estimated", 0.12, "computed from activity; twice the mean error against the wall, EPYC 7502"
)
# The error of DRAM RAPL is an offset that is worst when idle; published offsets reach a fifth of the reading.
_DRAM: Final = _around("estimated", 0.20, "computed, or scaled from one sensor; offset worst when idle")
# Psys depends on how the board wires it up, which no document of the machine says.
_PSYS: Final = _around("estimated", 0.10, "depends on the board; not yet checked against its parts")
_UNKNOWN: Final = _around("estimated", 0.15, "a vendor without published comparison")


def rapl_quality(component: Component, cpu: CpuIdentity) -> Quality:
    """What a RAPL zone of ``component`` on ``cpu`` may claim."""
    if component == "dram":
        return _DRAM
    if component == "platform":
        return _PSYS
    vendor = cpu.vendor.lower()
    if vendor == "genuineintel":
        return _INTEL_OLD_PACKAGE if cpu.family == 6 and cpu.model in _INTEL_COMPUTED else _INTEL_PACKAGE
    if vendor in ("authenticamd", "hygongenuine"):
        return _AMD_PACKAGE
    return _UNKNOWN


def simulated(quality: Quality) -> Quality:
    """The same uncertainty under the only kind that a simulated tree may claim."""
    return Quality(
        kind="modelled",
        low_ratio=quality.low_ratio,
        high_ratio=quality.high_ratio,
        origin="simulated: " + quality.origin,
    )
