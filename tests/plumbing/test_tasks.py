# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A task that fails is logged, counted and started again; one that is cancelled ends."""

from __future__ import annotations

import asyncio
import logging

import pytest

from plumbing import tasks

pytestmark = pytest.mark.anyio


async def test_a_failing_task_is_counted_and_started_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_FIRST_PAUSE_S", 0.001)
    runs = 0

    async def flaky() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ValueError("broken")

    with caplog.at_level(logging.ERROR):
        await tasks.guard("flaky", flaky)
    assert runs == 3
    assert tasks.failures["flaky"] == 2
    assert "Task flaky failed" in caplog.text


async def test_without_restart_the_failure_is_raised() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await tasks.guard("broken", broken, restart=False)


async def test_stop_cancels_and_waits() -> None:
    ended: list[str] = []

    async def patient(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)

    running = [tasks.guard(name, lambda name=name: patient(name)) for name in ("first", "second")]  # type: ignore[misc]
    await asyncio.sleep(0)
    await tasks.stop(*running)
    assert ended == ["first", "second"]
    assert "first" not in tasks.failures
