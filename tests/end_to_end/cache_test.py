"""What is kept, for how long, and how a caller can tell and insist."""

from __future__ import annotations

import re
from typing import Any

import pytest
from emulator import demo

from harness.calls import Answer, fail, get
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.stubs import pcap_pb2


def ttl_of(cache_status: str) -> int:
    found = re.search(r"; ttl=(-?\d+)", cache_status)
    assert found, cache_status
    return int(found.group(1))


def count(emulator: Emulator, pcap_id: str) -> int:
    """Requests that reached Cloudflare."""
    return len(emulator.requests(pcap_id))


def test_the_second_caller_is_answered_from_the_cache(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    first, second = get(gateway.channel, pcap_id), get(gateway.channel, pcap_id)
    assert first.cache_status.startswith("pcap-gateway; fwd=uri-miss; stored")
    assert second.cache_status.startswith("pcap-gateway; hit; ttl=")
    assert first.response == second.response
    assert count(emulator, pcap_id) == 1


def test_cache_status_never_tells_the_key(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    for _ in range(2):
        cache_status = get(gateway.channel, pcap_id).cache_status
        assert "key" not in cache_status and pcap_id not in cache_status


def test_age_is_whole_seconds(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    for _ in range(2):
        assert re.fullmatch(r"\d{1,2}", get(gateway.channel, pcap_id).metadata["age"])


def test_final_captures_are_kept_for_hours(gateway: Gateway, emulator: Emulator) -> None:
    for status in ("success", "complete", "failed"):
        pcap_id = emulator.add(status=status)
        get(gateway.channel, pcap_id)
        assert ttl_of(get(gateway.channel, pcap_id).cache_status) >= 3600, status


@pytest.mark.parametrize(
    "status",
    ["unknown", "pending", "running", "conversion_pending", "conversion_running", "teleporting"],
)
def test_moving_captures_are_kept_for_seconds(
    gateway: Gateway, emulator: Emulator, status: str
) -> None:
    pcap_id = emulator.add(status=status)
    assert 0 <= ttl_of(get(gateway.channel, pcap_id).cache_status) <= 10


def test_a_capture_without_a_status_is_not_taken_for_final(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(status=None)
    assert 0 <= ttl_of(get(gateway.channel, pcap_id).cache_status) <= 10


def test_max_age_0_asks_cloudflare_now(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add(status="running")
    get(gateway.channel, pcap_id)
    emulator.add_exactly(pcap_id, {"id": pcap_id, "type": "simple", "status": "success"})
    answer = get(gateway.channel, pcap_id, max_age=0)
    assert answer.pcap.simple.status == pcap_pb2.PCAP_STATUS_SUCCESS
    assert "; fwd=request" in answer.cache_status or "; fwd=stale" in answer.cache_status
    assert count(emulator, pcap_id) == 2


def test_what_max_age_0_brought_serves_the_next_caller(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    assert "; fwd=request; stored" in get(gateway.channel, pcap_id, max_age=0).cache_status
    assert get(gateway.channel, pcap_id).is_hit
    assert count(emulator, pcap_id) == 2


def test_a_max_age_that_is_not_over_is_a_hit(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    assert get(gateway.channel, pcap_id, max_age=3600).is_hit


@pytest.mark.parametrize(
    "cache_control", ["no-cache", "max-age=0", "No-Cache", "foo, max-age=0", "max-age=9, no-cache"]
)
def test_cache_control_asks_anew(gateway: Gateway, emulator: Emulator, cache_control: str) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    answer = get(gateway.channel, pcap_id, metadata=[("cache-control", cache_control)])
    assert "; fwd=request" in answer.cache_status


@pytest.mark.parametrize(
    "cache_control", ["", "max-age=3600", "max-age", "max-age=soon", "max-age=-1", "only-if-cached"]
)
def test_cache_control_that_accepts_the_kept_answer_is_a_hit(
    gateway: Gateway, emulator: Emulator, cache_control: str
) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    assert get(gateway.channel, pcap_id, metadata=[("cache-control", cache_control)]).is_hit


def test_the_stricter_of_max_age_and_cache_control_wins(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)

    def ask(max_age: float, cache_control: str) -> Answer:
        metadata = [("cache-control", cache_control)]
        return get(gateway.channel, pcap_id, max_age=max_age, metadata=metadata)

    assert ask(3600, "max-age=3600").is_hit
    assert not ask(3600, "no-cache").is_hit
    assert not ask(0, "max-age=3600").is_hit


def test_404_is_kept_briefly(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.unknown_id()
    failures = [fail(gateway.channel, pcap_id) for _ in range(2)]
    assert [f.reason for f in failures] == ["PCAP_NOT_FOUND"] * 2
    assert failures[1].metadata["cache-status"].startswith("pcap-gateway; hit; ttl=")
    assert 0 <= ttl_of(failures[1].metadata["cache-status"]) <= 60
    assert count(emulator, pcap_id) == 1


def test_a_kept_404_gives_way_to_a_caller_who_insists(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.unknown_id()
    fail(gateway.channel, pcap_id)
    emulator.add_exactly(pcap_id, {"id": pcap_id, "type": "simple", "status": "success"})
    assert get(gateway.channel, pcap_id, max_age=0).pcap.simple.id == pcap_id
    assert get(gateway.channel, pcap_id).is_hit


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "answer", "status": 400, "body": "{}"},
        {"kind": "answer", "status": 401, "body": "{}"},
        {"kind": "answer", "status": 403, "body": "{}"},
        {"kind": "answer", "status": 409, "body": "{}"},
        {"kind": "answer", "status": 429, "body": "{}", "headers": {"retry-after": "0"}},
        {"kind": "answer", "status": 500, "body": "{}"},
        {"kind": "answer", "status": 200, "body": "{}"},
        {"kind": "html", "status": 404},
        {"kind": "html", "status": 502},
        {"kind": "reset_within"},
        {"kind": "truncate"},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}",
)
def test_other_failures_are_not_kept(
    gateway: Gateway, emulator: Emulator, fault: dict[str, Any]
) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, times=1, **fault)
    failure = fail(gateway.channel, pcap_id)
    assert "stored" not in failure.metadata.get("cache-status", "")
    assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id


def test_a_failure_leaves_the_kept_answer_in_place(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    emulator.fault(pcap_id, "html", status=502, times=1)
    assert fail(gateway.channel, pcap_id, max_age=0).reason == "UPSTREAM_UNAVAILABLE"
    assert get(gateway.channel, pcap_id).is_hit


def test_cf_ray_is_that_of_the_request_it_took(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    answer = get(gateway.channel, pcap_id)
    [request] = emulator.requests(pcap_id)
    assert answer.metadata["cf-ray"] == f"{request['number']:016x}-EMU"


def test_without_a_cache_every_call_asks(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway("--cache-bytes=0")
    pcap_id = emulator.add()
    for _ in range(3):
        answer = get(gateway.channel, pcap_id)
        assert answer.cache_status.startswith("pcap-gateway; fwd=bypass")
        assert "stored" not in answer.cache_status
    assert count(emulator, pcap_id) == 3


def test_a_small_cache_stays_within_its_bytes_and_right(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--cache-bytes=20000")
    ids = [emulator.add(filter_v1={"source_port": port}) for port in range(100)]
    for _ in range(2):
        for port, pcap_id in enumerate(ids):
            simple = get(gateway.channel, pcap_id).pcap.simple
            assert (simple.id, simple.filter_v1.source_port) == (pcap_id, port)
    # 100 of at least 200 bytes each cannot all have been kept.
    assert sum(count(emulator, pcap_id) for pcap_id in ids) > len(ids)


def test_different_accounts_are_kept_apart(caller_gateway: Gateway, emulator: Emulator) -> None:
    emulator.add_principal(
        "both",
        token="emulator-token-for-two-accounts",
        rights={demo.ACCOUNT_ID: ["read"], demo.OTHER_ACCOUNT_ID: ["read"]},
    )
    credential = [("authorization", "Bearer emulator-token-for-two-accounts")]
    pcap_id = emulator.add(time_limit=1)
    other = {"id": pcap_id, "type": "simple", "time_limit": 2}
    emulator.add_exactly(pcap_id, other, demo.OTHER_ACCOUNT_ID)
    for _ in range(2):
        for account_id, seconds in ((demo.ACCOUNT_ID, 1), (demo.OTHER_ACCOUNT_ID, 2)):
            answer = get(caller_gateway.channel, pcap_id, account_id, metadata=credential)
            assert answer.pcap.simple.time_limit.seconds == seconds
