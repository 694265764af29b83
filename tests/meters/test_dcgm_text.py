# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What dcgm-exporter prints: recorded shapes, blanks, repetitions, and anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters.dcgm_text import Gpu, gpus, parse, present
from agent.meters.gpu_activity import Holder
from plumbing.clock import ManualClock
from sim.gpu import scenario, uuid
from sim.gpu_exporter import exposition

RECORDED = Path(__file__).parent / "dcgm"
METRICS = ["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"]


def recorded(name: str, *, hostname: str = "") -> tuple[Gpu, ...]:
    samples, bad = parse((RECORDED / f"{name}.txt").read_bytes())
    assert bad == 0
    return gpus(samples, hostname=hostname)


def read(text: str) -> tuple[Gpu, ...]:
    return gpus(parse(text.encode())[0])


def test_bare_rows_with_blanks() -> None:
    first, second = recorded("bare")
    assert (first.scope, first.energy_mj, first.power_w) == (
        "GPU-aaaa0000-1111-2222-3333-444455556666",
        8_812_345_677,
        26.415,
    )
    assert (second.energy_mj, second.power_w) == (None, 101.25)


def test_rows_with_pods() -> None:
    first, second = recorded("kubernetes")
    assert first.holders == (Holder(namespace="ml", pod="train-0", container="main", sm_ratio=0.9132),)
    assert second.holders == ()
    assert (first.name, first.index, second.index) == ("NVIDIA L40S", "0", "1")


def test_instances_repeat_the_boards_watts_and_are_taken_once() -> None:
    (gpu,) = recorded("mig")
    assert (gpu.energy_mj, gpu.power_w, gpu.active_ratio, gpu.slices) == (777_000_111_222, 214.512, 0.2141, 7)
    assert [(each.gpu_instance, each.slices, each.profile, each.active_ratio) for each in gpu.instances] == [
        (1, 3, "3g.20gb", 0.25),
        (8, 1, "1g.5gb", 0.75),
        (13, 1, "1g.5gb", 0.0),
    ]
    assert [(each.pod, each.instance) for each in gpu.holders] == [
        ("bot-5d9c", f"{gpu.scope}/mig-1-0"),
        ("tune-0", f"{gpu.scope}/mig-8-0"),
    ]


def test_instances_without_a_row_of_the_board_still_say_its_watts_once() -> None:
    rows = [
        line
        for line in (RECORDED / "mig.txt").read_text().splitlines()
        if line.startswith("DCGM_FI_DEV") and "GPU_I_ID" in line
    ]
    (gpu,) = read("\n".join(rows))
    assert (gpu.power_w, gpu.energy_mj, gpu.active_ratio) == (214.512, 777_000_111_222, None)


def test_a_gpu_shared_by_pods_is_one_gpu() -> None:
    nvml = scenario("one", ManualClock())
    three = [("a", "p1", "c"), ("a", "p2", "c"), ("b", "p3", "c")]
    samples, _ = parse(exposition(nvml, pods={(0, None): three}))
    (gpu,) = gpus(samples)
    assert gpu.energy_mj == nvml.gpus[0].shown_mj
    assert [each.pod for each in gpu.holders] == ["p1", "p2", "p3"]
    assert {each.sm_ratio for each in gpu.holders} == {None}


def test_an_idle_shared_gpu_is_idle_for_all() -> None:
    nvml = scenario("one", ManualClock())
    nvml.gpus[0].processes.clear()
    samples, _ = parse(exposition(nvml, pods={(0, None): [("a", "p1", "c"), ("a", "p2", "c")]}))
    assert {each.sm_ratio for each in gpus(samples)[0].holders} == {0.0}


def test_rows_of_another_host_are_not_this_nodes() -> None:
    assert recorded("kubernetes", hostname="worker-8") == ()
    assert len(recorded("kubernetes", hostname="WORKER-7")) == 2
    assert len(recorded("bare", hostname="worker-8")) == 2  # rows that name no host are believed


def test_older_label_names_and_no_uuid() -> None:
    (gpu,) = read('DCGM_FI_DEV_POWER_USAGE{gpu="2",pod_name="p",pod_namespace="n",container_name="c"} 50')
    assert (gpu.scope, gpu.holders) == ("index-2", (Holder(namespace="n", pod="p", container="c"),))


def test_escapes_in_labels() -> None:
    (gpu,) = read(
        'DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a",modelName="a \\"quoted\\", {name}\\\\"} 50 1700000000000'
    )
    assert gpu.name == 'a "quoted", {name}\\'


def test_a_float_counter_is_a_counter() -> None:
    (gpu,) = read('DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID="GPU-a"} 1.5e+06')
    assert gpu.energy_mj == 1_500_000


@pytest.mark.parametrize(
    "row",
    [
        'DCGM_FI_DEV_POWER_USAGE{UUID="GPU-a"}',
        'DCGM_FI_DEV_POWER_USAGE{UUID="GPU-a"} watts',
        'DCGM_FI_DEV_POWER_USAGE{UUID="GPU-a} 5',
        "DCGM_FI_DEV_POWER_USAGE{UUID=GPU-a} 5",
        'DCGM_FI_DEV_POWER_USAGE{UUID="GPU-a" 5',
        'DCGM_FI_DEV_POWER_USAGE{UUID="GPU-a"} 5 6 7',
        'DCGM_FI_DEV_POWER_USAGE{UUID="' + "x" * 20_000 + '"} 5',
        "DCGM_FI_DEV_POWER_USAGE",
    ],
)
def test_bad_rows_are_counted_and_cost_the_others_nothing(row: str) -> None:
    samples, bad = parse(f'{row}\nDCGM_FI_DEV_POWER_USAGE{{UUID="GPU-b"}} 7\n'.encode())
    assert bad == 1
    assert [each.scope for each in gpus(samples)] == ["GPU-b"]


@pytest.mark.parametrize(
    "value", ["NaN", "+Inf", "-1", "9223372036854775792", "9223372036854775807", "140737488355330"]
)
def test_blanks_and_nonsense_are_no_values(value: str) -> None:
    (gpu,) = read(f'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{UUID="GPU-a"}} {value}')
    assert gpu.energy_mj is None


def test_a_large_counter_is_not_taken_for_a_blank() -> None:
    assert present(140_737_488_355_327)
    assert present(140_737_488_355_344)


def test_too_large_a_body_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        parse(b"#" * (17 << 20))


@given(body=st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    for prefix in (b"", *(metric.encode() for metric in METRICS)):
        samples, _ = parse(prefix + body)
        gpus(samples)


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(METRICS),
            st.dictionaries(
                st.sampled_from(["gpu", "UUID", "GPU_I_ID", "GPU_I_PROFILE", "pod", "Hostname", "modelName"]),
                st.text(st.characters(codec="utf-8", exclude_characters='"\\\n'), max_size=12),
            ),
            st.one_of(st.integers(-(2**70), 2**70), st.floats()),
        ),
        max_size=12,
    )
)
def test_any_rows_give_sane_gpus(rows: list[tuple[str, dict[str, str], float]]) -> None:
    text = "\n".join(
        metric + "{" + ",".join(f'{name}="{each}"' for name, each in labels.items()) + "} " + repr(value)
        for metric, labels, value in rows
    )
    for gpu in read(text):
        assert gpu.energy_mj is None or 0 <= gpu.energy_mj < 2**63
        assert gpu.power_w is None or gpu.power_w >= 0
        assert all(1 <= each.slices <= 7 or each.slices == 0 for each in gpu.instances)
        assert all(each.active_ratio is None or 0 <= each.active_ratio <= 1 for each in gpu.instances)
        assert len({each.gpu_instance for each in gpu.instances}) == len(gpu.instances)


def test_the_exporter_of_the_simulated_machine_is_understood() -> None:
    nvml = scenario("eight", ManualClock())
    samples, bad = parse(exposition(nvml))
    assert bad == 0
    assert [each.scope for each in gpus(samples)] == [uuid(at) for at in range(8)]
    assert [each.energy_mj for each in gpus(samples)] == [gpu.shown_mj for gpu in nvml.gpus]
