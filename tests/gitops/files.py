# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Policy files for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gitops.loading import Loaded, load_folder

BUDGET = """\
apiVersion: penstock.dev/v1alpha1
kind: PowerBudget
metadata:
  name: team-a
  namespace: prod
spec:
  limitWatts: 250.5
"""

PROFILE = """\
apiVersion: penstock.dev/v1alpha1
kind: PowerProfile
metadata:
  name: default
spec:
  profile: standard
"""


def load(folder: Path, **files: str | bytes) -> Loaded:
    """Writes ``files`` (``__`` stands for a slash, the suffix .yaml is added) and loads the folder."""
    for name, content in files.items():
        file = folder / (name.replace("__", "/") + ".yaml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_folder(folder)


def problems(loaded: Loaded) -> list[str]:
    """Each problem as people see it, without the folder."""
    return [str(replace(each, file=Path(each.file).name)) for each in loaded.problems]


def located(loaded: Loaded) -> list[tuple[int, str]]:
    """(line, field) of each problem."""
    return [(each.line, each.field) for each in loaded.problems]
