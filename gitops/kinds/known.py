# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of our group, by the name that files give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops.kinds.power_budget import PowerBudget
from gitops.kinds.power_profile import PowerProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops.kinds.base import Kind

KINDS: Mapping[str, type[Kind]] = {"PowerBudget": PowerBudget, "PowerProfile": PowerProfile}
