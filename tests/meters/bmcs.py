# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated BMC on a real socket, plain or with TLS, and the files that a meter gets in with."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import datetime
import functools
import ipaddress
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.meters.breaker import Breaker
from agent.meters.protocol import Reading, Unread
from agent.meters.redfish import RedfishMeter
from agent.meters.redfish_service import Endpoint
from plumbing.clock import SystemClock
from plumbing.server import Address, listen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plumbing.asgi import App, Receive, Scope, Send
    from sim.bmc.app import Bmc


@dataclass(frozen=True)
class Authority:
    """A certificate for 127.0.0.1 and the files that a server and a client need of it."""

    certificate: Path
    key: Path


@contextlib.contextmanager
def serving(app: App, *, authority: Authority | None = None, port: int = 0) -> Iterator[str]:
    """Serves ``app`` from a thread; yields the base URL."""
    sock = listen(Address("127.0.0.1", port))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            ssl_certfile=authority.certificate if authority else None,
            ssl_keyfile=authority.key if authority else None,
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])), daemon=True)
    thread.start()
    until_s = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < until_s, "the server does not start"
        time.sleep(0.002)
    try:
        yield f"{'https' if authority else 'http'}://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        sock.close()
        assert not thread.is_alive()


class _Line:
    """One server for many tests, because a server takes a fifth of a second to end; ``app`` is whose turn it is."""

    app: App

    async def __call__(self, scope: Scope, receive: Receive, to: Send) -> None:
        await self.app(scope, receive, to)


@functools.cache
def _line() -> tuple[_Line, str]:
    line = _Line()
    stack = contextlib.ExitStack()
    url = stack.enter_context(serving(line))
    atexit.register(stack.close)
    return line, url


def shared(app: App) -> str:
    """Serves ``app`` on the one server of this process; returns the base URL."""
    line, url = _line()
    line.app = app
    return url


def authority(folder: Path) -> Authority:
    """A self-signed certificate for 127.0.0.1, as BMCs come with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bmc")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Authority(folder / "bmc.pem", folder / "bmc.key")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    ssl.create_default_context(cafile=made.certificate)
    return made


def entry(
    folder: Path,
    url: str,
    *,
    user: str = "operator",
    password: str = "swordfish",
    timeout_s: float = 2.0,
    ca_file: str = "",
    verified: bool = True,
) -> Endpoint:
    """The way into a simulated BMC, with its files written."""
    (folder / "user").write_text(user + "\n")
    (folder / "password").write_text(password + "\n")
    return Endpoint(
        url=url,
        user_file=str(folder / "user"),
        password_file=str(folder / "password"),
        ca_file=ca_file,
        verified=verified,
        timeout_s=timeout_s,
    )


@contextlib.contextmanager
def metering(bmc: Bmc, folder: Path, *, timeout_s: float = 2.0, failures: int = 3) -> Iterator[RedfishMeter]:
    """A meter that looks at ``bmc`` at every read, with a circuit that is quick for tests."""
    clock = SystemClock()
    breaker = Breaker(clock=clock, failures=failures, pause_s=0.05, longest_s=0.2, healthy_s=5.0, draw=lambda: 0.5)
    meter = RedfishMeter(entry(folder, shared(bmc), timeout_s=timeout_s), clock=clock, refresh_s=0.0, breaker=breaker)
    try:
        yield meter
    finally:
        meter.close()


def walked(meter: RedfishMeter, *, reads: int = 60) -> dict[str, Reading | Unread]:
    """Reads until the walk is over; then the second reading, whose windows have a beginning."""
    for _ in range(reads):
        first = by_domain(meter)
        whole = first["platform/node"]
        if not isinstance(whole, Unread) or whole.reason not in ("walking", "not_reached_yet", "timed_out"):
            break
    return by_domain(meter)


def by_domain(meter: RedfishMeter) -> dict[str, Reading | Unread]:
    """One read, by domain."""
    return {each.domain: each for each in meter.read()}


def power_w(reading: Reading | Unread) -> float:
    """The watts of what must be a reading."""
    assert isinstance(reading, Reading), reading
    assert reading.power_w is not None
    return reading.power_w


def reason(reading: Reading | Unread) -> str:
    """Why there is none."""
    assert isinstance(reading, Unread), reading
    return reading.reason
