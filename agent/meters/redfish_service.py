# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""One Redfish service over HTTP: sessions, entity tags, and errors as reasons (DSP0266 sections 6.5, 13.3).

A session is made at the first call and used until the service forgets it (401), then made anew, once. Services without
sessions get Basic authentication with every call. A refused login is not tried again soon: BMCs lock accounts out
after a few. Credentials and tokens go to this one service; over plain http only where the URL says so, loudly.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent.errors import MeterError
from agent.meters.credentials import Credentials, credentials
from agent.meters.redfish_walk import ROOT, followable, link

if TYPE_CHECKING:
    from plumbing.clock import Clock
    from plumbing.http import BlockingHttpClient, HttpError, Response

log = logging.getLogger(__name__)

SESSIONS: Final = "/redfish/v1/SessionService/Sessions"

# A body of Redfish is a few kilobytes; the largest seen, an expanded collection of 300 sensors, is a quarter megabyte.
_LARGEST_BYTES: Final = 2 * 2**20
# BMCs lock an account for minutes after three to five failed logins (ManagerAccount AccountLockoutThreshold).
_LOCKOUT_S: Final = 600.0
_LONGEST_RETRY_AFTER_S: Final = 3600.0


class ServiceError(MeterError):
    """No usable answer. ``reason`` is a word for reports; ``pause_s`` is how long the service is to be left alone."""

    def __init__(self, reason: str, text: str, *, pause_s: float | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.pause_s = pause_s


class DocumentMissing(MeterError):
    """The service answers, but not this document: 404, 410, 403 for it alone, or not JSON."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a BMC is and how to get in. Files hold the user and the password, one line each."""

    url: str
    user_file: str = ""
    password_file: str = ""
    ca_file: str = ""
    verified: bool = True
    """False accepts any certificate, for this endpoint alone."""
    timeout_s: float = 5.0

    @property
    def caution(self) -> str:
        """What a person must know about the way in; empty where it is as it should be."""
        if self.url.startswith("http://"):
            return "UNENCRYPTED: the URL is plain http, user and password can be read on the way"
        return "" if self.verified else "CERTIFICATE NOT VERIFIED: the setting for this endpoint turns the check off"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document, the tag to ask for changes with, and when it was true (monotonic, the middle of the call)."""

    body: dict[str, Any]
    etag: str
    at_ns: int


class RedfishService:
    """Blocking, for one thread."""

    def __init__(self, endpoint: Endpoint, *, clock: Clock) -> None:
        # Imported here: httpx comes into the agent's process only with a meter that needs it (DESIGN 2).
        from plumbing.http import BlockingHttpClient, trust

        self.endpoint = endpoint
        self._clock = clock
        self._token = ""
        self._session = ""
        self._sessions = SESSIONS
        self._basic: tuple[str, str] | None = None
        try:
            secure = endpoint.url.startswith("https:")
            tls = trust(ca_file=endpoint.ca_file, verified=endpoint.verified) if secure else None
        except OSError as error:
            raise MeterError(f"{endpoint.ca_file}: {error}") from error
        self._client: BlockingHttpClient = BlockingHttpClient(
            endpoint.url,
            timeout_s=endpoint.timeout_s,
            headers={"accept": "application/json", "odata-version": "4.0"},
            tls=tls,
            limit_bytes=_LARGEST_BYTES,
        )
        if endpoint.caution:
            log.warning("Redfish %s: %s", endpoint.url, endpoint.caution)

    def get(self, uri: str, *, known: Fetched | None = None, expand: bool = False, timeout_s: float) -> Fetched:
        """The document at ``uri``; with ``known``, only if it changed since. Raises ServiceError or DocumentMissing."""
        headers = {"if-none-match": known.etag} if known is not None and known.etag else {}
        path = f"{uri}{'&' if '?' in uri else '?'}$expand=." if expand else uri
        sent_ns = self._clock.monotonic_ns()
        answer = self._call("GET", path, headers=headers, timeout_s=timeout_s)
        at_ns = (sent_ns + self._clock.monotonic_ns()) // 2
        if answer.status == 304 and known is not None:
            return replace(known, at_ns=at_ns)
        try:
            body = msgspec.json.decode(answer.body)
        except msgspec.DecodeError as error:
            raise DocumentMissing(f"{uri}: not JSON: {error}") from error
        if not isinstance(body, dict):
            raise DocumentMissing(f"{uri}: not an object")
        if uri == ROOT:
            self._sessions = link(body, "Links", "Sessions") or SESSIONS
        return Fetched(body=body, etag=answer.headers.get("etag", ""), at_ns=at_ns)

    def _call(self, method: str, path: str, *, headers: dict[str, str], timeout_s: float) -> Response:
        from plumbing.http import HttpError, HttpStatusError

        for attempt in (1, 2):
            # The service root is open to all (DSP0266 13.3.1), and says where sessions are made.
            if path != ROOT or attempt == 2:
                self._enter(timeout_s)
            token = {"x-auth-token": self._token} if self._token else {}
            try:
                return self._client.request(
                    method, path, headers=headers | token, basic=self._basic, timeout_s=timeout_s
                )
            except HttpStatusError as error:
                if error.status == 401:
                    again = attempt == 1 and (self._token or path == ROOT)
                    # The session timed out, or the BMC restarted: once more with a new one, and with what the files
                    # say now.
                    self._token, self._session, self._basic = "", "", None
                    if again:
                        continue
                raise _explained(error, path) from error
            except HttpError as error:
                raise _explained(error, path) from error
        raise AssertionError("the second attempt either returns or raises")

    def _enter(self, timeout_s: float) -> None:
        """Makes sure that there is a session, or Basic authentication, or that neither was asked for."""
        if self._token or self._basic:
            return
        endpoint = self.endpoint
        try:
            given = credentials(user_file=endpoint.user_file, password_file=endpoint.password_file)
        except MeterError as error:
            raise ServiceError("no_credentials", str(error)) from error
        if given is not None:
            self._log_in(given, timeout_s)

    def _log_in(self, given: Credentials, timeout_s: float) -> None:
        from plumbing.http import HttpError, HttpStatusError

        body = msgspec.json.encode({"UserName": given.user, "Password": given.password})
        try:
            answer = self._client.request("POST", self._sessions, body=body, timeout_s=timeout_s)
        except HttpStatusError as error:
            if error.status in (404, 405, 501):
                self._basic = (given.user, given.password)
                return
            if error.status in (400, 401, 403):
                raise ServiceError(
                    "unauthorized",
                    f"{self.endpoint.url} refuses the user {given.user!r}: {error.status}",
                    pause_s=_LOCKOUT_S,
                ) from error
            raise _explained(error, self._sessions) from error
        except HttpError as error:
            raise _explained(error, self._sessions) from error
        self._token = answer.headers.get("x-auth-token", "")
        self._session = _path(answer.headers.get("location", ""), self.endpoint.url)
        if not self._token:
            self._basic = (given.user, given.password)

    def close(self) -> None:
        """Gives the session back (BMCs have few) and closes the connection; never fails."""
        from plumbing.http import HttpError

        if self._token and self._session:
            try:
                self._client.request(
                    "DELETE", self._session, headers={"x-auth-token": self._token}, timeout_s=self.endpoint.timeout_s
                )
            except HttpError as error:
                log.info("Redfish %s: the session stays open: %s", self.endpoint.url, error)
        self._token = self._session = ""
        self._client.close()


def _path(location: str, base_url: str) -> str:
    """The session's own path; some services send a whole URL, and only one of this very service will do."""
    return followable(location.removeprefix(base_url.rstrip("/"))) or ""


def _explained(error: HttpError, path: str) -> MeterError:
    from plumbing.http import HttpStatusError, HttpTimeout, HttpTooLarge, HttpUntrusted

    if isinstance(error, HttpTimeout):
        return ServiceError("timed_out", str(error))
    if isinstance(error, HttpUntrusted):
        return ServiceError("certificate_not_trusted", str(error))
    if isinstance(error, HttpTooLarge):
        return DocumentMissing(str(error))
    if not isinstance(error, HttpStatusError):
        return ServiceError("unreachable", str(error))
    if error.status == 401:
        return ServiceError("unauthorized", f"{path}: 401", pause_s=_LOCKOUT_S)
    if error.status in (429, 503):
        return ServiceError("busy", f"{path}: {error.status}", pause_s=_retry_after_s(error.headers.get("retry-after")))
    if error.status >= 500:
        return ServiceError("server_error", f"{path}: {error.status}")
    return DocumentMissing(f"{path}: {error.status}")


def _retry_after_s(text: str | None) -> float | None:
    """Seconds of a Retry-After header; a date is not understood and comes to None."""
    if text is None or not text.strip().isdigit():
        return None
    return min(float(text), _LONGEST_RETRY_AFTER_S)
