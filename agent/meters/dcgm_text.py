# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What dcgm-exporter prints, read into one record per GPU. Pure, bounded, and deaf to everything it was not asked for.

Rows are not devices. A GPU cut into instances prints its watts again in every instance's row, and one that several
pods share prints every row once per pod; so energy and power are taken once per UUID and never added up. Missing
values come as DCGM's blanks, numbers of their own that must not pass for joules.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from agent.meters.gpu_activity import Holder, Instance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ENERGY: Final = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"  # mJ
POWER: Final = "DCGM_FI_DEV_POWER_USAGE"  # W
LIMIT: Final = "DCGM_FI_DEV_POWER_MGMT_LIMIT"  # W
ACTIVE: Final = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"  # ratio
_WANTED: Final = (ENERGY, POWER, LIMIT, ACTIVE, "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_GPU_UTIL")

# A node of 16 GPUs with 7 instances and 40 metrics prints 4,500 rows of some 400 bytes.
_LARGEST_BYTES: Final = 16 * 2**20
_LONGEST_LINE: Final = 16 * 2**10
_MOST_LABELS: Final = 256
_MOST_GPUS: Final = 256

_LABEL: Final = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|\}|$)')
_ESCAPE: Final = re.compile(r"\\(.)")
_PROFILE_SLICES: Final = re.compile(r"(\d+)g\.")
# dcgm_structs.h: DCGM_INT64_BLANK and DCGM_FP64_BLANK, each followed by its reasons (not found, not supported, ...).
_INT64_BLANK: Final = 0x7FFFFFFFFFFFFFF0
_FP64_BLANK: Final = 2**47
_REASONS: Final = 16
# MIG user guide: an A30 has 4 compute slices, every other GPU with MIG has 7.
_SLICES: Final = 7
_SLICES_A30: Final = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """One row that was asked for."""

    metric: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Gpu:
    """One board, whatever number of rows it came in."""

    scope: str
    index: str
    name: str
    energy_mj: int | None
    power_w: float | None
    limit_w: float | None
    active_ratio: float | None
    instances: tuple[Instance, ...]
    holders: tuple[Holder, ...]
    slices: int


def parse(body: bytes) -> tuple[tuple[Sample, ...], int]:
    """The rows of the wanted metrics, and how many could not be read. Raises ValueError for a body too large."""
    if len(body) > _LARGEST_BYTES:
        raise ValueError(f"{len(body)} bytes of metrics are more than {_LARGEST_BYTES}")
    samples: list[Sample] = []
    bad = 0
    for line in body.decode("utf-8", "replace").split("\n"):
        if not line.startswith(_WANTED):
            continue
        sample = _row(line) if len(line) <= _LONGEST_LINE else None
        if sample is None:
            bad += 1
        elif sample.metric in _WANTED:
            samples.append(sample)
    return tuple(samples), bad


def _row(line: str) -> Sample | None:
    head, brace, rest = line.partition("{")
    labels: dict[str, str] = {}
    if brace:
        at = 0
        while not rest.startswith("}", at):
            match = _LABEL.match(rest, at)
            if match is None or len(labels) == _MOST_LABELS or not match[3]:
                return None
            labels[match[1]] = _ESCAPE.sub(lambda each: "\n" if each[1] == "n" else each[1], match[2])
            at = match.end() - (match[3] == "}")
        fields = rest[at + 1 :].split()
        metric = head.strip()
    else:
        metric, *fields = line.split()
    # A value, and perhaps the exporter's own time stamp, which it does not print by default.
    if len(fields) not in (1, 2):
        return None
    try:
        value = int(fields[0]) if fields[0].isascii() and fields[0].isdigit() else float(fields[0])
    except ValueError:
        return None
    return Sample(metric, labels, value)


def present(value: float) -> bool:
    """Whether a value is one: finite, not negative, and none of DCGM's blanks."""
    if not math.isfinite(value) or value < 0 or value >= _INT64_BLANK:
        return False
    return not _FP64_BLANK <= value < _FP64_BLANK + _REASONS


def gpus(samples: Iterable[Sample], *, hostname: str = "") -> tuple[Gpu, ...]:
    """One record per GPU, by scope. Rows of another host than ``hostname`` (if one is given) are not this node's."""
    rows: dict[str, list[Sample]] = {}
    for sample in samples:
        label = sample.labels
        host = label.get("Hostname") or label.get("hostname") or ""
        if hostname and host and host.lower() != hostname.lower():
            continue
        scope = label.get("UUID") or label.get("uuid") or (f"index-{label['gpu']}" if label.get("gpu") else "")
        if not scope or len(scope) > 200 or (scope not in rows and len(rows) == _MOST_GPUS):
            continue
        rows.setdefault(scope, []).append(sample)
    return tuple(_gpu(scope, rows[scope]) for scope in sorted(rows))


def _gpu(scope: str, rows: Sequence[Sample]) -> Gpu:
    labels = rows[0].labels
    instances = _instances(scope, rows)
    active_ratio = _value(rows, ACTIVE, board_only=True)
    holders = _holders(scope, rows, in_instances=bool(instances))
    if not instances and active_ratio is not None and (active_ratio == 0 or len(holders) == 1):
        holders = tuple(replace(each, sm_ratio=min(active_ratio, 1.0)) for each in holders)
    energy_mj = _value(rows, ENERGY)
    name = labels.get("modelName", "")
    slices = (_SLICES_A30 if "A30" in name else _SLICES) if instances else 0
    return Gpu(
        scope=scope,
        index=labels.get("gpu", ""),
        name=name,
        energy_mj=None if energy_mj is None else round(energy_mj),
        power_w=_value(rows, POWER),
        limit_w=_value(rows, LIMIT),
        active_ratio=active_ratio,
        instances=instances,
        holders=holders,
        slices=slices,
    )


def _value(rows: Sequence[Sample], metric: str, *, board_only: bool = False) -> float | None:
    """The board's own row first; instance rows repeat the board's figure."""
    found = [each for each in rows if each.metric == metric and present(each.value)]
    own = [each.value for each in found if not each.labels.get("GPU_I_ID")]
    if own or board_only:
        return max(own, default=None)
    return max((each.value for each in found), default=None)


def _instances(scope: str, rows: Sequence[Sample]) -> tuple[Instance, ...]:
    profiles: dict[int, str] = {}
    active: dict[int, float] = {}
    for each in rows:
        number = each.labels.get("GPU_I_ID", "")
        if not (number.isascii() and number.isdigit() and len(number) <= 4):
            continue
        profiles.setdefault(int(number), each.labels.get("GPU_I_PROFILE", ""))
        if each.metric == ACTIVE and present(each.value):
            active[int(number)] = min(each.value, 1.0)
    return tuple(
        Instance(f"{scope}/mig-{number}-0", number, _slices(profiles[number]), profiles[number], active.get(number))
        for number in sorted(profiles)
    )


def _slices(profile: str) -> int:
    match = _PROFILE_SLICES.search(profile)
    return min(int(match[1]), _SLICES) if match and len(match[1]) <= 2 else 1


def _holders(scope: str, rows: Sequence[Sample], *, in_instances: bool) -> tuple[Holder, ...]:
    found: dict[Holder, None] = {}
    for each in rows:
        label = each.labels
        number = label.get("GPU_I_ID", "")
        pod = label.get("pod") or label.get("pod_name") or ""
        if not pod or in_instances != bool(number):
            continue
        found.setdefault(
            Holder(
                namespace=label.get("namespace") or label.get("pod_namespace") or "",
                pod=pod,
                container=label.get("container") or label.get("container_name") or "",
                instance=f"{scope}/mig-{number}-0" if number else "",
            )
        )
    return tuple(sorted(found, key=lambda each: (each.instance, each.namespace, each.pod, each.container)))
