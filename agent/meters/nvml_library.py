# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's management library as this agent calls it: the part of ``pynvml`` (nvidia-ml-py) that it needs, typed.

Loaded only where a meter asks for it: importing ``pynvml`` costs a few megabytes and needs no driver; the driver's
``libnvidia-ml.so.1`` is opened by ``nvmlInit``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from agent.errors import MeterAbsent

if TYPE_CHECKING:
    from collections.abc import Sequence

Handle = Any
"""An opaque device; a MIG device has one too."""

SUCCESS: Final = 0
UNINITIALIZED: Final = 1
INVALID_ARGUMENT: Final = 2
NOT_SUPPORTED: Final = 3
NO_PERMISSION: Final = 4
NOT_FOUND: Final = 6
DRIVER_NOT_LOADED: Final = 9
FUNCTION_NOT_FOUND: Final = 13
GPU_IS_LOST: Final = 15
RESET_REQUIRED: Final = 16
GPU_NOT_FOUND: Final = 28

# Codes of nvmlReturn_t (nvml.h), as reasons in reports.
_REASONS: Final[dict[int, str]] = {
    UNINITIALIZED: "uninitialized",
    INVALID_ARGUMENT: "invalid_argument",
    NOT_SUPPORTED: "not_supported",
    NO_PERMISSION: "permission_denied",
    NOT_FOUND: "not_found",
    DRIVER_NOT_LOADED: "driver_not_loaded",
    10: "timeout",
    11: "interrupt_lost",
    12: "library_not_found",
    FUNCTION_NOT_FOUND: "function_not_found",
    GPU_IS_LOST: "gpu_is_lost",
    RESET_REQUIRED: "reset_required",
    17: "blocked_by_system",
    18: "driver_mismatch",
    20: "out_of_memory",
    21: "no_data",
    27: "not_ready",
    GPU_NOT_FOUND: "gpu_not_found",
    999: "unknown_error",
}

ABSENT: Final = frozenset({NOT_SUPPORTED, FUNCTION_NOT_FOUND})
"""This GPU, or this driver, does not have it: no failure."""

GONE: Final = frozenset(
    {UNINITIALIZED, INVALID_ARGUMENT, NOT_FOUND, DRIVER_NOT_LOADED, GPU_IS_LOST, RESET_REQUIRED, GPU_NOT_FOUND}
)
"""The handle leads nowhere any more; a new one is needed."""


class Nvml(Protocol):
    """The module, or a fake of it. Functions raise ``NVMLError``, whose ``value`` is the code."""

    NVML_GPM_METRIC_GRAPHICS_UTIL: int
    NVML_GPM_METRICS_GET_VERSION: int
    c_nvmlGpmMetricsGet_t: Any

    @property
    def NVMLError(self) -> type[Exception]: ...

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...
    def nvmlDeviceGetCount(self) -> int: ...
    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> Handle: ...
    def nvmlDeviceGetHandleByUUID(self, uuid: str, /) -> Handle: ...
    def nvmlDeviceGetUUID(self, handle: Handle, /) -> str: ...
    def nvmlDeviceGetName(self, handle: Handle, /) -> str: ...
    def nvmlDeviceGetCudaComputeCapability(self, handle: Handle, /) -> tuple[int, int]: ...
    def nvmlDeviceGetPowerManagementLimitConstraints(self, handle: Handle, /) -> Sequence[int]: ...
    def nvmlDeviceGetPowerManagementDefaultLimit(self, handle: Handle, /) -> int: ...
    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Handle, /) -> int: ...
    def nvmlDeviceGetPowerUsage(self, handle: Handle, /) -> int: ...
    def nvmlDeviceGetComputeMode(self, handle: Handle, /) -> int: ...
    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Handle, /) -> Sequence[Any]: ...
    def nvmlDeviceGetComputeRunningProcesses_v2(self, handle: Handle, /) -> Sequence[Any]: ...
    def nvmlDeviceGetProcessUtilization(self, handle: Handle, timeStamp: int, /) -> Sequence[Any]: ...
    def nvmlDeviceGetMigMode(self, device: Handle, /) -> Sequence[int]: ...
    def nvmlDeviceGetMaxMigDeviceCount(self, device: Handle, /) -> int: ...
    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Handle, index: int, /) -> Handle: ...
    def nvmlDeviceGetGpuInstanceId(self, device: Handle, /) -> int: ...
    def nvmlDeviceGetComputeInstanceId(self, device: Handle, /) -> int: ...
    def nvmlDeviceGetAttributes_v2(self, device: Handle, /) -> Any: ...
    def nvmlGpmQueryDeviceSupport(self, device: Handle, /) -> Any: ...
    def nvmlGpmSampleAlloc(self) -> Any: ...
    def nvmlGpmSampleFree(self, gpmSample: Any, /) -> None: ...
    def nvmlGpmMigSampleGet(self, device: Handle, gpuInstanceId: int, gpmSample: Any, /) -> Any: ...
    def nvmlGpmMetricsGet(self, metricsGet: Any, /) -> Any: ...


def load() -> Nvml:
    """The real module. Raises MeterAbsent where the package is not installed."""
    try:
        return cast("Nvml", importlib.import_module("pynvml"))
    except ImportError as error:
        raise MeterAbsent("the Python package nvidia-ml-py is not installed") from error


def code_of(error: Exception) -> int:
    """The nvmlReturn_t in an ``NVMLError``; 999 (unknown) where there is none."""
    value = getattr(error, "value", None)
    return value if isinstance(value, int) else 999


def reason_of(error: Exception) -> str:
    """Why a call failed, as reports name it."""
    return _REASONS.get(code_of(error), f"nvml_error_{code_of(error)}")
