# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a scheduler must know about the node beside its watts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.files import read_bytes, read_text
from wire.report import CurvePoint, NodeFacts

if TYPE_CHECKING:
    from pathlib import Path

    from agent.meters.choice import Survey

_LONGEST_MODEL: Final = 1024
_LARGEST_ERROR_RATIO: Final = 10.0  # of wire.report.NodeFacts


def node_facts(survey: Survey, *, procfs: Path) -> NodeFacts:
    """The facts that do not change; ``busy_cpus`` is put in per interval.

    The curve is the estimator's for this CPU until the node's own is learned: modelled, wall watts of the share.
    """
    threads = max(survey.cpu.threads, 1)
    curve = survey.table.choose(survey.cpu).curve
    points = tuple(
        CurvePoint(load_ratio=float(load), power_w=curve.power_w(float(load), threads=threads))
        for load in curve.load_ratio
    )
    return NodeFacts(
        cpus=threads,
        cpu_model=survey.cpu.model_name[:_LONGEST_MODEL],
        memory_bytes=_memory_bytes(procfs),
        curve=points,
        curve_kind="modelled",
        curve_error_ratio=min(max(curve.high_ratio - 1, 1 - curve.low_ratio), _LARGEST_ERROR_RATIO),
        simulated=survey.simulated,
    )


def _memory_bytes(procfs: Path) -> int:
    try:
        for line in read_bytes(str(procfs / "meminfo")).splitlines():
            if line.startswith(b"MemTotal:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def boot_id(procfs: Path) -> str:
    """The kernel's id of this boot; ``unknown`` where it shows none."""
    try:
        return read_text(str(procfs / "sys" / "kernel" / "random" / "boot_id"))[:64] or "unknown"
    except OSError:
        return "unknown"
