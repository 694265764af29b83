# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""`penstock agent --discover`: every power source that is known, whether this machine has it, and what was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.output import Column, Format, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.settings import AgentSettings


def _value(item: Mapping[str, Any]) -> str:
    return "-" if item["value"] is None else f"{item['value']:.6g} {item['unit']}"


COLUMNS = (
    Column("SOURCE", lambda item: item["source"]),
    Column("COMPONENT", lambda item: item["component"] or "-"),
    Column("SCOPE", lambda item: item["scope"] or "-"),
    Column("KIND", lambda item: item["kind"] or "-"),
    Column("NOW", _value, right=True),
    Column("CHOSEN", lambda item: "yes" if item["chosen"] else "no"),
    Column("WHY", lambda item: item["reason"], flexible=True),
)


def show_sources(settings: AgentSettings, *, form: Format) -> None:
    """Prints the list; nothing is started."""
    from agent.meters.choice import discover

    show(discover(settings), COLUMNS, form=form)
