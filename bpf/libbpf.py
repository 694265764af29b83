# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""libbpf by ctypes: every function that is called has its argument and result types, every handle is opaque.

libbpf 1.x returns -errno from functions and NULL with errno from those that give pointers; 0.x did it otherwise and
is refused. What libbpf prints is kept, because the verifier's reason is only there. Nothing is pinned: the kernel
drops programs and maps with the last file descriptor, however the process ends.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections import deque
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any, Final

from bpf.errors import BpfAbsent, BpfFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SONAME: Final = "libbpf.so.1"
_OLD_SONAME: Final = "libbpf.so.0"
_WARN: Final = 0  # enum libbpf_print_level
_KEPT_LINES: Final = 8  # the verifier's reason is at the end of its log
_PRINT_BYTES: Final = 1 << 18
TEST_RUN_ON_CPU: Final = 1  # BPF_F_TEST_RUN_ON_CPU, include/uapi/linux/bpf.h
STATS_RUN_TIME: Final = 0  # BPF_STATS_RUN_TIME

_PRINT: Final = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)


class _OpenOptions(ctypes.Structure):
    """The beginning of ``struct bpf_object_open_opts``: ``sz`` says how much of it we know."""

    _fields_ = (("sz", c_size_t), ("object_name", c_char_p))


class _TestRunOptions(ctypes.Structure):
    """``struct bpf_test_run_opts`` of libbpf 1.0."""

    _fields_ = (
        ("sz", c_size_t),
        ("data_in", c_void_p),
        ("data_out", c_void_p),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("ctx_in", c_void_p),
        ("ctx_out", c_void_p),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("retval", c_uint32),
        ("repeat", c_int),
        ("duration", c_uint32),
        ("flags", c_uint32),
        ("cpu", c_uint32),
        ("batch_size", c_uint32),
    )


_SIGNATURES: Final[dict[str, tuple[tuple[Any, ...], Any]]] = {
    "libbpf_major_version": ((), c_uint32),
    "libbpf_version_string": ((), c_char_p),
    "libbpf_set_print": ((_PRINT,), c_void_p),
    "bpf_object__open_mem": ((c_void_p, c_size_t, POINTER(_OpenOptions)), c_void_p),
    "bpf_object__load": ((c_void_p,), c_int),
    "bpf_object__close": ((c_void_p,), None),
    "bpf_object__find_map_by_name": ((c_void_p, c_char_p), c_void_p),
    "bpf_object__find_program_by_name": ((c_void_p, c_char_p), c_void_p),
    "bpf_map__fd": ((c_void_p,), c_int),
    "bpf_map__set_max_entries": ((c_void_p, c_uint32), c_int),
    "bpf_map__initial_value": ((c_void_p, POINTER(c_size_t)), c_void_p),
    "bpf_map__value_size": ((c_void_p,), c_uint32),
    "bpf_program__fd": ((c_void_p,), c_int),
    "bpf_program__set_autoload": ((c_void_p, ctypes.c_bool), c_int),
    "bpf_program__attach": ((c_void_p,), c_void_p),
    "bpf_link__destroy": ((c_void_p,), c_int),
    "bpf_map_update_elem": ((c_int, c_void_p, c_void_p, c_uint64), c_int),
    "bpf_map_lookup_and_delete_batch": (
        (c_int, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_uint32), c_void_p),
        c_int,
    ),
    "bpf_prog_test_run_opts": ((c_int, POINTER(_TestRunOptions)), c_int),
    "bpf_obj_get_info_by_fd": ((c_int, c_void_p, POINTER(c_uint32)), c_int),
    "bpf_enable_stats": ((c_int,), c_int),
}


class Library:
    """The loaded libbpf. Raises BpfAbsent where there is none of the right age."""

    def __init__(self, soname: str = SONAME) -> None:
        try:
            self._c = ctypes.CDLL(soname, use_errno=True)
        except OSError as error:
            try:
                ctypes.CDLL(_OLD_SONAME)
            except OSError:
                raise BpfAbsent(f"{soname} is not installed") from error
            raise BpfAbsent(f"{soname} is not installed; {_OLD_SONAME} is too old") from error
        for name, (arguments, result) in _SIGNATURES.items():
            try:
                function = getattr(self._c, name)
            except AttributeError:
                raise BpfAbsent(f"{soname} has no {name}: it is too old") from None
            function.argtypes = arguments
            function.restype = result
        if self._c.libbpf_major_version() < 1:
            raise BpfAbsent(f"libbpf {self.version} is too old: 1.0 or newer is needed")
        libc = ctypes.CDLL(None)
        self._format = libc.vsnprintf
        self._format.argtypes = (c_char_p, c_size_t, c_char_p, c_void_p)
        self._format.restype = c_int
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        # libbpf keeps the address: the callback must live as long as the library is used, which is for ever.
        self._callback = _PRINT(self._keep)
        _CALLBACKS.append(self._callback)
        self._c.libbpf_set_print(self._callback)

    @property
    def version(self) -> str:
        """As libbpf states it: ``v1.1``."""
        return bytes(self._c.libbpf_version_string()).decode("ascii", "replace")

    @property
    def calls(self) -> ctypes.CDLL:
        """The functions of `_SIGNATURES`."""
        return self._c

    def _keep(self, level: int, form: bytes, arguments: int) -> int:
        if level == _WARN:
            text = ctypes.create_string_buffer(_PRINT_BYTES)
            self._format(text, _PRINT_BYTES, form, arguments)
            self._lines.extend(line for line in text.value.decode("utf-8", "replace").splitlines() if line.strip())
        return 0

    def failure(self, what: str, code: int) -> BpfFailed:
        """An error of ours from one of libbpf's: ``code`` is an errno, the kept lines its story."""
        story = "; ".join(line.removeprefix("libbpf: ") for line in self._lines)
        self._lines.clear()
        name = errno.errorcode.get(code, str(code))
        return BpfFailed(f"{what}: {name} ({os.strerror(code)})" + (f": {story}" if story else ""), code=code)

    def enable_stats(self) -> int:
        """A file descriptor; while it is open, the kernel times every program. Raises BpfFailed."""
        fd = int(self._c.bpf_enable_stats(STATS_RUN_TIME))
        if fd < 0:
            raise self.failure("BPF_ENABLE_STATS", -fd)
        return fd

    def info(self, fd: int, size: int) -> bytes:
        """What the kernel tells of a program or map: the first ``size`` bytes of its info struct. Raises BpfFailed."""
        body = ctypes.create_string_buffer(size)
        length = c_uint32(size)
        code = self._c.bpf_obj_get_info_by_fd(fd, body, ctypes.byref(length))
        if code < 0:
            raise self.failure("info", -code)
        return body.raw


_CALLBACKS: Final[list[Any]] = []


class Object:
    """One BPF object file: opened, set up, loaded, attached. Raises BpfFailed from every step."""

    def __init__(self, library: Library, body: bytes, *, name: str) -> None:
        self._library = library
        self._c = library.calls
        self._links: list[int] = []
        options = _OpenOptions(sz=ctypes.sizeof(_OpenOptions), object_name=name.encode("ascii"))
        self._body = body  # libbpf reads from it until the load
        self._handle = self._c.bpf_object__open_mem(body, len(body), ctypes.byref(options))
        if not self._handle:
            raise library.failure(f"object {name}", ctypes.get_errno())

    def _map(self, name: str) -> int:
        handle = self._c.bpf_object__find_map_by_name(self._handle, name.encode("ascii"))
        if not handle:
            raise self._library.failure(f"map {name}", ctypes.get_errno())
        return int(handle)

    def _program(self, name: str) -> int:
        handle = self._c.bpf_object__find_program_by_name(self._handle, name.encode("ascii"))
        if not handle:
            raise self._library.failure(f"program {name}", ctypes.get_errno())
        return int(handle)

    def resize(self, name: str, entries: int) -> None:
        """Before the load."""
        self._check(f"map {name}", self._c.bpf_map__set_max_entries(self._map(name), entries))

    def fill(self, name: str, body: bytes) -> None:
        """Writes the initial value of ``.rodata`` or ``.bss``, before the load."""
        size = c_size_t(0)
        address = self._c.bpf_map__initial_value(self._map(name), ctypes.byref(size))
        if not address or size.value < len(body):
            raise self._library.failure(f"map {name}: {size.value} bytes", errno.EINVAL)
        ctypes.memmove(address, body, len(body))

    def leave_out(self, program: str) -> None:
        """This program is not loaded."""
        self._check(program, self._c.bpf_program__set_autoload(self._program(program), False))  # noqa: FBT003 - C's

    def load(self) -> None:
        """Has the kernel verify and keep it all."""
        self._check("load", self._c.bpf_object__load(self._handle))
        self._body = b""

    def map_fd(self, name: str) -> int:
        """The map's file descriptor; it belongs to the object."""
        return int(self._c.bpf_map__fd(self._map(name)))

    def program_fd(self, name: str) -> int:
        """The program's file descriptor; below 0 where it was left out."""
        return int(self._c.bpf_program__fd(self._program(name)))

    def attach(self, program: str) -> None:
        """To what its section names."""
        link = self._c.bpf_program__attach(self._program(program))
        if not link:
            raise self._library.failure(f"attach {program}", ctypes.get_errno())
        self._links.append(int(link))

    def mapped(self, name: str, size: int) -> mmap.mmap:
        """The values of a BPF_F_MMAPABLE array, shared with the kernel."""
        return mmap.mmap(self.map_fd(name), -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)

    def update(self, name: str, key: int, value: bytes) -> None:
        """Sets one element of an array."""
        where = c_uint32(key)
        self._check(
            f"map {name}", self._c.bpf_map_update_elem(self.map_fd(name), ctypes.byref(where), c_char_p(value), 0)
        )

    def take(self, name: str, keys: NDArray[Any], values: NDArray[Any]) -> int:
        """Moves all elements of a hash to the two arrays, which must have room for more than it can hold; how many."""
        fd = self.map_fd(name)
        cursor = c_uint64(0)  # the kernel's place in the hash; it takes 4 bytes
        at: Any = None
        taken = 0
        while True:
            count = c_uint32(keys.size - taken)
            code = self._c.bpf_map_lookup_and_delete_batch(
                fd,
                at,
                ctypes.byref(cursor),
                keys.ctypes.data + taken * keys.itemsize,
                values.ctypes.data + taken * values.itemsize,
                ctypes.byref(count),
                None,
            )
            if code not in (0, -errno.ENOENT):
                raise self._library.failure(f"drain of {name}", -code)
            taken += count.value
            if code:
                return taken
            at = ctypes.byref(cursor)

    def run(self, fd: int, *, cpu: int | None = None, context: Sequence[int] = ()) -> int:
        """Runs a raw_tp program here or on ``cpu``; its return value. ``context`` are a tracepoint's arguments."""
        options = _TestRunOptions(sz=ctypes.sizeof(_TestRunOptions))
        if cpu is not None:
            options.flags = TEST_RUN_ON_CPU
            options.cpu = cpu
        arguments = (c_uint64 * len(context))(*context)
        if context:
            options.ctx_in = ctypes.cast(arguments, c_void_p)
            options.ctx_size_in = ctypes.sizeof(arguments)
        self._check("test run", self._c.bpf_prog_test_run_opts(fd, ctypes.byref(options)))
        return int(options.retval)

    def _check(self, what: str, code: int) -> None:
        if code < 0:
            raise self._library.failure(what, -code)

    def close(self) -> None:
        """Detaches and unloads; a second call does nothing."""
        for link in self._links:
            self._c.bpf_link__destroy(link)
        self._links.clear()
        if self._handle:
            self._c.bpf_object__close(self._handle)
            self._handle = None
