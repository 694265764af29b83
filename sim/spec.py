# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``nodes=50,pods=500``: the size of a simulated cluster as people type it."""

from __future__ import annotations

from dataclasses import dataclass

MOST_NODES = 5000
MOST_PODS = 150_000
# The names of sim.silicon.presets, which brings NumPy that settings should not.
MACHINES = ("xeon-2s", "xeon-1s", "laptop", "epyc-2s", "vm")


class SpecError(ValueError):
    """A text that is no size; the message names the key."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a simulated cluster is: ``pods`` is how many run at any time."""

    nodes: int
    pods: int


def parse(text: str) -> Size:
    """Reads ``nodes=N,pods=M``; pods left out are ten per node. Raises SpecError naming the key."""
    given: dict[str, int] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in ("nodes", "pods") or not equals:
            raise SpecError(f"{key or part!r}: not known here; a size looks like nodes=50,pods=500")
        if key in given:
            raise SpecError(f"{key}: given twice")
        given[key] = _whole(key, value)
    if "nodes" not in given:
        raise SpecError("nodes: is missing; a size looks like nodes=50,pods=500")
    return Size(nodes=given["nodes"], pods=given.get("pods", min(10 * given["nodes"], MOST_PODS)))


def _whole(key: str, value: str) -> int:
    least, most = (1, MOST_NODES) if key == "nodes" else (0, MOST_PODS)
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(most)) and least <= int(value) <= most):
        raise SpecError(f"{key}: {value[:40]!r} is not a whole number from {least} to {most}")
    return int(value)
