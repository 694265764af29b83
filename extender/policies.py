# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The policy folder: PowerBudgets out of it, read again when a file changes.

A file with a problem changes nothing: what it last said well stays in force, and the problem is shown.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from extender.budgets import Budget
from gitops.kinds.base import LabelSelector
from gitops.kinds.power_budget import PowerBudget
from gitops.loading import load_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gitops.loading import Located

log = logging.getLogger(__name__)

POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """Something in a policy file that could not be taken."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the folder says."""

    budgets: tuple[Budget, ...] = ()
    faults: tuple[PolicyFault, ...] = ()
    notices: tuple[PolicyFault, ...] = ()
    """What was taken, but means more than is served yet."""
    revision: str = ""


def read(folder: Path) -> Reading:
    """Reads the whole folder; what is wrong with it is in the answer."""
    loaded = load_folder(folder)
    found = [(each, each.object) for each in loaded.objects if isinstance(each.object, PowerBudget)]
    return Reading(
        budgets=tuple(_budget(policy, file=located.file) for located, policy in found),
        faults=tuple(
            PolicyFault(file=each.file, line=each.line, field=each.field, reason=each.reason)
            for each in loaded.problems
        ),
        notices=tuple(notice for located, policy in found for notice in _notices(located, policy)),
        revision=loaded.revision,
    )


def _budget(policy: PowerBudget, *, file: str) -> Budget:
    return Budget(
        namespace=policy.metadata.namespace,
        name=policy.metadata.name,
        limit_w=policy.spec.limit_watts,
        window_s=float(policy.spec.window_seconds),
        action=policy.spec.action,
        view=policy.spec.view,
        precedence=policy.spec.precedence,
        file=file,
    )


def _notices(located: Located, policy: PowerBudget) -> list[PolicyFault]:
    """What this extender does not do yet; what it does instead is never laxer."""
    found = []
    if policy.spec.selector != LabelSelector():
        found.append(("spec.selector", "not served yet: all pods of the namespace count and are held"))
    if policy.spec.enforcement == "gate":
        found.append(("spec.enforcement", "gates are not served yet: decided when a pod is scheduled"))
    if policy.spec.preempt_lower_priority:
        found.append(("spec.preemptLowerPriority", "not served yet: nothing is evicted"))
    return [PolicyFault(file=located.file, line=located.line, field=name, reason=reason) for name, reason in found]


def merge(before: Iterable[Budget], reading: Reading) -> tuple[Budget, ...]:
    """The budgets to put in force: those read, and of files with a problem also what was in force from them."""
    found = {budget.key: budget for budget in reading.budgets}
    broken = {fault.file for fault in reading.faults}
    for budget in before:
        # The folder itself can be what is broken.
        if any(budget.file == file or budget.file.startswith(f"{file}/") for file in broken):
            found.setdefault(budget.key, budget)
    return tuple(sorted(found.values(), key=lambda budget: budget.key))


def signature(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when a file is added, removed or written: names, modification times and sizes."""
    found = []
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
        try:
            status = path.stat()
        except OSError:  # removed while we look: the next poll sees it
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)


class PolicyFolder:
    """Follows a folder; ``budgets`` is what shall be in force."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._signature: tuple[tuple[str, int, int], ...] | None = None
        self.budgets: tuple[Budget, ...] = ()
        self.faults: tuple[PolicyFault, ...] = ()
        self.notices: tuple[PolicyFault, ...] = ()
        self.revision = ""

    async def refresh(self) -> bool:
        """Reads the folder if it has changed; True if it had."""
        now = await asyncio.to_thread(signature, self._folder)
        if now == self._signature:
            return False
        reading = await asyncio.to_thread(read, self._folder)
        self._signature = now
        self.budgets = merge(self.budgets, reading)
        if reading.faults != self.faults:
            for fault in reading.faults:
                log.warning("Policy not taken: %s", fault)
        self.faults, self.notices = reading.faults, reading.notices
        self.revision = reading.revision
        return True
