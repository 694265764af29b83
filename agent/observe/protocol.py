# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What an observer says: who ran, for how long, since the last drain.

Rows are a NumPy structured column set of `ROW`. Names are indices into the tables beside them, so that ten thousand
processes cost no Python object each. A row is a process (one row per cpu where the observer knows the cpu), a kernel
thread, or what ran in a cgroup and ended before anybody saw it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

PROCESS: Final = 0
KERNEL_THREAD: Final = 1
EXITED: Final = 2

ROW: Final = np.dtype(
    [
        ("pid", np.int32),  # the thread group; 0 for EXITED
        ("start_ns", np.int64),  # since boot; with pid it is the identity
        ("cgroup", np.int32),  # index into Observation.cgroups
        ("comm", np.int32),  # index into Observation.comms
        ("cpu", np.int32),  # -1: not known
        ("kind", np.uint8),  # PROCESS, KERNEL_THREAD or EXITED
        ("run_ns", np.int64),  # task clock spent in the interval
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One interval. Only rows that ran are in ``rows`` (n,), dtype `ROW`, and those added for who has a GPU;
    ``processes`` counts all that live.

    ``lost_ns`` is task time that the kernel counted and no row explains.
    """

    from_ns: int
    to_ns: int
    rows: NDArray[Any]
    comms: tuple[str, ...]
    cgroups: tuple[str, ...]
    cpus: int
    processes: int
    busy_ns: int
    idle_ns: int
    interrupt_ns: int
    steal_ns: int
    lost_ns: int
    tick_ns: int
    """Resolution of ``run_ns``; a row may be off by twice this."""

    @property
    def elapsed_ns(self) -> int:
        """Length of the interval."""
        return self.to_ns - self.from_ns


class Observer(Protocol):
    """Sees what ran. ``drain`` blocks and is called from one thread; the first drain only sets the base."""

    @property
    def name(self) -> str: ...

    def drain(self) -> Observation | None:
        """What ran since the last drain; None for the first. Raises ObserverError."""

    def still(self, pids: Collection[int]) -> NDArray[Any]:
        """Rows with run time 0 of those processes among ``pids`` that lived at the last drain and did not run."""
        ...
