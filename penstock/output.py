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
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Format(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


_GAP = 2
# Narrower than this a name says nothing any more.
_NARROWEST = 8


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, how its text is made from an item, and whether only `wide` shows it."""

    title: str
    text: Callable[[Mapping[str, Any]], str]
    right: bool = False
    wide: bool = False
    flexible: bool = False
    """May be cut to fit the terminal; other columns never are."""


def table(items: Iterable[Mapping[str, Any]], columns: Iterable[Column], *, wide: bool = False, width: int = 0) -> Text:
    """Aligned text without lines, as kubectl prints it; ``width`` > 0 cuts flexible columns to fit a terminal."""
    shown = [column for column in columns if wide or not column.wide]
    rows = [[printable(column.text(item)) for column in shown] for item in items]
    widths = [max([len(column.title), *(len(row[at]) for row in rows)]) for at, column in enumerate(shown)]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    for at, column in enumerate(shown):
        if width > 0 and excess > 0 and column.flexible:
            cut = min(excess, max(widths[at] - _NARROWEST, 0))
            widths[at] -= cut
            excess -= cut
    made = Text(no_wrap=True, overflow="ellipsis")
    made.append(_line([column.title for column in shown], shown, widths), style="bold")
    for row in rows:
        made.append("\n").append(_line(row, shown, widths))
    return made


def printable(text: str) -> str:
    """Text that cannot move a cursor or ring a bell: any local user may name a process as he likes."""
    return (
        text
        if text.isprintable()
        else "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    )


def _line(cells: list[str], columns: list[Column], widths: list[int]) -> str:
    fitted = (
        cell if len(cell) <= width else cell[: width - 1] + "…" for cell, width in zip(cells, widths, strict=True)
    )
    aligned = (
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, column, width in zip(fitted, columns, widths, strict=True)
    )
    return (" " * _GAP).join(aligned).rstrip()


def show(document: Mapping[str, Any], columns: Iterable[Column], *, form: Format) -> None:
    """Prints a list document (``as_of``, ``items``) in the form asked for."""
    if form is Format.JSON:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif form is Format.YAML:
        import yaml

        sys.stdout.write(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))
    else:
        out = console()
        wide = form is Format.WIDE
        width = out.width if out.is_terminal and not wide else 0
        out.print(table(document["items"], columns, wide=wide, width=width), soft_wrap=width == 0)


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: no markup, no emoji, and no colour where nobody looks."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


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
