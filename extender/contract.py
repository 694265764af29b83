# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The kube-scheduler extender contract, v1, as seen on the wire (reference/scheduler 1.2).

Requests carry the Go field names; both those and their lower-case forms are read, unknown keys are ignored as Go does.
Pods are parsed only as far as a decision needs. Answers carry the Go names and leave nothing out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct, field

from plumbing.problem import Problem
from wire.report import field_and_reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Quantity = str | int | float
ResourceList = dict[str, Quantity]


class OwnerReference(Struct, frozen=True):
    kind: str = ""
    name: str = ""


class Metadata(Struct, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    ownerReferences: list[OwnerReference] | None = None  # Kubernetes spells it so


class Resources(Struct, frozen=True):
    requests: ResourceList | None = None


class Container(Struct, frozen=True):
    resources: Resources | None = None
    restartPolicy: str | None = None


class PodSpec(Struct, frozen=True):
    containers: list[Container] | None = None
    initContainers: list[Container] | None = None
    resources: Resources | None = None
    overhead: ResourceList | None = None
    priorityClassName: str = ""
    schedulerName: str = ""


class Pod(Struct, frozen=True):
    metadata: Metadata
    spec: PodSpec = PodSpec()


class NodeList(Struct, frozen=True):
    items: list[Raw] | None = None


class _Named(Struct, frozen=True):
    name: str


class _NodeObject(Struct, frozen=True):
    metadata: _Named


class _Args(Struct, frozen=True):
    """Go's decoder ignores case; these are the spellings that anything in the field sends."""

    pod: Pod | None = field(name="Pod", default=None)
    pod_lower: Pod | None = field(name="pod", default=None)
    nodes: NodeList | None = field(name="Nodes", default=None)
    nodes_lower: NodeList | None = field(name="nodes", default=None)
    names: list[str] | None = field(name="NodeNames", default=None)
    names_camel: list[str] | None = field(name="nodeNames", default=None)
    names_lower: list[str] | None = field(name="nodenames", default=None)


class NodeListAnswer(Struct, frozen=True):
    """A NodeList of untouched Node objects."""

    metadata: dict[str, str]
    items: list[Raw]


class FilterResult(Struct, frozen=True, rename="pascal"):
    """ExtenderFilterResult. Exactly one of ``nodes`` and ``node_names`` is set; with neither no node is feasible."""

    nodes: NodeListAnswer | None = None
    node_names: list[str] | None = None
    failed_nodes: dict[str, str] = {}
    failed_and_unresolvable_nodes: dict[str, str] = {}
    error: str = ""


class HostPriority(Struct, frozen=True, rename="pascal"):
    host: str
    score: int


@dataclass(frozen=True, slots=True)
class Request:
    """What the scheduler asks: a pod, and the nodes it is thinking of."""

    pod: Pod
    names: tuple[str, ...]
    """Distinct, in the scheduler's order."""
    objects: Mapping[str, Raw] | None
    """The Node objects by name where the scheduler sent them (nodeCacheCapable: false)."""


_decoder = msgspec.json.Decoder(_Args)
_node_decoder = msgspec.json.Decoder(_NodeObject)
_encoder = msgspec.json.Encoder()
_GO_NAMES = {"pod": "Pod", "nodes": "Nodes", "nodeNames": "NodeNames", "nodenames": "NodeNames"}


def decode(body: bytes) -> Request:
    """Parses ExtenderArgs. Raises Problem 400 for what is no JSON and 422 naming the field for the rest."""
    try:
        args = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _wrong_type(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"not valid JSON: {error}", field="body") from error
    pod = args.pod or args.pod_lower
    if pod is None:
        raise Problem(422, "ExtenderArgs without a pod", field="Pod")
    for name in ("name", "namespace", "uid"):
        if not getattr(pod.metadata, name):
            raise Problem(422, f"a pod without {name} cannot be decided", field=f"Pod.metadata.{name}")
    names = _first(args.names, args.names_camel, args.names_lower)
    nodes = args.nodes or args.nodes_lower
    if names is not None:
        return Request(pod=pod, names=tuple(dict.fromkeys(names)), objects=None)
    if nodes is None:
        raise Problem(422, "neither NodeNames nor Nodes is given", field="NodeNames")
    objects = _by_name(nodes.items or [])
    return Request(pod=pod, names=tuple(objects), objects=objects)


def _first(*candidates: list[str] | None) -> list[str] | None:
    return next((each for each in candidates if each is not None), None)


def _wrong_type(error: msgspec.ValidationError) -> Problem:
    path, reason = field_and_reason(error)
    head, dot, rest = path.partition(".")
    return Problem(422, reason, field=_GO_NAMES.get(head, head) + dot + rest)


def _by_name(items: Sequence[Raw]) -> dict[str, Raw]:
    objects: dict[str, Raw] = {}
    for at, item in enumerate(items):
        try:
            objects[_node_decoder.decode(item).metadata.name] = item
        except msgspec.ValidationError as error:
            path, reason = field_and_reason(error)
            raise Problem(422, reason, field=f"Nodes.items[{at}].{path}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Problem(400, f"not valid JSON: {error}", field=f"Nodes.items[{at}]") from error
    return objects


def filter_answer(request: Request, *, refused: Mapping[str, str]) -> bytes:
    """ExtenderFilterResult: every node that is not in ``refused`` (name -> constant reason, unresolvable) passes."""
    passed = [name for name in request.names if name not in refused]
    result = FilterResult(
        nodes=None
        if request.objects is None
        else NodeListAnswer(metadata={}, items=[request.objects[name] for name in passed]),
        node_names=passed if request.objects is None else None,
        failed_and_unresolvable_nodes=dict(refused),
    )
    return _encoder.encode(result)


def priority_answer(names: Sequence[str], scores: Sequence[int]) -> bytes:
    """HostPriorityList: a bare array, one entry per name."""
    return _encoder.encode([HostPriority(host=name, score=score) for name, score in zip(names, scores, strict=True)])
