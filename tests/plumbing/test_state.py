# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""One process per state folder, and children that end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plumbing.state import StateError, StateFolder, instance_folder, state_root


def test_where_state_lives(tmp_path: Path) -> None:
    assert state_root({"PENSTOCK_STATE": str(tmp_path)}) == tmp_path
    assert state_root({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "penstock"
    assert state_root({}) == Path.home() / ".local" / "state" / "penstock"
    assert instance_folder(tmp_path, port_offset=0) != instance_folder(tmp_path, port_offset=1)


def test_a_folder_is_used_once(tmp_path: Path) -> None:
    first = StateFolder(tmp_path / "x")
    with pytest.raises(StateError, match="port-offset"):
        StateFolder(tmp_path / "x")
    first.close()
    StateFolder(tmp_path / "x").close()


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="set PENSTOCK_STATE"):
        StateFolder(tmp_path / "file" / "x")


def test_a_child_dies_with_its_parent() -> None:
    child = (
        "import os, time; from plumbing.lifeline import follow_parent; follow_parent(os.getppid());"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 10
        while _alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
