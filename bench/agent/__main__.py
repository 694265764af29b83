# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.agent``: what the agent's readings cost, and how late they come while something else hangs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from agent import blas  # noqa: F401 - first, before NumPy comes in: the agent has one BLAS thread
from agent.worker import SWITCH_INTERVAL_S
from bench import figures
from bench.agent import cost, trees
from bench.agent.faults import FAULTS
from bench.agent.lateness import DEADLINE_S, PERIOD_S, lateness
from bench.agent.reports import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.figures import Figure

_ABOUT: Final = "CPU time of reading meters, and lateness of healthy readings beside a source that hangs."
_QUIET: Final = "quiet"


def parts(options: argparse.Namespace) -> Mapping[str, Callable[[], list[Figure]]]:
    """Everything that can be measured, by name, in the order of the table."""
    late = partial(lateness, rounds=options.rounds, hang_s=options.hang, processes=options.processes)
    made: dict[str, Callable[[], list[Figure]]] = {
        "rapl": lambda: cost.rapl(options.samples),
        "hwmon": lambda: cost.hwmon(options.samples),
        "files": lambda: cost.files(options.samples),
        "bank": lambda: cost.bank(options.samples),
        _QUIET: partial(late, "none", pace=None),
    }
    return made | {name: partial(late, name, pace=options.encoding) for name in FAULTS}


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line. Ends the process with status 2 where it makes no sense."""
    parser = figures.parser("agent", about=_ABOUT)
    names = ("rapl", "hwmon", "files", "bank", _QUIET, *FAULTS)
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--samples", type=_count, default=2000, help="reads per cost figure (2000)")
    parser.add_argument("--rounds", type=_count, default=250, help="rounds of 100 ms per fault (250)")
    parser.add_argument("--hang", type=_seconds, default=3.0, help="seconds that a hang lasts (3; the full one is 30)")
    parser.add_argument("--processes", type=_count, default=PROCESSES, help=f"in the encoded report ({PROCESSES})")
    parser.add_argument(
        "--encoding",
        choices=("once-a-round", "without-pause"),
        default="without-pause",
        help="how often the report is encoded meanwhile (without-pause)",
    )
    parser.add_argument(
        "--switch-interval",
        type=_switch,
        default=SWITCH_INTERVAL_S,
        metavar="S",
        help="how long a thread may keep the interpreter when another one waits (the agent's: 0.0005; Python's: 0.005)",
    )
    return parser.parse_args(arguments)


def _switch(text: str) -> float:
    value = float(text)
    if not 1e-5 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{value} s is not within 0.00001..1 s")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    # sim.gpu lets go by itself after 30 s.
    if not 0.1 <= value <= 30:
        raise argparse.ArgumentTypeError(f"{value} s is not within 0.1..30 s")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and gives the exit status: 1 for a missed target with ``--check``."""
    asked = options(arguments)
    switch_interval_s = sys.getswitchinterval()
    sys.setswitchinterval(asked.switch_interval)
    try:
        document = measured(asked)
    finally:
        sys.setswitchinterval(switch_interval_s)
    return figures.publish(document, json_path=asked.json, check=asked.check)


def measured(asked: argparse.Namespace) -> figures.Document:
    """Runs what was asked for; what this machine does not allow is named in the meta data."""
    # The meters say what they think of hanging devices; here it is wanted.
    logging.basicConfig(level=logging.ERROR)
    before = figures.machine()
    found: list[Figure] = []
    skipped: list[dict[str, str]] = []
    for name, measure in parts(asked).items():
        if asked.only and name not in asked.only:
            continue
        if sys.stderr.isatty():
            print(f"{name} ...", file=sys.stderr)
        try:
            found += measure()
        except OSError as error:
            skipped.append({"name": name, "reason": str(error)})
    meta = {
        **before,
        "load_average_after": round(os.getloadavg()[0], 2),
        "tmpfs": trees.tmpfs() is not None,
        "samples": asked.samples,
        "rounds": asked.rounds,
        "period_s": PERIOD_S,
        "deadline_s": DEADLINE_S,
        "hang_s": asked.hang,
        "encoding": f"{asked.processes} processes, {asked.encoding}",
        "switch_interval_s": asked.switch_interval,
        "skipped": skipped,
    }
    return figures.Document("agent", meta, tuple(found))


if __name__ == "__main__":
    sys.exit(main())
