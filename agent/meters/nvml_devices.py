# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What NVML says once about each GPU: its name, which of counter and power it has, its limits, its MIG instances."""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agent.meters import nvml_library as library
from agent.meters.gpm import InstanceSamples
from agent.meters.gpu_activity import Instance
from agent.meters.protocol import Counter, Domain, Metered, Quality, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.meters.nvml_library import Handle, Nvml
    from plumbing.clock import Clock

# Where a GPU names no limit; the largest boards of 2026 are rated 1.4 kW.
_PLAUSIBLE_W: Final = 3000.0
_FIRST_WITH_COUNTER: Final = (7, 0)
# A100 and H100 look at the power a quarter of the time (arXiv 2312.02741), so that a load in step with the sensor is
# misjudged; the width is our allowance for that. The others have the manual's 5 %.
_PART_TIME: Final = frozenset({(8, 0), (9, 0)})
_MIG_ENABLED: Final = 1
_MOST_MIG_DEVICES: Final = 64

# Products that are one module with a Grace CPU, whose module meter contains the GPU: GH200, GB200, GB300, GB10.
_ON_MODULE: Final = re.compile(r"\bG[HB]\d{2,3}\b")
MODULE: Final = "module/*"


def on_module(name: str) -> bool:
    """Whether the GPU of this product name shares its module, and the module's power meter, with a CPU."""
    return _ON_MODULE.search(name) is not None


def quality(capability: tuple[int, int]) -> Quality:
    """What the board sensor of a GPU of this compute capability may claim."""
    if capability in _PART_TIME:
        return Quality("measured", 0.90, 1.10, "board sensor that samples a quarter of the time (arXiv 2312.02741)")
    return Quality("measured", 0.95, 1.05, "board sensor, within 5 % by the NVML manual")


@dataclass(slots=True)
class Device:
    """One GPU and the state of talking to it."""

    index: int
    uuid: str
    name: str
    capability: tuple[int, int]
    metered: Metered
    handle: Handle
    samples: InstanceSamples
    seen_us: int
    gone: str = ""
    """Why the handle leads nowhere."""
    again_ns: int = 0
    reading: threading.Lock = field(default_factory=threading.Lock)
    watching: threading.Lock = field(default_factory=threading.Lock)


def mig_enabled(nvml: Nvml, handle: Handle) -> bool:
    """Whether the GPU is cut into instances now. Raises NVMLError."""
    try:
        return nvml.nvmlDeviceGetMigMode(handle)[0] == _MIG_ENABLED
    except nvml.NVMLError as error:
        if library.code_of(error) in library.ABSENT:
            return False
        raise


def mig_devices(nvml: Nvml, handle: Handle, *, uuid: str) -> Iterator[tuple[Instance, Handle]]:
    """The MIG devices of a GPU with their handles; numbers may have holes. Raises NVMLError."""
    for at in range(min(nvml.nvmlDeviceGetMaxMigDeviceCount(handle), _MOST_MIG_DEVICES)):
        try:
            device = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, at)
        except nvml.NVMLError as error:
            if library.code_of(error) == library.NOT_FOUND:
                continue
            raise
        gpu_instance = nvml.nvmlDeviceGetGpuInstanceId(device)
        compute_instance = nvml.nvmlDeviceGetComputeInstanceId(device)
        attributes = nvml.nvmlDeviceGetAttributes_v2(device)
        slices = int(attributes.computeInstanceSliceCount)
        profile = f"{attributes.gpuInstanceSliceCount}g.{round(attributes.memorySizeMB / 1024)}gb"
        yield Instance(f"{uuid}/mig-{gpu_instance}-{compute_instance}", gpu_instance, slices, profile), device


def opened(nvml: Nvml, index: int, *, source: str, clock: Clock) -> Device | Skipped:
    """GPU ``index``, or why it is of no use. Raises NVMLError."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    uuid = nvml.nvmlDeviceGetUUID(handle)
    name = nvml.nvmlDeviceGetName(handle)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    domain = Domain("gpu", uuid, MODULE if on_module(name) else None)
    counted = _answers(nvml, nvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    if counted is None:  # it fails today: a counter all the same where the architecture has one
        counted = (major, minor) >= _FIRST_WITH_COUNTER
    elif not counted and _answers(nvml, nvml.nvmlDeviceGetPowerUsage, handle) is False:
        return Skipped(source, f"GPU {index}, {name}: shows neither energy nor power", "gpu", uuid, "measured")
    return Device(
        index=index,
        uuid=uuid,
        name=name,
        capability=(major, minor),
        metered=Metered(
            domain=domain,
            quality=quality((major, minor)),
            counter=Counter(range_uj=None, plausible_w=_plausible_w(nvml, handle)) if counted else None,
        ),
        handle=handle,
        samples=InstanceSamples(nvml),
        # What the driver remembers from before the agent's start is nobody's of this interval.
        seen_us=clock.unix_ns() // 1000,
    )


def _answers(nvml: Nvml, call: Callable[[Handle], int], handle: Handle) -> bool | None:
    """Whether the GPU has what ``call`` asks for; None where it fails for another reason."""
    try:
        call(handle)
    except nvml.NVMLError as error:
        return False if library.code_of(error) in library.ABSENT else None
    return True


def _plausible_w(nvml: Nvml, handle: Handle) -> float:
    """Highest power that the counter can mean: the board's largest limit, or twice its rated power (METERING 7)."""
    limits_w = [0.0]
    with contextlib.suppress(nvml.NVMLError):
        limits_w.append(2 * nvml.nvmlDeviceGetPowerManagementDefaultLimit(handle) / 1000.0)
    with contextlib.suppress(nvml.NVMLError):
        limits_w.append(nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)[1] / 1000.0)
    return max(limits_w) or _PLAUSIBLE_W


def instances(nvml: Nvml, device: Device, *, source: str) -> Iterator[Skipped]:
    """MIG instances, listed below their parent: NVML meters the whole board alone."""
    try:
        if not mig_enabled(nvml, device.handle):
            return
        for instance, _ in mig_devices(nvml, device.handle, uuid=device.uuid):
            reason = f"MIG {instance.profile} of GPU {device.index}: a share of {device.metered.domain.name}"
            yield Skipped(source, reason, "gpu", instance.scope, "measured")
    except nvml.NVMLError as error:
        reason = f"MIG instances of GPU {device.index} cannot be listed: {library.reason_of(error)}"
        yield Skipped(source, reason, "gpu", f"{device.uuid}/mig", "measured")
