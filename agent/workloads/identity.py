# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""cgroup path -> workload: the pod and container that kubelet and runtime wrote into it, else the path itself.

Layouts known (kubelet with the cgroupfs or the systemd driver; containerd, CRI-O, Docker, Podman):

    /kubepods/burstable/pod<uid>/<container>
    /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid, _ for ->.slice/cri-containerd-<container>.scope

A path says the pod's UID but neither its name nor its namespace; until something tells, the namespace is ``unknown``
and the name is the UID. What is in no pod belongs to namespace ``host``, and its cgroup path is its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

HOST: Final = "host"
UNKNOWN: Final = "unknown"
KERNEL: Final = "[kernel]"

# Of wire.report.Text.
_LONGEST_NAME: Final = 1024

_POD: Final = re.compile(
    r"/(?:[a-z0-9.-]*-)?pod(?P<uid>[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?:/|$)"
)
_CONTAINER: Final = re.compile(r"/(?:[a-z-]+-)?(?P<id>[0-9a-f]{64})(?:\.scope)?(?:/|$)")


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """Who a row belongs to, in the words of reports; hashable, and the key of all totals."""

    namespace: str
    name: str
    uid: str = ""
    container: str = ""


_KERNEL: Final = Workload(HOST, KERNEL)


def kernel() -> Workload:
    """The workload of all kernel threads."""
    return _KERNEL


def identify(path: str) -> Workload:
    """The workload of a cgroup path such as ``/system.slice/cron.service``."""
    pod = _POD.search(path) if "kubepods" in path else None
    if pod is None:
        return Workload(HOST, path[:_LONGEST_NAME] or "/")
    uid = pod["uid"].replace("_", "-")
    container = _CONTAINER.search(path, pod.end() - 1)
    return Workload(UNKNOWN, uid, uid, container["id"] if container else "")
