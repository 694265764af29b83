# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The committed object is what the source compiles to, and the dtypes are its structs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpf import layout
from tests.bpf.btf import structs

if TYPE_CHECKING:
    import numpy as np

ROOM = Path(__file__).resolve().parents[2] / "bpf"


def test_it_is_what_the_source_compiles_to(tmp_path: Path) -> None:
    clang = os.environ.get("CLANG", "clang")
    if shutil.which(clang) is None or shutil.which(os.environ.get("LLVM_STRIP", "llvm-strip")) is None:
        pytest.skip("no clang or llvm-strip: Debian's clang and llvm have them")
    built_with = (ROOM / "sched.bpf.txt").read_text(encoding="ascii").strip()
    here = subprocess.run([clang, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    if here != built_with:
        pytest.skip(f"built with {built_with}, here is {here}")
    out = tmp_path / "sched.bpf.o"
    subprocess.run(["sh", str(ROOM / "build.sh"), str(out)], check=True, capture_output=True)
    assert out.read_bytes() == (ROOM / "sched.bpf.o").read_bytes(), "run `make bpf` and commit bpf/sched.bpf.o"


def test_it_holds_no_path_of_the_machine_that_built_it() -> None:
    body = (ROOM / "sched.bpf.o").read_bytes()
    assert str(ROOM.parent).encode() not in body


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("config", layout.CONFIG),
        ("control", layout.CONTROL),
        ("row_key", layout.ROW_KEY),
        ("row", layout.ROW),
        ("totals", layout.TOTALS),
        ("reading", layout.READING),
        ("slot", layout.SLOT),
        ("frequency", layout.FREQUENCY),
    ],
)
def test_the_dtypes_are_its_structs(name: str, dtype: np.dtype[np.void]) -> None:
    size, members = structs((ROOM / "sched.bpf.o").read_bytes())[name]
    assert dtype.itemsize == size
    assert dtype.fields is not None
    assert {field: where[1] for field, where in dtype.fields.items()} == members
