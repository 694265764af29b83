# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in this room.

    FleetError
    ├── ReportRefused      a cluster report that breaks the contract; names the field, nothing of it was booked
    ├── StoreError         the database cannot be used
    └── SettingsRefused    settings that the router cannot run with; names the setting

A range that was sent twice or too early is none of these: that is normal delivery, and the ack says where to go on.
"""

from __future__ import annotations


class FleetError(Exception):
    """Base of this room's errors."""


class ReportRefused(FleetError):
    """A report that must not be booked; ``field`` is the path in `wire/fleet.proto`'s names."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class StoreError(FleetError):
    """The ledger cannot be opened or written; the message says what to do."""


class SettingsRefused(FleetError):
    """A setting that the router cannot run with."""
