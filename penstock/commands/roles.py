# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""One command per role: reads settings (flags, environment, YAML), checks them, then becomes the role's process.

The role is started with exec, so that pydantic, typer and rich are not in its memory.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.output import Format, fail

if TYPE_CHECKING:
    from collections.abc import Mapping

Config = Annotated[
    Path | None, typer.Option("--config", help="YAML file of settings; flags and PENSTOCK_* win over it.")
]
Port = Annotated[int | None, typer.Option("--port", help="TCP port.")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; loopback unless told otherwise.")]
State = Annotated[str | None, typer.Option("--state", help="State folder; empty keeps state in memory.")]
More = Annotated[list[str] | None, typer.Option("--set", help="Any other setting of the role, NAME=VALUE; repeatable.")]


def agent(
    config: Config = None,
    host: Host = None,
    port: Port = None,
    state: State = None,
    interval_s: Annotated[float | None, typer.Option("--interval", help="Length of an interval in seconds.")] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="Base URL of an extender to report to; repeatable.")
    ] = None,
    discover: Annotated[
        bool, typer.Option("--discover", help="List the power sources of this machine and end.")
    ] = False,
    more: More = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="Form of the list of --discover.")] = Format.TABLE,
) -> None:
    """Run the node agent: meters, observation, attribution, reports."""
    from agent.settings import AgentSettings

    flags = {
        "host": host,
        "port": port,
        "state": state,
        "interval_s": interval_s,
        "targets": tuple(target) if target else None,
    }
    settings = settings_of(AgentSettings, role="agent", flags=flags, more=more, config=config)
    if discover:
        from penstock.discovery import show_sources

        show_sources(settings, form=output)
        return
    become("agent", settings)


def extender(
    config: Config = None,
    host: Host = None,
    port: Port = None,
    state: State = None,
    policies: Annotated[str | None, typer.Option("--policies", help="Folder of policy files.")] = None,
    fleet_target: Annotated[
        str | None, typer.Option("--fleet", help="HOST:PORT of a fleet router's gRPC server.")
    ] = None,
    more: More = None,
) -> None:
    """Run the kube-scheduler extender of one cluster."""
    from extender.settings import ExtenderSettings

    flags = {"host": host, "port": port, "state": state, "policies": policies, "fleet_target": fleet_target}
    become("extender", settings_of(ExtenderSettings, role="extender", flags=flags, more=more, config=config))


def fleet(
    config: Config = None,
    host: Host = None,
    port: Port = None,
    grpc_port: Annotated[int | None, typer.Option("--grpc-port", help="TCP port of the gRPC server.")] = None,
    state: State = None,
    more: More = None,
) -> None:
    """Run the fleet router."""
    from fleet_router.settings import FleetSettings

    flags = {"host": host, "port": port, "grpc_port": grpc_port, "state": state}
    become("fleet_router", settings_of(FleetSettings, role="fleet", flags=flags, more=more, config=config))


def settings_of(
    kind: type[Any], *, role: str, flags: Mapping[str, Any], more: list[str] | None, config: Path | None
) -> Any:
    """Checked settings of a role; ends the command with a line per wrong field."""
    from plumbing.settings_loader import SettingsError, load

    given = dict(flags)
    lists = {field.name for field in dataclasses.fields(kind) if isinstance(field.default, tuple)}
    for pair in more or []:
        name, equals, value = pair.partition("=")
        if not equals:
            fail(f"--set {pair}: write NAME=VALUE", code=2)
        key = name.strip().replace("-", "_")
        # A list is written with commas.
        given[key] = tuple(value.split(",")) if key in lists else value
    try:
        return load(kind, role=role, flags=given, file=config)
    except SettingsError as error:
        fail(str(error), code=2)


def command_line(module: str) -> list[str]:
    """How a role's process is started."""
    return [sys.executable, "-m", module]


def environment(module: str, settings: Any) -> dict[str, str]:
    """The environment that carries checked settings into a role's process."""
    import msgspec

    role = "FLEET" if module == "fleet_router" else module.upper()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(f"PENSTOCK_{role}_")}
    return kept | {f"PENSTOCK_{role}_SETTINGS_JSON": msgspec.json.encode(settings).decode()}


def become(module: str, settings: Any) -> None:
    """Replaces this process by the role's."""
    os.execve(sys.executable, command_line(module), environment(module, settings))
