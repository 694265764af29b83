# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in an agent, as one tree.

AgentError
├── MeterError         a meter cannot be opened or read; the message says why
│   └── MeterAbsent    this machine does not have it: listed, never counted as a failure
├── ObserverError      what ran cannot be seen
├── DeadlineExceeded   a read did not come back in time and was abandoned
└── NotYet             asked before the first interval closed
"""

from __future__ import annotations


class AgentError(Exception):
    """Anything that the agent itself raises."""


class MeterError(AgentError):
    """A meter that is there but cannot be used now."""


class MeterAbsent(MeterError):
    """A meter that this machine does not have."""


class ObserverError(AgentError):
    """The observer cannot see what ran."""


class DeadlineExceeded(AgentError):
    """A blocking read was still not back at its deadline."""


class NotYet(AgentError):
    """No interval has closed so far."""
