# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""`penstock policy`: the policy repository, checked offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.output import Column, Format, fail, show

app = typer.Typer(help="Work with a policy repository.", no_args_is_help=True, rich_markup_mode=None)

_COLUMNS = (
    Column("KIND", lambda item: item["kind"]),
    Column("NAMESPACE", lambda item: item["namespace"] or "-"),
    Column("NAME", lambda item: item["name"]),
    Column("FILE", lambda item: f"{item['file']}:{item['line']}"),
)


@app.callback()
def _policy() -> None:
    # Keeps `check` a sub-command while it is the only one.
    return


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder with policy files, such as policies/.")],
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print what was found.")] = Format.TABLE,
) -> None:
    """Check every policy file; a problem is printed as FILE:LINE: FIELD: REASON and the exit status is 1."""
    from gitops.loading import load_folder

    if not folder.is_dir():
        fail(f"{folder}: no such folder", code=2)
    loaded = load_folder(folder)
    for problem in loaded.problems:
        typer.echo(str(problem), err=True)
    items = [
        {
            "name": each.object.metadata.name,
            "namespace": getattr(each.object.metadata, "namespace", None),
            "kind": each.object.kind,
            "file": str(each.file),
            "line": each.line,
        }
        for each in loaded.objects
    ]
    if items or output in {Format.JSON, Format.YAML}:
        show({"revision": loaded.revision, "items": items}, _COLUMNS, form=output)
    if loaded.problems:
        fail(f"{len(loaded.problems)} problem(s) in {folder}; {len(items)} object(s) are good")
    if output in {Format.TABLE, Format.WIDE}:
        typer.echo(f"{len(items)} object(s), no problems")
