# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Serves an ASGI application: uvicorn on uvloop, loopback unless told otherwise, graceful on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plumbing.asgi import App


class ListenError(RuntimeError):
    """The address cannot be listened on; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Server:
    """One HTTP server inside a process that has other things to do as well."""

    def __init__(self, app: App, *, address: Address) -> None:
        config = uvicorn.Config(
            app=app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=75,  # kube-scheduler keeps one connection; Go's idle timeout is 90 s
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._server = _QuietServer(config)
        self._socket = listen(address)
        self.address = Address(*self._socket.getsockname()[:2])

    async def serve(self) -> None:
        """Runs until `stop`; requests under way are finished first."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Asks the server to end."""
        self._server.should_exit = True


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the role's main function, which stops its parts in its own order.
        yield


def listen(address: Address) -> socket.socket:
    """A bound TCP socket. Raises ListenError with the way out when the port is taken."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is: without it, every answer on a kept
    # connection waits 40 ms for the client's delayed acknowledgement.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address.host, address.port))
    except OSError as error:
        sock.close()
        raise ListenError(
            f"cannot listen on {address}: {error.strerror}; choose another port or --port-offset"
        ) from error
    sock.setblocking(False)  # noqa: FBT003
    return sock


def until_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, for the main function of a role."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    return event


def run(main: Any) -> None:
    """Runs a role's main coroutine on uvloop."""
    import uvloop

    uvloop.run(main)
