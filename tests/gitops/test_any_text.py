# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever stands in a file, checking it ends with objects or problems, never with a crash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops import documents
from gitops.loading import Loaded, load_folder
from tests.gitops.files import BUDGET, PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def check(tmp_path: Path) -> Callable[[bytes], Loaded]:
    file = tmp_path / "file.yaml"

    def run(body: bytes) -> Loaded:
        file.write_bytes(body)
        return load_folder(tmp_path)

    return run


def sound(loaded: Loaded, body: bytes) -> None:
    """Every problem names a line that the file has, a field and a reason."""
    # YAML breaks lines where text does: at U+0085 and U+2028 too.
    last = len(body.decode(errors="replace").splitlines()) + 1
    for problem in loaded.problems:
        assert 1 <= problem.line <= last
        assert problem.field
        assert problem.reason


anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@anything
@given(body=st.binary(max_size=200))
def test_bytes(check: Callable[[bytes], Loaded], body: bytes) -> None:
    sound(check(body), body)


@anything
@given(text=st.text(alphabet="abk:{}[],-#&*!|>'\"%@\\` \n\t0123.~?<=\x85\u2028é", max_size=120))
def test_text_of_yaml_characters(check: Callable[[bytes], Loaded], text: str) -> None:
    sound(check(text.encode()), text.encode())


@anything
@given(
    base=st.sampled_from([BUDGET, PROFILE]),
    at=st.integers(0, 200),
    length=st.integers(0, 20),
    insert=st.text(alphabet="abk:{}[],-#&*!|>'\" \n0123.~", max_size=12),
)
def test_a_good_file_with_a_part_replaced(
    check: Callable[[bytes], Loaded], base: str, at: int, length: int, insert: str
) -> None:
    body = (base[:at] + insert + base[at + length :]).encode()
    sound(check(body), body)


# YAML knows no surrogate pairs, which JSON writes beyond the basic plane.
words = st.text(alphabet=st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "limitWatts",
    "windowSeconds",
    "action",
    "view",
    "enforcement",
    "preemptLowerPriority",
    "precedence",
    "selector",
]


@anything
@given(spec=st.dictionaries(st.sampled_from(FIELDS) | words, values, max_size=5), name=values)
def test_objects_of_any_values(check: Callable[[bytes], Loaded], spec: dict[str, Any], name: Any) -> None:
    document = {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "PowerBudget",
        "metadata": {"name": name, "namespace": "n"},
        "spec": spec,
    }
    body = json.dumps(document).encode()
    loaded = check(body)
    sound(loaded, body)
    assert len(loaded.objects) + bool(loaded.problems) == 1
    if set(spec) - set(FIELDS):
        assert not loaded.objects


@given(value=st.dictionaries(words, values, max_size=4))
def test_what_json_says_is_what_is_read(value: dict[str, Any]) -> None:
    (document,) = documents.read(json.dumps(value).encode())
    assert document.value == value
    for key in value:
        assert document.line((key,)) == 1
