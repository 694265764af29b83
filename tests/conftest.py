# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Parts, and what every test may use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests import parts

if TYPE_CHECKING:
    from pathlib import Path

# Seeds are fixed in CI so that a red run can be repeated; locally each run looks elsewhere.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_configure(config: pytest.Config) -> None:
    """An unknown name in PENSTOCK_REQUIRE, or a required part without a single test, ends the run."""
    try:
        parts.required(os.environ.get("PENSTOCK_REQUIRE", ""))
    except parts.UnknownPart as error:
        raise pytest.UsageError(str(error)) from error


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what each test needs, for the closing lines."""
    for item in items:
        for mark in item.iter_markers("part"):
            item.user_properties.extend(("part", name) for name in mark.args)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips for a missing part, or fails where it is required."""
    wanted = parts.required(os.environ.get("PENSTOCK_REQUIRE", ""))
    for mark in item.iter_markers("part"):
        for name in mark.args:
            reason = parts.missing(name)
            if reason is None:
                continue
            if name in wanted:
                pytest.fail(f"part {name!r} is required by PENSTOCK_REQUIRE but missing: {reason}", pytrace=False)
            pytest.skip(f"part {name!r}: {reason}")


class OneMachine(LoadScopeScheduling):  # type: ignore[misc]
    """A file of tests goes to one worker; all that start whole role processes go to the same one, one by one.

    xdist's own group marker does not reach the scheduler under pytest 9.2, and three stacks at once on two cores would
    measure each other.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        if path.startswith("tests/bpf/"):
            return "kernel"  # its loads take whole cpus
        return "roles" if path.startswith(("tests/flow/", "tests/command/")) else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OneMachine:
    """Called where xdist is in use."""
    return OneMachine(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line per real part: used, or skipped with its reason."""
    used: dict[str, int] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if getattr(report, "when", "call") == "call":
                for key, name in getattr(report, "user_properties", []):
                    if key == "part":
                        used[name] = used.get(name, 0) + 1
    terminalreporter.section("real parts")
    for name in parts.NAMES:
        reason = parts.missing(name)
        if name in used:
            line = f"used by {used[name]} tests"
        else:
            line = f"skipped: {reason}" if reason else "here, but no test that ran uses it"
        terminalreporter.write_line(f"{name:<13} {line}")


@pytest.fixture
def anyio_backend() -> str:
    """Services run on asyncio alone."""
    return "asyncio"


@pytest.fixture
def data_folder() -> Path:
    """The public data sets, for tests marked ``part("data")``."""
    folder = parts.data_folder()
    if folder is None:
        pytest.fail("mark this test with part('data')", pytrace=False)
    return folder
