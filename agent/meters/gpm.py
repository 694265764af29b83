# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""How busy each MIG instance was, from NVML's GPU performance monitoring (Hopper and newer; older ones need DCGM).

A figure is the difference of two samples, so the first reading of an instance gives none. Samples are buffers of the
driver's library that must be freed by hand; one per instance is kept, until the instance is gone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agent.meters.nvml_library import SUCCESS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.meters.nvml_library import Handle, Nvml


class InstanceSamples:
    """The last sample of each instance of one GPU."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml
        self._kept: dict[int, Any] = {}

    def supported(self, handle: Handle) -> bool:
        """Whether this GPU has such monitoring. Raises the library's NVMLError."""
        return bool(self._nvml.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice)

    def active_ratio(self, handle: Handle, gpu_instance: int) -> float | None:
        """Share of time since the last call in which the engine was active, of the instance alone.

        None for the first call and for a figure that the library marks as bad. Raises NVMLError.
        """
        nvml = self._nvml
        sample = nvml.nvmlGpmSampleAlloc()
        try:
            nvml.nvmlGpmMigSampleGet(handle, gpu_instance, sample)
        except nvml.NVMLError:
            nvml.nvmlGpmSampleFree(sample)
            self._drop(gpu_instance)
            raise
        before = self._kept.pop(gpu_instance, None)
        self._kept[gpu_instance] = sample
        if before is None:
            return None
        try:
            wanted = nvml.c_nvmlGpmMetricsGet_t()
            wanted.version = nvml.NVML_GPM_METRICS_GET_VERSION
            wanted.numMetrics = 1
            wanted.sample1, wanted.sample2 = before, sample
            wanted.metrics[0].metricId = nvml.NVML_GPM_METRIC_GRAPHICS_UTIL
            nvml.nvmlGpmMetricsGet(wanted)
        finally:
            nvml.nvmlGpmSampleFree(before)
        metric = wanted.metrics[0]
        ratio = float(metric.value) / 100.0
        if metric.nvmlReturn != SUCCESS or not math.isfinite(ratio):
            return None
        return min(max(ratio, 0.0), 1.0)

    def keep(self, gpu_instances: Iterable[int]) -> None:
        """Frees the samples of all other instances."""
        for gone in self._kept.keys() - set(gpu_instances):
            self._drop(gone)

    def _drop(self, gpu_instance: int) -> None:
        if (sample := self._kept.pop(gpu_instance, None)) is not None:
            self._nvml.nvmlGpmSampleFree(sample)
