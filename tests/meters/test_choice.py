# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The rule of choice, as laws over any set of sources (METERING 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters.protocol import Counter, Domain, Metered, Quality
from agent.meters.selection import MODULE, PLATFORM, overlap, rank, select
from agent.settings import METERS
from wire.units import KINDS

if TYPE_CHECKING:
    from agent.meters.selection import Candidate

DOMAINS = (
    ("platform", "node", None),
    ("platform", "psys-1", None),
    ("module", "socket-0", None),
    ("module", "socket-1", "platform/node"),
    ("cpu", "socket-0", "module/socket-0"),
    ("cpu", "socket-0", None),
    ("cpu", "socket-1", None),
    ("cpu", "socket-0-die-0", None),
    ("cpu", "node", "platform/node"),
    ("core", "socket-0", "cpu/socket-0"),
    ("uncore", "socket-0", "cpu/socket-0"),
    ("soc", "socket-0", "module/socket-0"),
    ("dram", "socket-0", None),
    ("dram", "node", None),
    ("gpu", "GPU-a", None),
    ("gpu", "GPU-b", MODULE),
    ("psu", "psu0-input", "platform/node"),
    ("psu", "loss", "platform/node"),
)
SOURCES = tuple(name for name in METERS if name != "modelled")


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    """Sources with domains of theirs, each domain once per source, in the order of sources."""
    out: list[Candidate] = []
    for source in SOURCES:
        for component, scope, parent in draw(st.lists(st.sampled_from(DOMAINS), max_size=5, unique_by=lambda d: d[:2])):
            error = draw(st.sampled_from((0.03, 0.05, 0.12)))
            quality = Quality(draw(st.sampled_from(KINDS)), 1 - error, 1 + error, "test")
            counter = Counter(None, 1000.0) if draw(st.booleans()) else None
            through = component == "psu" and scope != "loss"
            out.append((source, Metered(Domain(component, scope, parent), quality, counter, through)))  # type: ignore[arg-type]
    if draw(st.booleans()):
        out.append(("modelled", Metered(Domain("platform", "share"), Quality("modelled", 0.5, 2.0, "test"))))
    return out


@given(found=candidates())
def test_every_candidate_is_chosen_or_has_a_reason(found: list[Candidate]) -> None:
    made = select(found)
    for source, metered in found:
        name = metered.domain.name
        is_chosen = name in made.chosen and made.chosen[name][0] == source
        assert is_chosen != ((source, name) in made.refused)
        assert is_chosen or made.refused[source, name]


@given(found=candidates())
def test_nothing_that_overlaps_is_added_twice(found: list[Candidate]) -> None:
    made = select(found)
    for name, (_, metered) in made.chosen.items():
        assert not metered.through
        assert metered.domain.component not in ("core", "uncore")
        for other, (_, each) in made.chosen.items():
            if name != other and each.domain.component == metered.domain.component:
                assert not overlap(metered.domain.scope, each.domain.scope)
    if PLATFORM in made.chosen:
        assert [name for name, (_, each) in made.chosen.items() if each.domain.parent is None] == [PLATFORM]


@given(found=candidates())
def test_parents_are_chosen_listed_first_and_lie_outside(found: list[Candidate]) -> None:
    seen: set[str] = set()
    for name, (_, metered) in select(found).chosen.items():
        assert metered.domain.parent is None or metered.domain.parent in seen
        seen.add(name)


@given(found=candidates())
def test_of_one_domain_the_best_usable_source_is_taken(found: list[Candidate]) -> None:
    made = select(found)
    outside = {"redfish", "ipmi", "prometheus"}
    for name, chosen in made.chosen.items():
        rivals = [
            each
            for each in found
            if each[1].domain.name == name and (each[0] not in outside or name == PLATFORM) and not each[1].through
        ]
        assert rank(chosen) == min(rank(each) for each in rivals)
        first = next(each for each in rivals if rank(each) == rank(chosen))
        assert chosen[0] == first[0], "at a tie the order of the sources decides"


@given(found=candidates())
def test_choosing_among_the_chosen_changes_nothing(found: list[Candidate]) -> None:
    once = select(found)
    again = select(list(once.chosen.values()))
    assert {name: each[0] for name, each in again.chosen.items()} == {
        name: each[0] for name, each in once.chosen.items()
    }


@given(found=candidates())
def test_the_model_speaks_where_nobody_meters_the_machine_or_its_cpus(found: list[Candidate]) -> None:
    made = select(found)
    asked = any(source == "modelled" for source, _ in found)
    metered = {each.domain.component for source, each in made.chosen.values() if source != "modelled"}
    assert ("platform/share" in made.chosen) == (asked and not metered & {"cpu", "module", "platform"})


def one(source: str, name: str, *, kind: str = "measured", error: float = 0.05, counter: bool = True) -> Candidate:
    component, _, scope = name.partition("/")
    quality = Quality(kind, 1 - error, 1 + error, "test")  # type: ignore[arg-type]
    return source, Metered(Domain(component, scope), quality, Counter(None, 1.0) if counter else None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (one("hwmon", "cpu/socket-0", kind="estimated", counter=False), one("acpi", "cpu/node")),
        (one("hwmon", PLATFORM, kind="estimated", error=0.2), one("acpi", PLATFORM, counter=False)),
        (one("hwmon", PLATFORM, error=0.2), one("acpi", PLATFORM, kind="estimated")),
        (one("hwmon", PLATFORM, error=0.03), one("acpi", PLATFORM)),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_scope_then_counter_then_kind_then_uncertainty(better: Candidate, worse: Candidate, *, turned: bool) -> None:
    made = select([worse, better] if turned else [better, worse])
    assert next(iter(made.chosen.values()))[0] == "hwmon"


def test_gpus_go_to_the_modules_in_the_order_of_their_sockets() -> None:
    found = [one("hwmon", f"module/socket-{number}") for number in (1, 0)]
    for number in range(4):
        source, metered = one("nvml", f"gpu/GPU-{number}")
        found.append((source, Metered(Domain("gpu", f"GPU-{number}", MODULE), metered.quality, metered.counter)))
    found.append(one("gpu-sysfs", "gpu/0000:03:00.0"))
    chosen = select(found).chosen
    assert {name: each.domain.parent for name, (_, each) in chosen.items() if name.startswith("gpu")} == {
        "gpu/GPU-0": "module/socket-0",
        "gpu/GPU-1": "module/socket-0",
        "gpu/GPU-2": "module/socket-1",
        "gpu/GPU-3": "module/socket-1",
        "gpu/0000:03:00.0": None,
    }


def test_a_gpu_machine_without_cpu_meters_has_the_model_beside_its_gpus() -> None:
    made = select([one("nvml", "gpu/GPU-a"), one("modelled", "platform/share", kind="modelled")])
    assert {name: each.domain.parent for name, (_, each) in made.chosen.items()} == {
        "gpu/GPU-a": None, "platform/share": None
    }  # fmt: skip


def test_an_implausible_psys_leaves_the_platform_to_the_next() -> None:
    found = [one("rapl-powercap", PLATFORM, kind="estimated"), one("acpi", PLATFORM, counter=False)]
    assert select(found).chosen[PLATFORM][0] == "rapl-powercap"
    made = select(found, implausible={"rapl-powercap": "not plausible: too little"})
    assert made.chosen[PLATFORM][0] == "acpi"
    assert made.refused["rapl-powercap", PLATFORM] == "not plausible: too little"
