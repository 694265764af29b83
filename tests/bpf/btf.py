# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Just enough of ELF and BTF (Documentation/bpf/btf.rst) to read the structs of an object."""

from __future__ import annotations

import struct

_KIND_STRUCT = 4
# What follows a type's 12 bytes, by kind: fixed bytes, and bytes per entry of its vlen.
_TAIL = {
    1: (4, 0),
    3: (12, 0),
    4: (0, 12),
    5: (0, 12),
    6: (0, 8),
    13: (0, 8),
    14: (4, 0),
    15: (0, 12),
    17: (4, 0),
    19: (0, 12),
}


def section(body: bytes, wanted: str) -> bytes:
    """The section's content. Raises KeyError."""
    (headers_at,) = struct.unpack_from("<Q", body, 40)
    size, count, names_index = struct.unpack_from("<HHH", body, 58)
    headers = [struct.unpack_from("<IIQQQQ", body, headers_at + size * at) for at in range(count)]
    names_at = headers[names_index][4]
    for name, _, _, _, at, length in headers:
        start = names_at + name
        if body[start : body.index(b"\0", start)].decode() == wanted:
            return body[at : at + length]
    raise KeyError(wanted)


def structs(body: bytes) -> dict[str, tuple[int, dict[str, int]]]:
    """Size, and each member's offset, by the struct's name."""
    btf = section(body, ".BTF")
    _, _, _, header, types_at, types_length, strings_at, _ = struct.unpack_from("<HBBIIIII", btf)

    def text(at: int) -> str:
        start = header + strings_at + at
        return btf[start : btf.index(b"\0", start)].decode()

    found: dict[str, tuple[int, dict[str, int]]] = {}
    at = header + types_at
    while at < header + types_at + types_length:
        name, info, size = struct.unpack_from("<III", btf, at)
        kind, count = info >> 24 & 0x1F, info & 0xFFFF
        at += 12
        if kind == _KIND_STRUCT:
            members = [struct.unpack_from("<III", btf, at + 12 * each) for each in range(count)]
            found[text(name)] = size, {text(member): offset // 8 for member, _, offset in members}
        fixed, each = _TAIL.get(kind, (0, 0))
        at += fixed + each * count
    return found
