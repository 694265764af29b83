# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a machine for a block of steps: who runs where and how fast, what it draws, what that does to heat and limits.

    state, flow = block(machine, tables, threads, state, rows, conditions, step_s=0.01)

Pure, and vectorised over the block's steps; what is slow (temperature, the mean under the long-term limit) stands still
during a block, which is therefore kept to a tenth of a second. Everything that a socket draws is one of four: static,
the step of the uncore that wakes, leakage by heat, and what tasks cause. The last is the sum over threads, so that the
books close by construction. Two threads of a core, and a thread and its socket's sleep, meet with the probability that
their shares of the step give (they are taken as independent within a step).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.silicon import supply
from sim.silicon.flow import Flow, State
from sim.silicon.tables import LINE_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.silicon.machine import Machine
    from sim.silicon.tables import Tables
    from sim.silicon.work import Conditions, Rows, Threads

    _Array = NDArray[np.float64]
    _Index = NDArray[np.intp]

# A governor that follows use asks for a quarter more than it saw (kernel, Documentation/scheduler/schedutil.rst).
_SCHEDUTIL_ROOM = 1.25
# A limit that was just lowered below the running mean is met at this share of it until the mean has come down.
_ABOVE_LIMIT_RATIO = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class _Running:
    """Rows with all that does not depend on the frequency, so that the limit can be searched cheaply."""

    task_class: _Index
    socket: _Index
    share: _Array
    beside: _Array
    """(n, R) share of the step in which the sibling is busy."""
    mix: _Array
    """(n, R, K) by class."""
    target: _Index
    """(n, R) frequency as an index before power limits."""


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    index: _Index
    core_w: _Array
    traffic_w: _Array
    lines_per_s: _Array
    speed: _Array
    dynamic_w: _Array
    thermal_w: _Array
    package_w: _Array


def block(
    machine: Machine,
    tables: Tables,
    threads: Threads,
    state: State,
    rows: Rows,
    conditions: Conditions,
    *,
    step_s: float,
) -> tuple[State, Flow]:
    """One block of ``rows.share.shape[0]`` steps of ``step_s`` seconds."""
    steps = rows.share.shape[0]
    elapsed_s = steps * step_s
    cpu = threads.cpu[rows.thread]
    share = _served(machine, rows.share, cpu, conditions)
    running, core_busy = _running(machine, tables, threads, rows.thread, share, conditions)
    busy = core_busy.reshape(steps, machine.sockets, machine.cores_per_socket)
    awake = 1.0 - np.prod(1.0 - busy, axis=2)
    wake_w = machine.socket.wake_w * awake if machine.socket.deep_idle else np.zeros_like(awake)
    limit_w = _limit_w(machine, state, conditions, elapsed_s)

    highest = np.full(limit_w.shape, len(tables.ghz) - 1, dtype=np.intp)
    drawn = _draw(machine, tables, running, state, wake_w, np.broadcast_to(highest, wake_w.shape))
    if (drawn.package_w > limit_w).any():
        drawn = _limited(machine, tables, running, state, wake_w, limit_w)

    run = share * step_s
    ghz = tables.ghz[drawn.index]
    core_of = machine.core_of_cpu()[cpu]
    run_s, ghz_s = run.sum(axis=0), (run * ghz).sum(axis=0)
    core_j, traffic_j = drawn.core_w.sum(axis=0) * step_s, drawn.traffic_w.sum(axis=0) * step_s
    dram_row_w = drawn.lines_per_s * machine.socket.dram_line_nj * 1e-9
    dram_w = machine.socket.dram_idle_w + _by_socket(machine, running, dram_row_w)
    device_row_w, device_w = supply.devices_w(machine.board, tables, running.task_class, share)
    fan_w = supply.fan_w(machine, float(state.temp_c.max()))
    dc_w = drawn.package_w.sum(axis=1) + dram_w.sum(axis=1) + device_w + machine.board.board_w + fan_w
    busy_core_s = np.bincount(core_of, weights=run_s, minlength=machine.cores)
    core_ghz_s = np.bincount(core_of, weights=ghz_s, minlength=machine.cores)
    core_ghz = np.where(busy_core_s > 0, core_ghz_s / np.maximum(busy_core_s, 1e-300), machine.clocks.min_ghz)
    idle_cores_w = machine.cores_per_socket * tables.idle_leak_w
    flow = Flow(
        step_s=step_s,
        thread=rows.thread,
        run_s=run_s,
        overlap_s=(run * running.beside).sum(axis=0),
        ghz_s=ghz_s,
        ghz2_s=(run * ghz * ghz).sum(axis=0),
        instructions=(drawn.speed * tables.instructions_per_s[running.task_class]).sum(axis=0) * step_s,
        misses=drawn.lines_per_s.sum(axis=0) * step_s,
        core_j=core_j,
        traffic_j=traffic_j,
        dram_j=dram_row_w.sum(axis=0) * step_s,
        device_j=device_row_w.sum(axis=0) * step_s,
        wake_w=wake_w,
        thermal_w=drawn.thermal_w,
        dynamic_w=drawn.dynamic_w,
        traffic_w=_by_socket(machine, running, drawn.traffic_w),
        package_w=drawn.package_w,
        dram_w=dram_w,
        core_zone_w=_by_socket(machine, running, drawn.core_w) + drawn.thermal_w + idle_cores_w,
        fan_w=fan_w,
        device_w=device_w,
        dc_w=dc_w,
        ac_w=supply.ac_w(machine.board, dc_w),
        core_w=np.bincount(core_of, weights=core_j, minlength=machine.cores) / elapsed_s + tables.idle_leak_w,
        core_ghz=core_ghz,
    )
    return _next(machine, state, drawn.package_w.mean(axis=0), elapsed_s), flow


def _served(machine: Machine, wanted: _Array, cpu: _Index, conditions: Conditions) -> _Array:
    """(n, R) what the cpus can give: all that is wanted, or equal parts of it where that is too much."""
    room = (1.0 - machine.steal_ratio) * conditions.online
    load = _by(wanted, cpu, machine.cpus)
    return wanted * np.minimum(1.0, room / np.maximum(load, 1e-12))[:, cpu]


def _running(
    machine: Machine, tables: Tables, threads: Threads, thread: _Index, share: _Array, conditions: Conditions
) -> tuple[_Running, _Array]:
    """The rows ready for any frequency, and the busy share of every core (n, cores)."""
    steps = share.shape[0]
    classes = len(tables.highest)
    cpu, task_class = threads.cpu[thread], threads.task_class[thread]
    socket = machine.socket_of_cpu()[cpu]
    by_class = _by(share, cpu * classes + task_class, machine.cpus * classes)
    by_class = by_class.reshape(steps, machine.cpus, classes)
    busy = by_class.sum(axis=2)
    if machine.threads_per_core == 2:
        first, second = busy[:, : machine.cores], busy[:, machine.cores :]
        core_busy = first + second - first * second
        mix = by_class[:, machine.sibling_of_cpu()[cpu], :]
    else:
        core_busy = busy
        mix = np.zeros((steps, len(thread), classes))
    # At least one core is busy whenever anything runs; the bin is that of the mean number of busy ones.
    active = core_busy.reshape(steps, machine.sockets, machine.cores_per_socket).sum(axis=2)
    bins = tables.bins[np.clip(np.ceil(active - 1e-9).astype(np.intp), 0, machine.cores_per_socket)]
    ceiling = np.maximum(0, np.searchsorted(tables.ghz, conditions.ceiling_ghz + 1e-9, side="right") - 1)
    target = np.minimum(bins[:, socket], np.minimum(ceiling[cpu], tables.highest[task_class]))
    if machine.clocks.governor == "schedutil":
        use = np.maximum(busy, busy[:, machine.sibling_of_cpu()])[:, cpu]
        wanted_ghz = _SCHEDUTIL_ROOM * use * machine.clocks.one_core_ghz
        target = np.minimum(target, np.minimum(np.searchsorted(tables.ghz, wanted_ghz), len(tables.ghz) - 1))
    running = _Running(
        task_class=task_class,
        socket=socket,
        share=share,
        beside=mix.sum(axis=2),
        mix=mix,
        target=target,
    )
    return running, core_busy


def _draw(machine: Machine, tables: Tables, running: _Running, state: State, wake_w: _Array, cap: _Index) -> _Drawn:
    """What the rows draw with the frequency index of each socket capped at ``cap`` (n, S)."""
    index = np.minimum(running.target, cap[:, running.socket])
    kind, share, beside = running.task_class, running.share, running.beside
    switching_w = (1.0 - beside) * tables.alone_w[kind, index]
    if machine.threads_per_core == 2:
        switching_w = switching_w + np.einsum("nrk,nrk->nr", running.mix, tables.beside_w[kind, index])
    leak_w = share * tables.awake_w[index] * (1.0 - beside / 2)
    core_w = share * switching_w + leak_w
    speed = share * tables.rate_ratio[kind, index] * (1.0 - beside * (1.0 - tables.smt_speed_ratio[kind]))
    asked = _by_socket(machine, running, speed * tables.lines_per_s[kind])
    # Bandwidth saturates smoothly; whoever waits for memory waits longer, the others do not notice.
    full = asked * LINE_BYTES / machine.socket.memory_bytes_per_s
    slower = (1.0 + full**4) ** 0.25
    speed = speed / (1.0 + tables.stall_ratio[kind] * (slower[:, running.socket] - 1.0))
    lines = speed * tables.lines_per_s[kind]
    traffic_w = lines * (machine.socket.line_nj * 1e-9)
    dynamic_w = _by_socket(machine, running, core_w + traffic_w)
    hot_w = machine.cores_per_socket * tables.idle_leak_w + _by_socket(machine, running, leak_w)
    warmer_k = np.maximum(0.0, state.temp_c - machine.idle_c())
    thermal_w = hot_w * (np.exp2(warmer_k / machine.limits.leak_doubling_k) - 1.0)
    return _Drawn(
        index=index,
        core_w=core_w,
        traffic_w=traffic_w,
        lines_per_s=lines,
        speed=speed,
        dynamic_w=dynamic_w,
        thermal_w=thermal_w,
        package_w=machine.static_w() + wake_w + thermal_w + dynamic_w,
    )


def _limited(
    machine: Machine, tables: Tables, running: _Running, state: State, wake_w: _Array, limit_w: _Array
) -> _Drawn:
    """The highest cap of every socket and step that keeps to the limit; the lowest frequency where none does."""
    low = np.zeros(wake_w.shape, dtype=np.intp)
    high = np.full(wake_w.shape, len(tables.ghz) - 1, dtype=np.intp)
    for _ in range(math.ceil(math.log2(max(2, len(tables.ghz))))):
        middle = (low + high + 1) // 2
        fits = _draw(machine, tables, running, state, wake_w, middle).package_w <= limit_w
        low, high = np.where(fits, middle, low), np.where(fits, high, np.maximum(low, middle - 1))
    return _draw(machine, tables, running, state, wake_w, low)


def _limit_w(machine: Machine, state: State, conditions: Conditions, elapsed_s: float) -> _Array:
    """(S,) the most that this block may draw: PL2, what keeps the mean below PL1, and the heat below its limit."""
    limits = machine.limits
    part = 1.0 - math.exp(-elapsed_s / limits.long_s)
    room_w = state.mean_w + (conditions.long_w - state.mean_w) / part
    limit_w = np.minimum(limits.short_w, np.maximum(room_w, _ABOVE_LIMIT_RATIO * conditions.long_w))
    if limits.k_per_w > 0:
        warm = math.exp(-elapsed_s / limits.heat_s)
        settled_c = (limits.highest_c - state.temp_c * warm) / (1.0 - warm)
        limit_w = np.minimum(limit_w, (settled_c - limits.ambient_c) / limits.k_per_w)
    return limit_w


def _next(machine: Machine, state: State, package_w: _Array, elapsed_s: float) -> State:
    limits = machine.limits
    kept, warm = math.exp(-elapsed_s / limits.long_s), math.exp(-elapsed_s / limits.heat_s)
    settled_c = limits.ambient_c + limits.k_per_w * package_w
    return State(
        temp_c=settled_c + (state.temp_c - settled_c) * warm,
        mean_w=package_w + (state.mean_w - package_w) * kept,
    )


def _by_socket(machine: Machine, running: _Running, values: _Array) -> _Array:
    return _by(values, running.socket, machine.sockets)


def _by(values: _Array, group: _Index, groups: int) -> _Array:
    """(n, groups) sums of ``values`` (n, R) by the group of each row."""
    steps = values.shape[0]
    flat = (np.arange(steps)[:, None] * groups + group).ravel()
    sums = np.bincount(flat, weights=values.ravel(), minlength=steps * groups)
    return np.asarray(sums, dtype=np.float64).reshape(steps, groups)
