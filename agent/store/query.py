# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Questions to the store: who drew how much, at which level, in which view.

Answers are list documents (DESIGN 11). Power is that of the newest interval, or the mean over a window; energy is the
total since the state began with its watermark, or the energy of the window. ``energy_uj`` of namespaces, workloads
and processes is always the dynamic view and ``loaded_energy_uj`` the loaded one; ``view`` chooses whose watts are
shown and by which the list is sorted.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from agent.attribution.uncertainty import bounds, share_error_uj
from agent.errors import NotYet
from agent.meters.choice import rfc3339
from agent.store.snapshot import process_name
from agent.store.totals import Part
from plumbing.problem import Problem
from wire.units import watts

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from agent.attribution.engine import DomainSplit
    from agent.store.ring import Ring
    from agent.store.snapshot import Snapshot
    from agent.store.totals import Totals
    from agent.workloads.identity import Workload

Group = Literal["node", "namespace", "workload", "process"]
View = Literal["dynamic", "loaded"]

LARGEST_LIMIT: Final = 10_000
_LIMIT: Final = 100
_LONGEST_WINDOW_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Query:
    """A checked question. ``window_s`` None asks for the newest interval."""

    group: Group = "node"
    view: View = "dynamic"
    limit: int = _LIMIT
    window_s: float | None = None

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> Query:
        """Reads ``group, view, limit, window``. Raises Problem 400 naming the parameter."""
        for name in params:
            if name not in ("group", "view", "limit", "window"):
                raise Problem(400, "no such parameter; there are group, view, limit, window", field=name)
        group = params.get("group", "node")
        view = params.get("view", "dynamic")
        if group not in get_args(Group):
            raise Problem(400, f"{group!r} is not one of {', '.join(get_args(Group))}", field="group")
        if view not in get_args(View):
            raise Problem(400, f"{view!r} is not one of {', '.join(get_args(View))}", field="view")
        return cls(group=group, view=view, limit=_limit(params), window_s=_window(params))  # type: ignore[arg-type]


def _limit(params: Mapping[str, str]) -> int:
    text = params.get("limit", str(_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= LARGEST_LIMIT):
        raise Problem(400, f"{text[:40]!r} is not an integer within 1..{LARGEST_LIMIT}", field="limit")
    return int(text)


def _window(params: Mapping[str, str]) -> float | None:
    text = params.get("window")
    if text is None:
        return None
    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        value = math.nan
    if not 0 < value <= _LONGEST_WINDOW_S:
        raise Problem(400, f"{text[:40]!r} is not a number of seconds within 0..{_LONGEST_WINDOW_S:g}", field="window")
    return value


def answer(query: Query, *, ring: Ring, totals: Totals) -> dict[str, Any]:
    """The list document. Raises NotYet before the first interval has closed."""
    latest = ring.latest
    if latest is None:
        raise NotYet("no interval has closed yet")
    taken = (latest,) if query.window_s is None else ring.window(query.window_s)
    items = _node(taken) if query.group == "node" else _parts(query, taken)
    if query.window_s is None:
        _put_totals(items, query, totals)
    for item in items:
        item.pop("key", None)
    items.sort(key=lambda item: (-item["power_w"], item["name"]))
    return {
        "as_of": rfc3339(latest.span.to_unix_ns),
        "node": latest.origin.node,
        "group": query.group,
        "view": query.view,
        "window_s": sum(each.span.elapsed_ns for each in taken) / 1e9,
        "watermarks": [
            {
                "node": latest.origin.node,
                "boot_id": latest.origin.boot_id,
                "stream": latest.origin.stream,
                "sequence": latest.sequence,
            }
        ],
        "items": items[: query.limit],
    }


def _node(taken: Sequence[Snapshot]) -> list[dict[str, Any]]:
    latest = taken[-1]
    span_ns = sum(each.span.elapsed_ns for each in taken)
    low_uj = high_uj = 0.0
    rows_uj: dict[str, int] = defaultdict(int)
    for snapshot in taken:
        roots = [snapshot.domains[at] for at in snapshot.roots]
        low, high = bounds([float(each.energy.timely_uj) for each in roots], [], roots)
        low_uj, high_uj = low_uj + low, high_uj + high
        for name, energy_uj in snapshot.rows_uj().items():
            rows_uj[name] += energy_uj
    energy_uj = sum(each.energy_uj for each in taken)
    return [
        {
            "name": latest.origin.node,
            "power_w": watts(sum(each.timely_uj for each in taken), span_ns),
            "power_low_w": watts(low_uj, span_ns),
            "power_high_w": watts(high_uj, span_ns),
            "kind": latest.kind,
            "energy_uj": energy_uj,
            "rows": dict(rows_uj),
            "unallocated_uj": sum(split.unallocated_uj for each in taken for split in each.domains),
            "cpus": latest.facts.cpus,
            "busy_cpus": latest.facts.busy_cpus,
            "processes": latest.processes,
            "simulated": latest.facts.simulated,
            "reconciliation": asdict(latest.reconciliation),
            "domains": [_domain(split) for split in latest.domains],
            "gaps": [{"domain": gap.domain, "reason": gap.reason} for each in taken for gap in each.gaps],
        }
    ]


def _domain(split: DomainSplit) -> dict[str, Any]:
    energy = split.energy
    power_w = watts(energy.timely_uj, energy.elapsed_ns)
    return {
        "name": energy.domain.name,
        "component": energy.domain.component,
        "scope": energy.domain.scope,
        "parent": split.parent,
        "source": energy.source,
        "kind": energy.quality.kind,
        "power_w": power_w,
        "power_low_w": power_w * energy.quality.low_ratio,
        "power_high_w": power_w * energy.quality.high_ratio,
        "static_w": watts(split.static_uj, energy.elapsed_ns) if energy.static_uj is not None else None,
        "residual_w": watts(split.residual_uj - energy.late_uj, energy.elapsed_ns) if split.is_parent else None,
        "late_uj": energy.late_uj,
        "unattributed_uj": split.unattributed_uj,
        "model": split.model,
    }


def _parts(query: Query, taken: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """One item per namespace, workload or process, without totals."""
    found: dict[Hashable, dict[str, Any]] = {}
    span_ns = sum(each.span.elapsed_ns for each in taken)
    for snapshot in taken:
        keys, of_row, about = _groups(query.group, snapshot)
        dynamic_uj = _summed(snapshot.dynamic_uj, of_row, len(keys))
        loaded_uj = _summed(snapshot.loaded_uj, of_row, len(keys))
        shown_uj = loaded_uj if query.view == "loaded" else dynamic_uj
        error_uj = (
            np.stack(
                [share_error_uj(dynamic_uj[:, at], split.dynamic_pot_uj) for at, split in enumerate(snapshot.domains)],
                axis=1,
            )
            if snapshot.domains
            else np.zeros_like(dynamic_uj)
        )
        dynamic_sums, loaded_sums = dynamic_uj.sum(axis=1).tolist(), loaded_uj.sum(axis=1).tolist()
        shown_rows, error_rows = shown_uj.tolist(), error_uj.tolist()
        for at, key in enumerate(keys):
            low_uj, high_uj = bounds(shown_rows[at], error_rows[at], snapshot.domains)
            item = found.get(key)
            if item is None:
                item = found[key] = about[at] | {
                    "key": key, "power_w": 0.0, "power_low_w": 0.0, "power_high_w": 0.0, "kind": snapshot.kind,
                    "energy_uj": 0, "loaded_energy_uj": 0,
                }  # fmt: skip
            item["power_w"] += watts(sum(shown_rows[at]), span_ns)
            item["power_low_w"] += watts(low_uj, span_ns)
            item["power_high_w"] += watts(high_uj, span_ns)
            item["energy_uj"] += dynamic_sums[at]
            item["loaded_energy_uj"] += loaded_sums[at]
    return list(found.values())


def _summed(columns: Any, of_row: Any, groups: int) -> Any:
    out = np.zeros((groups, columns.shape[1]), dtype=np.int64)
    np.add.at(out, of_row, columns)
    return out


def _groups(group: Group, snapshot: Snapshot) -> tuple[list[Hashable], Any, list[dict[str, Any]]]:
    """Keys, for each row the index of its key, and what to say about each key."""
    index: dict[Hashable, int] = {}
    about: list[dict[str, Any]] = []
    if group == "process":
        of_row = np.zeros(snapshot.rows.size, dtype=np.int64)
        for at, (row, workload_at) in enumerate(zip(snapshot.rows, snapshot.workload_of.tolist(), strict=True)):
            workload = snapshot.workloads[workload_at]
            key = (int(row["pid"]), int(row["start_ns"]), workload)
            if key not in index:
                comm = process_name(row, snapshot.comms)
                about.append(
                    {
                        "name": comm,
                        "pid": key[0],
                        "comm": comm,
                        "namespace": workload.namespace,
                        "workload": workload.name,
                        "container": workload.container,
                    }
                )
            of_row[at] = index.setdefault(key, len(index))
        return list(index), of_row, about
    of_workload = []
    for workload in snapshot.workloads:
        key2: Hashable = workload.namespace if group == "namespace" else workload
        if key2 not in index:
            about.append({"name": workload.namespace} if group == "namespace" else _workload(workload))
        of_workload.append(index.setdefault(key2, len(index)))
    lookup = np.array(of_workload, dtype=np.int64)
    of_row = lookup[snapshot.workload_of] if snapshot.rows.size else np.zeros(0, dtype=np.int64)
    return list(index), of_row, about


def _put_totals(items: list[dict[str, Any]], query: Query, totals: Totals) -> None:
    """Replaces the interval's energy by the totals, and adds who drew nothing in it but did before."""
    if query.group == "node":
        items[0]["energy_uj"] = totals.energy_uj
        items[0]["rows"] = dict(totals.rows_uj)
        items[0]["unallocated_uj"] = totals.unallocated_uj
        return
    known: Mapping[Any, Part]
    if query.group == "namespace":
        known = totals.namespaces
    elif query.group == "workload":
        known = {key: each.sum for key, each in totals.workloads.items()}
    else:
        known = {key: part for key, (part, _) in totals.processes.items()}
    seen = set()
    for item in items:
        seen.add(item["key"])
        part = known.get(item["key"], Part())
        item["energy_uj"], item["loaded_energy_uj"] = part.dynamic_uj, part.loaded_uj
    if query.group == "process":
        return  # a process that did not run may be gone
    kind = items[0]["kind"] if items else "modelled"
    still = {"power_w": 0.0, "power_low_w": 0.0, "power_high_w": 0.0, "kind": kind}
    for key, part in known.items():
        if key not in seen:
            about = {"name": key} if isinstance(key, str) else _workload(key)
            items.append(about | still | {"energy_uj": part.dynamic_uj, "loaded_energy_uj": part.loaded_uj})


def _workload(workload: Workload) -> dict[str, Any]:
    return {
        "name": workload.name,
        "namespace": workload.namespace,
        "uid": workload.uid,
        "container": workload.container,
    }
