# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are made by a command and committed: ``make lint`` compares them, ``make docs`` writes them anew."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_HEADER = "# SPDX-FileCopyrightText: 2026 The Penstock authors\n# SPDX-License-Identifier: Apache-2.0\n"


def protobuf() -> dict[str, str]:
    """The message classes of wire/fleet.proto and their types, as protoc makes them."""
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        status = protoc.main(
            ["protoc", f"-I{ROOT}", f"--python_out={folder}", f"--pyi_out={folder}", "wire/fleet.proto"]
        )
        if status:
            raise SystemExit(f"protoc failed with status {status}")
        return {
            name: _HEADER + (Path(folder) / name).read_text(encoding="utf-8")
            for name in ("wire/fleet_pb2.py", "wire/fleet_pb2.pyi")
        }


def everything() -> dict[str, str]:
    """Path below the root -> the text that belongs there."""
    return protobuf()


def main() -> int:
    """Compares, or with ``--write`` replaces; returns how many files differ."""
    write = "--write" in sys.argv[1:]
    stale = 0
    for name, text in everything().items():
        path = ROOT / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if write:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
        else:
            print(f"{name} is not what its source gives; run: make docs", file=sys.stderr)
            stale += 1
    return stale


if __name__ == "__main__":
    raise SystemExit(main())
