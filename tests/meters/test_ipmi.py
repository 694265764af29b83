# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""DCMI power readings: what the bytes mean, and real RMCP+ sessions with two BMCs that are not ours.

ipmi_sim (OpenIPMI) proves the session and the refusal, because it knows no DCMI; pyghmi's own server side is given the
one command and proves the reading end to end.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters import ipmi
from agent.meters.breaker import Breaker
from agent.meters.ipmi import IpmiEndpoint, IpmiError, IpmiMeter
from agent.meters.protocol import Reading, Unread
from plumbing.clock import ManualClock, SystemClock
from tests.parts import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.meters.credentials import Credentials


def response(now_w: int, *, state: int = 0x40) -> dict[str, Any]:
    """A "Get Power Reading" response (DCMI 1.5 table 6-16) as pyghmi gives it."""
    data = struct.pack("<BHHHHIIB", 0xDC, now_w, 90, 400, 215, 1_790_000_000, 1000, state)
    return {"netfn": 0x2D, "command": 2, "code": 0, "data": bytearray(data)}


@dataclass
class FakeSession:
    answers: list[dict[str, Any] | str]
    closed: bool = False

    def raw_command(self, netfn: int, command: int, *, data: tuple[int, ...]) -> dict[str, Any]:
        assert (netfn, command, data) == (0x2C, 0x02, (0xDC, 0x01, 0x00, 0x00))
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            raise IpmiError(answer, answer)
        return answer

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeBmc:
    """Opens one session after the other; a text in place of a session is why the login fails."""

    sessions: list[FakeSession | str]
    logins: list[str] = field(default_factory=list)

    def __call__(self, endpoint: IpmiEndpoint, given: Credentials) -> FakeSession:
        self.logins.append(given.user)
        session = self.sessions.pop(0)
        if isinstance(session, str):
            raise IpmiError(session, session, pause_s=600 if session == "unauthorized" else None)
        return session


def meter(bmc: FakeBmc, clock: ManualClock, folder: Path) -> IpmiMeter:
    (folder / "user").write_text("meter\n")
    (folder / "password").write_text("secret\n")
    endpoint = IpmiEndpoint("bmc", user_file=str(folder / "user"), password_file=str(folder / "password"))
    return IpmiMeter(
        endpoint,
        clock=clock,
        refresh_s=5.0,
        open_session=bmc,
        breaker=Breaker(clock=clock, pause_s=10, draw=lambda: 0.5),
    )


def test_the_watts_are_the_first_sixteen_bits() -> None:
    assert ipmi.power_w(response(215)) == 215.0
    assert ipmi.power_w(response(0x1234)) == 4660.0


def test_a_state_of_deactivated_beside_good_watts_is_believed() -> None:
    # OpenBMC says "deactivated" with 360 W (openbmc/phosphor-host-ipmid issue 167).
    assert ipmi.power_w(response(360, state=0)) == 360.0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (response(0, state=0), "inactive"),
        (response(0), "zero_while_running"),
        ({"code": 0xC1, "data": b"", "error": "Invalid command"}, "dcmi_not_supported"),
        ({"code": 0xCB, "data": b"", "error": "Requested entry not present"}, "no_sensor"),
        ({"code": 0xD4, "data": b"", "error": "Insufficient privilege"}, "privilege_too_low"),
        ({"code": 0x80, "data": b"", "error": "?"}, "refused"),
        ({"code": 0, "data": b"\xdc\x01"}, "not_dcmi"),
        ({"code": 0, "data": b"\x00" * 18}, "not_dcmi"),
        ({"error": "timeout", "code": 0xFFFF}, "refused"),
    ],
)
def test_what_is_no_reading_says_why(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(IpmiError) as caught:
        ipmi.power_w(given)
    assert caught.value.reason == reason


@given(st.binary(max_size=40), st.integers(0, 255))
def test_any_bytes_are_a_plausible_power_or_an_error(data: bytes, code: int) -> None:
    with contextlib.suppress(IpmiError):
        watts = ipmi.power_w({"code": code, "data": bytearray(data)})
        assert 0 < watts <= 65535
        assert code == 0
        assert data[0] == 0xDC


def test_two_readings_make_their_mean_and_the_session_is_kept(tmp_path: Path) -> None:
    clock = ManualClock()
    bmc = FakeBmc([FakeSession([response(200), response(300)])])
    metering = meter(bmc, clock, tmp_path)
    first = metering.read()
    clock.advance(2.0)
    assert metering.read() == first, "asked every five seconds, not every two"
    clock.advance(3.0)
    (second,) = metering.read()
    assert isinstance(second, Reading)
    assert (second.power_w, second.to_ns - second.from_ns) == (250.0, 5_000_000_000)
    assert bmc.logins == ["meter"]


def test_a_lost_session_is_made_anew_at_once(tmp_path: Path) -> None:
    clock = ManualClock()
    bmc = FakeBmc([FakeSession([response(200), "session_lost"]), FakeSession([response(220)])])
    metering = meter(bmc, clock, tmp_path)
    metering.read()
    clock.advance(5.0)
    (second,) = metering.read()
    assert isinstance(second, Reading)
    assert metering.circuit.failures == 0


def test_a_bmc_that_is_gone_opens_the_circuit_and_comes_back(tmp_path: Path) -> None:
    clock = ManualClock()
    bmc = FakeBmc(["timed_out", "timed_out", "timed_out", FakeSession([response(210)])])
    metering = meter(bmc, clock, tmp_path)
    for _ in range(3):
        assert metering.read() == (Unread("platform/node", "timed_out"),)
        clock.advance(5.0)
    assert metering.read() == (Unread("platform/node", "circuit_open"),)
    clock.advance(5.0)
    (back,) = metering.read()
    assert isinstance(back, Reading)
    metering.close()


def test_a_refused_login_waits_for_ten_minutes(tmp_path: Path) -> None:
    clock = ManualClock()
    bmc = FakeBmc(["unauthorized"])
    metering = meter(bmc, clock, tmp_path)
    metering.read()
    for _ in range(50):
        clock.advance(10.0)
        assert metering.read() == (Unread("platform/node", "circuit_open"),)
    assert bmc.logins == ["meter"]


def test_an_answer_without_a_reading_keeps_the_session(tmp_path: Path) -> None:
    clock = ManualClock()
    bmc = FakeBmc([FakeSession([{"code": 0xC1, "data": b"", "error": "Invalid command"}, response(200)])])
    metering = meter(bmc, clock, tmp_path)
    assert metering.read() == (Unread("platform/node", "dcmi_not_supported"),)
    clock.advance(5.0)
    (second,) = metering.read()
    assert isinstance(second, Reading)
    assert bmc.logins == ["meter"]


def test_a_missing_password_is_a_reason(tmp_path: Path) -> None:
    metering = meter(FakeBmc([]), ManualClock(), tmp_path)
    (tmp_path / "password").unlink()
    assert metering.read() == (Unread("platform/node", "no_credentials"),)


def test_no_setting_is_a_line_in_the_discovery() -> None:
    found = ipmi.discover(None, clock=SystemClock())
    assert found.meter is None
    assert "ipmi_host" in found.skipped[0].reason


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


LAN = """\
name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  user 1 true "" "" user 10 none md2 md5 straight
  user 2 true "meter" "secret" user 10 none md2 md5 straight
"""
EMU = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n"


@contextlib.contextmanager
def ipmi_sim(folder: Path) -> Iterator[int]:
    """Runs OpenIPMI's BMC (ipmi_lan(5), ipmi_sim_cmd(5)); yields its port."""
    port = free_port()
    (folder / "state").mkdir()
    (folder / "lan.conf").write_text(LAN.format(port=port))
    (folder / "sim.emu").write_text(EMU)
    command = [shutil.which("ipmi_sim") or "ipmi_sim", "-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        assert process.poll() is None, "ipmi_sim ended"
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


# Runs in a process of its own: pyghmi's server and client share one event loop per process.
SERVER = """
import struct, sys
import pyghmi.ipmi.bmc as bmc
from pyghmi.ipmi.private.serversession import ServerSession

# This server knows cipher suite 3 (SHA-1) alone but does not say so when the client asks for 17; a BMC does (IPMI 2.0
# table 13-15: 11h, no cipher suite match), and the client then asks for 3.
answer = ServerSession.create_open_session_response
ServerSession.create_open_session_response = lambda self, request: (
    answer(self, request) if request[12] == 1 else bytearray([request[0], 0x11, 0, 0]) + bytes(request[4:8])
)

class Dcmi(bmc.Bmc):
    def handle_raw_request(self, request, session):
        if (request["netfn"], request["command"]) == (0x2C, 0x02):
            watts = 347
            data = struct.pack("<BHHHHIIB", 0xDC, watts, 90, 400, 215, 0, 1000, 0x40)
            return session.send_ipmi_response(data=list(data))
        return super().handle_raw_request(request, session)

server = Dcmi({"meter": "secret"}, port=int(sys.argv[1]), address="127.0.0.1")
print("ready", flush=True)
server.listen()
"""


@contextlib.contextmanager
def pyghmi_bmc() -> Iterator[int]:
    """Runs pyghmi's BMC with a DCMI reading of 347 W; yields its port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()


# Runs the meter in a process of its own as well: pyghmi leaves its worker thread and socket behind.
CLIENT = """
import sys
from agent.meters import ipmi
from plumbing.clock import SystemClock

endpoint = ipmi.IpmiEndpoint("127.0.0.1", int(sys.argv[1]), sys.argv[2], sys.argv[3])
found = ipmi.discover(endpoint, clock=SystemClock(), refresh_s=0.0, probe=True)
for each in (*found.meter.read(), *found.skipped):
    print(getattr(each, "power_w", None), getattr(each, "reason", ""))
found.meter.close()
"""


def ask(port: int, folder: Path, *, password: str = "secret") -> list[str]:
    (folder / "user").write_text("meter\n")
    (folder / "password").write_text(password + "\n")
    files = [str(folder / "user"), str(folder / "password")]
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(port), *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.part("ipmi")
def test_a_reading_over_rmcp_plus(tmp_path: Path) -> None:
    with pyghmi_bmc() as port:
        assert ask(port, tmp_path) == ["347.0 "]


@pytest.mark.part("ipmi")
def test_a_refused_command_over_rmcp_plus_says_so(tmp_path: Path) -> None:
    with ipmi_sim(tmp_path) as port:
        first, second = ask(port, tmp_path)
    # ipmi_sim checks the privilege of a command that it does not know, before it says that it does not know it.
    assert first == "None privilege_too_low"
    assert second.endswith("privilege_too_low")


@pytest.mark.part("ipmi")
def test_a_wrong_password_is_refused_once(tmp_path: Path) -> None:
    with ipmi_sim(tmp_path) as port:
        first, second = ask(port, tmp_path, password="wrong")
    assert first == "None circuit_open"
    assert second.endswith("unauthorized")
