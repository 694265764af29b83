# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The `penstock` command: one sub-command per role, `up`, and what people ask the roles for.

A command exists when it works. Heavy imports happen inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import typer

from penstock.commands import place, policy, report, roles, sim, top, up

app = typer.Typer(
    name="penstock",
    help="Meters what every pod really draws, places pods by watts and workloads where and when they emit least.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("agent")(roles.agent)
app.command("extender")(roles.extender)
app.command("fleet")(roles.fleet)
app.add_typer(policy.app, name="policy")
app.command("top")(top.top)
app.command("place")(place.place)
app.command("report")(report.report)
app.command("sim")(sim.sim)


def main() -> None:
    """Entry point of the console script."""
    app()
