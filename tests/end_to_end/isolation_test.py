"""Nobody's requests hold up another's, and circuits open for what the upstream does, no sooner."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any, Iterator

import grpc
import pytest
from emulator import demo

from harness.admin import metric
from harness.calls import DEADLINE_SECONDS, Failure, answer_of, request_for
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.process import PATIENCE_SECONDS
from harness.stubs import pcap_service_pb2_grpc

ADMIN = "--admin-listen=127.0.0.1:0"
CIRCUIT = "pcap_gateway_upstream_circuit_state"


@pytest.fixture
def upstream() -> Iterator[Emulator]:
    """One of its own: here whole upstreams are ill."""
    emulator = Emulator()
    yield emulator
    emulator.clear_faults()
    emulator.stop()


@pytest.fixture
def tokens(upstream: Emulator) -> tuple[str, str]:
    """Of two tenants."""
    both = ("tenant-a" + "a" * 32, "tenant-b" + "b" * 32)
    for token in both:
        upstream.add_principal(token[:8], token=token, rights={demo.ACCOUNT_ID: ["read"]})
    return both


class Tenant:
    """Calls with a connection and a token of its own, from one and the same address."""

    def __init__(self, gateway: Gateway, token: str | None = None) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.aio.insecure_channel(gateway.address, options=options)
        self._stub = pcap_service_pb2_grpc.PcapServiceStub(self._channel)
        self._metadata = () if token is None else (("authorization", f"Bearer {token}"),)

    def call(self, pcap_id: str, timeout: float = DEADLINE_SECONDS) -> Any:
        return self._stub.GetPcap(
            request_for(pcap_id, max_age=0), timeout=timeout, metadata=self._metadata
        )

    async def end_of(self, pcap_id: str, timeout: float = DEADLINE_SECONDS) -> str:
        """OK, or the code's name."""
        try:
            await answer_of(self.call(pcap_id, timeout))
        except Failure as failure:
            return failure.code.name
        return "OK"

    async def close(self) -> None:
        await self._channel.close(None)


async def until(gateway: Gateway, name: str, least: float) -> None:
    """Metrics can only be polled; the pause is for others."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while (value := await asyncio.to_thread(metric, gateway, name)) < least:
        assert time.monotonic() < give_up_at, f"{name} is {value}, not {least}"
        await asyncio.sleep(0.02)


def test_a_tenant_whose_requests_hang_does_not_hold_up_another(
    start_gateway: StartGateway, upstream: Emulator, tokens: tuple[str, str]
) -> None:
    gateway = start_gateway(
        ADMIN,
        "--credential=caller",
        "--max-streams-per-connection=0",  # the slow calls come over one
        upstream_url=upstream.url,
    )
    slow = [upstream.add() for _ in range(400)]
    for pcap_id in slow:
        upstream.hold(pcap_id)
    quick = [upstream.add() for _ in range(20)]

    async def test() -> None:
        a, b = (Tenant(gateway, token) for token in tokens)
        calls = [a.call(pcap_id, timeout=60) for pcap_id in slow]
        await until(gateway, "pcap_gateway_upstream_requests_queued", 100)
        # None of the slow ones ends before these do: they are held.
        for pcap_id in quick:
            assert await b.end_of(pcap_id) == "OK"
        assert not any(call.done() for call in calls)
        for call in calls:
            call.cancel()
        await a.close()
        await b.close()

    asyncio.run(asyncio.wait_for(test(), 50))


@pytest.mark.parametrize("options", [(), ("--cache-bytes=0",)])
def test_an_upstream_that_hangs_opens_the_circuit_though_callers_leave_after_two_seconds(
    start_gateway: StartGateway, upstream: Emulator, options: tuple[str, ...]
) -> None:
    gateway = start_gateway(
        ADMIN, "--upstream-failures=20", *options, upstream_url=upstream.url
    )
    ids = [upstream.add() for _ in range(60)]
    for pcap_id in ids:
        upstream.hold(pcap_id)

    async def test() -> None:
        tenant = Tenant(gateway)
        ends = await asyncio.gather(*[tenant.end_of(pcap_id, 2) for pcap_id in ids])
        assert set(ends) <= {"DEADLINE_EXCEEDED", "UNAVAILABLE"}
        await until(gateway, CIRCUIT, 1)
        ends = await asyncio.gather(*[tenant.end_of(pcap_id, 2) for pcap_id in ids[:20]])
        assert Counter(ends)["UNAVAILABLE"] >= 15
        await tenant.close()

    asyncio.run(asyncio.wait_for(test(), 50))


def test_a_healthy_upstream_is_asked_however_little_time_callers_have(
    start_gateway: StartGateway, upstream: Emulator
) -> None:
    gateway = start_gateway(
        ADMIN, "--upstream-failures=20", "--cache-bytes=0", upstream_url=upstream.url
    )
    pcap_id = upstream.add()
    # Longer than they have, and no longer than Cloudflare takes.
    upstream.fault(pcap_id, "delay", seconds=0.1)

    async def test() -> None:
        tenant = Tenant(gateway)
        for _ in range(40):
            ends = [tenant.end_of(pcap_id, ms / 1000) for ms in (1, 2, 5, 20, 30)]
            assert set(await asyncio.gather(*ends)) == {"DEADLINE_EXCEEDED"}
        upstream.wait(pcap_id, "aborted", count=40)
        assert await tenant.end_of(pcap_id) == "OK"
        assert await asyncio.to_thread(metric, gateway, CIRCUIT) == 0
        await tenant.close()

    asyncio.run(asyncio.wait_for(test(), 50))


def test_server_errors_to_one_tenant_do_not_refuse_another(
    start_gateway: StartGateway, upstream: Emulator, tokens: tuple[str, str]
) -> None:
    gateway = start_gateway(
        ADMIN, "--upstream-failures=20", "--credential=caller", upstream_url=upstream.url
    )
    ill, well = upstream.add(), upstream.add()
    upstream.answer(ill, {"success": False, "errors": []}, status=503)

    async def test() -> None:
        a, b = (Tenant(gateway, token) for token in tokens)
        for _ in range(10):
            # More in a row than open a circuit.
            for _ in range(25):
                assert await a.end_of(ill) == "UNAVAILABLE"
            assert await b.end_of(well) == "OK"
        # It was left alone for that: fewer requests than calls.
        assert len(upstream.requests(ill)) < 100
        assert len(upstream.requests(well)) == 10
        await a.close()
        await b.close()

    asyncio.run(asyncio.wait_for(test(), 50))
