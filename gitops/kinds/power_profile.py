# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""PowerProfile: how closely the agents of the selected nodes look, and how often they report.

Of several that select a node the highest precedence wins, then the first by name. Agents get the profile in the answer
to their reports and apply it without a restart.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gitops.kinds.base import Fields, Kind, LabelSelector, Precedence


class ProfileOverrides(Fields):
    """Departures from what the profile sets; a field that is absent keeps the profile's value."""

    map_entries: Annotated[
        int | None,
        Field(ge=64, le=1_000_000, description="Rows of run time that the kernel holds between two drains."),
    ] = None
    fast_poll_milliseconds: Annotated[
        int | None, Field(ge=50, le=10_000, description="Milliseconds between two readings of the fast meters.")
    ] = None


class PowerProfileSpec(Fields):
    """The fields under ``spec``; each field's description is its line in the reference."""

    profile: Annotated[
        Literal["minimal", "standard", "full"],
        Field(description="minimal: namespaces. standard: pods and containers. full: processes and cores."),
    ]
    interval_seconds: Annotated[
        float | None,
        Field(ge=1, le=300, description="Seconds that a report covers (1-300); absent: the profile's own."),
    ] = None
    precedence: Annotated[Precedence, Field(description="The highest of those that select a node wins.")] = 0
    node_selector: Annotated[LabelSelector, Field(description="Nodes by their labels; empty: all.")] = LabelSelector()
    overrides: Annotated[ProfileOverrides, Field(description="Departures from the profile.")] = ProfileOverrides()


class PowerProfile(Kind):
    """The metering profile of the selected nodes."""

    kind: Literal["PowerProfile"]
    spec: PowerProfileSpec
