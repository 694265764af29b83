# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What really happened, in whole microjoules: the physical truth that an attribution is scored against.

A task's truth in a domain is what it caused there: switching and awake leakage of its cores, its lines through uncore
and memory, its bytes on disks and network. Where two tasks cause something together the rule is that of `tables`: the
siblings of a core each pay the mean of what they would add first and second. Idle power (static), the uncore's step
(wake) and leakage by heat (thermal) are nobody's; who is to pay for them is a policy, and they are kept apart. Per
domain and interval: total = tasks + static + wake + thermal, to the last microjoule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from wire.apportion import apportion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.silicon.flow import Flow
    from sim.silicon.machine import Machine
    from sim.silicon.work import Threads

PLATFORM: Final = "platform/node"
DEVICES: Final = "device/node"


def domains(machine: Machine) -> tuple[str, ...]:
    """The domains with a truth per task, in the order of all columns; the platform is their sum and its own rest."""
    sockets = range(machine.sockets)
    return (*(f"cpu/socket-{each}" for each in sockets), *(f"dram/socket-{each}" for each in sockets), DEVICES)


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """One closed interval; R threads ran, T rows of truth, D domains."""

    number: int
    from_ns: int
    to_ns: int
    thread: NDArray[np.intp]
    """(R,)"""
    run_ns: NDArray[np.int64]
    overlap_ns: NDArray[np.int64]
    cycles: NDArray[np.int64]
    instructions: NDArray[np.int64]
    misses: NDArray[np.int64]
    ghz2_ns: NDArray[np.float64]
    task: NDArray[np.int64]
    """(T,) with ``domain`` and ``energy_uj``; only what is not zero."""
    domain: NDArray[np.int64]
    energy_uj: NDArray[np.int64]
    static_uj: NDArray[np.int64]
    """(D,)"""
    wake_uj: NDArray[np.int64]
    thermal_uj: NDArray[np.int64]
    total_uj: NDArray[np.int64]
    ac_uj: int
    """At the plug = the domains' totals + board + fans + loss."""
    board_uj: int
    fan_uj: int
    loss_uj: int


class _Whole:
    """Running sums whose whole parts are handed out, so that no fraction is ever lost."""

    def __init__(self, size: int) -> None:
        self._exact = np.zeros(size)
        self._given = np.zeros(size, dtype=np.int64)

    def add(self, index: NDArray[np.intp], values: NDArray[np.float64]) -> None:
        self._exact[index] += values

    def take(self, index: NDArray[np.intp]) -> NDArray[np.int64]:
        # A millionth part is what floating point may have left below a whole number.
        whole = np.floor(self._exact[index] + 1e-6).astype(np.int64)
        given = whole - self._given[index]
        self._given[index] = whole
        return given


class Ledger:
    """Adds up blocks and closes intervals."""

    def __init__(self, machine: Machine, threads: Threads, *, tasks: int) -> None:
        self._machine = machine
        self._threads = threads
        self._tasks = tasks
        self._domains = len(domains(machine))
        count = len(threads.task)
        self._columns = tuple(_Whole(count) for _ in range(5))
        self._ghz2_ns = np.zeros(count)
        self._ran = np.zeros(count, dtype=np.bool_)
        self._task_j = np.zeros(self._domains * tasks)
        self._shared_j = np.zeros((3, self._domains))
        self._total_uj = np.zeros(self._domains)
        self._given_uj = [0] * self._domains
        self._rest_j = np.zeros(3)
        self._ac_uj = 0.0
        self._given_ac_uj = 0
        self._number = 0

    def add(self, flow: Flow) -> None:
        """Books a block."""
        machine, thread = self._machine, flow.thread
        elapsed_s, sockets = flow.elapsed_s, machine.sockets
        values = (flow.run_s * 1e9, flow.overlap_s * 1e9, flow.ghz_s * 1e9, flow.instructions, flow.misses)
        for column, value in zip(self._columns, values, strict=True):
            column.add(thread, value)
        self._ghz2_ns[thread] += flow.ghz2_s * 1e9
        self._ran[thread] |= flow.run_s > 0
        task = self._threads.task[thread]
        socket = machine.socket_of_cpu()[self._threads.cpu[thread]]
        np.add.at(self._task_j, socket * self._tasks + task, flow.core_j + flow.traffic_j)
        np.add.at(self._task_j, (sockets + socket) * self._tasks + task, flow.dram_j)
        np.add.at(self._task_j, (self._domains - 1) * self._tasks + task, flow.device_j)
        static, wake, thermal = self._shared_j
        static[:sockets] += machine.static_w() * elapsed_s
        static[sockets:-1] += machine.socket.dram_idle_w * elapsed_s
        static[-1] += float(flow.device_w.sum()) * flow.step_s - float(flow.device_j.sum())
        wake[:sockets] += flow.wake_w.sum(axis=0) * flow.step_s
        thermal[:sockets] += flow.thermal_w.sum(axis=0) * flow.step_s
        self._total_uj[:sockets] += flow.package_w.sum(axis=0) * flow.step_s * 1e6
        self._total_uj[sockets:-1] += flow.dram_w.sum(axis=0) * flow.step_s * 1e6
        self._total_uj[-1] += float(flow.device_w.sum()) * flow.step_s * 1e6
        ac_j, dc_j = float(flow.ac_w.sum()) * flow.step_s, float(flow.dc_w.sum()) * flow.step_s
        self._ac_uj += ac_j * 1e6
        self._rest_j += (machine.board.board_w * elapsed_s, flow.fan_w * elapsed_s, ac_j - dc_j)

    def close(self, *, from_ns: int, to_ns: int) -> Interval:
        """Ends the interval."""
        thread = np.flatnonzero(self._ran)
        run_ns, overlap_ns, cycles, instructions, misses = (column.take(thread) for column in self._columns)
        rows: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
        shared = np.zeros((4, self._domains), dtype=np.int64)
        for domain in range(self._domains):
            total_uj = math.floor(self._total_uj[domain]) - self._given_uj[domain]
            self._given_uj[domain] += total_uj
            caused_j = self._task_j[domain * self._tasks : (domain + 1) * self._tasks]
            weights = np.maximum(0.0, np.concatenate([self._shared_j[:, domain], caused_j]))
            parts = apportion(total_uj, weights) if weights.any() else np.zeros(len(weights), dtype=np.int64)
            shared[:, domain] = (*parts[:3], total_uj)
            task = np.flatnonzero(parts[3:]).astype(np.int64)
            rows.append((task, np.full(len(task), domain, dtype=np.int64), parts[3:][task]))
        ac_uj = math.floor(self._ac_uj) - self._given_ac_uj
        self._given_ac_uj += ac_uj
        board_uj, fan_uj, loss_uj = (int(each) for each in apportion(ac_uj - int(shared[3].sum()), self._rest_j))
        closed = Interval(
            number=self._number,
            from_ns=from_ns,
            to_ns=to_ns,
            thread=thread,
            run_ns=run_ns,
            overlap_ns=overlap_ns,
            cycles=cycles,
            instructions=instructions,
            misses=misses,
            ghz2_ns=self._ghz2_ns[thread],
            task=np.concatenate([each[0] for each in rows]),
            domain=np.concatenate([each[1] for each in rows]),
            energy_uj=np.concatenate([each[2] for each in rows]),
            static_uj=shared[0],
            wake_uj=shared[1],
            thermal_uj=shared[2],
            total_uj=shared[3],
            ac_uj=ac_uj,
            board_uj=board_uj,
            fan_uj=fan_uj,
            loss_uj=loss_uj,
        )
        self._number += 1
        self._ran[:] = False
        for array in (self._ghz2_ns, self._task_j, self._shared_j, self._rest_j):
            array[...] = 0.0
        return closed
