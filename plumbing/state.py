# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The state folder: one per user and port offset, locked while a role uses its part of it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class StateError(RuntimeError):
    """The state folder cannot be used; the message says what to do."""


def state_root(environment: Mapping[str, str] | None = None) -> Path:
    """``PENSTOCK_STATE``, else the user's state folder (XDG base directory specification)."""
    env = os.environ if environment is None else environment
    if given := env.get("PENSTOCK_STATE"):
        return Path(given)
    base = Path(env["XDG_STATE_HOME"]) if env.get("XDG_STATE_HOME") else Path.home() / ".local" / "state"
    return base / "penstock"


def instance_folder(root: Path, *, port_offset: int) -> Path:
    """The sub-folder of one `penstock up`: instances with other ports never share state."""
    return root / f"offset-{port_offset}"


class StateFolder:
    """A folder that this process alone uses, from construction until `close`."""

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}; set PENSTOCK_STATE to a folder that can be written") from error
        self.path = path
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise StateError(f"{path}: in use by another process; stop it or choose another --port-offset") from error

    def close(self) -> None:
        """Gives the folder up."""
        os.close(self._lock)
