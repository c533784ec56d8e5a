"""What a stale answer is still good for, and what a caller may wish instead."""

from __future__ import annotations

from typing import Any, Iterator

import grpc
import pytest

from harness.admin import metric
from harness.calls import fail, get
from harness.emulator import Emulator
from harness.gateway import STALE_AT_ONCE, Gateway, StartGateway
from harness.stubs import pcap_pb2

ONLY_IF_CACHED = [("cache-control", "only-if-cached")]

UPSTREAM_FAILS: list[dict[str, Any]] = [
    {"kind": "answer", "status": 500, "body": "{}"},
    {"kind": "html", "status": 502},
    {"kind": "answer", "status": 503, "body": "{}"},
    {"kind": "reset_within"},
    {"kind": "truncate"},
]
UPSTREAM_REFUSES: list[dict[str, Any]] = [
    {"kind": "answer", "status": status, "body": '{"success":false,"errors":[]}'}
    for status in (400, 401, 403, 404, 409, 429)
]


def name_of(fault: dict[str, Any]) -> str:
    return f"{fault['kind']} {fault.get('status', '')}".strip()


@pytest.fixture
def revalidating(start_gateway: StartGateway) -> Iterator[Gateway]:
    yield start_gateway(*STALE_AT_ONCE, "--admin-listen=127.0.0.1:0")


@pytest.fixture
def without_revalidation(start_gateway: StartGateway) -> Iterator[Gateway]:
    yield start_gateway(*STALE_AT_ONCE, "--stale-while-revalidate=0s", "--admin-listen=127.0.0.1:0")


def test_a_stale_answer_is_given_at_once_and_refreshed(
    revalidating: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(status="running")
    get(revalidating.channel, pcap_id)
    emulator.add_exactly(pcap_id, {"id": pcap_id, "type": "simple", "status": "success"})
    stale = get(revalidating.channel, pcap_id)
    assert stale.is_hit and "; ttl=-" in stale.cache_status
    assert stale.pcap.simple.status == pcap_pb2.PCAP_STATUS_RUNNING
    emulator.wait(pcap_id, "answered", count=2)
    # Nobody waited for the refresh; a caller who insists comes after it.
    assert get(revalidating.channel, pcap_id, max_age=0).pcap.simple.status == (
        pcap_pb2.PCAP_STATUS_SUCCESS
    )
    assert get(revalidating.channel, pcap_id).pcap.simple.status == pcap_pb2.PCAP_STATUS_SUCCESS
    assert metric(revalidating, "pcap_gateway_cache_stale_total") == 1
    assert metric(revalidating, "pcap_gateway_cache_refreshes_total") == 1


def test_who_accepts_no_stale_answer_gets_none(revalidating: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add(status="running")
    get(revalidating.channel, pcap_id)
    assert "; fwd=" in get(revalidating.channel, pcap_id, max_age=0).cache_status


@pytest.mark.parametrize("fault", UPSTREAM_FAILS, ids=name_of)
def test_when_cloudflare_fails_a_stale_answer_is_better_than_none(
    without_revalidation: Gateway, emulator: Emulator, fault: dict[str, Any]
) -> None:
    pcap_id = emulator.add(status="running")
    get(without_revalidation.channel, pcap_id)
    emulator.fault(pcap_id, **fault)
    answer = get(without_revalidation.channel, pcap_id)
    assert answer.pcap.simple.status == pcap_pb2.PCAP_STATUS_RUNNING
    assert answer.cache_status.startswith("pcap-gateway; fwd=stale")
    assert answer.cache_status.endswith("; detail=stale-if-error")
    if "status" in fault:
        assert f"; fwd-status={fault['status']};" in answer.cache_status
    assert metric(without_revalidation, "pcap_gateway_cache_stale_total") == 1


@pytest.mark.parametrize("fault", UPSTREAM_REFUSES, ids=name_of)
def test_when_cloudflare_refuses_the_caller_is_told(
    without_revalidation: Gateway, emulator: Emulator, fault: dict[str, Any]
) -> None:
    pcap_id = emulator.add(status="running")
    get(without_revalidation.channel, pcap_id)
    emulator.fault(pcap_id, **fault)
    failure = fail(without_revalidation.channel, pcap_id)
    assert failure.code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert metric(without_revalidation, "pcap_gateway_cache_stale_total") == 0


def test_a_stale_answer_older_than_the_caller_accepts_is_no_better_than_none(
    without_revalidation: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(status="running")
    get(without_revalidation.channel, pcap_id)
    emulator.fault(pcap_id, "html", status=502)
    failure = fail(without_revalidation.channel, pcap_id, max_age=0)
    assert failure.reason == "UPSTREAM_UNAVAILABLE"


def test_stale_if_error_can_be_turned_off(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway(*STALE_AT_ONCE, "--stale-while-revalidate=0s", "--stale-if-error=0s")
    pcap_id = emulator.add(status="running")
    get(gateway.channel, pcap_id)
    emulator.fault(pcap_id, "html", status=502)
    assert fail(gateway.channel, pcap_id).reason == "UPSTREAM_UNAVAILABLE"


def test_at_the_deadline_a_stale_answer_is_better_than_none(
    without_revalidation: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(status="running")
    get(without_revalidation.channel, pcap_id)
    gate = emulator.hold(pcap_id)
    answer = get(without_revalidation.channel, pcap_id, timeout=1)
    assert answer.cache_status.endswith("; detail=stale-if-error")
    emulator.release(gate)


def test_a_lifetime_of_zero_keeps_nothing(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway("--final-lifetime=0s", "--not-found-lifetime=0s")
    pcap_id, unknown_id = emulator.add(), emulator.unknown_id()
    for _ in range(2):
        assert "stored" not in get(gateway.channel, pcap_id).cache_status
        fail(gateway.channel, unknown_id)
    assert len(emulator.requests(pcap_id)) == len(emulator.requests(unknown_id)) == 2


def test_a_final_status_never_goes_back(gateway: Gateway, emulator: Emulator) -> None:
    """One of Cloudflare's replicas lags; the caller must not see it."""
    pcap_id = emulator.add(status="success")
    get(gateway.channel, pcap_id)
    emulator.add_exactly(pcap_id, {"id": pcap_id, "type": "simple", "status": "running"})
    for max_age in (0, None, 0):
        answer = get(gateway.channel, pcap_id, max_age=max_age)
        assert answer.pcap.simple.status == pcap_pb2.PCAP_STATUS_SUCCESS
    assert len(emulator.requests(pcap_id)) == 3


def test_only_if_cached_asks_nobody(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    failure = fail(gateway.channel, pcap_id, metadata=ONLY_IF_CACHED)
    assert failure.code == grpc.StatusCode.FAILED_PRECONDITION
    assert failure.reason == "NOT_CACHED"
    assert not emulator.requests(pcap_id)
    get(gateway.channel, pcap_id)
    assert get(gateway.channel, pcap_id, metadata=ONLY_IF_CACHED).is_hit
    assert len(emulator.requests(pcap_id)) == 1


def test_only_if_cached_and_a_max_age_that_is_over_contradict(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    failure = fail(gateway.channel, pcap_id, max_age=0, metadata=ONLY_IF_CACHED)
    assert failure.reason == "NOT_CACHED"
    assert len(emulator.requests(pcap_id)) == 1


@pytest.mark.parametrize("max_age", [1e-9, 1e9, 315_576_000_000])
def test_any_max_age_within_the_type_is_honoured(
    gateway: Gateway, emulator: Emulator, max_age: float
) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    assert get(gateway.channel, pcap_id, max_age=max_age).is_hit == (max_age > 1)


@pytest.mark.parametrize("max_age", [-1, -1e-9, -315_576_000_000])
def test_a_negative_max_age_is_refused(
    gateway: Gateway, emulator: Emulator, max_age: float
) -> None:
    pcap_id = emulator.add()
    failure = fail(gateway.channel, pcap_id, max_age=max_age)
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
    assert not emulator.requests(pcap_id)
