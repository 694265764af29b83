# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What keeps a simulated machine busy while time really passes: the load of this host, or one load for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sim.silicon.work import PlacedScript, Rows, Script, Task, Threads, ordinary, place

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sim.silicon.classes import TaskClass
    from sim.silicon.machine import Machine
    from sim.silicon.work import Conditions

_CLASS: Final = "compute"
# A tick is 4 or 10 ms: with fewer than this per cpu between two reads a share is mostly rounding.
_LEAST_TICKS: Final = 5
# Long against the simulator's step, short against any reader's interval.
_PERIOD_S: Final = 0.2


def steady(ratio: float, *, machine: Machine, classes: tuple[TaskClass, ...]) -> PlacedScript:
    """Every cpu busy for ``ratio`` of the time with one kind of work."""
    task = Task(name="load", task_class=_CLASS, threads=machine.cpus, duty_ratio=ratio, period_s=_PERIOD_S)
    return place(Script((task,), classes), machine)


class HostWork:
    """This host's cpus from ``<procfs>/stat``; a machine with more of them repeats them. Satisfies `work.Work`."""

    def __init__(self, procfs: Path, *, machine: Machine, classes: tuple[TaskClass, ...]) -> None:
        """Raises OSError where procfs cannot be read, ValueError where it is none."""
        self.classes = classes
        self.tasks = ("host",)
        kind = [each.name for each in classes].index(_CLASS)
        cpus = np.arange(machine.cpus, dtype=np.intp)
        self.threads = Threads(task=np.zeros_like(cpus), task_class=np.full_like(cpus, kind), cpu=cpus)
        self._machine = machine
        self._file = procfs / "stat"
        self._busy, self._all = self._read()
        self._ratio = np.zeros(len(self._busy))

    def ratio(self) -> NDArray[np.float64]:
        """(host's cpus,) busy share since the last call that saw enough ticks. Raises OSError."""
        busy, everything = self._read()
        if busy.shape == self._busy.shape:
            passed = everything - self._all
            if passed.min() < _LEAST_TICKS:
                return self._ratio
            self._ratio = np.clip((busy - self._busy) / passed, 0.0, 1.0)
        else:
            # A cpu came or went: what the others did meanwhile is not known.
            self._ratio = np.zeros(len(busy))
        self._busy, self._all = busy, everything
        return self._ratio

    def rows(self, *, from_s: float, step_s: float, steps: int) -> Rows:  # noqa: ARG002 - the host's time is its own
        """The same share for every step."""
        ratio = self.ratio()
        share = ratio[np.arange(self._machine.cpus) % len(ratio)]
        thread = np.flatnonzero(share > 0)
        return Rows(thread=thread, share=np.tile(share[thread], (steps, 1)))

    def conditions(self, at_s: float) -> Conditions:  # noqa: ARG002 - nobody changes this machine
        """The machine's own."""
        return ordinary(self._machine)

    def _read(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # proc(5): cpuN user nice system idle iowait irq softirq steal ...; guest time is in user already.
        lines = self._file.read_text(encoding="ascii").splitlines()
        cpus = [line.split()[1:9] for line in lines if line.startswith("cpu") and line[3:4].isdigit()]
        if not cpus or any(len(each) < 8 for each in cpus):
            raise ValueError(f"{self._file}: no line per cpu with eight counters")
        ticks = np.array(cpus, dtype=np.float64)
        everything = ticks.sum(axis=1)
        return everything - ticks[:, 3] - ticks[:, 4], everything
