# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Of all that could be metered, what is booked, and what contains what. Pure.

Per component: exact scope before wider, an energy counter before sampled power, then kind, then stated uncertainty
(METERING 2); at a tie, the order of the sources. Of two domains of one component that overlap, one is taken. What
lies inside a chosen figure, flows through to what is booked, or cannot be told apart from it, is never taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from wire.units import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.meters.protocol import Metered

Candidate = tuple[str, "Metered"]
"""Source and what it meters."""

PLATFORM: Final = "platform/node"
MODULE: Final = "module/*"
MODELLED: Final = "modelled"

# Their parts have names of the BMC's own, so that nobody can say which of them the machine's own meters show as well.
_FROM_OUTSIDE: Final = frozenset({"redfish", "ipmi", "prometheus"})
# From the outside in: what may contain what.
_LEVELS: Final = {"platform": 0, "module": 1, "cpu": 2}
_INNERMOST: Final = 3
_DIE: Final = re.compile(r"-die-\d+$")


@dataclass(frozen=True, slots=True)
class Selection:
    """``chosen`` by domain name, parents before their children; ``refused``: why each other candidate is not."""

    chosen: Mapping[str, Candidate]
    refused: Mapping[tuple[str, str], str]
    """By source and domain name."""


def select(candidates: Sequence[Candidate], *, implausible: Mapping[str, str] | None = None) -> Selection:
    """Chooses among ``candidates`` in the order of sources; ``implausible``: source -> what its platform's fault is."""
    chosen: dict[str, Candidate] = {}
    refused: dict[tuple[str, str], str] = {}
    ranked = sorted(candidates, key=rank)
    for source, metered in ranked:
        if source == MODELLED:
            continue
        name = metered.domain.name
        reason = _never(source, metered) or (implausible or {}).get(source if name == PLATFORM else "")
        reason = reason or _taken(metered, chosen)
        if reason is None:
            chosen[name] = (source, metered)
        elif (source, name) not in refused:
            refused[source, name] = reason
    for source, metered in ranked:
        if source == MODELLED:
            # A guess at the whole around a measurement of parts would call the difference residual.
            meters = {by for by, each in chosen.values() if each.domain.component in ("cpu", "module", "platform")}
            if meters:
                refused[source, metered.domain.name] = f"{', '.join(sorted(meters))} meters this machine"
            else:
                chosen[metered.domain.name] = (source, metered)
    return Selection(_contained(chosen, candidates), refused)


def rank(candidate: Candidate) -> tuple[int, bool, int, float]:
    """What sorts the better of two readings of a component first."""
    _, metered = candidate
    quality = metered.quality
    return (_width(metered.domain.scope), metered.counter is None, KINDS.index(quality.kind), quality.error_ratio)


def _width(scope: str) -> int:
    """0 a die, 1 a socket or a named part, 2 the whole machine."""
    return 2 if scope == "node" else 0 if _DIE.search(scope) else 1


def _never(source: str, metered: Metered) -> str | None:
    domain = metered.domain
    if metered.through:
        return "flows through to what is booked elsewhere"
    if domain.component in ("core", "uncore"):
        return "contained in the package of its socket"
    if domain.component == "platform" and domain.name != PLATFORM:
        return "another figure of the machine, and which part of it it covers is not known"
    if source in _FROM_OUTSIDE and domain.name != PLATFORM:
        return "a part as the BMC sees it: shown, and booked within the platform alone"
    return None


def _taken(metered: Metered, chosen: Mapping[str, Candidate]) -> str | None:
    domain = metered.domain
    if other := chosen.get(domain.name):
        return f"{other[0]} comes first for {domain.name}"
    for name, (source, each) in chosen.items():
        if each.domain.component == domain.component and overlap(each.domain.scope, domain.scope):
            return f"overlaps {name}, which {source} meters more exactly"
    return None


def overlap(one: str, other: str) -> bool:
    """Whether two scopes of one component share ground: a socket and its dies, the node and anything."""
    return "node" in (one, other) or one.startswith(other + "-die-") or other.startswith(one + "-die-")


def _contained(chosen: Mapping[str, Candidate], candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """Gives each chosen domain the innermost chosen one that contains it, so that nothing is ever added up twice."""
    above = {metered.domain.name: metered.domain.parent for _, metered in reversed(candidates)}
    modules = [name for name in sorted(chosen) if name.startswith("module/socket-")]
    on_module = [name for name, (_, each) in chosen.items() if each.domain.parent == MODULE]
    placed: dict[str, Candidate] = {}
    for name, (source, metered) in chosen.items():
        parent = metered.domain.parent
        if parent == MODULE:
            # Drivers number GPUs in the order of their sockets, and each module has as many.
            parent = modules[on_module.index(name) * len(modules) // len(on_module)] if modules else None
        seen = {name}
        while parent is not None and parent not in chosen and parent not in seen:
            seen.add(parent)
            parent = above.get(parent)
        if parent is not None and not (parent in chosen and _level(parent) < _level(name)):
            parent = None
        if parent is None and PLATFORM in chosen and name != PLATFORM and source != MODELLED:
            parent = PLATFORM
        placed[name] = (source, replace(metered, domain=replace(metered.domain, parent=parent)))
    return {name: placed[name] for name in sorted(placed, key=lambda name: _depth(name, placed))}


def _level(name: str) -> int:
    return _LEVELS.get(name.partition("/")[0], _INNERMOST)


def _depth(name: str, placed: Mapping[str, Candidate]) -> int:
    depth, parent = 0, placed[name][1].domain.parent
    while parent is not None and depth <= len(placed):
        depth, parent = depth + 1, placed[parent][1].domain.parent
    return depth
