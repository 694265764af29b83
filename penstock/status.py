# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What `penstock up` shows: asked from the roles over HTTP, as anybody else would."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plumbing.http import HttpClient, HttpError, HttpStatusError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.assembly import Addresses
    from penstock.processes import Running

TOP = 15


@dataclass(frozen=True, slots=True)
class Status:
    """One look at all roles."""

    unix_s: float
    roles: Mapping[str, str]
    """Role -> ``ready``, ``starting`` (answers, not ready) or ``down``."""
    node: Mapping[str, Any] | None = None
    processes: tuple[Mapping[str, Any], ...] = field(default=())
    cluster: Mapping[str, Any] | None = None

    def line(self) -> str:
        """The machine-readable line of ``--json`` (DESIGN 11)."""
        node = self.node or {}
        return json.dumps(
            {
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.unix_s)),
                "node": node.get("name"),
                "power_w": node.get("power_w"),
                "power_low_w": node.get("power_low_w"),
                "power_high_w": node.get("power_high_w"),
                "kind": node.get("kind"),
                "energy_uj": node.get("energy_uj"),
                "top": [{key: item[key] for key in ("pid", "comm", "power_w")} for item in self.processes],
                "roles": dict(self.roles),
            }
        )


class Watcher:
    """Keeps connections to the roles and looks at all of them at once."""

    def __init__(self, addresses: Addresses) -> None:
        self._clients = {
            "agent": HttpClient(addresses.agent, timeout_s=0.8),
            "extender": HttpClient(addresses.extender, timeout_s=0.8),
            "fleet": HttpClient(addresses.fleet, timeout_s=0.8),
        }

    async def look(self, running: Sequence[Running] = ()) -> Status:
        """Never fails: a role that does not answer, or whose process in ``running`` is dead, is ``down``."""
        *states, node, processes, cluster = await asyncio.gather(
            *(self._state(name) for name in self._clients),
            self._get("agent", "/v1/query", {"group": "node"}),
            self._get("agent", "/v1/query", {"group": "process", "limit": str(TOP)}),
            self._get("extender", "/v1/cluster", {}),
        )
        roles = dict(zip(self._clients, states, strict=True))
        for each in running:
            if each.part.name in roles and not each.alive:
                roles[each.part.name] = "down"
            each.was_ready |= roles.get(each.part.name, "ready") == "ready"
        if roles["agent"] == "down":
            node = processes = None
        nodes = node["items"] if node else []
        return Status(
            unix_s=time.time(),
            roles=roles,
            node=nodes[0] if nodes else None,
            processes=tuple(processes["items"]) if processes else (),
            cluster=cluster if roles["extender"] != "down" else None,
        )

    async def _state(self, name: str) -> str:
        try:
            await self._clients[name].get("/readyz")
        except HttpStatusError:
            return "starting"
        except HttpError:
            return "down"
        return "ready"

    async def _get(self, name: str, path: str, params: Mapping[str, str]) -> Any:
        try:
            return json.loads((await self._clients[name].get(path, params=params)).body)
        except HttpError:
            return None

    async def close(self) -> None:
        """Closes all connections."""
        for client in self._clients.values():
            await client.close()
