# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Which curve a CPU gets, from the names and numbers that real machines and guests give themselves."""

from __future__ import annotations

import pytest

from estimator.curves import CpuIdentity, Table, cpu_key

TABLE = Table.load()


def cpu(name: str, vendor: str, family: int, model: int) -> CpuIdentity:
    return CpuIdentity(model_name=name, vendor=vendor, family=family, model=model, threads=2)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz", "8275cl"),
        ("INTEL(R) XEON(R) PLATINUM 8592+", "8592+"),
        ("Intel(R) Xeon(R) CPU E5-2699 v4 @ 2.20GHz", "e5-2699v4"),
        ("Intel(R) Xeon(R) CPU           X5570  @ 2.93GHz", "x5570"),
        ("Intel(R) Xeon(R) E-2356G CPU @ 3.20GHz", "e-2356g"),
        ("AMD EPYC 7713 64-Core Processor", "epyc7713"),
        ("AMD EPYC 9754 128-Core Processor                ", "epyc9754"),
        ("AMD Opteron(tm) Processor 6278", "opteron6278"),
        ("AMD EPYC", "epyc"),
        ("Intel Xeon Processor (Icelake)", ""),
        ("", ""),
    ],
)
def test_a_name_is_reduced_to_what_tells_models_apart(name: str, key: str) -> None:
    assert cpu_key(name) == key


@pytest.mark.parametrize(
    ("identity", "rung", "curve"),
    [
        (cpu("Intel(R) Xeon(R) Platinum 8280 CPU @ 2.70GHz", "GenuineIntel", 6, 85), "cpu", "8280"),
        (cpu("INTEL(R) XEON(R) PLATINUM 8592+", "GenuineIntel", 6, 207), "cpu", "8592+"),
        (cpu("AMD EPYC 9754 128-Core Processor", "AuthenticAMD", 25, 0xA0), "cpu", "epyc9754"),
        (cpu("Intel(R) Xeon(R) D-2776NT CPU @ 2.10GHz", "GenuineIntel", 6, 108), "cpu", "d-2776nt"),
        # Clouds' own models, and guests that give the family only.
        (cpu("AMD EPYC", "AuthenticAMD", 25, 1), "microarchitecture", "zen-3"),
        (cpu("AMD EPYC 7R13 Processor", "AuthenticAMD", 25, 1), "microarchitecture", "zen-3"),
        (cpu("AMD EPYC 9R14", "AuthenticAMD", 25, 0x11), "microarchitecture", "zen-4"),
        (
            cpu("Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz", "GenuineIntel", 6, 85),
            "microarchitecture",
            "skylake-server",
        ),
        (cpu("Intel(R) Xeon(R) Platinum 8488C", "GenuineIntel", 6, 143), "microarchitecture", "sapphire-rapids"),
        (cpu("Intel Xeon Processor (Icelake)", "GenuineIntel", 6, 106), "microarchitecture", "icelake-server"),
        (cpu("Intel(R) Xeon(R) E-2378 CPU @ 2.60GHz", "GenuineIntel", 6, 167), "microarchitecture", "rocket-lake"),
        (cpu("", "0x41", 8, 0xD0C), "microarchitecture", "neoverse-n1"),
        # A guest whose CPUID says desktop and whose name says nothing; a core that nobody has measured.
        (cpu("Intel Xeon Processor", "GenuineIntel", 6, 167), "vendor", "intel"),
        (cpu("AMD EPYC 9006", "AuthenticAMD", 26, 0x50), "vendor", "amd"),
        (cpu("", "0x41", 8, 0xD84), "vendor", "arm"),
        (cpu("Loongson-3C5000L", "", 0, 0), "any", "any"),
    ],
    ids=lambda value: value.model_name or value.vendor if isinstance(value, CpuIdentity) else None,
)
def test_every_cpu_lands_on_the_best_rung_that_knows_it(identity: CpuIdentity, rung: str, curve: str) -> None:
    choice = TABLE.choose(identity)
    assert (choice.rung, choice.curve.name) == (rung, curve)
    assert choice.reason


def test_cpuinfo_of_a_guest() -> None:
    text = (
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n\n"
        "processor\t: 1\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n"
    )
    assert CpuIdentity.parse(text) == cpu("AMD EPYC", "AuthenticAMD", 25, 1)


def test_cpuinfo_of_an_arm_server() -> None:
    text = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0c\n"
    assert CpuIdentity.parse(text) == CpuIdentity(model_name="", vendor="0x41", family=8, model=0xD0C, threads=1)


def test_cpuinfo_that_says_nothing_still_gets_a_curve() -> None:
    assert TABLE.choose(CpuIdentity.parse("")).rung == "any"


def test_watts_scale_with_threads_and_hold_to_the_range_of_loads() -> None:
    curve = TABLE.choose(cpu("AMD EPYC", "AuthenticAMD", 25, 1)).curve
    assert curve.power_w(0.0, threads=2) == pytest.approx(curve.static_w(threads=2))
    assert curve.power_w(0.55, threads=64) == pytest.approx(32 * curve.power_w(0.55, threads=2))
    assert curve.power_w(0.55, threads=2) == pytest.approx(
        (curve.power_w(0.5, threads=2) + curve.power_w(0.6, threads=2)) / 2
    )
    assert curve.power_w(-3.0, threads=1) == curve.static_w(threads=1)
    assert curve.power_w(7.0, threads=1) == curve.power_w(1.0, threads=1) > curve.power_w(0.9, threads=1)
