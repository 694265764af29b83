# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Server-rendered pages: Jinja2 with escaping always on, one style sheet inlined, no script, nothing from outside.

The Content-Security-Policy allows that one style sheet by its hash and nothing else, so that a name from a cluster
could not load or run anything even if it got past the escaping.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

CONTENT_TYPE = "text/html; charset=utf-8"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fleet_router", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(watts=watts, energy=energy, grams=grams, percent=percent)
    environment.globals["style"] = Markup(_style())
    return environment


@cache
def _style() -> str:
    return (resources.files("fleet_router") / "templates" / "style.css").read_text(encoding="utf-8")


@cache
def headers() -> dict[str, str]:
    """Headers of every page."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return {
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }


def render(template: str, **values: Any) -> bytes:
    """A page of ``templates/``; a value that a template needs and nobody gave is an error."""
    return _environment().get_template(template).render(**values).encode()


def watts(value: float | None) -> str:
    """``1.24 kW``; a dash where nothing is known."""
    if value is None:
        return "–"
    return _scaled(value, "W", step=1000.0)


def energy(energy_uj: int) -> str:
    """``3.40 kWh``; below a watt-hour joules."""
    watt_hours = energy_uj / 3.6e9
    return _scaled(watt_hours, "Wh", step=1000.0) if abs(watt_hours) >= 1 else f"{energy_uj / 1e6:.3g} J"


def grams(value: float) -> str:
    """``12.3 kg``"""
    return _scaled(value, "g", step=1000.0) if abs(value) < 1e6 else _scaled(value / 1e6, "t", step=1000.0)


def percent(ratio: float | None) -> str:
    """``97.5 %``, or a dash where there is nothing to be a share of."""
    return "–" if ratio is None else f"{100 * ratio:.1f} %"


def _scaled(value: float, unit: str, *, step: float) -> str:
    for prefix in ("", "k", "M", "G"):
        if abs(value) < step or prefix == "G":
            return f"{value:.3g} {prefix}{unit}" if abs(value) < 100 else f"{value:.0f} {prefix}{unit}"
        value /= step
    raise AssertionError("the loop ends at G")
