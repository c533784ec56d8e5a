"""A capture's life through the gateway: listed, created, stopped. What is written is sent once, and
nobody sees the world before it afterwards."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from emulator import demo
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from harness.admin import wait_for_redis
from harness.calls import DEADLINE_SECONDS, Failure, answer_to
from harness.emulator import Emulator
from harness.gateway import LONG_FRESH, Gateway, StartGateway
from harness.redis import Redis
from harness.stubs import pcap_pb2, pcap_service_pb2, pcap_service_pb2_grpc

PCAPS = f"/client/v4/accounts/{demo.ACCOUNT_ID}/pcaps"
WRITES = ("--allow=write", "--admin-listen=127.0.0.1:0")


@pytest.fixture
def writing(start_gateway: StartGateway) -> Gateway:
    return start_gateway(*WRITES)


def call(gateway: Gateway, method: str, request: Any, timeout: float = DEADLINE_SECONDS) -> Any:
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    return answer_to(getattr(stub, method), request, timeout)


def fail(gateway: Gateway, method: str, request: Any, timeout: float = DEADLINE_SECONDS) -> Failure:
    with pytest.raises(Failure) as failure:
        call(gateway, method, request, timeout)
    return failure.value


def listed(gateway: Gateway, max_age: float | None = None) -> list[str]:
    request = pcap_service_pb2.ListPcapsRequest(account_id=demo.ACCOUNT_ID)
    if max_age is not None:
        request.max_age.FromMilliseconds(round(max_age * 1000))
    pcaps = call(gateway, "ListPcaps", request).pcaps
    return [getattr(pcap, pcap.WhichOneof("form")).id for pcap in pcaps]


def simple(request_id: str = "", **more: Any) -> pcap_service_pb2.CreatePcapRequest:
    fields = {"time_limit": Duration(seconds=10), "packet_limit": 100, **more}
    return pcap_service_pb2.CreatePcapRequest(
        account_id=demo.ACCOUNT_ID,
        simple=pcap_service_pb2.CreateSimplePcap(**fields),
        request_id=request_id,
    )


def full(**more: Any) -> pcap_service_pb2.CreatePcapRequest:
    fields = {
        "time_limit": Duration(seconds=10),
        "colo_name": "ord02",
        "destination_conf": demo.DESTINATION_CONF,
        **more,
    }
    return pcap_service_pb2.CreatePcapRequest(
        account_id=demo.ACCOUNT_ID, full=pcap_service_pb2.CreateFullPcap(**fields)
    )


def stop(pcap_id: str) -> pcap_service_pb2.StopPcapRequest:
    return pcap_service_pb2.StopPcapRequest(account_id=demo.ACCOUNT_ID, pcap_id=pcap_id)


def sent(emulator: Emulator, method: str, before: int = 0) -> list[dict[str, Any]]:
    return emulator.requests(method=method)[before:]


def count(emulator: Emulator, method: str) -> int:
    return len(emulator.requests(method=method))


def test_a_list_has_the_accounts_captures_and_is_kept(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*LONG_FRESH)
    pcap_id = emulator.add()
    assert pcap_id in listed(gateway, max_age=0)
    before = count(emulator, "GET")
    assert demo.SIMPLE_ID in listed(gateway)
    assert count(emulator, "GET") == before


def test_a_list_of_an_account_that_is_not_there_is_not_found(
    gateway: Gateway, emulator: Emulator
) -> None:
    request = pcap_service_pb2.ListPcapsRequest(account_id="0" * 32)
    nowhere = {"success": False, "errors": [{"code": 7003, "message": "no route"}]}
    emulator.answer(None, nowhere, 404, method="GET", path="/pcaps", times=1)
    failure = fail(gateway, "ListPcaps", request)
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "ACCOUNT_NOT_FOUND")


@pytest.mark.parametrize("method", ["CreatePcap", "StopPcap"])
def test_writes_are_off_unless_allowed(
    gateway: Gateway, emulator: Emulator, method: str
) -> None:
    before = len(emulator.requests())
    request = simple() if method == "CreatePcap" else stop(demo.RUNNING_ID)
    failure = fail(gateway, method, request)
    assert failure.code is grpc.StatusCode.PERMISSION_DENIED
    assert failure.reason == "METHOD_DISABLED"
    assert len(emulator.requests()) == before


def test_a_created_capture_is_what_was_asked_for(writing: Gateway, emulator: Emulator) -> None:
    emulator.advance(61)  # one simple capture a minute
    before = count(emulator, "POST")
    created = call(
        writing,
        "CreatePcap",
        simple(filter_v1=pcap_pb2.PcapFilter(source_address="1.2.3.4", destination_port=80)),
    )
    [request] = sent(emulator, "POST", before)
    assert request["path"] == PCAPS
    assert json.loads(request["body"]) == {
        "type": "simple",
        "system": "magic-transit",
        "time_limit": 10,
        "packet_limit": 100,
        "filter_v1": {"source_address": "1.2.3.4", "destination_port": 80},
    }
    assert created.pcap.simple.time_limit.seconds == 10
    assert created.pcap.simple.filter_v1.source_address == "1.2.3.4"
    assert listed(writing)[0] == created.pcap.simple.id


def test_who_creates_sees_it_in_the_list_at_once(writing: Gateway, emulator: Emulator) -> None:
    emulator.advance(61)
    listed(writing)
    created = call(writing, "CreatePcap", simple())
    assert created.pcap.simple.id in listed(writing)


def test_a_full_capture_is_stopped_and_nobody_sees_it_running(
    writing: Gateway, emulator: Emulator
) -> None:
    emulator.advance(86400)  # none is under way
    created = call(writing, "CreatePcap", full(byte_limit=1000)).pcap.full
    assert "REDACTED" in created.destination_conf
    get = pcap_service_pb2.GetPcapRequest(account_id=demo.ACCOUNT_ID, pcap_id=created.id)
    assert not call(writing, "GetPcap", get).pcap.full.HasField("stop_requested")
    call(writing, "StopPcap", stop(created.id))
    call(writing, "StopPcap", stop(created.id))  # twice is as once
    assert call(writing, "GetPcap", get).pcap.full.HasField("stop_requested")


def test_what_is_out_of_range_spends_no_request(writing: Gateway, emulator: Emulator) -> None:
    before = len(emulator.requests())
    failure = fail(
        writing,
        "CreatePcap",
        simple(time_limit=Duration(seconds=301), packet_limit=10_001),
    )
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    violations = failure.only(error_details_pb2.BadRequest).field_violations
    assert [v.field for v in violations] == ["simple.time_limit", "simple.packet_limit"]
    assert len(emulator.requests()) == before


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_before", "done": True},
        {"kind": "reset_before"},
        {"kind": "html", "status": 502},
        {"kind": "html", "status": 200, "done": True},
        {"kind": "truncate"},
    ],
    ids=lambda fault: " ".join(str(word) for word in fault.values()),
)
def test_a_write_is_sent_once_and_its_unknown_end_is_told(
    writing: Gateway, emulator: Emulator, fault: dict[str, Any]
) -> None:
    emulator.advance(61)
    before = count(emulator, "POST")
    kind = fault.pop("kind")
    emulator.fault(None, kind, method="POST", path="/pcaps", times=5, **fault)
    failure = fail(writing, "CreatePcap", simple())
    emulator.clear_faults()
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNKNOWN, "OUTCOME_UNKNOWN")
    assert "list" in failure.message
    assert count(emulator, "POST") == before + 1


def test_a_write_that_its_caller_leaves_goes_on(writing: Gateway, emulator: Emulator) -> None:
    emulator.advance(61)
    before = count(emulator, "POST")
    known = listed(writing)
    gate = emulator.hold(None, method="POST", path="/pcaps", times=1)
    failure = fail(writing, "CreatePcap", simple("left"), timeout=1)
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNKNOWN, "OUTCOME_UNKNOWN")
    emulator.release(gate)
    created = call(writing, "CreatePcap", simple("left"))
    assert count(emulator, "POST") == before + 1
    assert created.pcap.simple.id in listed(writing)
    assert created.pcap.simple.id not in known


def test_the_same_request_is_made_once(writing: Gateway, emulator: Emulator) -> None:
    emulator.advance(61)
    before = count(emulator, "POST")
    one, other = (call(writing, "CreatePcap", simple("the-same")) for _ in range(2))
    assert one == other
    assert count(emulator, "POST") == before + 1
    failure = fail(writing, "CreatePcap", simple("the-same", packet_limit=7))
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.only(error_details_pb2.BadRequest).field_violations[0].field == "request_id"


def test_what_cloudflare_refuses_is_told(writing: Gateway, emulator: Emulator) -> None:
    emulator.advance(61)
    call(writing, "CreatePcap", simple())
    before = count(emulator, "POST")
    failure = fail(writing, "CreatePcap", simple())  # one simple capture a minute
    assert failure.code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED)
    assert count(emulator, "POST") == before + 1
    failure = fail(writing, "StopPcap", stop(emulator.unknown_id()))
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "PCAP_NOT_FOUND")


def test_no_replica_sees_the_world_before_a_write(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    one, other = (
        start_gateway(*WRITES, f"--redis-url={redis.url}", "--redis-timeout=10s") for _ in range(2)
    )
    for gateway in (one, other):
        wait_for_redis(gateway, True)
    for writer, reader in ((one, other), (other, one)):
        emulator.advance(61)
        listed(reader)
        created = call(writer, "CreatePcap", simple())
        assert created.pcap.simple.id in listed(reader)
