# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""NVIDIA GPUs through NVML: every GPU of the machine, its energy counter before its power, and who uses it.

The counter (Volta and newer) holds millijoules since the driver was loaded, for the whole board; it never wraps in
practice and starts again with the driver, which is a gap. Power is the mean of the last second on GPUs newer than
GA100 and momentary up to it (NVML manual). A GPU that fails, or hangs in the driver, costs the others nothing: each has
locks of its own, and one whose last call is still out is passed over until it comes back.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, TypeVar

from agent.errors import MeterAbsent
from agent.meters import nvml_library as library
from agent.meters.gpu_activity import Activity, Holder, Instance
from agent.meters.nvml_devices import instances, mig_devices, mig_enabled, opened
from agent.meters.protocol import Discovery, Reading, Skipped, Unread
from agent.meters.samples import Samples
from wire.units import NS_PER_S

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from agent.meters.gpu_activity import Sharing
    from agent.meters.nvml_devices import Device
    from agent.meters.nvml_library import Handle, Nvml
    from plumbing.clock import Clock

Result = TypeVar("Result")

SOURCE: Final = "nvml"

_UJ_PER_MJ: Final = 1000
_AGAIN_NS: Final = 30 * NS_PER_S
# Compute capability of GA100: power is momentary up to here and a one-second mean above (NVML manual, power usage),
# which stands for the middle of its second.
_LAST_MOMENTARY: Final = (8, 0)
# Power that was not looked at for longer than an interval may stay open (METERING 4) is a gap.
_LONGEST_S: Final = 10.0
_COMPUTE_EXCLUSIVE_PROCESS: Final = 3


class NvmlMeter:
    """Reads counters or power of all GPUs, and on request who holds them."""

    def __init__(self, *, nvml: Nvml, devices: tuple[Device, ...], clock: Clock) -> None:
        self.source = SOURCE
        self.metered = tuple(device.metered for device in devices)
        self.devices = devices
        self._nvml = nvml
        self._clock = clock
        self._gauges = Samples(longest_s=_LONGEST_S)

    def read(self) -> tuple[Reading | Unread, ...]:
        """All GPUs one after the other, each with its own time."""
        return tuple(self._guarded(device, device.reading, self._read) for device in self.devices)

    def activity(self) -> tuple[Activity | Unread, ...]:
        """Holders, their multiprocessor time since the last call, and MIG instances; a few calls per GPU."""
        return tuple(self._guarded(device, device.watching, self._watch) for device in self.devices)

    def close(self) -> None:
        """Gives the driver's library up."""
        for device in self.devices:
            device.samples.keep(())
        with contextlib.suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()

    def _guarded(self, device: Device, lock: threading.Lock, run: Callable[[Device], Result]) -> Result | Unread:
        domain = device.metered.domain.name
        if not lock.acquire(blocking=False):
            return Unread(domain, "no_answer")
        try:
            if device.gone and not self._found_again(device):
                return Unread(domain, device.gone)
            return run(device)
        except self._nvml.NVMLError as error:
            return Unread(domain, library.reason_of(error))
        finally:
            lock.release()

    def _lose(self, device: Device, error: Exception) -> None:
        device.gone = library.reason_of(error)
        device.again_ns = self._clock.monotonic_ns() + _AGAIN_NS

    def _found_again(self, device: Device) -> bool:
        """A driver that was reloaded wants to be initialised anew and hands out new handles."""
        if self._clock.monotonic_ns() < device.again_ns:
            return False
        try:
            if device.gone in ("uninitialized", "driver_not_loaded"):
                self._nvml.nvmlInit()
            device.handle = self._nvml.nvmlDeviceGetHandleByUUID(device.uuid)
        except self._nvml.NVMLError as error:
            self._lose(device, error)
            return False
        device.gone = ""
        return True

    def _read(self, device: Device) -> Reading | Unread:
        try:
            return self._counter_or_power(device)
        except self._nvml.NVMLError as error:
            # Only here: a MIG device that was removed fails its own calls in the same way, and the board is well.
            if library.code_of(error) in library.GONE:
                self._lose(device, error)
            raise

    def _counter_or_power(self, device: Device) -> Reading | Unread:
        domain = device.metered.domain.name
        if device.metered.counter is not None:
            counter_uj = self._nvml.nvmlDeviceGetTotalEnergyConsumption(device.handle) * _UJ_PER_MJ
            now_ns = self._clock.monotonic_ns()
            return Reading(domain=domain, from_ns=now_ns, to_ns=now_ns, counter_uj=counter_uj)
        power_w = self._nvml.nvmlDeviceGetPowerUsage(device.handle) / 1000.0
        now_ns = self._clock.monotonic_ns()
        lag_ns = NS_PER_S // 2 if device.capability > _LAST_MOMENTARY else 0
        return self._gauges.reading(domain, at_ns=now_ns - lag_ns, power_w=power_w)

    def _watch(self, device: Device) -> Activity:
        domain = device.metered.domain.name
        if mig_enabled(self._nvml, device.handle):
            found = tuple(mig_devices(self._nvml, device.handle, uuid=device.uuid))
            ratios = self._instance_ratios(device, {each.gpu_instance for each, _ in found})
            instances = tuple(
                Instance(each.scope, each.gpu_instance, each.slices, each.profile, ratios.get(each.gpu_instance))
                for each, _ in found
            )
            holders = tuple(
                Holder(pid=process.pid, memory_bytes=process.usedGpuMemory, instance=each.scope)
                for each, handle in found
                for process in self._processes(handle)
            )
            slices = self._nvml.nvmlDeviceGetMaxMigDeviceCount(device.handle)
            return Activity(domain, self._clock.monotonic_ns(), "mig", holders, instances, slices)
        holders = self._holders(device)
        exclusive = self._or_none(self._nvml.nvmlDeviceGetComputeMode, device.handle) == _COMPUTE_EXCLUSIVE_PROCESS
        sharing: Sharing = "exclusive" if exclusive or len(holders) < 2 else "time_sliced"
        return Activity(domain, self._clock.monotonic_ns(), sharing, holders)

    def _holders(self, device: Device) -> tuple[Holder, ...]:
        """Processes with a context, and those that worked and are gone again: their energy was spent."""
        memory = {process.pid: process.usedGpuMemory for process in self._processes(device.handle)}
        worked = self._multiprocessor_ratios(device)
        if worked is None:
            return tuple(Holder(pid=pid, memory_bytes=memory[pid]) for pid in sorted(memory))
        return tuple(
            Holder(pid=pid, memory_bytes=memory.get(pid), sm_ratio=worked.get(pid, 0.0))
            for pid in sorted(memory.keys() | worked.keys())
        )

    def _processes(self, handle: Handle) -> tuple[Any, ...]:
        try:
            return tuple(self._nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle))
        except self._nvml.NVMLError as error:
            if library.code_of(error) != library.FUNCTION_NOT_FOUND:
                raise
        return tuple(self._nvml.nvmlDeviceGetComputeRunningProcesses_v2(handle))  # drivers before 510

    def _multiprocessor_ratios(self, device: Device) -> dict[int, float] | None:
        """Largest sample by PID since the last call; None where this GPU does not count them."""
        try:
            samples = self._nvml.nvmlDeviceGetProcessUtilization(device.handle, device.seen_us)
        except self._nvml.NVMLError as error:
            if library.code_of(error) in library.ABSENT:
                return None
            # NOT_FOUND: nobody worked. SUCCESS: how pynvml reports a driver that has no samples.
            if library.code_of(error) not in (library.NOT_FOUND, library.SUCCESS):
                raise
            return {}
        worked: dict[int, float] = {}
        newest_us = device.seen_us
        for sample in samples:
            # The buffer is the largest there may be; rows that the driver did not fill are zero or older.
            if sample.pid == 0 or sample.timeStamp <= device.seen_us or sample.smUtil > 100:
                continue
            worked[sample.pid] = max(worked.get(sample.pid, 0.0), sample.smUtil / 100.0)
            newest_us = max(newest_us, sample.timeStamp)
        device.seen_us = newest_us
        return worked

    def _instance_ratios(self, device: Device, gpu_instances: set[int]) -> dict[int, float | None]:
        device.samples.keep(gpu_instances)
        if not self._or_none(device.samples.supported, device.handle):
            return {}
        return {each: self._instance_ratio(device, each) for each in gpu_instances}

    def _instance_ratio(self, device: Device, gpu_instance: int) -> float | None:
        return self._or_none(lambda handle: device.samples.active_ratio(handle, gpu_instance), device.handle)

    def _or_none(self, call: Callable[[Handle], Result], handle: Handle) -> Result | None:
        try:
            return call(handle)
        except self._nvml.NVMLError as error:
            if library.code_of(error) in library.ABSENT | {library.NO_PERMISSION}:
                return None
            raise


def discover(clock: Clock, *, nvml: Nvml | None = None) -> Discovery:
    """Opens the driver's library and lists what it shows; ``nvml`` takes the place of the real module in tests."""
    try:
        module = nvml or library.load()
    except MeterAbsent as error:
        return Discovery(None, (Skipped(SOURCE, str(error), "gpu"),))
    try:
        module.nvmlInit()
        count = module.nvmlDeviceGetCount()
    except module.NVMLError as error:
        return Discovery(None, (Skipped(SOURCE, _why_closed(library.reason_of(error)), "gpu"),))
    if count == 0:
        return Discovery(None, (Skipped(SOURCE, "the driver shows no GPU", "gpu"),))
    devices: list[Device] = []
    skipped: list[Skipped] = []
    for index in range(count):
        try:
            found = opened(module, index, source=SOURCE, clock=clock)
        except module.NVMLError as error:
            found = Skipped(SOURCE, f"GPU {index}: {library.reason_of(error)}", "gpu", f"index-{index}", "measured")
        if isinstance(found, Skipped):
            skipped.append(found)
            continue
        devices.append(found)
        skipped.extend(instances(module, found, source=SOURCE))
    return Discovery(NvmlMeter(nvml=module, devices=tuple(devices), clock=clock) if devices else None, tuple(skipped))


def _why_closed(reason: str) -> str:
    return {
        "library_not_found": "no libnvidia-ml.so.1 here: this machine has no NVIDIA driver, or it is not mounted",
        "driver_not_loaded": "the NVIDIA driver is not loaded",
        "driver_mismatch": "library and kernel module of the NVIDIA driver differ in version; a reboot settles it",
        "permission_denied": "no permission for the NVIDIA device files",
    }.get(reason, f"NVML does not open: {reason}")
