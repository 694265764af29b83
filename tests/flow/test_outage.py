# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The extender dies, in the middle of anything, and no interval is lost or counted twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.flow.stack import INTERVAL_S, Stack, eventually, stack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)

OUTAGE_S = 30.0


def watermark(document: Any) -> tuple[str, int]:
    (mark,) = document["watermarks"]
    return mark["stream"], mark["sequence"]


def agreed(running: Stack, *, past: int) -> Any:
    """Agent, extender and fleet at one watermark beyond ``past``, or None while they are on the way."""
    answers = [
        running.agent.get("/v1/query?group=node"),
        running.extender.get("/v1/cluster"),
        running.fleet.get("/v1/clusters/test"),
    ]
    if not all(answer and answer["watermarks"] for answer in answers):
        return None
    marks = {watermark(answer) for answer in answers}
    if len(marks) != 1 or next(iter(marks))[1] <= past:
        return None
    return [(answer["items"][0] if "items" in answer else answer)["rows"] for answer in answers]


def sequence(running: Stack) -> int:
    answer = running.agent.get("/v1/query?group=node")
    return watermark(answer)[1] if answer and answer["watermarks"] else 0


def test_thirty_seconds_without_an_extender(tmp_path: Path) -> None:
    with stack(tmp_path) as running:
        running.start()
        eventually(lambda: agreed(running, past=1), what="all three agree", log=running.extender.log)
        running.extender.kill()
        before = sequence(running)
        time.sleep(OUTAGE_S)
        assert sequence(running) >= before + OUTAGE_S / INTERVAL_S * 0.7, "the agent goes on measuring"
        running.start(running.extender)
        agent, extender, fleet = eventually(
            lambda: agreed(running, past=sequence(running) - 2),
            what="all three agree again",
            within_s=60,
            log=running.extender.log,
        )
        assert agent == extender == fleet
        assert sum(agent.values()) > 0


def test_killed_between_its_acknowledgement_and_the_uplink(tmp_path: Path) -> None:
    with stack(tmp_path) as running:
        # No fleet router: everything acknowledged is still on its way up when the extender dies.
        running.start(running.extender, running.agent)
        eventually(lambda: sequence(running) >= 4, what="four intervals", log=running.agent.log)
        eventually(lambda: (running.extender.get("/v1/cluster") or {}).get("watermarks"), what="the extender has some")
        acknowledged = watermark(running.extender.get("/v1/cluster"))[1]
        assert acknowledged >= 1
        running.extender.kill()
        running.start(running.fleet, running.extender)
        agent, extender, fleet = eventually(
            lambda: agreed(running, past=acknowledged), what="all three agree", within_s=60, log=running.extender.log
        )
        assert agent == extender == fleet


def test_killed_again_and_again(tmp_path: Path) -> None:
    with stack(tmp_path) as running:
        running.start()
        for _ in range(5):
            eventually(
                lambda: running.extender.get("/v1/cluster"), what="the extender answers", log=running.extender.log
            )
            # Not aligned with anything: a kill lands before, in and after commits, answers and uplinks.
            time.sleep(0.37)
            running.extender.kill()
            running.start(running.extender)
        agent, extender, fleet = eventually(
            lambda: agreed(running, past=sequence(running) - 2),
            what="all three agree",
            within_s=60,
            log=running.extender.log,
        )
        assert agent == extender == fleet
