# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The task guard: the only place that catches everything.

A long-lived task ends when it is cancelled. If it ends in any other way the reason is logged with the task's name, the
failure is counted, and it is started again after a pause that doubles up to a minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

failures: Counter[str] = Counter()
"""Unexpected ends by task name; every role publishes them as ``penstock_task_failures_total``."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
# A task that ran this long before it failed is healthy again: its next pause starts from the shortest.
_HEALTHY_AFTER_S = 60.0


def guard(name: str, run: Callable[[], Awaitable[None]], *, restart: bool = True) -> asyncio.Task[None]:
    """Starts ``run`` as a task called ``name``; ``restart=False`` ends with the first failure, which is raised."""
    return asyncio.get_running_loop().create_task(_guarded(name, run, restart=restart), name=name)


async def _guarded(name: str, run: Callable[[], Awaitable[None]], *, restart: bool) -> None:
    pause_s = _FIRST_PAUSE_S
    loop = asyncio.get_running_loop()
    while True:
        started_s = loop.time()
        try:
            await run()
        except asyncio.CancelledError:
            raise
        except Exception:
            failures[name] += 1
            if not restart:
                raise
            log.exception("Task %s failed", name)
        else:
            return
        if loop.time() - started_s > _HEALTHY_AFTER_S:
            pause_s = _FIRST_PAUSE_S
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def stop(*tasks: asyncio.Task[None]) -> None:
    """Cancels tasks in the order given and waits for each to end."""
    for task in tasks:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
