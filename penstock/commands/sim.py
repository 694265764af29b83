# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""`penstock sim`: a simulated cluster that reports to an extender through the same wire as real agents."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.client import EXTENDER
from penstock.commands.roles import become
from penstock.output import fail


def sim(
    spec: Annotated[str, typer.Argument(help="Size of the cluster, such as nodes=50,pods=500.")] = "nodes=10,pods=100",
    extender: Annotated[str, typer.Option("--extender", help="Base URL of the extender.")] = EXTENDER,
    interval_s: Annotated[float, typer.Option("--interval", help="Length of an interval in seconds.")] = 2.0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same cluster.")] = 1,
) -> None:
    """Simulate nodes with power curves and pods with lives until Ctrl-C."""
    from sim.settings import SimSettings
    from sim.spec import SpecError, parse

    try:
        size = parse(spec)
    except SpecError as error:
        fail(f"{error}", code=2)
    become("sim", SimSettings(extender=extender, nodes=size.nodes, pods=size.pods, seed=seed, interval_s=interval_s))
