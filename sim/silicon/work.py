# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Scripted work: tasks with a class, cpus that they may use, a life and a duty cycle; and changes of the machine.

Time is what is scripted: a task runs for its share of the time at whatever speed it gets, and asks for no more because
it was slow. A thread stays on the cpu where it was placed: the idlest core that it may use when it starts, as a kernel
does for a new thread. Threads that want more than their cpu has get equal parts of what they want.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from sim.silicon.classes import TaskClass
    from sim.silicon.machine import Machine

# Threads of one task start their duty cycles apart, or all would work in the same instant; any irrational spreads them.
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A process. It wants ``threads`` cpus for ``duty_ratio`` of every ``period_s`` from ``start_s`` to ``end_s``."""

    name: str
    task_class: str
    cpus: tuple[int, ...] = ()
    """Logical cpus that it may use; empty allows all."""
    threads: int = 1
    start_s: float = 0.0
    end_s: float = math.inf
    duty_ratio: float = 1.0
    period_s: float = 1.0
    phase_ratio: float = 0.0

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"{self.name}: threads: {self.threads} is not positive")
        if not 0 <= self.start_s <= self.end_s:
            raise ValueError(f"{self.name}: start_s, end_s: must rise from 0 on")
        if not (0 <= self.duty_ratio <= 1 and 0 < self.period_s < math.inf and math.isfinite(self.phase_ratio)):
            raise ValueError(f"{self.name}: duty_ratio within 0..1, period_s positive, phase_ratio finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that is done to the machine at a time; ``where`` are sockets for ``long_w``, else cpus, empty all."""

    at_s: float
    what: Literal["long_w", "ceiling_ghz", "online"]
    value: float
    where: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """What happens on a machine. Raises ValueError where a task has no class, or two have one name."""

    tasks: tuple[Task, ...]
    classes: tuple[TaskClass, ...]
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        known = {each.name for each in self.classes}
        if len(known) != len(self.classes) or not known:
            raise ValueError("classes: need names of their own, and one class at least")
        if len({each.name for each in self.tasks}) != len(self.tasks):
            raise ValueError("tasks: need names of their own")
        for task in self.tasks:
            if task.task_class not in known:
                raise ValueError(f"{task.name}: task_class: {task.task_class!r} is none of {', '.join(sorted(known))}")


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """What holds for the machine during a block."""

    long_w: NDArray[np.float64]
    """(sockets,)"""
    ceiling_ghz: NDArray[np.float64]
    """(cpus,)"""
    online: NDArray[np.bool_]
    """(cpus,)"""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Threads that want to run during a block of n steps; ``share`` (n, R) of each step."""

    thread: NDArray[np.intp]
    share: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Threads:
    """All threads that a run will ever have, (T,) each; ``task`` and ``task_class`` are indices."""

    task: NDArray[np.intp]
    task_class: NDArray[np.intp]
    cpu: NDArray[np.intp]


class Work(Protocol):
    """Where a machine's work comes from."""

    @property
    def classes(self) -> tuple[TaskClass, ...]: ...

    @property
    def tasks(self) -> tuple[str, ...]: ...

    @property
    def threads(self) -> Threads: ...

    def rows(self, *, from_s: float, step_s: float, steps: int) -> Rows: ...

    def conditions(self, at_s: float) -> Conditions: ...


@dataclass(frozen=True, slots=True, eq=False)
class PlacedScript:
    """A script whose threads have their cpus. Pure: the same times always give the same rows."""

    script: Script
    machine: Machine
    threads: Threads
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    duty_ratio: NDArray[np.float64]
    period_s: NDArray[np.float64]
    phase_ratio: NDArray[np.float64]

    @property
    def classes(self) -> tuple[TaskClass, ...]:
        """In the order of ``threads.task_class``."""
        return self.script.classes

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names in the order of ``threads.task``."""
        return tuple(each.name for each in self.script.tasks)

    def without(self, tasks: Collection[int]) -> PlacedScript:
        """The same run without these tasks (indices); all others keep their cpus. This is the counterfactual."""
        return replace(self, end_s=np.where(np.isin(self.threads.task, list(tasks)), self.start_s, self.end_s))

    def rows(self, *, from_s: float, step_s: float, steps: int) -> Rows:
        """The exact overlap of every life and duty cycle with every step."""
        to_s = from_s + steps * step_s
        thread = np.flatnonzero((self.start_s < to_s) & (self.end_s > from_s) & (self.duty_ratio > 0))
        edges = (from_s + step_s * np.arange(steps + 1))[:, None]
        edges = np.clip(edges, self.start_s[thread], self.end_s[thread])
        turns = edges / self.period_s[thread] - self.phase_ratio[thread]
        whole = np.floor(turns)
        duty = self.duty_ratio[thread]
        worked_s = (whole * duty + np.minimum(turns - whole, duty)) * self.period_s[thread]
        share = np.clip(np.diff(worked_s, axis=0) / step_s, 0.0, 1.0)
        # What floating point leaves of nothing at large times is nothing.
        share[share < 1e-9] = 0.0
        runs = share.any(axis=0)
        return Rows(thread=thread[runs], share=share[:, runs])

    def conditions(self, at_s: float) -> Conditions:
        """The machine's own, with every change up to ``at_s`` in the order of the script."""
        machine = self.machine
        conditions = ordinary(machine)
        for change in sorted(self.script.changes, key=lambda each: each.at_s):
            if change.at_s <= at_s + 1e-9:
                if change.what == "long_w":
                    conditions.long_w[list(change.where) or slice(None)] = change.value
                elif change.what == "ceiling_ghz":
                    conditions.ceiling_ghz[list(change.where) or slice(None)] = change.value
                else:
                    conditions.online[list(change.where) or slice(None)] = change.value > 0
        return conditions


def ordinary(machine: Machine) -> Conditions:
    """The conditions of a machine to which nothing was done."""
    return Conditions(
        long_w=np.full(machine.sockets, machine.limits.long_w),
        ceiling_ghz=np.full(machine.cpus, machine.clocks.one_core_ghz),
        online=np.ones(machine.cpus, dtype=np.bool_),
    )


def place(script: Script, machine: Machine) -> PlacedScript:
    """Gives every thread a cpu. Raises ValueError where a task or a change names a cpu that is not there."""
    for task in script.tasks:
        if any(not 0 <= cpu < machine.cpus for cpu in task.cpus):
            raise ValueError(f"{task.name}: cpus: this machine has 0..{machine.cpus - 1}")
    for change in script.changes:
        most = machine.sockets if change.what == "long_w" else machine.cpus
        if any(not 0 <= each < most for each in change.where):
            raise ValueError(f"{change.what}: where: this machine has 0..{most - 1}")
    classes = {each.name: at for at, each in enumerate(script.classes)}
    numbers = [(at, number) for at, task in enumerate(script.tasks) for number in range(task.threads)]
    of = np.array([at for at, _ in numbers], dtype=np.intp)
    number = np.array([each for _, each in numbers], dtype=np.float64)

    def column(name: str) -> NDArray[np.float64]:
        values = np.array([getattr(task, name) for task in script.tasks], dtype=np.float64)
        return values[of]

    start_s, end_s, duty_ratio = column("start_s"), column("end_s"), column("duty_ratio")
    task_class = np.array([classes[task.task_class] for task in script.tasks], dtype=np.intp)[of]
    allowed = [np.array(sorted(set(task.cpus)) or range(machine.cpus), dtype=np.intp) for task in script.tasks]
    cpu = _cpus(machine, task=of, allowed=allowed, start_s=start_s, end_s=end_s, want=duty_ratio)
    return PlacedScript(
        script=script,
        machine=machine,
        threads=Threads(task=of, task_class=task_class, cpu=cpu),
        start_s=start_s,
        end_s=end_s,
        duty_ratio=duty_ratio,
        period_s=column("period_s"),
        phase_ratio=np.mod(column("phase_ratio") + _GOLDEN * number, 1.0),
    )


def _cpus(
    machine: Machine,
    *,
    task: NDArray[np.intp],
    allowed: list[NDArray[np.intp]],
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
    want: NDArray[np.float64],
) -> NDArray[np.intp]:
    """(T,) for every thread the allowed cpu with the least wanted of its core, then of itself, then the first."""
    cpu = np.zeros(len(task), dtype=np.intp)
    load = np.zeros(machine.cpus)
    sibling = machine.sibling_of_cpu()
    ending = np.argsort(end_s, kind="stable")
    ended = 0
    placed = np.zeros(len(task), dtype=np.bool_)
    for at in np.argsort(start_s, kind="stable"):
        while ended < len(ending) and end_s[ending[ended]] <= start_s[at]:
            gone = ending[ended]
            if placed[gone]:
                load[cpu[gone]] -= want[gone]
            ended += 1
        choice = allowed[task[at]]
        core = load[choice] + (load[sibling[choice]] if machine.threads_per_core > 1 else 0.0)
        cpu[at] = choice[np.lexsort((choice, np.round(load[choice], 9), np.round(core, 9)))[0]]
        if end_s[at] > start_s[at]:
            load[cpu[at]] += want[at]
            placed[at] = True
    return cpu
