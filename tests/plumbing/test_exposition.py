# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What we write, Prometheus's own parser reads back to the same numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from plumbing.exposition import Family, Sample, render


@given(
    value=st.one_of(st.integers(0, 2**53), st.floats(allow_nan=False)),
    label=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
def test_values_and_labels_survive(value: float, label: str) -> None:
    text = render([Family("penstock_x_joules_total", "counter", "Energy.", (Sample(value, {"pod": label}),))]).decode()
    (family,) = text_string_to_metric_families(text)
    (sample,) = family.samples
    assert (sample.name, sample.value, sample.labels) == ("penstock_x_joules_total", float(value), {"pod": label})


def test_shape() -> None:
    families = [
        Family("penstock_a_watts", "gauge", "Power\nnow.", (Sample(1.5), Sample(2, {"node": 'a"b\\c', "z": "1"}))),
        Family("penstock_b_total", "counter", "None yet.", ()),
    ]
    assert render(families).decode() == (
        "# HELP penstock_a_watts Power\\nnow.\n"
        "# TYPE penstock_a_watts gauge\n"
        "penstock_a_watts 1.5\n"
        'penstock_a_watts{node="a\\"b\\\\c",z="1"} 2\n'
        "# HELP penstock_b_total None yet.\n"
        "# TYPE penstock_b_total counter\n"
    )
