# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The exposition as it stands: a changed name or label is a change that people must be told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbing import tasks
from tests.scheduling.budgets import beat, limited
from tests.scheduling.pods import args, pod

pytestmark = pytest.mark.anyio

GOLDEN = Path(__file__).parent / "golden" / "metrics.prom"


async def test_the_exposition_is_the_golden_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "failures", type(tasks.failures)())
    monkeypatch.setattr("extender.metrics.failures", tasks.failures)
    async with limited(tmp_path, limit_w=45) as replica:
        await beat(replica, 1, old=30)
        await replica.post("/filter", args(pod("new"), "node-a"))
        await replica.post("/filter", args(pod("more"), "node-a"))
        page = await replica.http.get("/metrics")
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    # How many commits it took depends on which jobs shared a batch.
    lines = [line for line in page.body.decode().splitlines() if not line.startswith("penstock_cluster_ledger_commits")]
    assert lines == GOLDEN.read_text().splitlines()
