# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A running set of the programs in ``sched.bpf.c``, and its drain into NumPy columns.

A drain raises the epoch, then asks of every cpu only what it must: one that switched since has turned over by itself,
an idle one is read from here, a busy one is interrupted for some microseconds, and one that may not be interrupted
turns over at its next switch. After that nobody writes to the old rows any more, and they are taken in one call.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bpf import cpus, host
from bpf.counters import HARDWARE_EVENTS, Counters, Event
from bpf.drained import Drained, cpu_table, cut_of
from bpf.errors import BpfAbsent, BpfFailed
from bpf.layout import (
    CONFIG,
    CONTROL,
    FREQUENCY,
    NO_SIBLING,
    PATH_BYTES,
    ROW,
    ROW_KEY,
    RULE_QUIET,
    SLOT,
    SLOT_IDLE,
    TOTALS,
)
from bpf.libbpf import Library, Object

if TYPE_CHECKING:
    import mmap
    from collections.abc import Mapping

    from numpy.typing import NDArray

OBJECT: Final = "sched.bpf.o"
ROWS: Final = ("rows_even", "rows_odd")
# Tracepoints that a kernel may lack: what each is for is lost without it, nothing else.
OPTIONAL: Final = (
    "sched_process_fork",
    "sched_process_exit",
    "cgroup_attach_task",
    "cgroup_rmdir",
    "cpu_frequency",
)
_MOST_REMOVED: Final = 1024  # max_entries of `removed`
_ROWS_PER_CPU: Final = 64
# The largest bucket of a hash must fit into what is left of a buffer, or the kernel answers ENOSPC.
_SPARE_ROWS: Final = 512
_READ_TRIES: Final = 100


@dataclass(frozen=True, slots=True)
class Faults:
    """Wrong on purpose; only tests set these, to see that what they break is noticed."""

    no_flush: bool = False
    close_at_exit: bool = False
    key_by_tgid_only: bool = False
    skip_every: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """What to load. ``hierarchy_id`` is that of the cgroup hierarchy whose ids the rows carry (v2: 0)."""

    entries: int = 10_000
    cgroup_v1: bool = False
    hierarchy_id: int = 0
    sysfs: Path = Path("/sys")
    procfs: Path = Path("/proc")
    siblings: Mapping[int, int] | None = None
    """By cpu; None: as sysfs says."""
    events: tuple[Event, ...] = HARDWARE_EVENTS
    frequency: bool | None = None
    """Whether `cpu_frequency` is followed; None: where cpufreq is in charge."""
    faults: Faults = field(default_factory=Faults)


class Sched:
    """The programs, attached from construction to `close`. Raises BpfAbsent or BpfFailed, and then nothing is left."""

    def __init__(
        self, options: Options | None = None, *, library: Library | None = None, body: bytes | None = None
    ) -> None:
        self._options = options = options or Options()
        host.require(sysfs=options.sysfs, procfs=options.procfs)
        self.library = library or Library()
        self._possible = cpus.possible(options.sysfs)
        self.entries = max(options.entries, _ROWS_PER_CPU * self._possible)
        self.counters = Counters()
        self.left_out: dict[str, str] = {}
        self._mappings: list[mmap.mmap] = []
        self._slots: NDArray[Any] = np.zeros(0, dtype=SLOT)
        self._control: NDArray[Any] = np.zeros(0, dtype=CONTROL)
        if body is None:
            body = (Path(__file__).parent / OBJECT).read_bytes()
        self._object = Object(self.library, body, name="sched")
        try:
            self._load()
            self._seed()
            self._attach()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        options = self._options
        self.counters.open(
            options.events,
            cpus=sorted(cpus.online(options.sysfs)),
            core_types={cpu: kind for cpu, (_, kind) in cpus.core_types(options.sysfs).items()},
        )
        siblings = cpus.siblings(options.sysfs) if options.siblings is None else options.siblings
        self._siblings = dict(siblings)
        self._mhz = cpus.frequencies_mhz(options.sysfs)
        follow = bool(self._mhz) if options.frequency is None else options.frequency
        config = np.zeros(1, dtype=CONFIG)
        config["cgroup_v1"] = options.cgroup_v1
        config["hierarchy_id"] = options.hierarchy_id
        config["counters"] = sum(
            1 << bit for bit, event in enumerate(HARDWARE_EVENTS) if event.map_name in self.counters.fds
        )
        config["frequency"] = follow
        config["siblings"] = bool(siblings)
        config["test_close_at_exit"] = options.faults.close_at_exit
        config["test_key_tgid_only"] = options.faults.key_by_tgid_only
        config["test_skip_events"] = options.faults.skip_every
        self._object.fill(".rodata", config.tobytes())
        for name in ("slots", "frequencies", *(event.map_name for event in HARDWARE_EVENTS)):
            self._object.resize(name, self._possible)
        for name in ROWS:
            self._object.resize(name, self.entries)
        if not follow:
            self._object.leave_out("cpu_frequency")
            self.left_out["cpu_frequency"] = "cpufreq is not in charge here"
        self._object.load()

    def _seed(self) -> None:
        """What the programs find in their maps when they first run."""
        identity = self._object.run(self._object.program_fd("identity"))
        if identity != os.getpid():
            raise BpfAbsent(
                f"in a PID namespace of its own (here {os.getpid()}, in the kernel {identity}): "
                "the processes of the host cannot be named"
            )
        self._slots = self._shared("slots", SLOT, self._possible)
        self._control = self._shared(".bss", CONTROL, 1)
        self._slots["cpu"] = np.arange(self._possible)
        self._slots["sibling"] = NO_SIBLING
        for cpu, sibling in self._siblings.items():
            self._slots["sibling"][cpu] = sibling
        quiet = range(self._possible) if self._options.faults.no_flush else cpus.quiet(self._options.sysfs)
        self._quiet = np.zeros(self._possible, dtype=np.bool_)
        self._quiet[[cpu for cpu in quiet if cpu < self._possible]] = True
        self._slots["rule"][self._quiet] = RULE_QUIET
        frequency = np.zeros(1, dtype=FREQUENCY)
        frequency["at_ns"] = time.monotonic_ns()
        for cpu, mhz in self._mhz.items():
            frequency["mhz"] = mhz
            self._object.update("frequencies", cpu, frequency.tobytes())
        for name, opened in self.counters.fds.items():
            for cpu, fd in opened.items():
                self._object.update(name, cpu, fd.to_bytes(4, sys.byteorder))
        self._last = np.zeros(self._possible, dtype=TOTALS)
        self._flush_fd = self._object.program_fd("flush")

    def _shared(self, name: str, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        mapping = self._object.mapped(name, count * dtype.itemsize)
        self._mappings.append(mapping)
        return np.frombuffer(mapping, dtype=dtype, count=count)

    def _attach(self) -> None:
        for name in OPTIONAL:
            if name in self.left_out:
                continue
            try:
                self._object.attach(name)
            except BpfFailed as error:
                self.left_out[name] = str(error)
        # Last: from here on every switch is booked.
        self._object.attach("sched_switch")

    def drain(self) -> Drained:
        """What ran since the last drain; the first gives what ran since construction, with edges of all sorts."""
        epoch = np.uint32((int(self._control["epoch"][0]) + 1) & 0xFFFFFFFF)
        old_rows = ROWS[(int(epoch) + 1) & 1]
        self._control["epoch"] = epoch
        # The system calls of reading sysfs also keep the reads below from being done before that store.
        online = np.zeros(self._possible, dtype=np.bool_)
        online[[cpu for cpu in cpus.online(self._options.sysfs) if cpu < self._possible]] = True
        at_ns = np.uint64(time.monotonic_ns())
        slots, steady = self._read()
        pending = online & ~self._quiet & (slots["epoch"] != epoch) & ((slots["state"] != SLOT_IDLE) | ~steady)
        interrupted = np.zeros(self._possible, dtype=np.bool_)
        for cpu in np.flatnonzero(pending).tolist():
            interrupted[cpu] = self._interrupt(cpu)
        if interrupted.any():
            slots[interrupted] = self._slots[interrupted]
        cut = cut_of(slots, epoch=epoch, at_ns=at_ns, online=online)
        self._slots["hold"][~online] = 1
        # As large as the map may be full; only what is written to takes memory.
        keys = np.empty(self.entries + _SPARE_ROWS, dtype=ROW_KEY)
        rows = np.empty(self.entries + _SPARE_ROWS, dtype=ROW)
        taken = self._object.take(old_rows, keys, rows)
        table = cpu_table(self._last, cut, interrupted)
        # A cpu that comes back begins anew.
        cut["at_ns"][~online] = 0
        self._last = cut
        return Drained(
            keys=keys[:taken],
            rows=rows[:taken],
            cpus=table,
            online=int(online.sum()),
            removed=self._removed(),
            forks=int(self._control["forks"][0]),
            exits=int(self._control["exits"][0]),
        )

    def _read(self) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """A copy of all slots, and which of them were not being written meanwhile."""
        slots = self._slots.copy()
        steady = (slots["seq"] & 1 == 0) & (slots["seq"] == self._slots["seq"])
        for _ in range(_READ_TRIES):
            if steady.all():
                break
            slots[~steady] = self._slots[~steady]
            steady = (slots["seq"] & 1 == 0) & (slots["seq"] == self._slots["seq"])
        return slots, steady

    def _interrupt(self, cpu: int) -> bool:
        """Settles the running task of ``cpu`` there; False where the cpu went away meanwhile."""
        try:
            self._object.run(self._flush_fd, cpu=cpu)
        except BpfFailed as error:
            if error.code != errno.ENXIO:
                raise
            return False
        return True

    def _removed(self) -> dict[int, str]:
        if "cgroup_rmdir" in self.left_out:
            return {}
        ids = np.empty(_MOST_REMOVED + _SPARE_ROWS, dtype=np.uint64)
        paths = np.empty(_MOST_REMOVED + _SPARE_ROWS, dtype=f"S{PATH_BYTES}")
        taken = self._object.take("removed", ids, paths)
        return {
            each: path.partition(b"\0")[0].decode("utf-8", "replace")
            for each, path in zip(ids[:taken].tolist(), paths[:taken].tolist(), strict=True)
        }

    def fire(self, program: str, *context: int) -> None:
        """Runs a raw_tp program as if its tracepoint had fired with these arguments."""
        self._object.run(self._object.program_fd(program), context=context)

    def program_fds(self) -> dict[str, int]:
        """The loaded programs that the kernel runs by itself or for a drain."""
        names = ("sched_switch", "flush", *(name for name in OPTIONAL if name not in self.left_out))
        return {name: self._object.program_fd(name) for name in names}

    def map_fds(self) -> dict[str, int]:
        """The maps that take memory by size."""
        return {name: self._object.map_fd(name) for name in (*ROWS, "slots", "removed")}

    def close(self) -> None:
        """Detaches and unloads; a second call does nothing."""
        self._object.close()
        self.counters.close()
        # A mapping keeps its map in the kernel, and cannot be closed while there is a view on it.
        self._slots = np.zeros(0, dtype=SLOT)
        self._control = np.zeros(0, dtype=CONTROL)
        while self._mappings:
            self._mappings.pop().close()
