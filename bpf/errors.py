# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with BPF, as one tree.

BpfError
├── BpfAbsent      this host does not have what it takes; the message says what is missing
└── BpfFailed      the kernel or libbpf refused; the message ends with what they said
"""

from __future__ import annotations


class BpfError(Exception):
    """Anything that this room raises."""


class BpfAbsent(BpfError):
    """No libbpf, no BTF, no privilege, no such tracepoint."""


class BpfFailed(BpfError):
    """A call that should have worked did not; ``code`` is its errno."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code
