# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""`penstock sim`: a simulated cluster that reports like real agents, or a simulated machine for an agent to read."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.client import EXTENDER
from penstock.commands.roles import become, settings_of
from penstock.output import fail


def sim(
    spec: Annotated[
        str | None, typer.Argument(help="Size of the cluster, such as nodes=50,pods=500; with a machine, none.")
    ] = None,
    extender: Annotated[str, typer.Option("--extender", help="Base URL of the extender.")] = EXTENDER,
    interval_s: Annotated[float, typer.Option("--interval", help="Length of an interval in seconds.")] = 2.0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same cluster and machine.")] = 1,
    machine_root: Annotated[
        str | None, typer.Option("--machine-root", help="Write the sysfs tree of a simulated machine into this folder.")
    ] = None,
    machine: Annotated[
        str | None, typer.Option("--machine", help="Its kind: xeon-2s, xeon-1s, laptop, epyc-2s or vm.")
    ] = None,
    machine_load: Annotated[
        str | None, typer.Option("--machine-load", help="Its load: this host's (host), or a ratio from 0 to 1.")
    ] = None,
    machine_trace: Annotated[
        str | None, typer.Option("--machine-trace", help="Write a trace with the ground truth here at the end.")
    ] = None,
) -> None:
    """Simulate nodes with power curves and pods with lives, or a machine with meters, until Ctrl-C."""
    from sim.settings import SimSettings
    from sim.spec import Size, SpecError, parse

    try:
        size = parse(spec) if spec else Size(nodes=0, pods=0) if machine_root else Size(nodes=10, pods=100)
    except SpecError as error:
        fail(f"{error}", code=2)
    flags = {
        "extender": extender,
        "nodes": size.nodes,
        "pods": size.pods,
        "seed": seed,
        "interval_s": interval_s,
        "machine_root": machine_root,
        "machine": machine,
        "machine_load": machine_load,
        "machine_trace": machine_trace,
    }
    become("sim", settings_of(SimSettings, role="sim", flags=flags, more=None, config=None))
