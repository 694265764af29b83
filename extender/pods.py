# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a pod asks for, computed as kube-scheduler computes it, and how Penstock is to treat it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from extender.errors import QuantityError
from extender.quantities import parse
from plumbing.problem import Problem

if TYPE_CHECKING:
    from extender.contract import Container, Pod, ResourceList

Treatment = Literal["enforce", "shadow", "ignore"]
TREATMENT_LABEL = "penstock.dev/scheduling"
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class PodAsk:
    """The pod as far as a decision needs it."""

    uid: str
    namespace: str
    name: str
    cpus: float | None
    """CPU request; None where the pod states none."""
    treatment: Treatment
    refusable: bool
    """False for pods that are charged but never refused: those of DaemonSets."""


def ask(pod: Pod, *, own_namespace: str) -> PodAsk:
    """Reads a pod. Raises Problem 422 naming a request that is no quantity."""
    cpus = cpu_request(pod)
    return PodAsk(
        uid=pod.metadata.uid,
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        cpus=float(cpus) if cpus > 0 else None,
        treatment=_treatment(pod, own_namespace=own_namespace),
        refusable=not any(owner.kind == "DaemonSet" for owner in pod.metadata.ownerReferences or ()),
    )


def _treatment(pod: Pod, *, own_namespace: str) -> Treatment:
    if pod.metadata.namespace in {"kube-system", own_namespace} or pod.spec.priorityClassName == "system-node-critical":
        return "ignore"
    stated = (pod.metadata.labels or {}).get(TREATMENT_LABEL)
    # A label value that we do not know must not switch a limit off.
    return "ignore" if stated == "ignore" else "shadow" if stated == "shadow" else "enforce"


def cpu_request(pod: Pod) -> Fraction:
    """CPUs that the scheduler reserves for the pod (k8s.io/component-helpers ``resource.PodRequests``).

    The larger of all containers with all restartable init containers, and the peak of the init phase, in which an
    ordinary init container runs beside the restartable ones started before it; pod-level requests replace that;
    overhead comes on top. In-place resize concerns running pods, which are never asked about here.
    """
    spec = pod.spec
    running = _ZERO
    for at, container in enumerate(spec.containers or ()):
        running += _cpu(_requests(container), where=f"Pod.spec.containers[{at}].resources.requests.cpu")
    sidecars = peak = _ZERO
    for at, container in enumerate(spec.initContainers or ()):
        asked = _cpu(_requests(container), where=f"Pod.spec.initContainers[{at}].resources.requests.cpu")
        if container.restartPolicy == "Always":
            sidecars += asked
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + asked)
    total = max(running + sidecars, peak)
    pod_level = spec.resources.requests if spec.resources else None
    if pod_level is not None and "cpu" in pod_level:
        total = _cpu(pod_level, where="Pod.spec.resources.requests.cpu")
    return total + _cpu(spec.overhead, where="Pod.spec.overhead.cpu")


def _requests(container: Container) -> ResourceList | None:
    return container.resources.requests if container.resources else None


def _cpu(resources: ResourceList | None, *, where: str) -> Fraction:
    if not resources or "cpu" not in resources:
        return _ZERO
    try:
        cpus = parse(resources["cpu"])
    except QuantityError as error:
        raise Problem(422, str(error), field=where) from error
    if cpus < 0:
        raise Problem(422, "a request is not negative", field=where)
    return cpus
