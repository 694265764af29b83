# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""From the sockets to the plug: disks and network by use, fans by the cube of their speed, supplies by their load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.silicon.machine import Board, Machine
    from sim.silicon.tables import Tables

# Firmware of servers leaves fans at their lowest speed up to about here, and has them at their highest near the limit.
_FAN_FROM_C = 45.0
_FAN_BELOW_HIGHEST_K = 10.0


def devices_w(
    board: Board, tables: Tables, task_class: NDArray[np.intp], share: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Watts of disks and network above idle by row (n, R), and all of them with their idle part (n,)."""
    idle_w = board.disks * board.disk_idle_w + board.nic_idle_w
    row_w = np.zeros_like(share)
    for bytes_per_s, limit, active_w in (
        (tables.disk_bytes_per_s, board.disks * board.disk_bytes_per_s, board.disks * board.disk_active_w),
        (tables.nic_bytes_per_s, board.nic_bytes_per_s, board.nic_active_w),
    ):
        if limit > 0 and bytes_per_s.any():
            asked = share * bytes_per_s[task_class] / limit
            total = asked.sum(axis=1, keepdims=True)
            row_w = row_w + active_w * asked / np.maximum(total, 1.0)
    return row_w, idle_w + row_w.sum(axis=1)


def fan_w(machine: Machine, temp_c: float) -> float:
    """Watts of all fans with the hottest socket at ``temp_c``."""
    board = machine.board
    span_k = max(1.0, machine.limits.highest_c - _FAN_BELOW_HIGHEST_K - _FAN_FROM_C)
    speed = min(1.0, max(0.0, (temp_c - _FAN_FROM_C) / span_k))
    return board.fan_idle_w + max(0.0, board.fan_full_w - board.fan_idle_w) * speed**3


def rest_w(machine: Machine) -> tuple[float, float]:
    """Watts at the plug and behind the supplies of a machine that has had nothing to do for long."""
    board = machine.board
    dc_w = machine.sockets * (machine.static_w() + machine.socket.dram_idle_w)
    dc_w += board.disks * board.disk_idle_w + board.nic_idle_w + board.board_w + fan_w(machine, machine.idle_c())
    return float(ac_w(board, np.array([dc_w]))[0]), dc_w


def efficiency_ratio(board: Board, dc_w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the supplies, which share ``dc_w`` evenly."""
    load = dc_w / (board.supplies * board.supply_rated_w)
    return np.interp(load, board.load_ratio, board.efficiency_ratio)


def ac_w(board: Board, dc_w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Watts at the plug."""
    return dc_w / efficiency_ratio(board, dc_w)
