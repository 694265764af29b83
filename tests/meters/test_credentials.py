# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Secrets come from files, one line each, and show in no text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.errors import MeterError
from agent.meters.credentials import Credentials, credentials, secret

if TYPE_CHECKING:
    from pathlib import Path


def test_the_newline_at_the_end_is_no_part_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b" pass word \r\n")
    assert secret(str(tmp_path / "password")) == " pass word "


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\xfe"])
def test_a_file_that_holds_no_secret_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "password").write_bytes(content)
    with pytest.raises(MeterError, match="password") as caught:
        secret(str(tmp_path / "password"))
    assert "two" not in str(caught.value)


def test_none_of_both_files_is_nobody_and_one_of_both_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("meter")
    assert credentials(user_file="", password_file="") is None
    with pytest.raises(MeterError, match="not named"):
        credentials(user_file=str(tmp_path / "user"), password_file="")


def test_a_password_shows_in_no_repr() -> None:
    assert "secret" not in repr(Credentials("meter", "secret"))
