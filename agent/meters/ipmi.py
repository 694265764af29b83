# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The node's BMC through IPMI over LAN: DCMI "Get Power Reading", for BMCs without Redfish.

pyghmi speaks RMCP+ and blocks; it is imported when the meter is opened, and only used from the meter's own thread. It
gives up on a silent BMC after some ten seconds by itself, so the caller's deadline comes first, and the circuit keeps
the next calls from queueing up behind it. A user with privilege level USER is enough, and should be all it has: RMCP+
lets anybody who can reach the port ask for a salted hash of the password (CVE-2013-4786).

    request    netfn 2Ch, command 02h: DC 01 00 00      (DCMI 1.5, 6.6.1)
    response   DC, watts now, least, most, mean (16 bit each), timestamp (32), period in ms (32), state
"""

from __future__ import annotations

import logging
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent.errors import MeterError
from agent.meters.breaker import Breaker
from agent.meters.credentials import Credentials, credentials
from agent.meters.protocol import Discovery, Domain, Metered, Quality, Reading, Skipped, Unread
from agent.meters.samples import Samples
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.meters.breaker import Circuit
    from plumbing.clock import Clock

log = logging.getLogger(__name__)

SOURCE: Final = "ipmi"
PLATFORM: Final = Domain("platform", "node")

# DCMI asks for no accuracy, and the figure is the BMC's total, on a side of the supplies that nobody states; boards
# round it to whole watts at best.
_QUALITY: Final = Quality(
    "measured", 0.90, 1.18, "DCMI states no accuracy, nor on which side of the supplies it is taken"
)

_NETFN_GROUP: Final = 0x2C
_GET_POWER_READING: Final = 0x02
_DCMI: Final = 0xDC
_REQUEST: Final = (_DCMI, 0x01, 0x00, 0x00)
_RESPONSE: Final = struct.Struct("<BHHHHIIB")
_ACTIVE: Final = 0x40  # state bit 6
_USER: Final = 2  # IPMI 2.0 table 6-17
# BMCs lock an account for minutes after a few failed logins.
_LOCKOUT_S: Final = 600.0

# IPMI 2.0 table 5-2 and DCMI 1.5 table 6-16.
_COMPLETION: Final = {
    0xC1: "dcmi_not_supported",
    0xC9: "dcmi_not_supported",
    0xCB: "no_sensor",
    0xD4: "privilege_too_low",
    0xD5: "not_now",
}
# What pyghmi raises on packets that are too short or otherwise not what it expects.
_MALFORMED: Final = (struct.error, LookupError, TypeError, ValueError)
# Reasons that are answers: the session they came through is good.
_ANSWERS: Final = frozenset({*_COMPLETION.values(), "refused", "not_dcmi", "zero_while_running", "inactive"})


@dataclass(frozen=True, slots=True)
class IpmiEndpoint:
    """Where a BMC is. Files hold the user and the password, one line each."""

    host: str
    port: int = 623
    user_file: str = ""
    password_file: str = ""


class Session(Protocol):
    """A session with a BMC, as far as it is used here."""

    def raw_command(self, netfn: int, command: int, *, data: tuple[int, ...]) -> dict[str, Any]: ...

    def close(self) -> None: ...


class IpmiError(MeterError):
    """No reading; ``reason`` is a word for reports, ``pause_s`` how long the BMC is to be left alone."""

    def __init__(self, reason: str, text: str, *, pause_s: float | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.pause_s = pause_s


class PyghmiSession:
    """pyghmi with our errors. At privilege level USER, whatever more the account may do."""

    def __init__(self, endpoint: IpmiEndpoint, given: Credentials) -> None:
        from pyghmi.exceptions import PyghmiException
        from pyghmi.ipmi.command import Command

        self._exception = PyghmiException
        text = f"{endpoint.host}:{endpoint.port}"
        try:
            self._command = Command(
                bmc=endpoint.host, userid=given.user, password=given.password, port=endpoint.port, privlevel=_USER
            )
        except PyghmiException as error:
            # pyghmi has one exception for everything that stops a login; only its text tells a refusal from silence.
            if "timeout" in str(error).lower():
                raise IpmiError("timed_out", f"{text}: {error}") from error
            raise IpmiError("unauthorized", f"{text}: {error}", pause_s=_LOCKOUT_S) from error
        except OSError as error:
            raise IpmiError("unreachable", f"{text}: {error}") from error
        except _MALFORMED as error:
            raise IpmiError("not_ipmi", f"{text}: {error}") from error

    def raw_command(self, netfn: int, command: int, *, data: tuple[int, ...]) -> dict[str, Any]:
        """The response as pyghmi gives it: code, data, error. Raises IpmiError."""
        try:
            response: dict[str, Any] = self._command.raw_command(netfn=netfn, command=command, data=data)
        except (self._exception, OSError) as error:
            raise IpmiError("session_lost", str(error)) from error
        except _MALFORMED as error:
            raise IpmiError("not_ipmi", str(error)) from error
        return response

    def close(self) -> None:
        """Logs out; a BMC that is gone is not waited for."""
        try:
            self._command.ipmi_session.logout()
        except (self._exception, OSError, *_MALFORMED) as error:
            log.debug("IPMI logout: %s", error)


def power_w(response: dict[str, Any]) -> float:
    """Watts of a "Get Power Reading" response as pyghmi gives it. Raises IpmiError with the reason.

    The state bit alone refuses nothing: OpenBMC reports "deactivated" beside good readings.
    """
    code = int(response.get("code", 0))
    if code != 0:
        raise IpmiError(_COMPLETION.get(code, "refused"), f"completion code {code:#04x}: {response.get('error', '')}")
    if "error" in response:
        raise IpmiError("timed_out" if "timeout" in str(response["error"]) else "refused", str(response["error"]))
    data = bytes(response.get("data", b""))
    if len(data) < _RESPONSE.size or data[0] != _DCMI:
        raise IpmiError("not_dcmi", f"a response of {len(data)} bytes is not a power reading")
    _, now_w, *_, state = _RESPONSE.unpack_from(data)
    if now_w == 0:
        raise IpmiError("zero_while_running" if state & _ACTIVE else "inactive", "0 W, on a machine that runs")
    return float(now_w)


class IpmiMeter:
    """One BMC."""

    def __init__(
        self,
        endpoint: IpmiEndpoint,
        *,
        clock: Clock,
        refresh_s: float = 4.0,
        breaker: Breaker | None = None,
        open_session: Callable[[IpmiEndpoint, Credentials], Session] = PyghmiSession,
    ) -> None:
        self.source = SOURCE
        self.metered: tuple[Metered, ...] = (Metered(PLATFORM, _QUALITY),)
        self._endpoint = endpoint
        self._clock = clock
        self._refresh_ns = round(refresh_s * NS_PER_S)
        self._breaker = breaker or Breaker(clock=clock)
        self._samples = Samples(longest_s=max(3 * refresh_s, 30.0))
        self._open_session = open_session
        self._session: Session | None = None
        self._last: Reading | Unread | None = None
        self._asked_ns = 0
        self._reading = threading.Lock()

    @property
    def circuit(self) -> Circuit:
        """Whether the BMC is being asked."""
        return self._breaker.circuit

    def read(self) -> tuple[Reading | Unread, ...]:
        """The whole machine's power, at most every ``refresh_s`` anew."""
        if not self._reading.acquire(blocking=False):
            # A read that was abandoned at its deadline is still under way in its old thread.
            return (Unread(PLATFORM.name, "still_reading"),)
        try:
            return (self._read(),)
        finally:
            self._reading.release()

    def _read(self) -> Reading | Unread:
        if not self._breaker.allows():
            return Unread(PLATFORM.name, "circuit_open")
        now_ns = self._clock.monotonic_ns()
        if self._last is not None and now_ns - self._asked_ns < self._refresh_ns:
            return self._last
        self._asked_ns = now_ns
        try:
            watts, at_ns = self._ask_again()
        except IpmiError as error:
            if self._breaker.circuit.reason != error.reason:
                log.warning("IPMI %s: %s", self._endpoint.host, error)
            if error.reason not in _ANSWERS:
                self._session = None
            self._breaker.failed(error.reason, pause_s=error.pause_s)
            self._last = Unread(PLATFORM.name, error.reason)
        else:
            self._breaker.succeeded()
            self._last = self._samples.reading(PLATFORM.name, at_ns=at_ns, power_w=watts)
        return self._last

    def _ask_again(self) -> tuple[float, int]:
        """Asks; a session that the BMC has forgotten is made anew, once."""
        try:
            return self._ask()
        except IpmiError as error:
            if error.reason != "session_lost":
                raise
            self._session = None
            return self._ask()

    def _ask(self) -> tuple[float, int]:
        if self._session is None:
            try:
                given = credentials(user_file=self._endpoint.user_file, password_file=self._endpoint.password_file)
            except MeterError as error:
                raise IpmiError("no_credentials", str(error)) from error
            self._session = self._open_session(self._endpoint, given or Credentials("", ""))
        sent_ns = self._clock.monotonic_ns()
        response = self._session.raw_command(_NETFN_GROUP, _GET_POWER_READING, data=_REQUEST)
        return power_w(response), (sent_ns + self._clock.monotonic_ns()) // 2

    def close(self) -> None:
        """Logs out."""
        if self._session is not None:
            self._session.close()
        self._session = None


def discover(endpoint: IpmiEndpoint | None, *, clock: Clock, refresh_s: float = 4.0, probe: bool = False) -> Discovery:
    """The BMC at ``endpoint``; None: no setting names one. ``probe`` asks it here and now, which may take 15 s."""
    if endpoint is None:
        return Discovery(None, (Skipped(SOURCE, "no BMC: the setting ipmi_host names one", "platform", "node"),))
    try:
        import pyghmi  # noqa: F401
    except ImportError:
        return Discovery(None, (Skipped(SOURCE, "pyghmi is not installed", "platform", "node", "measured"),))
    meter = IpmiMeter(endpoint, clock=clock, refresh_s=refresh_s)
    if not probe:
        return Discovery(meter)
    skipped = tuple(
        Skipped(SOURCE, f"{endpoint.host}: {each.reason}", "platform", "node", "measured")
        for each in meter.read()
        if isinstance(each, Unread)
    )
    return Discovery(meter, skipped)
