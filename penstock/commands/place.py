# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""`penstock place`: in which cluster should this run?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.client import FLEET, ask
from penstock.output import Column, Format, show

if TYPE_CHECKING:
    from collections.abc import Mapping


def _grams(item: Mapping[str, Any]) -> str:
    grams = item["grams"]
    return f"{grams['value']:.1f}" if grams.get("value") is not None else "unknown"


_COLUMNS = (
    Column("RANK", lambda item: str(item["rank"]), right=True),
    Column("CLUSTER", lambda item: item["name"]),
    Column("ZONE", lambda item: item.get("zone") or "-"),
    Column("POWER", lambda item: f"{item['power_w']:.1f} W", right=True),
    Column("GRAMS", _grams, right=True),
    Column("RUNG", lambda item: item["grams"]["rung"]),
    Column("SOURCE", lambda item: item["grams"].get("source") or "-", wide=True),
)


def place(
    name: Annotated[str, typer.Option("--name", help="Name of the workload.")] = "workload",
    cpus: Annotated[float, typer.Option("--cpus", help="CPUs that it keeps busy.")] = 1.0,
    hours: Annotated[float, typer.Option("--hours", help="How long it runs.")] = 1.0,
    fleet: Annotated[str, typer.Option("--fleet", help="Base URL of the fleet router.")] = FLEET,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print the answer.")] = Format.TABLE,
) -> None:
    """Rank the registered clusters for a workload by what the whole run costs in energy, carbon and money."""
    body = {"workload": {"name": name, "cpus": cpus, "duration_hours": hours}}
    answer = ask(fleet, "/v1/placements:recommend", body=body)
    show(answer, _COLUMNS, form=output)
    if output in {Format.TABLE, Format.WIDE}:
        for rejected in answer["rejected"]:
            typer.echo(f"rejected {rejected['name']}: {rejected['reason']} ({rejected['code']})")
        typer.echo(f"decision {answer['decision_id']}: {fleet}/v1/decisions/{answer['decision_id']}")
