# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Getting into a Redfish service and staying in: sessions, lockout, entity tags, certificates."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

import pytest

from agent.errors import MeterError
from agent.meters import redfish
from agent.meters.redfish_service import DocumentMissing, Endpoint, RedfishService, ServiceError
from agent.meters.redfish_walk import ROOT
from plumbing.clock import SystemClock
from sim.bmc.app import Bmc
from sim.bmc.scenarios import SCENARIOS
from tests.meters.bmcs import authority, entry, serving, shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.part("redfish")

SYSTEMS = "/redfish/v1/Systems"


@contextlib.contextmanager
def opened(bmc: Bmc, folder: Path, *, password: str = "swordfish") -> Iterator[RedfishService]:
    service = RedfishService(entry(folder, shared(bmc), password=password), clock=SystemClock())
    try:
        yield service
    finally:
        service.close()


def test_one_session_serves_all_requests_and_is_given_back(tmp_path: Path) -> None:
    bmc = Bmc()
    with opened(bmc, tmp_path) as service:
        for _ in range(3):
            service.get(SYSTEMS, timeout_s=2)
        assert len(bmc.tokens) == 1
    assert bmc.asked["POST /redfish/v1/SessionService/Sessions"] == 1
    assert bmc.asked["DELETE session"] == 1
    assert bmc.tokens == {}


def test_the_service_root_is_asked_without_a_login_and_names_the_place_to_log_in(tmp_path: Path) -> None:
    bmc = Bmc(vendor="hpe")
    with opened(bmc, tmp_path) as service:
        service.get(ROOT, timeout_s=2)
        assert bmc.tokens == {}
        service.get("/redfish/v1/Systems/", timeout_s=2)
    assert bmc.asked["POST /redfish/v1/SessionService/Sessions/"] == 1


def test_a_forgotten_session_is_made_anew_with_the_password_of_now(tmp_path: Path) -> None:
    bmc = Bmc()
    with opened(bmc, tmp_path) as service:
        service.get(SYSTEMS, timeout_s=2)
        bmc.tokens.clear()
        bmc.password = "rotated"
        (tmp_path / "password").write_text("rotated\n")
        assert service.get(SYSTEMS, timeout_s=2).body["Members@odata.count"] == 1


def test_a_service_without_sessions_gets_basic_authentication(tmp_path: Path) -> None:
    bmc = Bmc(sessions_supported=False)
    with opened(bmc, tmp_path) as service:
        service.get(SYSTEMS, timeout_s=2)
        service.get(SYSTEMS, timeout_s=2)
    assert bmc.asked["POST /redfish/v1/SessionService/Sessions"] == 1


def test_a_refused_login_is_not_tried_again_soon_and_names_no_password(tmp_path: Path) -> None:
    bmc = Bmc()
    with opened(bmc, tmp_path, password="wrong-one") as service:
        with pytest.raises(ServiceError) as caught:
            service.get(SYSTEMS, timeout_s=2)
        assert caught.value.reason == "unauthorized"
        assert caught.value.pause_s == 600
        assert "wrong-one" not in str(caught.value)
        assert "operator" in str(caught.value)


def test_a_missing_password_file_is_a_reason(tmp_path: Path) -> None:
    with opened(Bmc(), tmp_path) as service:
        (tmp_path / "password").unlink()
        with pytest.raises(ServiceError, match="password") as caught:
            service.get(SYSTEMS, timeout_s=2)
    assert caught.value.reason == "no_credentials"


def test_what_did_not_change_is_not_sent_again(tmp_path: Path) -> None:
    bmc = Bmc()
    with opened(bmc, tmp_path) as service:
        first = service.get(SYSTEMS, timeout_s=2)
        second = service.get(SYSTEMS, known=first, timeout_s=2)
    assert second.body is first.body
    assert second.at_ns > first.at_ns
    assert bmc.asked[f"304 {SYSTEMS}"] == 1
    assert bmc.asked[f"GET {SYSTEMS}"] == 1


def test_a_document_that_is_not_there_is_no_failure_of_the_service(tmp_path: Path) -> None:
    bmc = Bmc(failing={"/redfish/v1/Chassis": 500})
    with opened(bmc, tmp_path) as service:
        with pytest.raises(DocumentMissing):
            service.get("/redfish/v1/Nothing", timeout_s=2)
        with pytest.raises(ServiceError) as caught:
            service.get("/redfish/v1/Chassis", timeout_s=2)
    assert caught.value.reason == "server_error"


def test_a_busy_service_is_left_alone_for_as_long_as_it_says(tmp_path: Path) -> None:
    with opened(Bmc(retry_after_s=90), tmp_path) as service, pytest.raises(ServiceError) as caught:
        service.get(ROOT, timeout_s=2)
    assert (caught.value.reason, caught.value.pause_s) == ("busy", 90)


def test_a_hung_service_times_out(tmp_path: Path) -> None:
    with opened(Bmc(down=True), tmp_path) as service, pytest.raises(ServiceError) as caught:
        service.get(ROOT, timeout_s=0.2)
    assert caught.value.reason == "timed_out"


def test_every_token_is_refused_where_nobody_is_authorized(tmp_path: Path) -> None:
    bmc = Bmc(scenario=SCENARIOS["unauthorized"])
    with opened(bmc, tmp_path) as service, pytest.raises(ServiceError) as caught:
        service.get(SYSTEMS, timeout_s=2)
    assert caught.value.reason == "unauthorized"
    assert bmc.asked["POST /redfish/v1/SessionService/Sessions"] == 1, "one try, not a lockout"


def test_an_unknown_certificate_is_refused_and_the_right_one_is_not(tmp_path: Path) -> None:
    signed = authority(tmp_path)
    with serving(Bmc(), authority=signed) as url:
        doubted = RedfishService(entry(tmp_path, url), clock=SystemClock())
        with pytest.raises(ServiceError) as caught:
            doubted.get(ROOT, timeout_s=2)
        assert caught.value.reason == "certificate_not_trusted"
        doubted.close()
        trusted = RedfishService(entry(tmp_path, url, ca_file=str(signed.certificate)), clock=SystemClock())
        assert trusted.get(ROOT, timeout_s=2).body["Vendor"] == "Dell"
        trusted.close()


def test_an_unverified_certificate_is_loud_in_the_log_and_in_the_discovery(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(Bmc(), authority=authority(tmp_path)) as url, caplog.at_level(logging.WARNING):
        endpoint = entry(tmp_path, url, verified=False)
        found = redfish.discover(endpoint, clock=SystemClock(), budget_s=2.0)
        assert isinstance(found.meter, redfish.RedfishMeter)
        found.meter.close()
    assert "CERTIFICATE NOT VERIFIED" in caplog.text
    assert "CERTIFICATE NOT VERIFIED" in found.skipped[0].reason


def test_plain_http_is_loud_too(tmp_path: Path) -> None:
    assert "UNENCRYPTED" in entry(tmp_path, "http://bmc").caution
    assert entry(tmp_path, "https://bmc").caution == ""


def test_a_certificate_file_that_is_none_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(MeterError, match=r"ca\.pem"):
        RedfishService(Endpoint("https://bmc", ca_file=str(tmp_path / "ca.pem")), clock=SystemClock())
    found = redfish.discover(Endpoint("https://bmc", ca_file=str(tmp_path / "ca.pem")), clock=SystemClock())
    assert found.meter is None
    assert "ca.pem" in found.skipped[0].reason


def test_no_setting_is_a_line_in_the_discovery() -> None:
    found = redfish.discover(None, clock=SystemClock())
    assert found.meter is None
    assert "redfish_url" in found.skipped[0].reason
