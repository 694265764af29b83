# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a process tells the kernel about itself: whose end is its own, and what it is called.

Nothing outlives `penstock up`, not even through ``kill -9``, and `ps` shows roles by name.
"""

from __future__ import annotations

import ctypes
import os
import signal

# include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def follow_parent(parent_pid: int) -> None:
    """Asks the kernel for SIGTERM when the parent dies; ends at once if it is already gone.

    The signal follows the *thread* that made this process (prctl(2)), so the parent must spawn from its main thread.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGTERM)


def show_as(name: str) -> None:
    """Sets what `ps` and our own tables call this process; the kernel cuts it after 15 bytes."""
    text = ctypes.create_string_buffer(name.encode())
    _prctl(_PR_SET_NAME, ctypes.addressof(text))


def _prctl(option: int, argument: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
    libc.prctl.restype = ctypes.c_int
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
