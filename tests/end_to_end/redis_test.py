"""Gateways that share a Redis: one asks for all, and none depends on it."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import grpc
from emulator import demo
from google.rpc.error_details_pb2 import RetryInfo

from harness.admin import metric, wait_for_redis, wait_for_waiting_calls
from harness.calls import DEADLINE_SECONDS, Failure, answer_of, fail, get, request_for
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway, environment
from harness.process import PATIENCE_SECONDS
from harness.redis import Redis
from harness.stubs import pcap_pb2, pcap_service_pb2_grpc
from harness.toxiproxy import Toxiproxy

ADMIN = "--admin-listen=127.0.0.1:0"
# Redis being slow is what only those tests are about that say so.
PATIENT = "--redis-timeout=10s"


def start_sharing(start_gateway: StartGateway, redis: Redis, *options: str) -> Gateway:
    gateway = start_gateway(f"--redis-url={redis.url}", ADMIN, PATIENT, *options)
    wait_for_redis(gateway, True)
    return gateway


def test_what_one_gateway_has_asked_for_the_other_has(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    one, other = (start_sharing(start_gateway, redis) for _ in range(2))
    pcap_id = emulator.add(packets_captured=7)
    first = get(one.channel, pcap_id)
    shared = get(other.channel, pcap_id)
    assert first.cache_status.startswith("pcap-gateway; fwd=uri-miss; stored")
    assert re.fullmatch(r"pcap-gateway; hit; ttl=\d+; detail=shared", shared.cache_status)
    assert shared.response == first.response
    assert "age" in shared.metadata
    # From now on it is the other one's own.
    assert "shared" not in get(other.channel, pcap_id).cache_status
    assert len(emulator.requests(pcap_id)) == 1
    assert metric(other, "pcap_gateway_redis_hits_total") == 1
    assert metric(other, "pcap_gateway_upstream_calls_saved_total") == 2


def test_200_equal_calls_over_two_gateways_cause_one_request(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    gateways = [start_sharing(start_gateway, redis) for _ in range(2)]
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)

    async def test() -> None:
        channels = [grpc.aio.insecure_channel(gateway.address) for gateway in gateways]
        stubs = [pcap_service_pb2_grpc.PcapServiceStub(channel) for channel in channels]
        calls = [
            stubs[number % 2].GetPcap(request_for(pcap_id), timeout=DEADLINE_SECONDS)
            for number in range(200)
        ]
        for gateway in gateways:
            await asyncio.to_thread(wait_for_waiting_calls, gateway, 100)
        emulator.release(gate)
        answers = await asyncio.gather(*map(answer_of, calls))
        assert {answer.pcap.simple.id for answer in answers} == {pcap_id}
        for channel in channels:
            await channel.close(None)

    asyncio.run(asyncio.wait_for(test(), 50))
    assert len(emulator.requests(pcap_id)) == 1


def test_gateways_keep_to_one_limit_together(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    gateways = [start_sharing(start_gateway, redis, "--upstream-limit=6") for _ in range(2)]
    pcap_ids = [emulator.add() for _ in range(10)]
    refused = 0
    for number, pcap_id in enumerate(pcap_ids):
        channel = gateways[number % 2].channel
        if number < 6:
            get(channel, pcap_id)
        else:
            error = fail(channel, pcap_id)
            assert error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert error.reason == "RATE_LIMITED"
            assert 240 < error.only(RetryInfo).retry_delay.seconds <= 300
            refused += 1
    # Nothing is left of the limit, so no part of it either once they cannot ask each other.
    redis.kill()
    for gateway in gateways:
        wait_for_redis(gateway, False)
        assert fail(gateway.channel, emulator.add()).reason == "RATE_LIMITED"
    assert refused == 4
    assert sum(len(emulator.requests(pcap_id)) for pcap_id in pcap_ids) == 6
    for gateway in gateways:
        assert metric(gateway, "pcap_gateway_upstream_counted_alone_total") == 1


def test_a_redis_that_stops_for_a_moment_grants_nothing_twice(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    gateway = start_gateway(
        f"--redis-url={redis.url}", ADMIN, "--upstream-limit=40", "--redis-timeout=50ms"
    )
    wait_for_redis(gateway, True)
    pcap_ids = [emulator.add() for _ in range(90)]

    def ask(some: list[str]) -> int:
        return sum(is_served(gateway, pcap_id) for pcap_id in some)

    served = ask(pcap_ids[:10])
    redis.pause()
    served += ask(pcap_ids[10:40])
    redis.resume()
    wait_for_redis(gateway, True)
    served += ask(pcap_ids[40:])
    assert 30 <= served <= 40
    assert sum(len(emulator.requests(pcap_id)) for pcap_id in pcap_ids) == served


def is_served(gateway: Gateway, pcap_id: str) -> bool:
    try:
        get(gateway.channel, pcap_id)
    except Failure as failure:
        assert failure.reason == "RATE_LIMITED"
        return False
    return True


def test_a_gateway_that_dies_while_it_asks_holds_nobody_up_for_long(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator, tmp_path: Path
) -> None:
    one = Gateway(
        [f"--upstream-url={emulator.url}", f"--redis-url={redis.url}", ADMIN],
        environment(tmp_path, CLOUDFLARE_API_TOKEN=demo.TOKEN),
    )
    wait_for_redis(one, True)
    other = start_sharing(start_gateway, redis)
    pcap_id = emulator.add()
    emulator.hold(pcap_id, times=1)
    one_call = pcap_service_pb2_grpc.PcapServiceStub(one.channel).GetPcap.future(
        request_for(pcap_id), timeout=DEADLINE_SECONDS
    )
    emulator.wait(pcap_id)
    one.process.kill()
    assert one_call.exception() is not None
    assert get(other.channel, pcap_id).pcap.simple.id == pcap_id  # once the lock has expired


def test_a_rejection_that_one_gateway_has_heard_counts_for_all(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    one, other = (start_sharing(start_gateway, redis) for _ in range(2))
    shared, own, refused = emulator.add(), emulator.add(), emulator.add()
    get(one.channel, shared)
    get(other.channel, own)
    emulator.fault(refused, "answer", status=401, body='{"success": false, "errors": []}')
    fail(one.channel, refused)
    # What Redis held, and from this look on what the other one holds itself.
    assert not get(other.channel, shared).is_hit
    assert not get(other.channel, own).is_hit
    # What was asked for since is shared as ever.
    assert "shared" in get(one.channel, own).cache_status
    assert [len(emulator.requests(pcap_id)) for pcap_id in (shared, own)] == [2, 2]


def test_without_a_cache_what_a_caller_left_is_shared_all_the_same(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    gateway = start_sharing(start_gateway, redis, "--cache-bytes=0")
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)
    assert fail(gateway.channel, pcap_id, timeout=0.3).code == grpc.StatusCode.DEADLINE_EXCEEDED
    emulator.release(gate)
    assert "shared" in get(gateway.channel, pcap_id).cache_status
    assert len(emulator.requests(pcap_id)) == 1


def test_what_one_credential_has_asked_for_no_other_gets(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    one, other = (
        start_sharing(start_gateway, redis, "--credential=caller") for _ in range(2)
    )
    pcap_id = emulator.add()
    for gateway, token, hit in (
        (one, demo.TOKEN, False),
        (other, demo.SECOND_TOKEN, False),
        (other, demo.TOKEN, True),
    ):
        metadata = [("authorization", f"Bearer {token}")]
        assert get(gateway.channel, pcap_id, metadata=metadata).is_hit == hit
    assert fail(other.channel, pcap_id, metadata=[("authorization", "Bearer wrong-token")])
    assert len(emulator.requests(pcap_id)) == 3


def test_redis_is_shown_no_credential_and_no_id_but_in_answers(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    gateway = start_sharing(start_gateway, redis)
    pcap_id = emulator.unknown_id()
    # The answer, which stands there in clear, names none.
    emulator.add_exactly(pcap_id, {"type": "simple", "status": "success"})
    get(gateway.channel, pcap_id)
    fail(gateway.channel, emulator.unknown_id())
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(names := redis.cli("KEYS", "pcap-gateway:v1:*").split("\r\n")[2:-2:2]) < 2:
        assert time.monotonic() < give_up_at
    seen = str(names) + "".join(redis.cli("GET", name) for name in names)
    for secret in (*demo.SECRETS, demo.TOKEN, demo.ACCOUNT_ID, pcap_id):
        assert secret not in seen


def test_gateways_that_show_secrets_and_those_that_hide_them_share_nothing(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    showing = start_sharing(start_gateway, redis, "--reveal-destination-secrets")
    hiding = start_sharing(start_gateway, redis)
    conf = "r2://b?account-id=1&access-key-id=seen&secret-access-key=seen"
    pcap_id = emulator.add(type="full", destination_conf=conf)
    assert "seen" in get(showing.channel, pcap_id).pcap.full.destination_conf
    assert "seen" not in get(hiding.channel, pcap_id).pcap.full.destination_conf


def test_a_gateway_without_a_cache_of_its_own_has_redis(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    gateway = start_sharing(start_gateway, redis, "--cache-bytes=0")
    pcap_id = emulator.add()
    first = get(gateway.channel, pcap_id)
    assert first.cache_status.startswith("pcap-gateway; fwd=uri-miss; stored; ttl=")
    assert get(gateway.channel, pcap_id).cache_status.endswith("; detail=shared")
    assert len(emulator.requests(pcap_id)) == 1


def test_a_status_seen_final_by_one_gateway_is_final_for_the_other(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    one, other = (start_sharing(start_gateway, redis) for _ in range(2))
    pcap_id = emulator.add(status="success")
    get(one.channel, pcap_id)
    emulator.add_exactly(pcap_id, {"id": pcap_id, "type": "simple", "status": "running"})
    answer = get(other.channel, pcap_id, max_age=0)
    assert answer.pcap.simple.status == pcap_pb2.PCAP_STATUS_SUCCESS
    assert len(emulator.requests(pcap_id)) == 2


def test_redis_killed_and_restarted_under_load_fails_no_call(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    """With the timeout that the gateway has by itself."""
    gateways = [start_gateway(f"--redis-url={redis.url}", ADMIN) for _ in range(2)]
    for gateway in gateways:
        wait_for_redis(gateway, True)
    ids = [emulator.add(status="running") for _ in range(50)]
    calls, events = 4000, {500: redis.kill, 1000: redis.start, 2000: redis.kill, 3000: redis.start}
    numbers = iter(range(calls))
    failures: list[Exception] = []

    async def caller(stub: pcap_service_pb2_grpc.PcapServiceStub) -> None:
        for number in numbers:
            if event := events.get(number):
                event()  # here: a process ends with the thread that started it (setpriv)
            max_age = 0 if number % 3 == 0 else None
            request = request_for(ids[number % len(ids)], max_age=max_age)
            try:
                await answer_of(stub.GetPcap(request, timeout=DEADLINE_SECONDS))
            except Exception as failure:
                failures.append(failure)

    async def test() -> None:
        channels = [grpc.aio.insecure_channel(gateway.address) for gateway in gateways]
        stubs = [pcap_service_pb2_grpc.PcapServiceStub(channel) for channel in channels]
        await asyncio.gather(*(caller(stubs[number % 2]) for number in range(16)))
        for channel in channels:
            await channel.close(None)

    asyncio.run(asyncio.wait_for(test(), 50))
    assert not failures, f"{len(failures)} of {calls} failed: {failures[0]}"
    for gateway in gateways:
        wait_for_redis(gateway, True)
        assert metric(gateway, "pcap_gateway_redis_failures_total") > 0


def test_a_redis_that_does_not_answer_holds_up_no_call(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    gateway = start_gateway(f"--redis-url={redis.url}", ADMIN)
    wait_for_redis(gateway, True)
    redis.pause()
    for _ in range(20):
        pcap_id = emulator.add()
        assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id
    wait_for_redis(gateway, False)
    assert metric(gateway, "pcap_gateway_redis_skipped_total") > 0
    redis.resume()
    wait_for_redis(gateway, True)
    assert gateway.process.stderr.wait_for(r"Redis is down: it does not answer")


def test_a_redis_that_is_always_late_is_down(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    network = Toxiproxy(f"127.0.0.1:{redis.listen_on_tcp()}")
    try:
        gateway = start_gateway(
            f"--redis-url=redis://{network.address}", "--redis-timeout=100ms", ADMIN
        )
        wait_for_redis(gateway, True)
        network.add_toxic("latency", {"latency": 150})
        for _ in range(10):
            get(gateway.channel, emulator.add())
        wait_for_redis(gateway, False)
        gateway.process.stderr.wait_for(r"Redis is down: it answers too late: \d+ of the last \d+")
        # Its PING is as late: it stays down, and calls pass it by.
        skipped = metric(gateway, "pcap_gateway_redis_skipped_total")
        get(gateway.channel, emulator.add())
        assert metric(gateway, "pcap_gateway_redis_skipped_total") > skipped
        assert metric(gateway, "pcap_gateway_redis_up") == 0
    finally:
        network.stop()


def test_a_redis_that_is_not_there_yet_is_found_once_it_is(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    redis.kill()
    gateway = start_gateway(f"--redis-url={redis.url}", ADMIN)
    pcap_id = emulator.add()
    assert get(gateway.channel, pcap_id).cache_status.startswith("pcap-gateway; fwd=uri-miss")
    assert metric(gateway, "pcap_gateway_redis_up") == 0
    redis.start()
    wait_for_redis(gateway, True)


def test_a_wrong_password_is_told_without_repeating_it(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    redis.cli("CONFIG", "SET", "requirepass", "right")
    url = redis.url.replace("unix://", "unix://:canary-password@")
    gateway = start_gateway(f"--redis-url={url}", ADMIN)
    gateway.process.stderr.wait_for(r"Redis is down: it says WRONGPASS: [^\n]+; calls go on without it")
    pcap_id = emulator.add()
    assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id
    assert "canary" not in gateway.process.output()


def test_the_url_of_a_redis_can_stand_in_the_environment_or_a_file(
    start_gateway: StartGateway, redis: Redis, tmp_path: Path
) -> None:
    config = tmp_path / "gateway.conf"
    config.write_text(f"redis-url = {redis.url}\n")
    token = tmp_path / "token"
    token.write_text(demo.TOKEN)
    wait_for_redis(start_gateway(ADMIN, PCAP_GATEWAY_REDIS_URL=redis.url), True)
    wait_for_redis(start_gateway(ADMIN, f"--config={config}", f"--api-token-file={token}"), True)
