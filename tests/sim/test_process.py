# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m sim`` as a process: it reports to what listens, writes its tree, and ends when it is told to."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec

from sim.settings import SimSettings
from sim.silicon import trace
from sim.silicon.tree import MARKER
from wire.report import decode

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0


def start(settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sim"],
        cwd=ROOT,
        env={**os.environ, "PENSTOCK_SIM_SETTINGS_JSON": settings},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_reports_writes_and_ends(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies.append(body)
            answer = b'{"acked_sequence": %d}' % decode(body).sequence
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        settings = SimSettings(
            extender=f"http://127.0.0.1:{listener.server_address[1]}",
            nodes=2,
            pods=5,
            interval_s=0.2,
            machine_root=str(tmp_path / "machine"),
            machine="xeon-1s",
            machine_load="0.5",
            machine_trace=str(tmp_path / "trace"),
        )
        process = start(msgspec.json.encode(settings).decode())
        try:
            deadline_s = time.monotonic() + PATIENCE_S
            while len(bodies) < 6 and time.monotonic() < deadline_s and process.poll() is None:
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=PATIENCE_S)
        listener.shutdown()
    assert process.returncode == 0, log
    reports = [decode(body) for body in bodies]
    assert {each.node for each in reports} == {"sim-node-000", "sim-node-001"}
    assert (tmp_path / "machine" / MARKER).is_file()
    assert int((tmp_path / "machine" / "class" / "powercap" / "intel-rapl:0" / "energy_uj").read_text()) > 0
    assert trace.read(tmp_path / "trace").about["machine"]["name"] == "xeon-1s"
    assert '"message": "Ended"' in log


def test_wrong_settings_are_named() -> None:
    process = start('{"nodes": -1}')
    _, log = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "nodes: -1 is not within" in log


def test_a_folder_of_somebody_else_ends_it(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    settings = SimSettings(nodes=0, machine_root=str(tmp_path))
    process = start(msgspec.json.encode(settings).decode())
    _, log = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "no simulated tree" in log
    assert "Traceback" not in log
