# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A replica with one budget and one metered node, for tests of limits.

The node's straight curve makes every CPU request worth 10 W, known to 10 %.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tests.extender.replica import Replica, running
from tests.scheduling.pods import facts
from tests.wire.reports import T0_NS, report
from wire.report import WorkloadColumns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from plumbing.clock import ManualClock
    from wire.report import Report

HIGH = 1 + 0.1 * 1.2816 / 1.96
"""Upper end of a prediction over its median on this node."""
FULL = "PowerBudget team-a/prod is full"
UNMEASURED = "PowerBudget team-a/prod has no fresh measurement"


def write_budget(folder: Path, *, limit_w: float, action: str = "throttle", window_s: int = 60, **spec: Any) -> None:
    """The only budget, ``team-a/prod``."""
    document = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "PowerBudget",
        "metadata": {"name": "prod", "namespace": "team-a"},
        "spec": {"limitWatts": limit_w, "windowSeconds": window_s, "action": action, **spec},
    }
    (folder / "budget.yaml").write_text(json.dumps(document))


def node_report(sequence: int, *, watts: dict[str, float], node: str = "node-a", namespace: str = "team-a") -> Report:
    """Two seconds in which the pods (by UID) of the namespace drew ``watts``."""
    made = report(
        node=node,
        sequence=sequence,
        dynamic_uj=tuple(round(2e6 * each) for each in watts.values()),
        namespace=namespace,
    )
    columns = WorkloadColumns(
        namespace=[namespace] * len(watts),
        name=[f"pod-{uid}" for uid in watts],
        uid=list(watts),
        container=["main"] * len(watts),
        run_ns=[1] * len(watts),
    )
    return replace(made, workloads=columns, facts=facts())


@contextlib.asynccontextmanager
async def limited(
    folder: Path, *, clock: ManualClock | None = None, state: str = "", **budget: Any
) -> AsyncIterator[Replica]:
    """A replica whose policy folder holds the budget."""
    policies = folder / "policies"
    policies.mkdir(exist_ok=True)
    write_budget(policies, **budget)
    async with running(clock, policies=str(policies), state=state) as replica:
        yield replica


async def beat(replica: Replica, sequence: int, **watts: float) -> None:
    """The node's report number ``sequence`` comes at its time; keywords are UIDs with ``_`` for ``-``."""
    replica.clock.unix = T0_NS + sequence * 2_000_000_000
    replica.clock.monotonic = 10**12 + sequence * 2_000_000_000
    await replica.report(node_report(sequence, watts={uid.replace("_", "-"): each for uid, each in watts.items()}))
