# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A ledger of an older format is taken over with everything in it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from extender.errors import LedgerUnusable
from extender.ledger import _FORMATS, Ledger

if TYPE_CHECKING:
    from pathlib import Path


def test_a_ledger_of_format_1_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(f"{_FORMATS[0]} PRAGMA user_version = 1;")
        old.execute("INSERT INTO streams VALUES (1, 'node-a', 'boot', 'stream', 9, 4, 7)")
        old.execute("INSERT INTO gaps VALUES (1, 1, 3, 'before_first_report')")
        old.execute("INSERT INTO holds VALUES ('uid', 'team-a', 'pod', 1.5, 2.5, 8)")
    old.close()
    for _ in range(2):
        ledger = Ledger(path)
        assert [(stream.key.node, stream.watermark) for stream in ledger.streams()] == [("node-a", 9)]
        assert list(ledger.lost()) == [("node-a", "before_first_report", 3)]
        (hold,) = ledger.holds()
        assert (hold.uid, hold.namespace, hold.name, hold.high_w) == ("uid", "team-a", "pod", 2.5)
        ledger.close()


def test_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(LedgerUnusable, match="newer"):
        Ledger(path)
