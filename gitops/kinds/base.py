# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What every policy kind shares: Kubernetes' outer shape, camelCase outside, strict types, no unknown fields.

One file per kind beside this one. A kind documents each field with unit, default and limit in its description, because
definitions, schemas and reference pages come from these models alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

GROUP = "penstock.dev"
API_VERSION = f"{GROUP}/v1alpha1"

ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", max_length=253)
]
"""A DNS-1123 subdomain, as Kubernetes demands of object names."""
NamespaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
"""A DNS-1123 label."""
LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=317
    ),
]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)]
Precedence = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]


class Fields(BaseModel):
    """A part of an object: camelCase in files, unknown fields and loose types refused, immutable once read."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
    )


class ObjectMeta(Fields):
    """The part of Kubernetes' metadata that people write; of a cluster-wide kind, so without a namespace."""

    name: ObjectName
    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=64)] = {}
    annotations: Annotated[
        dict[LabelKey, Annotated[str, StringConstraints(max_length=65536)]], Field(max_length=64)
    ] = {}


class NamespacedMeta(ObjectMeta):
    """Metadata of a kind that holds for one namespace; it is never guessed: a budget in ``default`` guards nobody."""

    namespace: NamespaceName


class LabelRequirement(Fields):
    """One line of ``matchExpressions``."""

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: Annotated[tuple[LabelValue, ...], Field(strict=False, max_length=64)] = ()

    @model_validator(mode="after")
    def _values_fit(self) -> LabelRequirement:
        if (self.operator in ("In", "NotIn")) is not bool(self.values):
            needs = "needs values" if self.operator in ("In", "NotIn") else "takes no values"
            raise PydanticCustomError(
                "values", "operator {operator} {needs}", {"operator": self.operator, "needs": needs}
            )
        return self


class LabelSelector(Fields):
    """Kubernetes' label selector: all lines must hold; an empty one selects everything."""

    match_labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=64)] = {}
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(strict=False, max_length=64)] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether an object with these ``labels`` is selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            _holds(line, labels) for line in self.match_expressions
        )


def _holds(line: LabelRequirement, labels: dict[str, str]) -> bool:
    match line.operator:
        case "In":
            return labels.get(line.key) in line.values
        case "NotIn":
            return labels.get(line.key) not in line.values
        case "Exists":
            return line.key in labels
        case "DoesNotExist":
            return line.key not in labels


class Kind(Fields):
    """One policy object. A subclass narrows ``kind`` to its name, and ``metadata`` if namespaced, and adds ``spec``."""

    api_version: Literal["penstock.dev/v1alpha1"]
    kind: str
    metadata: ObjectMeta

    @property
    def identity(self) -> tuple[str, str, str]:
        """(kind, namespace, name): what tells objects apart; the namespace is empty for cluster-wide kinds."""
        namespace = self.metadata.namespace if isinstance(self.metadata, NamespacedMeta) else ""
        return self.kind, namespace, self.metadata.name
