# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The simplest attribution model: a task's weight is its run time.

Equal run time can mean a multiple of the watts (instruction mix, frequency, SMT), which is what `uncertainty` charges
this model for. A domain of one socket is split over the rows of its CPUs; rows whose CPU nobody saw weigh in all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME: Final = "cpu_time_ratio"

_SOCKET: Final = re.compile(r"^socket-(\d+)")


def weights(rows: NDArray[Any], scope: str, sockets: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """Weights (n,) of ``rows`` (n,) in a domain of ``scope``; ``sockets`` (cpus,) maps a CPU to its socket."""
    run_ns = rows["run_ns"].astype(np.float64)
    match = _SOCKET.match(scope)
    if sockets is None or match is None or not sockets.size:
        return run_ns
    cpu = rows["cpu"]
    known = (cpu >= 0) & (cpu < sockets.size)
    here = sockets[np.where(known, cpu, 0)] == int(match[1])
    return np.where(~known | here, run_ns, 0.0)
