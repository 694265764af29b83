# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""`penstock top`: who draws the watts of this machine, live."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from penstock.client import AGENT, ask
from penstock.output import Column, Format, console, energy, interval, show, table, watts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

Group = Literal["process", "workload", "namespace", "node"]

_POWER = (
    Column("POWER", lambda item: watts(item["power_w"]), right=True),
    Column("LOW..HIGH W", interval, right=True),
    Column("KIND", lambda item: item["kind"]),
    Column("ENERGY", lambda item: energy(item["energy_uj"]), right=True),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "process": (
        Column("PID", lambda item: str(item["pid"]), right=True),
        Column("COMMAND", lambda item: item["comm"], flexible=True),
        *_POWER,
        Column("NAMESPACE", lambda item: item["namespace"]),
        Column("WORKLOAD", lambda item: item["workload"], flexible=True),
    ),
    "workload": (
        Column("NAMESPACE", lambda item: item["namespace"]),
        Column("WORKLOAD", lambda item: item["name"], flexible=True),
        *_POWER,
    ),
    "namespace": (Column("NAMESPACE", lambda item: item["name"]), *_POWER),
    "node": (Column("NODE", lambda item: item["name"]), *_POWER),
}


def headline(node: Mapping[str, Any]) -> str:
    """``vm-1  34.2 W (21.0..57.1 W, modelled)``"""
    return f"{node['name']}  {watts(node['power_w'])} ({interval(node)} W, {node['kind']})"


def top(
    by: Annotated[str, typer.Option("--by", help="process, workload, namespace or node.")] = "process",
    view: Annotated[
        str, typer.Option("--view", help="dynamic, or loaded: with a fair share of static and residual.")
    ] = "dynamic",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Rows at most.")] = 20,
    agent: Annotated[str, typer.Option("--agent", help="Base URL of the agent.")] = AGENT,
    once: Annotated[bool, typer.Option("--once", help="Print once and end.")] = False,
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print once in this form.")] = None,
) -> None:
    """Show who draws the watts of a node, refreshed every second until Ctrl-C."""
    if by not in COLUMNS:
        raise typer.BadParameter(f"{by!r} is not one of {', '.join(COLUMNS)}", param_hint="--by")
    params = {"group": by, "view": view, "limit": str(limit)}
    out = console()
    if output is not None or once or not out.is_terminal:
        show(ask(agent, "/v1/query", params=params), COLUMNS[by], form=output or Format.TABLE)
        return
    from rich.live import Live

    try:
        with Live(_frame(agent, params, by, width=out.width), console=out, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(1)
                live.update(_frame(agent, params, by, width=out.width), refresh=True)
    except KeyboardInterrupt:
        return


def _frame(agent: str, params: Mapping[str, str], by: str, *, width: int) -> RenderableType:
    from rich.console import Group as Lines

    node = ask(agent, "/v1/query", params={"group": "node"})["items"]
    answer = ask(agent, "/v1/query", params=params)
    return Lines(headline(node[0]) if node else "no reading yet", "", table(answer["items"], COLUMNS[by], width=width))
