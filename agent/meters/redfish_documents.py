# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The documents of a Redfish service that are known by now, and how they get newer.

A refresh asks for the documents in use first, oldest first, then goes on with the walk while time is left. Tags save
the service from sending what did not change; since some change a reading and not its tag, a tag is believed a few
times only, and a service that is caught is never believed again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.meters.redfish_service import DocumentMissing, Fetched, RedfishService, ServiceError
from agent.meters.redfish_walk import ROOT, expands, wanted
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Collection

    from plumbing.clock import Clock

log = logging.getLogger(__name__)

# Refreshes for which a tag is believed.
_BELIEVED: Final = 6
# Supplies are swapped and firmware is updated: the structure is looked at again this often, and after every outage.
_LOOK_AGAIN_NS: Final = 600 * NS_PER_S
# A document that failed this often in a row is left out of the walk until the structure is looked at again.
_GIVE_UP: Final = 3


@dataclass(frozen=True, slots=True)
class _Kept:
    """A document, and how often its tag has been believed since it was last read in full."""

    fetched: Fetched
    believed: int = 0


class RedfishDocuments:
    """All that is known of one service. ``timeout_s`` is the time of one refresh."""

    def __init__(self, service: RedfishService, *, clock: Clock, system: str, timeout_s: float) -> None:
        self._service = service
        self._clock = clock
        self._system = system
        self._timeout_s = timeout_s
        self._kept: dict[str, _Kept] = {}
        self._absent: set[str] = set()
        self._failures: dict[str, int] = {}
        self._look_again: list[str] = []
        self._looked_ns = clock.monotonic_ns()
        self._tags_lie = False

    @property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """URI -> document."""
        return {uri: kept.fetched.body for uri, kept in self._kept.items()}

    @property
    def complete(self) -> bool:
        """Whether nothing that the whole machine's power depends on is still to be asked for."""
        return not wanted(self.bodies, absent=self._absent, system=self._system).essential

    def at_ns(self, uris: Collection[str]) -> int:
        """When the oldest of these documents was true; 0 for none."""
        return min((self._kept[uri].fetched.at_ns for uri in uris if uri in self._kept), default=0)

    def refresh(self, in_use: Collection[str], *, first: Collection[str]) -> None:
        """Makes the documents in use newer, those of ``first`` before the others, and goes on with the walk.

        Raises ServiceError only if nothing at all came back.
        """
        now_ns = self._clock.monotonic_ns()
        until_ns = now_ns + round(self._timeout_s * NS_PER_S)
        answered = 0
        trouble: ServiceError | None = None
        if now_ns - self._looked_ns >= _LOOK_AGAIN_NS:
            self.look_again(in_use)
        batch = sorted(
            (uri for uri in in_use if uri in self._kept),
            key=lambda uri: (uri not in first, self._kept[uri].fetched.at_ns),
        )
        batch = batch or self._next()
        while batch:
            before = answered
            for uri in batch:
                if answered and self._clock.monotonic_ns() >= until_ns:
                    return
                try:
                    self._fetch(uri, until_ns)
                except ServiceError as error:
                    trouble = error
                    self._fails(uri)
                    if error.reason != "server_error":
                        break
                else:
                    answered += 1
                    self._failures.pop(uri, None)
            else:
                batch = self._next() if answered > before else []
                continue
            break
        if trouble is not None:
            # The time ran out in the middle of the walk, or one document fails: what else came is good.
            if not answered or trouble.pause_s is not None:
                raise trouble
            log.debug("Redfish %s: %s", self._service.endpoint.url, trouble)

    def _fails(self, uri: str) -> None:
        """A document that fails again and again is left out of the walk until the structure is looked at again."""
        self._failures[uri] = self._failures.get(uri, 0) + 1
        if self._failures[uri] >= _GIVE_UP and uri not in self._kept and uri != ROOT:
            self._absent.add(uri)

    def _next(self) -> list[str]:
        """The documents that the walk needs next, else one to look at again."""
        needed = wanted(self.bodies, absent=self._absent, system=self._system)
        if batch := [*needed.essential, *needed.extra]:
            # One that failed already goes last, so that it does not keep the others from being asked for.
            return sorted(batch, key=lambda uri: self._failures.get(uri, 0))
        while self._look_again:
            uri = self._look_again.pop()
            if uri in self._kept:
                return [uri]
        return []

    def _fetch(self, uri: str, until_ns: int) -> None:
        """One document into the store; one that is not there is remembered as absent."""
        kept = self._kept.get(uri)
        tagged = kept is not None and not self._tags_lie and kept.believed < _BELIEVED
        # Never less than a tenth of the whole: a request that cannot succeed only costs the BMC work.
        left_s = max((until_ns - self._clock.monotonic_ns()) / NS_PER_S, self._timeout_s / 10)
        collection = uri.rstrip("/").endswith("/Sensors") and expands(self.bodies)
        try:
            fetched = self._service.get(
                uri, known=kept.fetched if kept is not None and tagged else None, expand=collection, timeout_s=left_s
            )
        except DocumentMissing as error:
            if uri == ROOT:
                raise ServiceError("no_redfish_service", str(error)) from error
            log.debug("Redfish %s: %s", self._service.endpoint.url, error)
            self._absent.add(uri)
            if self._kept.pop(uri, None) is not None:
                self.look_again(())
            return
        if kept is not None and fetched.body is kept.fetched.body:
            self._kept[uri] = _Kept(fetched, kept.believed + 1)
            return
        same_tag = kept is not None and fetched.etag != "" and fetched.etag == kept.fetched.etag
        if kept is not None and same_tag and fetched.body != kept.fetched.body and not self._tags_lie:
            self._tags_lie = True
            log.warning("Redfish %s: its entity tags do not change with its readings", self._service.endpoint.url)
        self._kept[uri] = _Kept(fetched)

    def look_again(self, in_use: Collection[str]) -> None:
        """Puts the whole structure up for another look, a document at a time, and forgets what was missing."""
        self._looked_ns = self._clock.monotonic_ns()
        self._absent.clear()
        self._failures.clear()
        self._look_again = [uri for uri in reversed(list(self._kept)) if uri not in in_use]
