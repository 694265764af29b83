# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A make-believe NVIDIA machine: an object with the functions of ``pynvml`` that the agent calls, and a few scenarios.

The behaviour is that of the NVML manual and of the Python binding: energy in millijoules and in steps of the sensor,
power in milliwatts, utilisation samples newer than a time stamp with unused rows of zeros behind them, NOT_FOUND where
nobody worked, and errors by code. Nothing here is the binding's code.

    nvml = scenario("eight", clock)
    nvml.gpus[3].power_w = 650.0
    nvml.run(5.0)                    # the clock moves, energy is drawn, processes leave samples
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from plumbing.clock import ManualClock

# nvml.h, nvmlReturn_t.
SUCCESS: Final = 0
UNINITIALIZED: Final = 1
INVALID_ARGUMENT: Final = 2
NOT_SUPPORTED: Final = 3
NOT_FOUND: Final = 6
DRIVER_NOT_LOADED: Final = 9
LIBRARY_NOT_FOUND: Final = 12
FUNCTION_NOT_FOUND: Final = 13
GPU_IS_LOST: Final = 15

_SAMPLE_S: Final = 0.25  # NVML: between 1/6 s and 1 s, by product
_SPARE_ROWS: Final = 3
_LONGEST_HANG_S: Final = 30.0


class NvmlError(Exception):
    """An NVML return code other than success."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


@dataclass(slots=True)
class Process:
    """A process with a context; ``sm_percent`` is what it keeps the multiprocessors busy with."""

    memory_bytes: int = 1 << 30
    sm_percent: int = 0


@dataclass(slots=True)
class MigDevice:
    """A MIG device; ``active_ratio`` is its engine's, of itself alone."""

    gpu_instance: int
    slices: int
    memory_mb: int
    compute_instance: int = 0
    processes: dict[int, Process] = field(default_factory=dict)
    active_ratio: float = 0.0
    active_s: float = 0.0


@dataclass(slots=True)
class Gpu:
    """One board and what it does now."""

    uuid: str
    name: str = "NVIDIA H100 80GB HBM3"
    capability: tuple[int, int] = (9, 0)
    rated_w: float = 700.0
    power_w: float = 70.0
    counted: bool = True
    powered: bool = True
    exclusive: bool = False
    utilised: bool = True
    processes: dict[int, Process] = field(default_factory=dict)
    mig: list[MigDevice] | None = None
    energy_j: float = 12_345.678
    update_s: float = 0.1
    error: int = SUCCESS
    """What every call about this GPU returns instead of an answer."""
    hang: threading.Event | None = None
    """Calls about this GPU wait for it."""
    samples: list[tuple[int, int, int]] = field(default_factory=list)
    shown_mj: int = 0
    moment_s: float = 0.0


@dataclass(slots=True)
class _GpmSample:
    device: MigDevice | None = None
    active_s: float = 0.0
    at_s: float = 0.0
    freed: bool = False


class _GpmMetrics:
    def __init__(self) -> None:
        self.version = 0
        self.numMetrics = 0
        self.sample1: _GpmSample | None = None
        self.sample2: _GpmSample | None = None
        self.metrics = [SimpleNamespace(metricId=0, nvmlReturn=SUCCESS, value=0.0)]


class FakeNvml:
    """The module in an object."""

    NVMLError = NvmlError
    NVML_GPM_METRIC_GRAPHICS_UTIL = 1
    NVML_GPM_METRICS_GET_VERSION = 1
    c_nvmlGpmMetricsGet_t = _GpmMetrics

    def __init__(self, clock: ManualClock, gpus: list[Gpu], *, driver: int = SUCCESS, v3: bool = True) -> None:
        self.clock = clock
        self.gpus = gpus
        self.driver = driver
        """What ``nvmlInit`` returns."""
        self.initialised = 0
        self.samples_alive = 0
        self._v3 = v3
        self._now_s = 0.0
        for gpu in gpus:
            self._show(gpu)

    def run(self, seconds: float) -> None:
        """Time passes: energy is drawn, samples are taken."""
        left_s = seconds
        while left_s > 1e-9:
            step_s = min(_SAMPLE_S, left_s)
            left_s -= step_s
            self.clock.advance(step_s)
            self._now_s += step_s
            for gpu in self.gpus:
                gpu.energy_j += gpu.power_w * step_s
                self._show(gpu)
                for device in gpu.mig or ():
                    device.active_s += device.active_ratio * step_s
                time_us = self.clock.unix_ns() // 1000
                gpu.samples += [
                    (pid, time_us, each.sm_percent) for pid, each in gpu.processes.items() if each.sm_percent
                ]
                del gpu.samples[:-120]

    def _show(self, gpu: Gpu) -> None:
        """The counter moves in steps of the sensor; in between it stands still."""
        if gpu.shown_mj == 0 or self._now_s - gpu.moment_s >= gpu.update_s:
            gpu.shown_mj, gpu.moment_s = int(gpu.energy_j * 1000), self._now_s

    def hang(self, index: int) -> threading.Event:
        """From now on no call about GPU ``index`` comes back, until the event is set."""
        event = threading.Event()
        self.gpus[index].hang = event
        return event

    def reload_driver(self) -> None:
        """Counters start again, and everybody must initialise anew."""
        self.initialised = 0
        for gpu in self.gpus:
            gpu.energy_j = 0.001
            gpu.shown_mj = 0
            self._show(gpu)

    def _gpu(self, handle: Any) -> Gpu:
        if not self.initialised:
            raise NvmlError(UNINITIALIZED)
        gpu: Gpu = handle[0]
        if gpu.hang is not None:
            gpu.hang.wait(_LONGEST_HANG_S)
        if gpu.error != SUCCESS:
            raise NvmlError(gpu.error)
        return gpu

    def _mig(self, handle: Any) -> MigDevice:
        gpu = self._gpu(handle)
        if handle[1] is None or handle[1] not in (gpu.mig or ()):
            raise NvmlError(NOT_FOUND)
        device: MigDevice = handle[1]
        return device

    def nvmlInit(self) -> None:
        if self.driver != SUCCESS:
            raise NvmlError(self.driver)
        self.initialised += 1

    def nvmlShutdown(self) -> None:
        if not self.initialised:
            raise NvmlError(UNINITIALIZED)
        self.initialised -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        self._gpu((self.gpus[index], None))
        return (self.gpus[index], None)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:
        for gpu in self.gpus:
            if gpu.uuid == uuid:
                self._gpu((gpu, None))
                return (gpu, None)
        raise NvmlError(NOT_FOUND)

    def nvmlDeviceGetUUID(self, handle: Any) -> str:
        return self._gpu(handle).uuid

    def nvmlDeviceGetName(self, handle: Any) -> str:
        return self._gpu(handle).name

    def nvmlDeviceGetCudaComputeCapability(self, handle: Any) -> tuple[int, int]:
        return self._gpu(handle).capability

    def nvmlDeviceGetPowerManagementLimitConstraints(self, handle: Any) -> list[int]:
        return [200_000, round(self._gpu(handle).rated_w * 1000)]

    def nvmlDeviceGetPowerManagementDefaultLimit(self, handle: Any) -> int:
        return round(self._gpu(handle).rated_w * 1000)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:
        gpu = self._gpu(handle)
        if not gpu.counted or handle[1] is not None:
            raise NvmlError(NOT_SUPPORTED)
        return gpu.shown_mj

    def nvmlDeviceGetPowerUsage(self, handle: Any) -> int:
        gpu = self._gpu(handle)
        if not gpu.powered or handle[1] is not None:
            raise NvmlError(NOT_SUPPORTED)
        return round(gpu.power_w * 1000)

    def nvmlDeviceGetComputeMode(self, handle: Any) -> int:
        return 3 if self._gpu(handle).exclusive else 0

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Any) -> list[Any]:
        if not self._v3:
            raise NvmlError(FUNCTION_NOT_FOUND)
        return self.nvmlDeviceGetComputeRunningProcesses_v2(handle)

    def nvmlDeviceGetComputeRunningProcesses_v2(self, handle: Any) -> list[Any]:
        gpu = self._gpu(handle)
        found = gpu.processes if handle[1] is None else self._mig(handle).processes
        return [SimpleNamespace(pid=pid, usedGpuMemory=each.memory_bytes) for pid, each in found.items()]

    def nvmlDeviceGetProcessUtilization(self, handle: Any, timeStamp: int) -> list[Any]:
        gpu = self._gpu(handle)
        if gpu.mig is not None or not gpu.utilised:
            raise NvmlError(NOT_SUPPORTED)
        newer = [each for each in gpu.samples if each[1] > timeStamp]
        if not newer:
            raise NvmlError(NOT_FOUND)
        rows = newer + [(0, 0, 0)] * _SPARE_ROWS
        return [SimpleNamespace(pid=pid, timeStamp=time_us, smUtil=sm) for pid, time_us, sm in rows]

    def nvmlDeviceGetMigMode(self, device: Any) -> list[int]:
        gpu = self._gpu(device)
        if gpu.capability < (8, 0):
            raise NvmlError(NOT_SUPPORTED)
        return [int(gpu.mig is not None)] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Any) -> int:
        return 7 if self._gpu(device).mig is not None else 0

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Any, index: int) -> Any:
        gpu = self._gpu(device)
        # Numbers are handed out from 0 and have holes once a device was destroyed; here every other one is a hole.
        at, hole = divmod(index, 2)
        if hole or at >= len(gpu.mig or ()):
            raise NvmlError(NOT_FOUND)
        return (gpu, (gpu.mig or [])[at])

    def nvmlDeviceGetGpuInstanceId(self, device: Any) -> int:
        return self._mig(device).gpu_instance

    def nvmlDeviceGetComputeInstanceId(self, device: Any) -> int:
        return self._mig(device).compute_instance

    def nvmlDeviceGetAttributes_v2(self, device: Any) -> Any:
        found = self._mig(device)
        return SimpleNamespace(
            gpuInstanceSliceCount=found.slices, computeInstanceSliceCount=found.slices, memorySizeMB=found.memory_mb
        )

    def nvmlGpmQueryDeviceSupport(self, device: Any) -> Any:
        return SimpleNamespace(isSupportedDevice=int(self._gpu(device).capability >= (9, 0)))

    def nvmlGpmSampleAlloc(self) -> Any:
        self.samples_alive += 1
        return _GpmSample()

    def nvmlGpmSampleFree(self, gpmSample: Any) -> None:
        if gpmSample.freed:
            raise NvmlError(INVALID_ARGUMENT)
        gpmSample.freed = True
        self.samples_alive -= 1

    def nvmlGpmMigSampleGet(self, device: Any, gpuInstanceId: int, gpmSample: Any) -> Any:
        for each in self._gpu(device).mig or ():
            if each.gpu_instance == gpuInstanceId:
                gpmSample.device, gpmSample.active_s, gpmSample.at_s = each, each.active_s, self._now_s
                return gpmSample
        raise NvmlError(NOT_FOUND)

    def nvmlGpmMetricsGet(self, metricsGet: Any) -> Any:
        first, second, metric = metricsGet.sample1, metricsGet.sample2, metricsGet.metrics[0]
        elapsed_s = second.at_s - first.at_s
        metric.nvmlReturn = SUCCESS if elapsed_s > 0 else NOT_FOUND
        metric.value = 100.0 * (second.active_s - first.active_s) / elapsed_s if elapsed_s > 0 else 0.0
        return metricsGet


def uuid(number: int) -> str:
    """The UUID of the fake's GPU ``number``."""
    return f"GPU-0f3a0000-51a4-4c0e-9d2b-{number:012x}"


def one(clock: ManualClock) -> FakeNvml:
    """One H100 with one process that works."""
    return FakeNvml(clock, [Gpu(uuid(0), power_w=412.5, processes={4242: Process(sm_percent=87)})])


def eight(clock: ManualClock) -> FakeNvml:
    """Eight H100, each at watts of its own."""
    return FakeNvml(clock, [Gpu(uuid(at), power_w=100.0 + 50.0 * at) for at in range(8)])


def mig(clock: ManualClock) -> FakeNvml:
    """An H100 cut into 3g.40gb and 1g.10gb, both held."""
    return FakeNvml(
        clock,
        [
            Gpu(
                uuid(0),
                power_w=300.0,
                mig=[
                    MigDevice(2, 3, 40_448, processes={100: Process()}, active_ratio=0.5),
                    MigDevice(9, 1, 9_984, processes={200: Process()}, active_ratio=1.0),
                ],
            )
        ],
    )


def mig_a100(clock: ManualClock) -> FakeNvml:
    """The same on an A100, which has no GPM: activity needs DCGM."""
    nvml = mig(clock)
    nvml.gpus[0].name, nvml.gpus[0].capability, nvml.gpus[0].rated_w = "NVIDIA A100-SXM4-80GB", (8, 0), 400.0
    return nvml


def time_sliced(clock: ManualClock) -> FakeNvml:
    """A T4 that three processes share: 60 %, 20 % and one that waits."""
    processes = {11: Process(sm_percent=60), 12: Process(sm_percent=20), 13: Process()}
    return FakeNvml(clock, [Gpu(uuid(0), "Tesla T4", (7, 5), rated_w=70.0, power_w=55.0, processes=processes)])


def lost(clock: ManualClock) -> FakeNvml:
    """Eight GPUs, number 3 of which has fallen off the bus before anybody looked."""
    nvml = eight(clock)
    nvml.gpus[3].error = GPU_IS_LOST
    return nvml


def pascal(clock: ManualClock) -> FakeNvml:
    """A GPU from before Volta: momentary power and no counter."""
    return FakeNvml(clock, [Gpu(uuid(0), "Tesla P100-PCIE-16GB", (6, 0), rated_w=250.0, power_w=120.0, counted=False)])


def no_driver(clock: ManualClock) -> FakeNvml:
    """The binding is there, the driver's library is not."""
    return FakeNvml(clock, [], driver=LIBRARY_NOT_FOUND)


SCENARIOS: Final[dict[str, Callable[[ManualClock], FakeNvml]]] = {
    "one": one,
    "eight": eight,
    "mig": mig,
    "mig-a100": mig_a100,
    "time-sliced": time_sliced,
    "lost": lost,
    "pascal": pascal,
    "no-driver": no_driver,
}


def scenario(name: str, clock: ManualClock) -> FakeNvml:
    """A scenario by name. Raises KeyError."""
    return SCENARIOS[name](clock)
