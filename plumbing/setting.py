# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Declares one setting: its default, and the sentence that becomes its help text and its line in the reference.

Every role's ``settings.py`` is a frozen dataclass of such fields. This module imports nothing, so the lean agent can
use it; reading flags, environment and files is `plumbing.settings_loader`'s, which brings pydantic.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any


def setting(default: Any, text: str) -> Any:
    """A dataclass field with a help ``text`` that states unit and reason; mutable defaults are not allowed."""
    return field(default=default, metadata={"help": text})
