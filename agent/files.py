# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Small files of sysfs and procfs: one read, a bounded size, and errors as reasons."""

from __future__ import annotations

import errno
import os

_LARGEST_BYTES = 1 << 16
_LONGEST_INTEGER = 64  # 20 digits and a newline; more is not one


def read_bytes(path: str, *, limit: int = _LARGEST_BYTES) -> bytes:
    """The file's content in as few reads as it takes, at most ``limit`` bytes. Raises OSError.

    O_NONBLOCK keeps a FIFO that took a sysfs file's place from blocking the open.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        body = os.read(fd, limit)
        # A full page may be the first of several.
        while len(body) % 4096 == 0 and 0 < len(body) < limit:
            more = os.read(fd, limit - len(body))
            if not more:
                break
            body += more
        return body
    finally:
        os.close(fd)


def read_text(path: str) -> str:
    """The file's text without the white space around it. Raises OSError."""
    return read_bytes(path).decode("utf-8", "replace").strip()


def read_int(path: str) -> int:
    """The file's one integer. Raises OSError, or ValueError where it holds something else."""
    return _integer(read_bytes(path))


def _integer(body: bytes) -> int:
    text = body.decode("utf-8", "replace").strip()
    if not text.isascii() or not text.removeprefix("-").isdigit():
        raise ValueError(f"{text[:40]!r} is not an integer")
    return int(text)


class IntegerFile:
    """A sysfs file of one integer that is read often: opened once, read from its beginning each time.

    Saves two system calls a read, each of which hands the interpreter lock over and may wait 5 ms to get it back. A
    device that went away answers with an error; a file that was replaced has no name left, and is opened anew.
    """

    __slots__ = ("_fd", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1

    def read(self) -> int:
        """The integer now. Raises OSError or ValueError; the next call then opens the file anew."""
        try:
            if self._fd >= 0 and os.fstat(self._fd).st_nlink == 0:
                self.close()
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            return _integer(os.pread(self._fd, _LONGEST_INTEGER, 0))
        except (OSError, ValueError):
            self.close()
            raise

    def close(self) -> None:
        """Gives the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def reason_of(error: OSError | ValueError) -> str:
    """Why a read failed, as reports name it."""
    if isinstance(error, ValueError):
        return "not_a_number"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission_denied"
    if error.errno == errno.ENOENT:
        return "vanished"
    if error.errno == errno.ENODATA:
        return "no_data"
    return "unreadable"
