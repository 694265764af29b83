# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""User names, passwords and tokens: always from files, read anew at every login, so that a rotated secret is picked up.

A secret in a flag or a variable would be in `ps` and in every crash report; a file is what Kubernetes mounts anyway.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.errors import MeterError
from agent.files import read_bytes

_LONGEST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and the password that belongs to it, which no repr shows."""

    user: str
    password: str = field(repr=False)


def secret(path: str) -> str:
    """The one line that ``path`` holds. Raises MeterError where there is none."""
    try:
        text = read_bytes(path, limit=_LONGEST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MeterError(f"{path}: {error}") from error
    line = text.rstrip("\r\n")
    if not line or "\n" in line:
        raise MeterError(f"{path}: one line is wanted, there are {len(text.splitlines())}")
    return line


def credentials(*, user_file: str, password_file: str) -> Credentials | None:
    """Both, or None where neither file is named. Raises MeterError for one without the other or an unusable file."""
    if not user_file and not password_file:
        return None
    if not user_file or not password_file:
        raise MeterError("a file with the user and a file with the password are needed, one of them is not named")
    return Credentials(user=secret(user_file), password=secret(password_file))
