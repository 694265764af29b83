# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a BMC, by name."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.bmc.documents import Tree

_READINGS: Final = frozenset(
    {"LastPowerOutputWatts", "PowerConsumedWatts", "PowerInputWatts", "PowerOutputWatts", "Reading"}
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a BMC behaves. Times are since it was started; a BMC that is down takes connections and never answers."""

    delay_s: float = 0.0
    """Before every answer."""
    authorized: bool = True
    """False refuses every login and every token."""
    halved: bool = False
    """Every second figure is null."""
    up_s: float = math.inf
    down_s: float = 0.0
    returns: bool = False
    """Down once after ``up_s`` for ``down_s``; otherwise up and down in turn."""

    def is_up(self, elapsed_s: float) -> bool:
        """Whether the BMC answers at this time."""
        if self.down_s <= 0 or elapsed_s < self.up_s:
            return True
        if self.returns:
            return elapsed_s >= self.up_s + self.down_s
        return elapsed_s % (self.up_s + self.down_s) < self.up_s


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "healthy": Scenario(),
    "slow": Scenario(delay_s=1.5),
    "unauthorized": Scenario(authorized=False),
    "half_missing": Scenario(halved=True),
    "vanishing": Scenario(up_s=30.0, down_s=60.0, returns=True),
    "flapping": Scenario(up_s=5.0, down_s=5.0),
}


def halve(tree: Tree) -> Tree:
    """``tree`` with every second figure null, counted over documents in the order of their URIs."""
    halved = copy.deepcopy(tree)
    seen = 0

    def visit(node: Any) -> None:
        nonlocal seen
        if isinstance(node, dict):
            for name, value in node.items():
                if name in _READINGS and isinstance(value, int | float):
                    seen += 1
                    if seen % 2 == 0:
                        node[name] = None
                else:
                    visit(value)
        elif isinstance(node, list):
            for each in node:
                visit(each)

    for uri in sorted(halved):
        visit(halved[uri])
    return halved
