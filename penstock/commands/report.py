# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""`penstock report`: the energy and carbon reports of the fleet."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, TypeVar
from urllib.parse import quote

import typer

from penstock.client import FLEET, ask, fetch
from penstock.output import Column, Format, energy, fail, show

_COLUMNS = (
    Column("REPORT", lambda item: item["name"]),
    Column("STATUS", lambda item: item["status"]),
    Column("VERSION", lambda item: str(item["version"]), right=True),
    Column("ENERGY", lambda item: energy(item["energy_uj"]), right=True),
    Column("WRITTEN", lambda item: item["written"]),
    Column("SHA256", lambda item: item["sha256"], wide=True),
)

Form = TypeVar("Form", bound=StrEnum)


class Document(StrEnum):
    """Forms of one report."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


def report(
    name: Annotated[
        str | None, typer.Argument(help="A report, or `latest`; without one all reports are listed.")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="List: table, wide, json, yaml. Report: json, csv, html.")
    ] = "",
    fleet: Annotated[str, typer.Option("--fleet", help="Base URL of the fleet router.")] = FLEET,
) -> None:
    """List reports, or print one."""
    if name is None:
        show(ask(fleet, "/v1/reports"), _COLUMNS, form=_form(Format, output, Format.TABLE))
        return
    form = _form(Document, output, Document.JSON)
    if name == "latest":
        items = ask(fleet, "/v1/reports")["items"]
        if not items:
            fail("there is no report yet; the first is made when the fleet router starts")
        name = max(items, key=lambda item: item["day"])["name"]
    sys.stdout.buffer.write(fetch(fleet, f"/v1/reports/{quote(str(name), safe='')}.{form.value}"))


def _form(kind: type[Form], text: str, default: Form) -> Form:
    if not text:
        return default
    try:
        return kind(text)
    except ValueError:
        fail(f"-o {text}: use one of {', '.join(member.value for member in kind)}", code=2)
