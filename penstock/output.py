# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a person sees: aligned tables, and the same list as JSON or YAML for programs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Format(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, how its text is made from an item, and whether only `wide` shows it."""

    title: str
    text: Callable[[Mapping[str, Any]], str]
    right: bool = False
    wide: bool = False
    flexible: bool = False
    """May be cut to fit the terminal; other columns never are."""


def table(items: Iterable[Mapping[str, Any]], columns: Iterable[Column], *, wide: bool = False) -> Table:
    """A table without lines, as kubectl prints it."""
    shown = [column for column in columns if wide or not column.wide]
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in shown:
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis" if column.flexible else "fold",
            ratio=None,
        )
    for item in items:
        made.add_row(*(column.text(item) for column in shown))
    return made


def show(document: Mapping[str, Any], columns: Iterable[Column], *, form: Format) -> None:
    """Prints a list document (``as_of``, ``items``) in the form asked for."""
    if form is Format.JSON:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif form is Format.YAML:
        import yaml

        sys.stdout.write(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))
    else:
        console().print(table(document["items"], columns, wide=form is Format.WIDE), soft_wrap=form is Format.WIDE)


def console(*, stderr: bool = False) -> Console:
    """A console without colour where nobody looks; wide enough not to cut tables in a pipe."""
    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made = Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=200)
    return made


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Ends the command with one message on standard error."""
    sys.stderr.write(f"penstock: {message}\n")
    raise SystemExit(code)


def watts(value: float | None) -> str:
    """``34.2 W``, ``1.53 kW``; a dash where there is no value."""
    if value is None:
        return "-"
    if abs(value) >= 10_000:
        return f"{value / 1000:.1f} kW"
    if abs(value) >= 1000:
        return f"{value / 1000:.2f} kW"
    return f"{value:.1f} W"


def interval(item: Mapping[str, Any], *, name: str = "power") -> str:
    """``21.0..57.1`` of an item's low and high watts."""
    low, high = item.get(f"{name}_low_w"), item.get(f"{name}_high_w")
    return "-" if low is None or high is None else f"{low:.1f}..{high:.1f}"


def energy(value_uj: int | None) -> str:
    """``12.3 J``, ``4.56 kJ``, ``1.20 kWh`` of integer microjoules."""
    if value_uj is None:
        return "-"
    joules = value_uj / 1e6
    if abs(joules) >= 3.6e5:
        return f"{joules / 3.6e6:.2f} kWh"
    if abs(joules) >= 1000:
        return f"{joules / 1000:.2f} kJ"
    return f"{joules:.1f} J"
