# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The house keeps its own rules: empty package files, SPDX lines, no trace of the machine it was built on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.parts import ROOT

ROOMS = (
    "penstock",
    "wire",
    "plumbing",
    "sim",
    "bpf",
    "agent",
    "estimator",
    "extender",
    "carbon",
    "fleet_router",
    "ui",
    "gitops",
    "policies",
    "deploy",
    "bench",
    "docs",
    "tests",
)


def tracked() -> list[Path]:
    """Files under version control; a source archive without Git has nothing to check here."""
    try:
        listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a Git checkout")
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


def test_every_room_is_there_and_has_something_in_it() -> None:
    for room in ROOMS:
        files = [path for path in (ROOT / room).rglob("*") if path.is_file() and path.stat().st_size]
        assert files, f"{room}/ is empty: a room holds code, or three lines that say what will live there"


def test_package_files_of_top_level_packages_are_empty() -> None:
    # import-linter does not follow them, so an import in one would escape the contracts.
    for room in ROOMS:
        package = ROOT / room / "__init__.py"
        assert not package.exists() or package.read_text() == "", f"{room}/__init__.py must stay empty"


def test_every_source_file_says_its_licence() -> None:
    for path in tracked():
        if path.suffix in {".py", ".sh", ".proto", ".c", ".h"} and path.stat().st_size:
            head = path.read_text(encoding="utf-8").splitlines()[:4]
            assert any("SPDX-License-Identifier:" in line for line in head), (
                f"{path.relative_to(ROOT)} has no SPDX line"
            )


def test_no_file_knows_the_machine_it_was_made_on() -> None:
    # Locks pin by hash and name no index; sources name no home or build folder.
    machine = re.compile(
        r"(?<![\w.<])/(?:work|root|home)/[a-z.]|https?://[^\s\"]*(?:pypi|simple/|/wheels)|--index-url|--find-links"
    )
    for path in tracked():
        if path.suffix in {".png", ".gz", ".o"} or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not machine.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"


def test_the_package_called_bcc_is_never_a_dependency() -> None:
    for name in ("pyproject.toml", "requirements/run.txt", "requirements/test.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"(?m)^\s*\"?bcc\b(?!`)", text), (
            f"{name} lists bcc: on the Python index that is a crystal lattice"
        )
