# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Real parts that tests need (DESIGN 10): whether each is here, and why not.

A test that needs one says ``@pytest.mark.part("data")``. A missing part skips it with the reason, and fails it where
``PENSTOCK_REQUIRE`` names the part.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bpf import host
from bpf.errors import BpfAbsent
from bpf.libbpf import Library

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parent.parent

NAMES = (
    "ebpf",
    "bcc",
    "controlplane",
    "argocd",
    "prometheus",
    "postgresql",
    "redfish",
    "ipmi",
    "guest",
    "browser",
    "helm",
    "data",
)


class UnknownPart(ValueError):
    """A name that is not one of NAMES."""


def data_folder() -> Path | None:
    """The public data sets: ``PENSTOCK_DATA``, else ``shared/data`` beside the checkout."""
    given = os.environ.get("PENSTOCK_DATA")
    for folder in (Path(given),) if given else (ROOT.parent / "shared" / "data",):
        if (folder / "power").is_dir() and (folder / "carbon").is_dir():
            return folder
    return None


def _missing_data() -> str | None:
    return None if data_folder() else "no public data: set PENSTOCK_DATA to a folder with power/ and carbon/"


def _missing_ipmi() -> str | None:
    if importlib.util.find_spec("pyghmi") is None:
        return "pyghmi is not installed"
    return None if shutil.which("ipmi_sim") else "no ipmi_sim: Debian's openipmi has it"


def _missing_ebpf() -> str | None:
    if os.geteuid() != 0:
        return "not root: the tests make cgroups and drop privileges"
    try:
        host.require(sysfs=Path("/sys"), procfs=Path("/proc"))
        Library()
    except BpfAbsent as error:
        return str(error)
    return None


PROBES: Mapping[str, Callable[[], str | None]] = {
    "data": _missing_data,
    "ebpf": _missing_ebpf,
    "ipmi": _missing_ipmi,
    "prometheus": lambda: None if shutil.which("prometheus") else "no prometheus: Debian's package has it",
    "redfish": lambda: None,  # our own BMC, sim.bmc: always here
}
"""Part -> why it is missing, or None where it is here. A part without a probe has no tests yet."""


@cache
def missing(name: str) -> str | None:
    """Why part ``name`` cannot be used here; None where it can."""
    if name not in NAMES:
        raise UnknownPart(f"{name!r} is not a real part; known are {', '.join(NAMES)}")
    probe = PROBES.get(name)
    return probe() if probe else "no test uses this part yet"


def required(text: str) -> frozenset[str]:
    """The parts that a ``PENSTOCK_REQUIRE`` text names. Raises UnknownPart."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    for name in sorted(names):
        if name not in NAMES:
            raise UnknownPart(f"PENSTOCK_REQUIRE: {name!r} is not a real part; known are {', '.join(NAMES)}")
    return names
