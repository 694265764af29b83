# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Whole machines through the whole survey: what is booked, inside what, and why everything else is not.

The trees follow the documents and listings that `trees`, `hwmon_trees`, `perf_trees` and `gpu_trees` name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.errors import MeterAbsent
from agent.meters import nvml_library, perf_rapl
from agent.meters.choice import discover, survey
from agent.settings import LOCAL, METERS, AgentSettings
from plumbing.clock import ManualClock
from sim.gpu import scenario
from tests.meters import gpu_trees, hwmon_trees, perf_trees, trees
from tests.meters.test_discovery import settings

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).with_name("survey.txt")

CPUINFO = {
    "intel": "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 106\nmodel name\t: Intel(R) Xeon(R) Gold 6338N\n",
    "laptop": "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 140\nmodel name\t: 11th Gen i7-1185G7\n",
    "amd": "vendor_id\t: AuthenticAMD\ncpu family\t: 23\nmodel\t\t: 49\nmodel name\t: AMD EPYC 7502\n",
    "arm": "CPU implementer\t: 0x41\nCPU part\t: 0xd4f\n",
}


def apu(sysfs: Path) -> None:
    """A Ryzen laptop: powercap, battery, NVMe and an APU that is nobody's GPU."""
    trees.amd(sysfs)
    hwmon_trees.laptop(sysfs)
    gpu_trees.apu_laptop(sysfs)


def rack(sysfs: Path) -> None:
    """Two Xeons, an ACPI meter over them, and a Radeon."""
    trees.dual_socket(sysfs)
    hwmon_trees.server(sysfs)
    gpu_trees.radeon(sysfs)


def supplies(sysfs: Path) -> None:
    """A package by powercap, and PMBus supplies that say what goes in and what comes out."""
    trees.amd(sysfs)
    hwmon_trees.psu_server(sysfs)


MACHINES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "single socket Xeon, mmio twin": (trees.single_socket, "intel", ""),
    "dual socket Xeon, mmio twins": (trees.dual_socket, "intel", ""),
    "laptop with psys": (trees.laptop, "laptop", ""),
    "AMD, package and one core": (trees.amd, "amd", ""),
    "AMD laptop": (apu, "amd", ""),
    "rack server with an ACPI meter and a Radeon": (rack, "intel", ""),
    "AMD with PMBus supplies": (supplies, "amd", ""),
    "EPYC with amd_energy": (hwmon_trees.epyc, "amd", ""),
    "ARM with energy counters": (hwmon_trees.tile, "arm", ""),
    "X-Gene": (hwmon_trees.arm_server, "arm", ""),
    "Grace Hopper, two sockets": (hwmon_trees.grace, "arm", "two superchips"),
    "POWER9": (hwmon_trees.power9, "arm", ""),
    "no meter": (lambda sysfs: None, "intel", ""),
    "no meter but eight GPUs": (lambda sysfs: None, "intel", "eight"),
}


def machine(tmp_path: Path, build: Callable[[Path], None], cpu: str) -> AgentSettings:
    tmp_path.mkdir(exist_ok=True)
    made = settings(tmp_path)
    (Path(made.procfs) / "cpuinfo").write_text("".join(f"processor\t: {n}\n{CPUINFO[cpu]}\n" for n in range(2)))
    build(Path(made.sysfs))
    return made


def load_driver(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """NVML as the scenario has it, or none."""

    def load() -> object:
        if not name:
            raise MeterAbsent("no library pynvml here: the extra package nvidia-ml-py is not installed")
        if name != "two superchips":
            return scenario(name, ManualClock())
        fake = scenario("eight", ManualClock())
        fake.gpus = fake.gpus[:2]
        for each in fake.gpus:
            each.name = "NVIDIA GH200 480GB"
        return fake

    monkeypatch.setattr(nvml_library, "load", load)


def test_machines_are_surveyed_as_the_golden_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    for name, (build, cpu, driver) in MACHINES.items():
        load_driver(monkeypatch, driver)
        made = machine(tmp_path / name, build, cpu)
        found = survey(made, clock=ManualClock(), sleep=lambda seconds: None)
        lines.append(f"# {name}")
        for domain, (source, metered) in found.chosen.items():
            inside = f" in {metered.domain.parent}" if metered.domain.parent else ""
            lines.append(f"book {domain}{inside} from {source}, {metered.quality.kind}")
        for line in found.sources:
            if not line.chosen:
                what = line.domain if line.component else "-"
                lines.append(f"  {'show' if line.usable else 'skip'} {line.source} {what}: {line.reason}")
        assert {line.source for line in found.sources} == set(METERS), "sources that the machine lacks are listed too"
    assert lines == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_perf_stands_in_where_powercap_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_driver(monkeypatch, "")
    kernel = perf_trees.Silicon()
    monkeypatch.setattr(perf_rapl, "KernelEvents", lambda: kernel)
    made = machine(tmp_path, lambda sysfs: None, "intel")
    perf_trees.dual_xeon(Path(made.sysfs))
    found = survey(made, clock=ManualClock())
    assert {(name, source) for name, (source, _) in found.chosen.items()} == {
        (f"{component}/socket-{number}", "rapl-perf") for component in ("cpu", "dram") for number in (0, 1)
    }
    assert kernel.opened
    trees.dual_socket(Path(made.sysfs))
    found = survey(made, clock=ManualClock())
    assert {source for source, _ in found.chosen.values()} == {"rapl-powercap"}
    assert all(meter.source != "rapl-perf" for meter in found.meters), "a second look at the same registers is closed"
    assert any(line.source == "rapl-perf" and "comes first" in line.reason for line in found.sources)


@pytest.mark.parametrize(("psys_uj", "booked"), [(9_000_000, True), (7_999_999, False)])
def test_psys_is_the_platform_once_it_counts_at_least_its_parts(tmp_path: Path, psys_uj: int, *, booked: bool) -> None:
    made = machine(tmp_path, trees.laptop, "laptop")
    powercap = Path(made.sysfs) / "class" / "powercap"

    def draw(seconds: float) -> None:
        assert seconds > 0
        for zone, energy_uj in (("intel-rapl:0", 8_000_000), ("intel-rapl:1", psys_uj)):
            file = powercap / zone / "energy_uj"
            file.write_text(f"{int(file.read_text()) + energy_uj}\n")

    found = survey(made, clock=ManualClock(), sleep=draw)
    assert ("platform/node" in found.chosen) == booked
    psys = next(line for line in found.sources if line.domain == "platform/node")
    assert psys.usable
    assert psys.chosen == booked
    assert booked or "not plausible" in psys.reason
    assert psys.kind == "estimated"


def test_discovery_shows_what_is_not_booked_with_its_watts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_driver(monkeypatch, "eight")
    made = machine(tmp_path, rack, "intel")
    items = {item["name"]: item for item in discover(made, sample_s=0.01)["items"]}
    assert items["acpi:platform/node"]["value"] == pytest.approx(214.0)
    assert items["acpi:platform/node"]["chosen"]
    assert items["modelled:platform/share"]["usable"]
    assert not items["modelled:platform/share"]["chosen"]
    assert sum(item["source"] == "nvml" and item["chosen"] for item in items.values()) == 8
    assert {item["source"] for item in items.values()} == set(METERS)


def test_sources_behind_a_network_are_used_once_their_endpoint_is_set(tmp_path: Path) -> None:
    assert not AgentSettings().uses("redfish")
    assert AgentSettings(redfish_url="https://10.0.0.7").uses("redfish")
    assert not AgentSettings(simulated_root=str(tmp_path)).uses("simulated"), "simulated joules must be asked for"
    assert all(AgentSettings().uses(name) for name in LOCAL)
    made = settings(tmp_path, dcgm_url="http://127.0.0.1:9/metrics", prometheus_url="http://127.0.0.1:9",
                    prometheus_query="node_power_watts")  # fmt: skip
    found = survey(made, clock=ManualClock())
    assert found.chosen["platform/node"][0] == "prometheus", "it is there when it comes back"
    assert "no answer" in next(line.reason for line in found.sources if line.source == "dcgm")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hwmon_sensors", ("ina226/power1",)),
        ("dcgm_url", "127.0.0.1:9400"),
        ("redfish_url", "https://root:calvin@10.0.0.7"),
        ("prometheus_url", "http://prometheus:9090"),
        ("ipmi_port", 0),
        ("redfish_timeout_s", 0.0),
    ],
)
def test_each_setting_of_a_meter_is_checked(field: str, value: object) -> None:
    named = "prometheus_query" if field == "prometheus_url" else field
    with pytest.raises(ValueError, match=named):
        AgentSettings(**{field: value})  # type: ignore[arg-type]
