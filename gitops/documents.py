# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""YAML files as plain values that remember their lines, within limits that no policy needs to exceed.

PyYAML composes nodes, which know their lines; turning them into values happens here, so that nothing but null, bool,
int, float, text, lists and objects can come out, aliases cannot blow up, and a key given twice is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

# The C parser is ten times faster; a PyYAML built without libyaml still works.
_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

LARGEST_FILE_BYTES = 1 << 20
# A PowerBudget has some 20 values at a depth of 6. Aliases count each time they are used.
MOST_VALUES = 50_000
DEEPEST = 40
_MOST_DIGITS = 64
# YAML 1.2 and Kubernetes read 1e3 as a number, PyYAML's rules want a point in it.
_EXPONENT = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+")

FieldPath = tuple[str | int, ...]


class DocumentError(ValueError):
    """A file that cannot be read as YAML within the limits; ``line`` counts from 1."""

    def __init__(self, *, line: int, field: str, reason: str) -> None:
        super().__init__(f"{line}: {field}: {reason}")
        self.line = line
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its ``value`` and the line of every field, by path; the empty path is the document's."""

    value: Any
    lines: dict[FieldPath, int]

    def line(self, path: FieldPath) -> int:
        """Line of the field at ``path``, or of the nearest field above it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def field_name(path: FieldPath) -> str:
    """``("items", 0, "spec")`` -> ``items[0].spec``; ``document`` for the empty path."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "document"


def read(body: bytes) -> Iterator[Document]:
    """The documents of a YAML (or JSON) file, empty ones left out. Raises DocumentError."""
    if len(body) > LARGEST_FILE_BYTES:
        raise DocumentError(line=1, field="document", reason=f"the file is larger than {LARGEST_FILE_BYTES} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise DocumentError(line=line, field="document", reason="not UTF-8") from error
    try:
        _measure(text)
        builder = _Builder()
        for node in yaml.compose_all(text, Loader=_LOADER):
            lines: dict[FieldPath, int] = {}
            value = builder.value(node, (), lines, within=frozenset())
            if value is not None:
                yield Document(value=value, lines=lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(
            line=mark.line + 1 if mark else 1, field="document", reason=f"not YAML: {reason}"
        ) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(line=line, field="document", reason="holds a character that YAML does not allow") from error


def _measure(text: str) -> None:
    """Bounds nesting before anything recurses over it."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise DocumentError(line=line, field="document", reason=f"nested deeper than {DEEPEST} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Builder:
    """Turns the nodes of one file into values, counting them."""

    def __init__(self) -> None:
        self._values = 0

    def value(self, node: yaml.Node, path: FieldPath, lines: dict[FieldPath, int], *, within: frozenset[int]) -> Any:
        self._values += 1
        line = node.start_mark.line + 1
        lines.setdefault(path, line)
        if self._values > MOST_VALUES:
            raise DocumentError(line=line, field=field_name(path), reason=f"more than {MOST_VALUES} values in one file")
        if id(node) in within or len(path) > DEEPEST:
            raise DocumentError(
                line=line, field=field_name(path), reason="an alias that contains itself or nests too deep"
            )
        inside = within | {id(node)}
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, lines, inside)
        if isinstance(node, yaml.SequenceNode):
            _demand_tag(node, "tag:yaml.org,2002:seq", path)
            return [self.value(each, (*path, at), lines, within=inside) for at, each in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return _scalar(node, path)

    def _mapping(
        self, node: yaml.MappingNode, path: FieldPath, lines: dict[FieldPath, int], inside: frozenset[int]
    ) -> dict[str, Any]:
        _demand_tag(node, "tag:yaml.org,2002:map", path)
        fields: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = _scalar(key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise DocumentError(line=line, field=field_name((*path, "<<")), reason="merge keys are not supported")
            if not isinstance(key, str):
                raise DocumentError(
                    line=line, field=field_name(path), reason="every key must be a text; put it in quotes"
                )
            here = (*path, key)
            if key in fields:
                reason = f"given twice, first in line {lines[here]}"
                raise DocumentError(line=line, field=field_name(here), reason=reason)
            lines[here] = line
            fields[key] = self.value(value_node, here, lines, within=inside)
        return fields


def _demand_tag(node: yaml.Node, tag: str, path: FieldPath) -> None:
    if node.tag != tag:
        raise DocumentError(
            line=node.start_mark.line + 1, field=field_name(path), reason=f"tag {node.tag!r} is not allowed"
        )


def _scalar(node: yaml.ScalarNode, path: FieldPath) -> Any:
    """YAML 1.1's plain scalars as Kubernetes reads them: times of day and dates stay texts."""
    text: str = node.value
    plain = text.replace("_", "").lower()
    try:
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str" if not node.style and _EXPONENT.fullmatch(text):
                return float(text)
            case "str" | "timestamp" | "value" | "merge":
                return text
            case "null":
                return None
            case "bool":
                return plain in ("yes", "true", "on")
            case "int" | "float" if ":" in text:
                return text
            case "int" if len(plain) > _MOST_DIGITS:
                raise ValueError
            case "int":
                sign, digits = (-1, plain[1:]) if plain.startswith("-") else (1, plain.lstrip("+"))
                if digits.startswith("0") and digits.isdigit() and len(digits) > 1:
                    return sign * int(digits, 8)
                return sign * int(digits, 0)
            case "float":
                return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError as error:
        raise DocumentError(
            line=node.start_mark.line + 1, field=field_name(path), reason=f"{text[:60]!r} is not a number"
        ) from error
    raise DocumentError(
        line=node.start_mark.line + 1, field=field_name(path), reason=f"tag {node.tag!r} is not allowed"
    )
