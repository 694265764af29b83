# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What dcgm-exporter would print about the make-believe machine of `sim.gpu`.

Names, labels and repetitions are those of NVIDIA's GPU telemetry guide (docs.nvidia.com/datacenter/cloud-native/
gpu-telemetry, the listings with ``GPU_I_PROFILE``) and of the exporter's METRICS.md: a board with MIG prints its watts
again for every instance, and a GPU that several pods share prints each row once per pod.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.gpu import FakeNvml, Gpu, MigDevice

Pod = tuple[str, str, str]
"""Namespace, pod, container."""

_HELP = {
    "DCGM_FI_DEV_POWER_USAGE": ("gauge", "Power draw (in W)."),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": ("counter", "Total energy consumption since boot (in mJ)."),
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": ("gauge", "Ratio of time the graphics engine is active."),
}


def exposition(
    nvml: FakeNvml,
    *,
    hostname: str = "node-a",
    pods: Mapping[tuple[int, int | None], Sequence[Pod]] | None = None,
    energy: bool = True,
) -> bytes:
    """The text; ``pods`` by (GPU, GPU instance or None), ``energy=False`` for a metric list without the counter."""
    lines: list[str] = []
    for metric, (kind, text) in _HELP.items():
        if metric.endswith("CONSUMPTION") and not energy:
            continue
        lines += [f"# HELP {metric} {text}", f"# TYPE {metric} {kind}"]
        for index, gpu in enumerate(nvml.gpus):
            for device in (None, *(gpu.mig or ())):
                number = None if device is None else device.gpu_instance
                value = _value(metric, gpu, device)
                for pod in (pods or {}).get((index, number)) or (("", "", ""),):
                    lines.append(f"{metric}{{{_labels(index, gpu, device, hostname, pod)}}} {value}")
    return "\n".join([*lines, ""]).encode()


def _value(metric: str, gpu: Gpu, device: MigDevice | None) -> str:
    if metric == "DCGM_FI_DEV_POWER_USAGE":
        return f"{gpu.power_w:.6f}"
    if metric == "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION":
        return str(gpu.shown_mj)
    if device is not None:
        return f"{device.active_ratio:.6f}"
    slices = sum(each.active_ratio * each.slices for each in gpu.mig or ()) / 7
    busiest = max((each.sm_percent for each in gpu.processes.values()), default=0) / 100
    return f"{max(slices, busiest):.6f}"


def _labels(index: int, gpu: Gpu, device: MigDevice | None, hostname: str, pod: Pod) -> str:
    labels = {"gpu": str(index), "UUID": gpu.uuid, "device": f"nvidia{index}", "modelName": gpu.name}
    if device is not None:
        labels["GPU_I_PROFILE"] = f"{device.slices}g.{round(device.memory_mb / 1024)}gb"
        labels["GPU_I_ID"] = str(device.gpu_instance)
    labels["Hostname"] = hostname
    labels["namespace"], labels["pod"], labels["container"] = pod
    return ",".join(f'{name}="{value}"' for name, value in labels.items())
