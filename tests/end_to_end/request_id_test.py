"""request_id: the same write gets the same answer from all replicas that share a Redis, and is sent
once. Two real gateways, a real Redis, and each of them killed in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import grpc
import pytest
from emulator import demo
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from harness.admin import metric, wait_for_redis, wait_until_metric
from harness.calls import DEADLINE_SECONDS, Failure, answer_to
from harness.canaries import BUCKET_SECRET, DESTINATION, told
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway, environment
from harness.redis import Redis
from harness.stubs import pcap_service_pb2, pcap_service_pb2_grpc

AWAITED = "pcap_gateway_writes_awaited_total"
REPEATED = "pcap_gateway_writes_repeated_total"
ALONE = "pcap_gateway_writes_alone_total"
LOST = "pcap_gateway_writes_lost_total"
# Longer than a replica's lease.
LOST_WITHIN = 60.0


@pytest.fixture
def replica(start_gateway: StartGateway, redis: Redis) -> Callable[..., Gateway]:
    def start(*options: str) -> Gateway:
        gateway = start_gateway(
            "--allow=write",
            "--admin-listen=127.0.0.1:0",
            f"--redis-url={redis.url}",
            "--redis-timeout=10s",
            *options,
        )
        wait_for_redis(gateway, True)
        return gateway

    return start


@pytest.fixture
def one(replica: Callable[..., Gateway]) -> Gateway:
    return replica()


@pytest.fixture
def other(replica: Callable[..., Gateway]) -> Gateway:
    return replica()


def simple(request_id: str, packet_limit: int = 100) -> pcap_service_pb2.CreatePcapRequest:
    return pcap_service_pb2.CreatePcapRequest(
        account_id=demo.ACCOUNT_ID,
        simple=pcap_service_pb2.CreateSimplePcap(
            time_limit=Duration(seconds=10), packet_limit=packet_limit
        ),
        request_id=request_id,
    )


def create(gateway: Gateway, request: Any, timeout: float = DEADLINE_SECONDS) -> Any:
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    return answer_to(stub.CreatePcap, request, timeout)


def fail(gateway: Gateway, request: Any, timeout: float = DEADLINE_SECONDS) -> Failure:
    with pytest.raises(Failure) as failure:
        create(gateway, request, timeout)
    return failure.value


def posts(emulator: Emulator) -> int:
    return len(emulator.requests(method="POST", path="/pcaps"))


@pytest.fixture(autouse=True)
def a_minute_has_passed(emulator: Emulator) -> None:
    emulator.advance(61)  # one simple capture a minute


def test_another_replica_gives_the_same_answer(
    one: Gateway, other: Gateway, emulator: Emulator
) -> None:
    before = posts(emulator)
    created = create(one, simple("the-same"))
    assert create(other, simple("the-same")) == created
    assert create(one, simple("the-same")) == created
    assert posts(emulator) == before + 1
    assert metric(other, REPEATED) == 1


def test_another_content_is_refused_by_all(
    one: Gateway, other: Gateway, emulator: Emulator
) -> None:
    create(one, simple("content"))
    before = posts(emulator)
    for gateway in (other, one):
        failure = fail(gateway, simple("content", packet_limit=7))
        assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
        [violation] = failure.only(error_details_pb2.BadRequest).field_violations
        assert violation.field == "request_id"
    assert posts(emulator) == before


def test_at_once_one_sends_and_the_other_waits(
    one: Gateway, other: Gateway, emulator: Emulator
) -> None:
    before = posts(emulator)
    gate = emulator.hold(None, method="POST", path="/pcaps", times=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(create, one, simple("at-once"))
        emulator.wait(method="POST", path="/pcaps", count=before + 1)
        second = pool.submit(create, other, simple("at-once"))
        wait_until_metric(other, AWAITED, lambda awaited: awaited >= 1)
        emulator.release(gate)
        assert first.result() == second.result()
    assert posts(emulator) == before + 1


def test_at_once_the_same_refusal_is_told(
    one: Gateway, other: Gateway, emulator: Emulator
) -> None:
    create(one, simple(""))  # the next one within the minute is one too many
    before = posts(emulator)
    gate = emulator.hold(None, method="POST", path="/pcaps", times=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fail, one, simple("refused"))
        emulator.wait(method="POST", path="/pcaps", count=before + 1)
        second = pool.submit(fail, other, simple("refused"))
        wait_until_metric(other, AWAITED, lambda awaited: awaited >= 1)
        emulator.release(gate)
        assert first.result().reason == second.result().reason == "RATE_LIMITED"
    assert posts(emulator) == before + 1
    # It changed nothing, so it may be asked for again.
    emulator.advance(61)


def test_who_waits_for_another_replica_keeps_its_deadline(
    one: Gateway, other: Gateway, emulator: Emulator
) -> None:
    before = posts(emulator)
    gate = emulator.hold(None, method="POST", path="/pcaps", times=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(create, one, simple("slow"))
        emulator.wait(method="POST", path="/pcaps", count=before + 1)
        failure = fail(other, simple("slow"), timeout=1)
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNKNOWN, "OUTCOME_UNKNOWN")
        emulator.release(gate)
        assert create(other, simple("slow")) == first.result()
    assert posts(emulator) == before + 1


def test_when_the_sender_dies_nobody_sends_it_again(
    other: Gateway, redis: Redis, emulator: Emulator, tmp_path: Path
) -> None:
    # Not one whose end is looked at.
    one = Gateway(
        [
            f"--upstream-url={emulator.url}",
            "--allow=write",
            "--admin-listen=127.0.0.1:0",
            f"--redis-url={redis.url}",
            "--redis-timeout=10s",
        ],
        environment(tmp_path, CLOUDFLARE_API_TOKEN=demo.TOKEN),
    )
    wait_for_redis(one, True)
    before = posts(emulator)
    gate = emulator.hold(None, method="POST", path="/pcaps", times=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fail, one, simple("dies"))
        emulator.wait(method="POST", path="/pcaps", count=before + 1)
        second = pool.submit(fail, other, simple("dies"), LOST_WITHIN)
        wait_until_metric(other, AWAITED, lambda awaited: awaited >= 1)
        one.process.kill()
        assert first.result().code is grpc.StatusCode.UNAVAILABLE
        failure = second.result()
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNKNOWN, "OUTCOME_UNKNOWN")
    assert "list" in failure.message and "is gone" in failure.message
    assert metric(other, LOST) == 1
    # Nor later.
    assert fail(other, simple("dies")).reason == "OUTCOME_UNKNOWN"
    emulator.release(gate)
    assert posts(emulator) == before + 1


def test_an_unknown_end_is_known_to_all(
    one: Gateway, other: Gateway, emulator: Emulator
) -> None:
    before = posts(emulator)
    emulator.fault(None, "reset_before", method="POST", path="/pcaps", times=1, done=True)
    assert fail(one, simple("unknown")).reason == "OUTCOME_UNKNOWN"
    assert fail(other, simple("unknown")).reason == "OUTCOME_UNKNOWN"
    assert posts(emulator) == before + 1


def test_without_redis_each_replica_knows_its_own_and_says_so(
    one: Gateway, other: Gateway, redis: Redis, emulator: Emulator
) -> None:
    before = posts(emulator)
    created = create(one, simple("known-to-one"))
    redis.kill()
    wait_for_redis(one, False)
    wait_for_redis(other, False)
    # Whoever has sent it knows it.
    assert create(one, simple("known-to-one")) == created
    assert posts(emulator) == before + 1
    emulator.advance(61)
    alone = create(other, simple("sent-without"))
    assert create(other, simple("sent-without")) == alone
    assert posts(emulator) == before + 2
    assert metric(other, ALONE) == 1
    other.process.stderr.wait_for("this replica alone knows it")
    # Redis is told once it is back.
    redis.start()
    wait_for_redis(other, True)
    wait_for_redis(one, True)
    redis.wait_for_reply("pcap-gateway:v1:", "KEYS", "*:write")
    assert create(one, simple("sent-without")) == alone
    assert posts(emulator) == before + 2


def test_a_redis_that_loses_all_while_it_is_sent_is_told_again(
    one: Gateway, other: Gateway, redis: Redis, emulator: Emulator
) -> None:
    before = posts(emulator)
    gate = emulator.hold(None, method="POST", path="/pcaps", times=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(create, one, simple("lost-by-redis"))
        emulator.wait(method="POST", path="/pcaps", count=before + 1)
        redis.kill()
        redis.start()
        wait_for_redis(one, True)
        wait_for_redis(other, True)
        redis.wait_for_reply("pcap-gateway:v1:", "KEYS", "*:write")
        second = pool.submit(create, other, simple("lost-by-redis"))
        wait_until_metric(other, AWAITED, lambda awaited: awaited >= 1)
        emulator.release(gate)
        assert first.result() == second.result()
    assert posts(emulator) == before + 1


def test_redis_knows_no_secret_of_it(
    one: Gateway, other: Gateway, redis: Redis, emulator: Emulator
) -> None:
    emulator.advance(86_400)  # no full capture is under way
    request = pcap_service_pb2.CreatePcapRequest(
        account_id=demo.ACCOUNT_ID,
        full=pcap_service_pb2.CreateFullPcap(
            time_limit=Duration(seconds=1), colo_name="ord02", destination_conf=DESTINATION
        ),
        request_id="with-a-secret",
    )
    created = create(one, request)
    assert BUCKET_SECRET not in str(created)
    assert create(other, request) == created
    names = [n for n in redis.cli("KEYS", "*").split("\r\n") if n[:1] not in ("", "*", "$", "+")]
    assert any(name.endswith(":write") for name in names)
    held = "".join(name + redis.cli("GET", name) for name in names)
    assert told(held) == [] and "with-a-secret" not in held
