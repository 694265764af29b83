# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""One run of a machine: time passes, meters move, faults come and go, the tree is written, the truth is kept.

    run = Run(presets.draw("xeon-2s", seed=1), place(script, machine), seed=1, root=folder)
    run.advance(0.1)
    trace.write(run.trace(), other_folder)

The same machine, work and seed give the same run, whatever the lengths that it is advanced by, as long as these are
whole blocks (0.1 s): heat and limits are looked at between blocks.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.silicon import engine, faults, recording, tables
from sim.silicon.flow import at_rest
from sim.silicon.ledger import Interval, Ledger
from sim.silicon.recording import Reading
from sim.silicon.registers import Gauge, Registers
from sim.silicon.trace import Trace
from sim.silicon.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sim.silicon.faults import Fault
    from sim.silicon.flow import Flow
    from sim.silicon.machine import Machine
    from sim.silicon.work import Work

STEP_S: Final = 0.01
BLOCK_STEPS: Final = 10
_STEP_NS: Final = 10_000_000
# A trace is written from memory: an hour of seconds, then the oldest are forgotten.
_MOST_INTERVALS: Final = 3600
# Temperatures and frequencies change slowly and fill hundreds of files.
_SILICON_EVERY_STEPS: Final = 100


class Run:
    """A machine at work."""

    def __init__(
        self,
        machine: Machine,
        work: Work,
        *,
        seed: int,
        root: Path | None = None,
        faults: Sequence[Fault] = (),
        interval_s: float = 1.0,
        most_intervals: int = _MOST_INTERVALS,
        start_count: int | None = None,
    ) -> None:
        """Writes the tree below ``root`` if there is one. Raises FileExistsError, or ValueError for a wrong fault."""
        self.machine = machine
        self.registers = Registers(machine, seed=seed, start_count=start_count)
        self.gauge = Gauge(machine, seed=seed)
        self._zones = tuple(zone for zone in self.registers.zones if not zone.twin_of)
        self._faults = tuple(faults)
        self._check_faults()
        self.state = at_rest(machine)
        self.flow: Flow | None = None
        self._work = work
        self._seed = seed
        self._tables = tables.build(machine, work.classes)
        self._ledger = Ledger(machine, work.threads, tasks=len(work.tasks))
        self._interval_steps = max(1, round(interval_s / STEP_S))
        self.intervals: deque[Interval] = deque(maxlen=most_intervals)
        self._readings: deque[Reading] = deque()
        self._step = 0
        self._rest_s = 0.0
        self._silicon_step = -_SILICON_EVERY_STEPS
        self._online = np.ones(machine.cpus, dtype=np.bool_)
        self._tree: Tree | None = None
        if root is not None:
            self._tree = Tree(root, machine=machine, zones=self.registers.zones, seed=seed)
            self._tree.show_counters(self._counters())
            self._tree.show_online(self._online)
        self._fail(before_s=-1.0)
        self._read_counters()
        if machine.meters.platform != "none":
            self._read_gauge(self.gauge.shown.input_w)
        self._show()

    @property
    def time_s(self) -> float:
        """The machine's time."""
        return self._step * STEP_S

    def advance(self, elapsed_s: float) -> None:
        """Lets time pass; what is less than a step waits for the next call. Raises ValueError for no time."""
        if not 0 <= elapsed_s < float("inf"):
            raise ValueError(f"elapsed_s: cannot run for {elapsed_s} s")
        wanted = (self._rest_s + elapsed_s) / STEP_S
        steps = int(wanted + 1e-6)
        self._rest_s = max(0.0, (wanted - steps) * STEP_S)
        end = self._step + steps
        while self._step < end:
            to_edge = self._interval_steps - self._step % self._interval_steps
            self._block(min(BLOCK_STEPS, end - self._step, to_edge))
        self._show()

    def trace(self) -> Trace:
        """All closed intervals that are still known, as a trace."""
        from_ns = self.intervals[0].from_ns if self.intervals else 0
        readings = [each for each in self._readings if each.at_ns >= from_ns]
        about = recording.about(self.machine, self._work, zones=self._zones, seed=self._seed)
        return Trace(about, recording.columns(tuple(self.intervals), readings, self._work))

    def _block(self, steps: int) -> None:
        from_s = self.time_s
        conditions = self._work.conditions(from_s)
        rows = self._work.rows(from_s=from_s, step_s=STEP_S, steps=steps)
        self.state, self.flow = engine.block(
            self.machine, self._tables, self._work.threads, self.state, rows, conditions, step_s=STEP_S
        )
        self._online = conditions.online
        self._step += steps
        self.registers.advance(self.flow)
        self._ledger.add(self.flow)
        self._fail(before_s=from_s)
        shown = self.gauge.advance(self.flow)
        if shown is not None:
            self._read_gauge(shown.input_w)
        if self._step % self._interval_steps == 0:
            to_ns = self._step * _STEP_NS
            self.intervals.append(self._ledger.close(from_ns=to_ns - self._interval_steps * _STEP_NS, to_ns=to_ns))
            self._read_counters()
            oldest_ns = self.intervals[0].from_ns
            while self._readings and self._readings[0].at_ns < oldest_ns:
                self._readings.popleft()

    def _check_faults(self) -> None:
        targets = {zone.folder for zone in self.registers.zones}
        if self.machine.meters.platform != "none":
            targets.add(faults.PLATFORM)
        faults.check(self._faults, targets=targets)

    def _fail(self, *, before_s: float) -> None:
        for fault in faults.due(self._faults, after_s=before_s, to_s=self.time_s):
            if fault.kind == "reset":
                self.registers.set(fault.target, 0)
            else:
                self.registers.step_back(fault.target, fault.counts)

    def _in_force(self) -> Mapping[str, faults.FaultKind]:
        return faults.in_force(self._faults, self.time_s)

    def _counters(self) -> dict[str, int]:
        return {zone.folder: self.registers.counter_uj(zone) for zone in self.registers.zones}

    def _show(self) -> None:
        if self._tree is None:
            return
        self._tree.break_(self._in_force())
        self._tree.show_counters(self._counters())
        self._tree.show_platform(self.gauge.shown)
        if self._step - self._silicon_step >= _SILICON_EVERY_STEPS:
            self._silicon_step = self._step
            cores = self.machine.cores
            self._tree.show_silicon(
                temp_c=self.state.temp_c,
                core_w=self.flow.core_w if self.flow else np.zeros(cores),
                core_ghz=self.flow.core_ghz if self.flow else np.full(cores, self.machine.clocks.min_ghz),
            )
            self._tree.show_online(self._online)

    def _read_counters(self) -> None:
        in_force = self._in_force()
        for meter, zone in enumerate(self._zones):
            fault = in_force.get(zone.folder)
            if fault in faults.BLINDING:
                continue
            counter_uj = 0 if fault == "zero" else self.registers.counter_uj(zone)
            if fault == "frozen":
                before = [each for each in self._readings if each.meter == meter]
                counter_uj = before[-1].counter_uj if before else counter_uj
            self._readings.append(Reading(meter, self._step * _STEP_NS, counter_uj=counter_uj))

    def _read_gauge(self, power_w: float) -> None:
        fault = self._in_force().get(faults.PLATFORM)
        if fault in faults.BLINDING:
            return
        if fault == "zero":
            power_w = 0.0
        elif fault == "frozen":
            before = [each for each in self._readings if each.meter == len(self._zones)]
            power_w = before[-1].power_w if before else power_w
        self._readings.append(Reading(len(self._zones), self._step * _STEP_NS, power_w=power_w))
