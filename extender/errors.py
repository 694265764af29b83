# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong inside the extender.

ExtenderError
├── LedgerUnavailable    transient: nothing was written, the same call may succeed later
├── EntryRefused         permanent: this one entry does not fit into the ledger's 64-bit sums; others of its batch do
├── LedgerUnusable       permanent: the file is not ours or is newer than this program
├── NodeReporting        permanent while it does: a node that reports is not gone
└── UplinkLost           transient: the stream to the fleet ended or was silent for too long
QuantityError            a ValueError: not a Kubernetes quantity
"""

from __future__ import annotations


class ExtenderError(Exception):
    """Base of the extender's errors."""


class LedgerUnavailable(ExtenderError):
    """A batch could not be committed; nothing of it is in the ledger."""


class EntryRefused(ExtenderError):
    """What a job wanted to write breaks a constraint of the ledger; nothing of this job is in it."""


class LedgerUnusable(ExtenderError):
    """The ledger cannot be opened by this program."""


class NodeReporting(ExtenderError):
    """A node was said to be gone and is not."""


class UplinkLost(ExtenderError):
    """The fleet does not answer any more."""


class QuantityError(ValueError):
    """Text or number that is not a Kubernetes quantity."""
