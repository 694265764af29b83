# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are made by a command and committed: ``make lint`` compares them, ``make docs`` writes them anew."""

from __future__ import annotations

import ast
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    *("penstock", "wire", "plumbing", "sim", "bpf", "agent", "estimator"),
    *("extender", "carbon", "fleet_router", "gitops", "bench"),
)
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


def architecture() -> dict[str, str]:
    """The drawn parts of docs/architecture.md: who imports whom, and what each module is."""
    name = "docs/architecture.md"
    text = (ROOT / name).read_text(encoding="utf-8")
    for mark, drawn in (("imports", _imports()), ("modules", _modules())):
        begin, end = f"<!-- drawn: {mark} -->", f"<!-- end: {mark} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"{name} must hold the marks {begin} and {end}")
        text = f"{before}{begin}\n{drawn}\n{end}{after}"
    return {name: text}


def _imports() -> str:
    import grimp

    present = [room for room in ROOMS if any(path.stat().st_size for path in (ROOT / room).rglob("*.py"))]
    graph = grimp.build_graph(*present, cache_dir=None)
    lines = ["```mermaid", "graph LR"]
    for importer in present:
        for imported in present:
            if importer == imported:
                continue
            inside = {importer} | graph.find_descendants(importer)
            target = {imported} | graph.find_descendants(imported)
            count = sum(len(graph.find_modules_directly_imported_by(module) & target) for module in inside)
            if count:
                lines.append(f"  {importer} -->|{count}| {imported}")
    return "\n".join([*lines, "```"])


def _modules() -> str:
    lines: list[str] = []
    for room in ROOMS:
        rows: list[str] = []
        for path in sorted((ROOT / room).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if not source.strip() or path.name.endswith("_pb2.py"):
                continue
            doc = ast.get_docstring(ast.parse(source)) or ""
            first = " ".join(doc.split("\n\n")[0].split())
            rows.append(f"| `{path.relative_to(ROOT)}` | {first.replace('|', chr(92) + '|')} |")
        if rows:
            lines += [f"### {room}", "", "| module | what it is |", "| --- | --- |", *rows, ""]
    return "\n".join(lines).rstrip()


def everything() -> dict[str, str]:
    """Path below the root -> the text that belongs there."""
    return protobuf() | architecture()


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
