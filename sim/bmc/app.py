# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated BMC: a Redfish service as an ASGI application, by vendor and scenario, with known watts.

It does what DSP0266 asks of a service as far as a reader of power can tell: an open service root, sessions with
X-Auth-Token and logout, Basic authentication, entity tags with 304, $expand where the vendor has it, 308 to the
canonical path, errors in the extended-info shape. What was asked of it is counted, so that tests can see how often.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from plumbing.asgi import Answer, read_body, send
from sim.bmc import dell, hpe, lenovo, openbmc, supermicro
from sim.bmc.documents import Draw, Tree
from sim.bmc.scenarios import SCENARIOS, Scenario, halve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plumbing.asgi import Receive, Scope, Send

VENDORS: Final[Mapping[str, Callable[[Draw], Tree]]] = {
    "dell": dell.documents,
    "hpe": hpe.documents,
    "lenovo": lenovo.documents,
    "openbmc": openbmc.documents,
    "supermicro": supermicro.documents,
}

_ROOT: Final = "/redfish/v1/"
_SESSIONS: Final = "/redfish/v1/SessionService/Sessions"
# Real BMCs hold 8 to 64 sessions; a client that never logs out finds the door shut (503).
_MOST_SESSIONS: Final = 8

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class Bmc:
    """One BMC. ``draw``, ``scenario`` and the flags may be changed while it serves."""

    vendor: str = "dell"
    scenario: Scenario = SCENARIOS["healthy"]
    user: str = "operator"
    password: str = "swordfish"
    draw: Draw = field(default_factory=Draw)
    sessions_supported: bool = True
    tags_lie: bool = False
    """The tag of a document stays what it was first, whatever its readings do."""
    down: bool = False
    missing: set[str] = field(default_factory=set)
    """URIs that answer 404."""
    failing: dict[str, int] = field(default_factory=dict)
    """URI -> the status that it answers."""
    retry_after_s: int = 0
    """Not 0: every answer is 503 with this Retry-After."""
    asked: Counter[str] = field(default_factory=Counter)
    """'GET /redfish/v1/...' -> how often it was answered in full; 304 are counted as '304 /...'."""
    tokens: dict[str, str] = field(default_factory=dict)
    _first_tags: dict[str, str] = field(default_factory=dict)
    _started_s: float = field(default_factory=time.monotonic)
    _made: int = 0

    def documents(self) -> Tree:
        """The service's documents now, as this scenario shows them."""
        tree = VENDORS[self.vendor](self.draw)
        return halve(tree) if self.scenario.halved else tree

    async def __call__(self, scope: Scope, receive: Receive, to: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        while self.down or not self.scenario.is_up(time.monotonic() - self._started_s):
            # A hung BMC: the connection stands, nothing comes.
            try:
                message = await asyncio.wait_for(receive(), timeout=0.05)
            except TimeoutError:
                continue
            if message["type"] == "http.disconnect":
                return
        body = await read_body(scope, receive)
        if self.scenario.delay_s:
            await asyncio.sleep(self.scenario.delay_s)
        answer, headers = self._answer(scope, body)
        await send(to, answer, headers=headers)

    def _answer(self, scope: Scope, body: bytes) -> tuple[Answer, Headers]:
        method, path = scope["method"], scope["path"]
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if self.retry_after_s:
            return _error(503, "ServiceTemporarilyUnavailable"), ((b"retry-after", str(self.retry_after_s).encode()),)
        if path.rstrip("/") == _SESSIONS and method == "POST":
            self.asked[f"POST {path}"] += 1
            return self._log_in(body)
        if path.rstrip("/") != _ROOT.rstrip("/") and not self._known(headers):
            return _error(401, "NoValidSession"), ()
        if path.startswith(_SESSIONS) and method == "DELETE":
            self.asked["DELETE session"] += 1
            self.tokens = {token: uri for token, uri in self.tokens.items() if uri != path}
            return Answer(b"", status=204), ()
        if method != "GET":
            return _error(405, "OperationNotAllowed"), ()
        return self._document(path, parse_qs(scope["query_string"].decode("latin-1")), headers)

    def _log_in(self, body: bytes) -> tuple[Answer, Headers]:
        if not self.sessions_supported:
            return _error(404, "ResourceMissingAtURI"), ()
        try:
            given: Any = json.loads(body)
        except ValueError:
            return _error(400, "MalformedJSON"), ()
        right = (
            isinstance(given, dict) and given.get("UserName") == self.user and given.get("Password") == self.password
        )
        if not right or not self.scenario.authorized:
            return _error(401, "ResourceAtUriUnauthorized"), ()
        if len(self.tokens) >= _MOST_SESSIONS:
            return _error(503, "SessionLimitExceeded"), ()
        self._made += 1
        token = hashlib.sha256(f"{self.password}{self._made}".encode()).hexdigest()[:32]
        uri = f"{_SESSIONS}/{self._made}"
        self.tokens[token] = uri
        document = {
            "@odata.id": uri,
            "@odata.type": "#Session.v1_3_0.Session",
            "Id": str(self._made),
            "Name": "Session",
        }
        answer = Answer(json.dumps(document).encode(), status=201)
        return answer, ((b"x-auth-token", token.encode()), (b"location", uri.encode()))

    def _known(self, headers: Mapping[str, str]) -> bool:
        if not self.scenario.authorized:
            return False
        if headers.get("x-auth-token", "") in self.tokens:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        try:
            return scheme.lower() == "basic" and base64.b64decode(given) == f"{self.user}:{self.password}".encode()
        except binascii.Error:
            return False

    def _document(
        self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]
    ) -> tuple[Answer, Headers]:
        tree = self.documents()
        if path in self.failing:
            return _error(self.failing[path], "InternalError"), ()
        if path not in tree and f"{path}/" in tree:
            return Answer(b"", status=308), ((b"location", f"{path}/".encode()),)
        if path not in tree or path in self.missing:
            self.asked[f"404 {path}"] += 1
            return _error(404, "ResourceMissingAtURI"), ()
        document = tree[path]
        if "$expand" in query and "Members" in document:
            document = document | {"Members": [tree.get(each["@odata.id"], each) for each in document["Members"]]}
        body = json.dumps(document).encode()
        tag = f'W/"{hashlib.sha256(body).hexdigest()[:8].upper()}"'
        if self.tags_lie:
            tag = self._first_tags.setdefault(path, tag)
        if headers.get("if-none-match") == tag:
            self.asked[f"304 {path}"] += 1
            return Answer(b"", status=304), ((b"etag", tag.encode()),)
        self.asked[f"GET {path}"] += 1
        return Answer(body), ((b"etag", tag.encode()), (b"odata-version", b"4.0"))


def _error(status: int, message: str) -> Answer:
    document = {"error": {"code": f"Base.1.16.{message}", "message": message, "@Message.ExtendedInfo": []}}
    return Answer(json.dumps(document).encode(), status=status)
