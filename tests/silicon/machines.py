# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Machines and runs that tests begin with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from sim.silicon import classes, engine, presets, tables
from sim.silicon.flow import at_rest
from sim.silicon.work import Change, Script, Task, place

if TYPE_CHECKING:
    from sim.silicon.classes import TaskClass
    from sim.silicon.flow import Flow, State
    from sim.silicon.machine import Machine

KINDS = classes.draw(1)


def changed(machine: Machine, **parts: Any) -> Machine:
    """``changed(machine, limits={"long_w": 5.0}, steal_ratio=0.5)``: fields of the machine or of its parts."""
    for name, value in parts.items():
        new = replace(getattr(machine, name), **value) if isinstance(value, dict) else value
        machine = replace(machine, **{name: new})
    return machine


def unlimited(name: str = "epyc-2s", *, seed: int = 1) -> Machine:
    """A machine whose frequency depends on nothing but its ceilings: no turbo bins, no limits, no heat."""
    machine = presets.draw(name, seed=seed)
    ghz = machine.clocks.one_core_ghz
    return changed(
        machine,
        clocks={"all_core_ghz": ghz, "governor": "performance"},
        limits={"long_w": 1e6, "short_w": 1e6, "k_per_w": 0.0},
        steal_ratio=0.0,
    )


def flows(
    machine: Machine,
    *tasks: Task,
    kinds: tuple[TaskClass, ...] = KINDS,
    changes: tuple[Change, ...] = (),
    seconds: float = 0.1,
) -> list[tuple[State, Flow]]:
    """Blocks of a tenth of a second from rest."""
    placed = place(Script(tasks, kinds, changes), machine)
    sheet = tables.build(machine, kinds)
    state = at_rest(machine)
    made: list[tuple[State, Flow]] = []
    for number in range(round(seconds * 10)):
        rows = placed.rows(from_s=number / 10, step_s=0.01, steps=10)
        conditions = placed.conditions(number / 10)
        state, flow = engine.block(machine, sheet, placed.threads, state, rows, conditions, step_s=0.01)
        made.append((state, flow))
    return made


def busy(name: str, task_class: str, *cpus: int, duty_ratio: float = 1.0) -> Task:
    """A task that keeps these cpus busy."""
    return Task(name=name, task_class=task_class, cpus=cpus, threads=len(cpus), duty_ratio=duty_ratio, period_s=0.05)


def at_ghz(ghz: float) -> tuple[Change, ...]:
    """A ceiling for all cpus from the start."""
    return (Change(at_s=0.0, what="ceiling_ghz", value=ghz),)


@st.composite
def scripts(draw: st.DrawFn, *, cpus: int, most: int = 6) -> Script:
    """A few tasks of any class on any cpus, coming and going within two seconds."""
    made: list[Task] = []
    for number in range(draw(st.integers(0, most))):
        start_s = draw(st.floats(0, 1.5))
        made.append(
            Task(
                name=f"task-{number}",
                task_class=draw(st.sampled_from(classes.NAMES)),
                cpus=tuple(draw(st.sets(st.integers(0, cpus - 1), max_size=3))),
                threads=draw(st.integers(1, 4)),
                start_s=start_s,
                end_s=start_s + draw(st.floats(0, 1.5)),
                duty_ratio=draw(st.floats(0, 1)),
                period_s=draw(st.floats(0.02, 0.6)),
                phase_ratio=draw(st.floats(0, 1)),
            )
        )
    return Script(tuple(made), KINDS)
