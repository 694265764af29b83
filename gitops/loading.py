# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of policy files as objects, or as problems that name file, line, field and reason.

Everything of our group must be right. Documents of other groups, kustomize's own files and YAML that is no Kubernetes
object are counted and skipped. A ``*.patch.yaml`` is part of an object: the fields that it has are checked, but it is
never an object itself (rendering overlays is kustomize's work).
"""

from __future__ import annotations

import difflib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gitops import documents
from gitops.kinds.base import API_VERSION, GROUP, Fields, Kind
from gitops.kinds.known import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

_SUFFIXES = (".yaml", ".yml", ".json")
_PATCHES = (".patch.yaml", ".patch.yml")
_KUSTOMIZE = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# A repository of every policy of a large company; beyond it somebody pointed us at the wrong folder.
_MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Located:
    """One object and where it stands; ``line`` counts from 1."""

    object: Kind
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """What is wrong, as ``file:line: field: reason``."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder holds, in the order of its files. Of a file with a problem nothing new is put in force."""

    objects: tuple[Located, ...]
    problems: tuple[PolicyProblem, ...]
    revision: str
    """Hash over names and contents of all policy files."""
    skipped: int = 0
    """Documents that are none of ours."""


def load_folder(path: Path) -> Loaded:
    """Reads every policy file below ``path``, or the one file that it is. Raises nothing for what it finds there."""
    objects: list[Located] = []
    problems: list[PolicyProblem] = []
    skipped = 0
    digest = hashlib.sha256()
    first: dict[tuple[str, str, str], Located] = {}
    try:
        files = _files(path)
    except OSError as error:
        problem = PolicyProblem(file=str(path), line=1, field="file", reason=error.strerror or str(error))
        return Loaded(objects=(), problems=(problem,), revision="")
    for file in files:
        try:
            body = _read(file)
        except OSError as error:
            problems.append(PolicyProblem(file=str(file), line=1, field="file", reason=error.strerror or str(error)))
            continue
        name = file.relative_to(path).as_posix().encode()
        digest.update(b"%d:%b:%d:%b" % (len(name), name, len(body), body))
        if file.name in _KUSTOMIZE:
            continue
        found, wrong, others = _parse(body, str(file), patch=file.name.endswith(_PATCHES))
        problems += wrong
        skipped += others
        for located, twice in found:
            before = first.setdefault(located.object.identity, located)
            if before is not located:
                problems.append(_duplicate(located, before, line=twice))
                continue
            objects.append(located)
    problems.sort(key=lambda problem: (problem.file, problem.line))
    return Loaded(objects=tuple(objects), problems=tuple(problems), revision=digest.hexdigest()[:16], skipped=skipped)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        path.stat()
        return [path]
    found: list[Path] = []

    def refuse(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(path, onerror=refuse):
        # Hidden: .git, and the dated folders behind a mounted ConfigMap, whose files are linked from beside them.
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and (name.endswith(_SUFFIXES) or name in _KUSTOMIZE):
                found.append(Path(folder) / name)
        if len(found) > _MOST_FILES:
            raise OSError(f"more than {_MOST_FILES} files")
    return found


def _read(file: Path) -> bytes:
    # A pipe or a device would hang or never end.
    if not file.is_file():
        raise OSError("not a regular file")
    with file.open("rb") as opened:
        return opened.read(documents.LARGEST_FILE_BYTES + 1)


def _duplicate(located: Located, before: Located, *, line: int) -> PolicyProblem:
    kind, namespace, name = located.object.identity
    title = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    return PolicyProblem(
        file=located.file,
        line=line,
        field="metadata.name",
        reason=f"{title} is already defined in {before.file}:{before.line}",
    )


def _parse(body: bytes, file: str, *, patch: bool) -> tuple[list[tuple[Located, int]], list[PolicyProblem], int]:
    """Objects (each with the line of its name), problems, and the number of documents skipped."""
    found: list[tuple[Located, int]] = []
    problems: list[PolicyProblem] = []
    skipped = 0
    try:
        for document in documents.read(body):
            for at, value in _objects(document.value, ()):
                kind, reasons = _kind_of(value, patch=patch)
                if kind is None and not reasons:
                    skipped += 1
                    continue
                where: documents.FieldPath
                if kind is not None:
                    checked = _check(kind, value, patch=patch)
                    if isinstance(checked, Kind):
                        located = Located(object=checked, file=file, line=document.line(at))
                        found.append((located, document.line((*at, "metadata", "name"))))
                        continue
                    reasons = checked
                for where, reason in reasons:
                    line = document.line((*at, *where))
                    problems.append(PolicyProblem(file, line, documents.field_name((*at, *where)), reason))
    except documents.DocumentError as error:
        problems.append(PolicyProblem(file=file, line=error.line, field=error.field, reason=error.reason))
    return found, problems, skipped


def _objects(value: Any, at: documents.FieldPath) -> Iterator[tuple[documents.FieldPath, Any]]:
    """The document itself, or what a ``kind: List`` of Kubernetes holds."""
    if isinstance(value, dict) and value.get("apiVersion") == "v1" and value.get("kind") == "List":
        items = value.get("items")
        for number, item in enumerate(items if isinstance(items, list) else []):
            yield from _objects(item, (*at, "items", number))
    else:
        yield at, value


Reasons = list[tuple[documents.FieldPath, str]]


def _kind_of(value: Any, *, patch: bool) -> tuple[type[Kind] | None, Reasons]:
    """The kind of a document of ours; (None, []) for what is not ours, (None, reasons) for what pretends to be."""
    if not isinstance(value, dict):
        return None, []
    version, kind = value.get("apiVersion"), value.get("kind")
    if version is None and kind is None:
        return None, []
    if version is None:
        return None, [((), "apiVersion is missing")] if _is_ours(kind) and not patch else []
    if not isinstance(version, str):
        return None, [(("apiVersion",), "must be a text")]
    group = version.partition("/")[0]
    if group != GROUP:
        misspelt = _is_ours(kind) and difflib.get_close_matches(group, [GROUP])
        return None, [(("apiVersion",), f"is {version!r}; did you mean {API_VERSION}?")] if misspelt else []
    if version != API_VERSION:
        return None, [(("apiVersion",), f"is {version!r}, known is {API_VERSION}")]
    if kind is None:
        return None, [((), "kind is missing")]
    if not _is_ours(kind):
        known = ", ".join(sorted(KINDS))
        return None, [(("kind",), f"{kind!r} is not a kind of {GROUP}; known are {known}")]
    return KINDS[kind], []


def _is_ours(kind: Any) -> bool:
    return isinstance(kind, str) and kind in KINDS


def _check(kind: type[Kind], value: dict[str, Any], *, patch: bool) -> Kind | Reasons:
    """The object, or what is wrong with it; nothing is wrong with a patch that lacks fields."""
    try:
        checked = kind.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False)
        if patch:
            details = [each for each in details if not _of_a_patch(each)]
        return [_reason(each) for each in details]
    return [] if patch else checked


def _of_a_patch(error: ErrorDetails) -> bool:
    """Whether a patch may do this: leave fields out, remove them by null, tell kustomize by ``$patch`` how to merge."""
    directive = error["type"] == "extra_forbidden" and str(error["loc"][-1]).startswith("$")
    return directive or error["type"] == "missing" or error["input"] is None


def _reason(error: ErrorDetails) -> tuple[documents.FieldPath, str]:
    path: documents.FieldPath = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "missing":
        return path, "is missing"
    if error["type"] == "extra_forbidden" and path == ("metadata", "namespace"):
        return path, "this kind is cluster-wide and has no namespace"
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(path[-1]), _ALL_FIELDS, n=1)
        return path, "unknown field" + (f"; did you mean {close[0]}?" if close else "")
    if isinstance(error["input"], str | int | float | bool | None):
        return path, f"{error['msg']}, is {str(error['input'])[:60]!r}"
    return path, error["msg"]


def _field_names(model: type[Fields]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        if isinstance(field.annotation, type) and issubclass(field.annotation, Fields):
            yield from _field_names(field.annotation)


_ALL_FIELDS = sorted({name for kind in KINDS.values() for name in _field_names(kind)})
