# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The ledger with aligned energies: containment as far as it is booked, GPUs with levels of their own, windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.ledger import Closing, Ledger
from agent.meters.alignment import Aligned, Drew
from agent.meters.choice import Survey
from agent.meters.gpu_activity import Activity, Holder
from agent.meters.protocol import Domain, Metered, Quality
from agent.meters.selection import select
from agent.meters.track import Missing
from agent.observe.protocol import PROCESS
from estimator.curves import CpuIdentity, Table
from plumbing.clock import ManualClock
from tests.attribution.intervals import ELAPSED_NS, observation, rows
from wire.report import NodeFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

QUALITY = Quality("measured", 0.95, 1.05, "test")
GPU = "gpu/GPU-a"
FOUND = [
    ("acpi", Metered(Domain("platform", "node"), QUALITY)),
    ("hwmon", Metered(Domain("module", "socket-0"), QUALITY)),
    ("hwmon", Metered(Domain("cpu", "socket-0", "module/socket-0"), QUALITY)),
    ("nvml", Metered(Domain("gpu", "GPU-a", "module/*"), QUALITY)),
]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    survey = Survey(
        meters=(),
        chosen=select(FOUND).chosen,
        sources=(),
        cpu=CpuIdentity("", "", 0, 0, 4),
        table=Table(curves={}, microarchitectures=(), revision=""),
    )
    made = Ledger(
        node="node-a", boot_id="boot", survey=survey, facts=NodeFacts(cpus=4), targets=(), state=None, ring_length=10,
        outbox_limit_bytes=2**20, clock=ManualClock(),
    )  # fmt: skip
    yield made
    made.close()


def closing(*, activity: Activity | None = None, **energies_uj: int) -> Closing:
    names = {"platform": "platform/node", "module": "module/socket-0", "cpu": "cpu/socket-0", "gpu": GPU}
    drew = {names[name]: Drew(energy_uj, ELAPSED_NS) for name, energy_uj in energies_uj.items()}
    missing = tuple(Missing(name, 0, ELAPSED_NS, "late") for name in names.values() if name not in drew)
    return Closing(
        observation(rows((1, 0, PROCESS, 10**9), (2, 1, PROCESS, 0))),
        Aligned(drew, missing),
        10**18,
        activities={GPU: activity} if activity else {},
    )


def test_what_a_silent_module_holds_hangs_below_the_platform(ledger: Ledger) -> None:
    whole = ledger.close_interval(closing(platform=1000, module=700, cpu=300, gpu=250))
    assert {split.energy.domain.name: (split.parent, split.residual_uj) for split in whole.domains} == {
        "platform/node": (None, 300),
        "module/socket-0": ("platform/node", 150),
        "cpu/socket-0": ("module/socket-0", 0),
        GPU: ("module/socket-0", 0),
    }
    assert whole.energy_uj == 1000
    holed = ledger.close_interval(closing(platform=1000, cpu=300, gpu=250))
    assert {split.energy.domain.name: split.parent for split in holed.domains} == {
        "platform/node": None, "cpu/socket-0": "platform/node", GPU: "platform/node"
    }  # fmt: skip
    assert holed.energy_uj == sum(holed.rows_uj().values()) == 1000, "nothing of it is added up twice"
    assert [(gap.domain, gap.reason) for gap in holed.gaps] == [("module/socket-0", "late")]
    bare = ledger.close_interval(closing(cpu=300, gpu=250))
    assert bare.energy_uj == 550
    assert bare.reconciliation.residual_w is None
    assert whole.reconciliation.residual_w == pytest.approx(300e-6 / 2)


def test_a_gpu_learns_what_it_draws_while_it_waits(ledger: Ledger) -> None:
    waits = Activity(GPU, 0, "exclusive", (Holder(pid=2, sm_ratio=0.0),))
    works = Activity(GPU, 0, "exclusive", (Holder(pid=2, sm_ratio=0.9),))
    for _ in range(5):  # ten seconds at 50 W, held
        ledger.close_interval(closing(gpu=100_000_000, activity=waits))
    busy = ledger.close_interval(closing(gpu=600_000_000, activity=works))
    (split,) = busy.domains
    assert (split.static_uj, split.dynamic_uj) == (100_000_000, 500_000_000)
    assert split.model == "gpu_exclusive"
    assert busy.dynamic_uj[:, 0].tolist() == [0, 500_000_000], "of process 2, which never ran on a CPU"
    assert busy.loaded_uj[:, 0].tolist() == [0, 600_000_000]
    unknown = ledger.close_interval(closing(gpu=600_000_000))
    assert unknown.domains[0].unattributed_uj == {"no_activity": 600_000_000}
