# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The socket that roles listen on."""

from __future__ import annotations

import socket

import pytest

from plumbing.server import Address, ListenError, listen


def test_answers_on_a_kept_connection_are_not_held_back() -> None:
    # asyncio sets TCP_NODELAY on what it accepts only where the listening socket names its protocol.
    with listen(Address("127.0.0.1", 0)) as sock:
        assert sock.proto == socket.IPPROTO_TCP


def test_a_taken_port_says_what_to_do() -> None:
    with listen(Address("127.0.0.1", 0)) as sock:
        sock.listen()
        with pytest.raises(ListenError, match="--port-offset"):
            listen(Address("127.0.0.1", sock.getsockname()[1]))
