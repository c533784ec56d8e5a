"""--ready=credential: no calls are to come while Cloudflare rejects the gateway's own credential."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from emulator import demo

from harness.admin import fetch
from harness.emulator import Emulator
from harness.gateway import StartGateway
from harness.health import NOT_SERVING, SERVING, check, watch

ADMIN = "--admin-listen=127.0.0.1:0"
SERVICE = "pcap.v1.PcapService"
VERIFY = "/client/v4/user/tokens/verify"
WRONG = "wrong-token-that-opens-nothing"


@pytest.fixture
def cloudflare() -> Iterator[Emulator]:
    """One of its own for each test: they count all requests, or have all fail."""
    emulator = Emulator()
    yield emulator
    emulator.stop()


def test_a_rejected_credential_withholds_calls_until_another_one_is_there(
    start_gateway: StartGateway, cloudflare: Emulator, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(WRONG)
    gateway = start_gateway(
        "--ready=credential",
        f"--api-token-file={file}",
        "--reload-interval=50ms",
        ADMIN,
        upstream_url=cloudflare.url,
    )
    gateway.process.stderr.wait_for("not ready: --credential: Cloudflare does not accept")
    code, body = fetch(gateway, "/readyz")
    assert code == 503
    assert body.startswith("not ready: --credential: Cloudflare does not accept the gateway's own")
    assert WRONG not in body and WRONG not in gateway.process.output()
    assert fetch(gateway, "/healthz")[0] == 200
    assert "not ready</span>" in fetch(gateway, "/")[1]
    assert '"ready": false' in fetch(gateway, "/status.json")[1]
    for service in ("", SERVICE):
        assert check(gateway, service) == NOT_SERVING
    watched = watch(gateway, SERVICE)
    assert next(watched) == NOT_SERVING

    replaced = tmp_path / "new"
    replaced.write_text(demo.TOKEN)
    replaced.rename(file)
    assert next(watched) == SERVING
    gateway.process.stderr.wait_for("ready: Cloudflare accepts the credential")
    assert fetch(gateway, "/readyz") == (200, "ready\n")
    assert check(gateway, "") == SERVING


def test_one_that_is_accepted_costs_one_request(
    start_gateway: StartGateway, cloudflare: Emulator
) -> None:
    gateway = start_gateway("--ready=credential", ADMIN, upstream_url=cloudflare.url)
    gateway.process.stderr.wait_for("ready: Cloudflare accepts the credential")
    assert fetch(gateway, "/readyz") == (200, "ready\n")
    assert [request["path"] for request in cloudflare.requests()] == [VERIFY]


def test_an_outage_withholds_calls_for_ten_seconds_at_most(
    start_gateway: StartGateway, cloudflare: Emulator
) -> None:
    cloudflare.fault(kind="answer", status=503, body="busy")
    gateway = start_gateway("--ready=credential", ADMIN, upstream_url=cloudflare.url)
    assert check(gateway, SERVICE) == NOT_SERVING
    gateway.process.stderr.wait_for("ready all the same: Cloudflare has not said for 10s")
    assert fetch(gateway, "/readyz") == (200, "ready\n")
    assert check(gateway, SERVICE) == SERVING


def test_by_default_cloudflare_is_not_asked(
    start_gateway: StartGateway, cloudflare: Emulator
) -> None:
    gateway = start_gateway(ADMIN, upstream_url=cloudflare.url, CLOUDFLARE_API_TOKEN=WRONG)
    assert fetch(gateway, "/readyz") == (200, "ready\n")
    assert cloudflare.requests() == []
