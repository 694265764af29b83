# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A file that is kept open says what a fresh open would say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.files import IntegerFile

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IntegerFile]:
    path = tmp_path / "energy_uj"
    path.write_text("17\n")
    opened = IntegerFile(str(path))
    yield opened
    opened.close()


def test_a_changed_value_is_seen_through_the_same_descriptor(file: IntegerFile, tmp_path: Path) -> None:
    assert file.read() == 17
    (tmp_path / "energy_uj").write_text("18446744073709551615\n")
    assert file.read() == 2**64 - 1


def test_a_replaced_file_is_opened_anew(file: IntegerFile, tmp_path: Path) -> None:
    assert file.read() == 17
    (tmp_path / "new").write_text("5\n")
    (tmp_path / "new").rename(tmp_path / "energy_uj")
    assert file.read() == 5


def test_a_removed_file_is_an_error_until_it_returns(file: IntegerFile, tmp_path: Path) -> None:
    assert file.read() == 17
    (tmp_path / "energy_uj").unlink()
    with pytest.raises(FileNotFoundError):
        file.read()
    (tmp_path / "energy_uj").write_text("6\n")
    assert file.read() == 6


@pytest.mark.parametrize("text", ["", "x", "1 2", "1.5", "--1", "\u0661"])
def test_what_is_no_integer_is_refused(file: IntegerFile, tmp_path: Path, text: str) -> None:
    (tmp_path / "energy_uj").write_text(text)
    with pytest.raises(ValueError, match="is not an integer"):
        file.read()
    (tmp_path / "energy_uj").write_text("-3\n")
    assert file.read() == -3


def test_a_pipe_in_its_place_blocks_nobody(file: IntegerFile, tmp_path: Path) -> None:
    assert file.read() == 17
    (tmp_path / "energy_uj").unlink()
    os.mkfifo(tmp_path / "energy_uj")
    with pytest.raises(OSError, match="seek"):
        file.read()


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_it_holds_one_descriptor(file: IntegerFile) -> None:
    file.read()
    before = descriptors()
    for _ in range(10):
        file.read()
    assert descriptors() == before
    file.close()
    assert descriptors() == before - 1
