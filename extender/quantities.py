# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Kubernetes quantities, exactly.

Follows k8s.io/apimachinery ``resource.ParseQuantity``: decimal and binary suffixes or a decimal exponent; fractions
finer than a nano are rounded away from zero ("you want some resources if you got resources"), magnitudes above
2**63 - 1 are capped.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil, floor

from extender.errors import QuantityError

_FORM = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]+))?"
)
_SCALE = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "k": Fraction(10**3),
    **{suffix: Fraction(10**power) for suffix, power in zip("MGTPE", (6, 9, 12, 15, 18), strict=True)},
    **{f"{letter}i": Fraction(2 ** (10 * step)) for step, letter in enumerate("KMGTPE", start=1)},
}
_NANO = Fraction(1, 10**9)
_MAX = Fraction(2**63 - 1)
# Longer is no quantity of anything; it bounds the work.
_LONGEST = 128
# Beyond this every mantissa of _LONGEST digits is capped, or rounded up to one nano.
_EXTREME_EXPONENT = 256


def parse(value: str | float) -> Fraction:
    """The exact value in base units (CPUs, bytes). JSON numbers are allowed, as in Kubernetes. Raises QuantityError."""
    text = value if isinstance(value, str) else repr(value)
    match = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise QuantityError(f"{text[:_LONGEST]!r} is not a Kubernetes quantity")
    number = Fraction(match["number"])
    if match["exponent"]:
        # int() refuses very long digit strings, but _LONGEST comes first.
        exponent = max(-_EXTREME_EXPONENT, min(_EXTREME_EXPONENT, int(match["exponent"])))
        number *= Fraction(10) ** exponent
    elif match["suffix"]:
        number *= _SCALE[match["suffix"]]
    return max(-_MAX, min(_MAX, _to_nano(number)))


def _to_nano(number: Fraction) -> Fraction:
    steps = number / _NANO
    return (ceil(steps) if steps > 0 else floor(steps)) * _NANO
