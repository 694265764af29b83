# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The chip table: known by chip and label together, never by one of them, never by resemblance."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters import chips
from agent.meters.chips import Meaning, Refused, classify
from agent.meters.protocol import Component


def meaning(chip: str, label: str) -> Meaning | Refused:
    return classify(chip, label, unit=0, device="1-0040")


@pytest.mark.parametrize(
    ("chip", "label", "domain", "inside"),
    [
        ("power_meter", "Module Power Socket 1", "module/socket-1", "platform/node"),
        ("power_meter", "Grace Power Socket 1", "cpu/socket-1", "module/socket-1"),
        ("power_meter", "CPU Power Socket 0", "core/socket-0", "cpu/socket-0"),
        ("power_meter", "SysIO Power Socket 0", "uncore/socket-0", "cpu/socket-0"),
        ("ina3221", "VDD_IN", "platform/node", None),
        ("ina3221", "VDD_CPU_GPU_CV", "module/cpu-gpu-cv", "platform/node"),
        ("ina3221", "VDD_CPU_CV", "cpu/cpu-cv", "platform/node"),
        ("ina3221", "VDD_GPU_SOC", "module/gpu-soc", "platform/node"),
        ("ina3221x", "POM_5V_CPU", "cpu/socket-0", "platform/node"),
        ("ibmpowernv", "Chip 8 Vdd", "core/socket-8", "cpu/socket-8"),
        ("smpro_hwmon", "power1 CORE VRD", "cpu/socket-0", None),
        ("smpro_hwmon", "power4 DIMM VRD2", "dram/socket-0-vrd-2", None),
        ("vexpress_energy", "A7 Jcore", "cpu/cluster-a7", None),
        ("cffps", "pin", "psu/1-0040-input", None),
    ],
)
def test_known_sensors_mean_what_their_documents_say(chip: str, label: str, domain: str, inside: str | None) -> None:
    answer = meaning(chip, label)
    assert isinstance(answer, Meaning)
    assert (f"{answer.component}/{answer.scope}", answer.inside) == (domain, inside)
    assert answer.origin


@pytest.mark.parametrize(
    ("chip", "label"),
    [
        # The right label on another chip, the right chip with another label, and near misses of both.
        ("ina226", "VDD_IN"), ("ina3221", "VDD_CPU"), ("ina3221", ""), ("apm_xgene", "CPU Power 2"),
        ("my_power_meter", "CPU Power Socket 0"), ("power_meter", "CPU Power Socket"), ("power_meter", ""),
        ("xgpu", "CPU power"), ("icelake", "power"), ("xen", "power"), ("icepower", "CPU power"),
        ("tps53679", "pout1"), ("yh5151e", "pin"), ("pmbus", "pin"), ("ltc2947", "Power"),
        ("scmi_sensors", "CPU power"), ("amd_energy_2", "Esocket0"), ("amd_energy", "Esocket"),
    ],
)  # fmt: skip
def test_what_only_resembles_a_known_sensor_is_unknown(chip: str, label: str) -> None:
    answer = meaning(chip, label)
    assert isinstance(answer, Refused)
    assert answer.component == "unknown"


@pytest.mark.parametrize(
    "chip",
    [
        "BAT0", "BATT", "CMB0", "hidpp_battery_0", "AC", "ACAD", "ADP1",
        "ucsi_source_psy_USBC000:001", "tcpm_source_psy_1_004e", "amdgpu", "radeon", "nouveau", "i915",
        "i915_gt0", "xe", "nvme", "drivetemp", "iwlwifi_1", "mlx5",
        "corsairpsu",
    ],
)  # fmt: skip
@given(label=st.sampled_from(["CPU power", "VDD_IN", "Grace Power Socket 0", "Esocket0", "pin", "", "CPU"]))
def test_batteries_graphics_and_disks_are_never_anything_else(chip: str, label: str) -> None:
    answer = meaning(chip, label)
    assert isinstance(answer, Refused)
    assert answer.component not in ("unknown", "cpu")


@pytest.mark.parametrize(
    "chip",
    [
        "ina209", "ina219", "ina220", "ina226", "ina228", "ina230", "ina231", "ina233", "ina238", "ina3221",
        "ltc2945", "ltc2947", "ltc2974", "ltc2978", "ltc2990", "ltc2992", "ltc3880", "ltm4676", "ltc4151", "ltc4215",
        "ltc4222", "ltc4245", "ltc4260", "ltc4261", "ltc4282", "ltc4286", "adm1075", "adm1177", "adm1272", "adm1275",
        "adm1278", "adm1281", "adm1293", "adm1294", "max34440", "max34446", "max34451", "max15301", "tps53647",
        "tps53667", "tps53676", "tps53679", "tps53681", "tps53688", "tps40422", "xdpe12284", "isl68137", "bmr453",
        "lm25066", "pfe1100", "ibmpowernv", "pmbus",
    ],
)  # fmt: skip
def test_the_families_of_the_kernels_documents_are_known_by_name(chip: str) -> None:
    assert chips.family(chip) is not None


@given(chip=st.text(max_size=40), label=st.text(max_size=40), unit=st.integers(0, 99), device=st.text(max_size=20))
def test_every_chip_and_label_has_an_answer_with_a_reason(chip: str, label: str, unit: int, device: str) -> None:
    answer = classify(chip, label, unit=unit, device=device)
    if isinstance(answer, Refused):
        assert answer.reason
    else:
        assert answer.component in get_args(Component)


def test_every_rule_of_the_table_names_a_component_a_document_and_a_whole_that_some_rule_gives() -> None:
    components = {rule.component for rule in chips.RULES}
    for rule in chips.RULES:
        assert rule.component in get_args(Component)
        assert rule.scope
        assert "(" in rule.origin, rule.origin
        assert 0 < rule.error_ratio < 1
        if rule.inside:
            assert rule.inside.partition("/")[0] in components


def test_voltage_and_current_of_one_side_belong_together() -> None:
    labels = {"vin": 1, "vout1": 2, "vout2": 3, "iin": 1, "iout1": 2, "iout1.1": 4, "vcap": 9}
    assert chips.pairs_by_label(labels) == (("vin", "iin"), ("vout1", "iout1"))
