# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A file system that takes its time, from the kernel itself: fanotify holds back every open of a file until it is told.

The opener sleeps inside open(2), where O_NONBLOCK does not help, as it does with a dead NFS server or a driver that
waits for its bus. fanotify(7): permission events need CAP_SYS_ADMIN and CONFIG_FANOTIFY_ACCESS_PERMISSIONS.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# linux/fanotify.h
_FAN_CLOEXEC: Final = 0x1
_FAN_NONBLOCK: Final = 0x2
_FAN_CLASS_CONTENT: Final = 0x4
_FAN_MARK_ADD: Final = 0x1
_FAN_OPEN_PERM: Final = 0x10000
_FAN_ALLOW: Final = 0x1
_AT_FDCWD: Final = -100
_EVENT: Final = struct.Struct("=IBBHQii")
_RESPONSE: Final = struct.Struct("=iI")

_LOOK_S: Final = 0.05


@contextlib.contextmanager
def slow(file: Path, *, hang_s: float) -> Iterator[None]:
    """Until the end of the block every open of ``file`` takes ``hang_s``. Raises OSError where this is not allowed."""
    group = _group(file)
    enough = threading.Event()
    thread = threading.Thread(target=_answer, args=(group, hang_s, enough), name="slow-files")
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
        # Whoever still waits is let through by the kernel.
        os.close(group)


def _group(file: Path) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.fanotify_mark.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
    group: int = library.fanotify_init(_FAN_CLASS_CONTENT | _FAN_CLOEXEC | _FAN_NONBLOCK, os.O_RDONLY | os.O_CLOEXEC)
    if group < 0:
        raise OSError(ctypes.get_errno(), f"fanotify_init: {os.strerror(ctypes.get_errno())}")
    if library.fanotify_mark(group, _FAN_MARK_ADD, _FAN_OPEN_PERM, _AT_FDCWD, os.fsencode(file)):
        number = ctypes.get_errno()
        os.close(group)
        raise OSError(number, f"fanotify_mark: {os.strerror(number)}")
    return group


def _answer(group: int, hang_s: float, enough: threading.Event) -> None:
    """Lets each opener through when its time has come, and all of them at the end."""
    waiting: list[tuple[float, int]] = []
    while not enough.is_set():
        ready, _, _ = select.select((group,), (), (), _LOOK_S)
        if ready:
            waiting += [(time.monotonic() + hang_s, opened) for opened in _events(group)]
        due = [each for each in waiting if each[0] <= time.monotonic()]
        waiting = [each for each in waiting if each not in due]
        for _, opened in due:
            _allow(group, opened)
    for _, opened in waiting:
        _allow(group, opened)


def _events(group: int) -> list[int]:
    body = os.read(group, 4096)
    found: list[int] = []
    at = 0
    while at + _EVENT.size <= len(body):
        length, _version, _reserved, _header, _mask, opened, _pid = _EVENT.unpack_from(body, at)
        found.append(opened)
        at += length
    return found


def _allow(group: int, opened: int) -> None:
    os.write(group, _RESPONSE.pack(opened, _FAN_ALLOW))
    os.close(opened)
