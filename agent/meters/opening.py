# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Opens each source by its settings. A source that is not here, or not asked for, is a line with its reason.

What speaks over a network is imported only where its endpoint is set, so that the lean agent does not hold it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.meters import acpi, gpu_sysfs, hwmon, modelled, nvml, perf_rapl, rapl, simulated
from agent.meters.declared import declared
from agent.meters.protocol import Discovery, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.settings import AgentSettings
    from estimator.curves import CpuIdentity, Table
    from plumbing.clock import Clock

# A person waits for --discover; the walk through a slow BMC goes on for a minute.
_BUDGET_S: Final = 8.0


def open_source(
    name: str, settings: AgentSettings, *, cpu: CpuIdentity, table: Table, clock: Clock, probe: bool
) -> Discovery:
    """What source ``name`` finds. ``probe`` asks what is behind a network here and now.

    Raises MeterError where a source that was asked for by name refuses.
    """
    if not settings.uses(name):
        return Discovery(None, (Skipped(name, _UNUSED.get(name, "not asked for in the setting meters")),))
    sysfs = Path(settings.sysfs)
    local: dict[str, Callable[[], Discovery]] = {
        rapl.SOURCE: lambda: rapl.discover(sysfs, cpu=cpu, clock=clock),
        perf_rapl.SOURCE: lambda: perf_rapl.discover(sysfs, cpu=cpu, clock=clock),
        simulated.SOURCE: lambda: simulated.discover(Path(settings.simulated_root), cpu=cpu, clock=clock),
        hwmon.SOURCE: lambda: hwmon.discover(
            sysfs, cpu=cpu, clock=clock, declarations=[declared(each) for each in settings.hwmon_sensors]
        ),
        acpi.SOURCE: lambda: acpi.discover(sysfs, clock=clock),
        nvml.SOURCE: lambda: nvml.discover(clock),
        gpu_sysfs.SOURCE: lambda: gpu_sysfs.discover(sysfs, clock=clock),
        modelled.SOURCE: lambda: modelled.discover(Path(settings.procfs), table=table, cpu=cpu, clock=clock),
        "dcgm": lambda: _dcgm(settings, clock),
        "redfish": lambda: _redfish(settings, clock, probe=probe),
        "ipmi": lambda: _ipmi(settings, clock, probe=probe),
        "prometheus": lambda: _prometheus(settings, clock, probe=probe),
    }
    return local[name]()


_UNUSED: Final = {
    "simulated": "not asked for: settings meters and simulated_root name a simulated tree",
    "dcgm": "no endpoint: the setting dcgm_url names this node's dcgm-exporter",
    "redfish": "no BMC: the setting redfish_url names one",
    "ipmi": "no BMC: the setting ipmi_host names one",
    "prometheus": "no expression: the settings prometheus_url and prometheus_query name one",
}


def _dcgm(settings: AgentSettings, clock: Clock) -> Discovery:
    from agent.meters import dcgm

    return dcgm.discover(settings.dcgm_url, clock=clock, hostname=settings.dcgm_hostname)


def _redfish(settings: AgentSettings, clock: Clock, *, probe: bool) -> Discovery:
    from agent.meters import redfish
    from agent.meters.redfish_service import Endpoint

    endpoint = Endpoint(
        url=settings.redfish_url,
        user_file=settings.redfish_user_file,
        password_file=settings.redfish_password_file,
        ca_file=settings.redfish_ca_file,
        verified=settings.redfish_verified,
        timeout_s=settings.redfish_timeout_s,
    )
    budget_s = _BUDGET_S if probe else 0.0
    return redfish.discover(endpoint, clock=clock, system=settings.redfish_system, budget_s=budget_s)


def _ipmi(settings: AgentSettings, clock: Clock, *, probe: bool) -> Discovery:
    from agent.meters import ipmi

    endpoint = ipmi.IpmiEndpoint(
        host=settings.ipmi_host,
        port=settings.ipmi_port,
        user_file=settings.ipmi_user_file,
        password_file=settings.ipmi_password_file,
    )
    return ipmi.discover(endpoint, clock=clock, probe=probe)


def _prometheus(settings: AgentSettings, clock: Clock, *, probe: bool) -> Discovery:
    from agent.meters import prometheus

    endpoint = prometheus.PrometheusEndpoint(
        url=settings.prometheus_url,
        query=settings.prometheus_query,
        token_file=settings.prometheus_token_file,
        ca_file=settings.prometheus_ca_file,
        verified=settings.prometheus_verified,
        stale_s=settings.prometheus_stale_s,
    )
    return prometheus.discover(endpoint, clock=clock, probe=probe)
