"""Redis as it is run: users with few rights, failovers, full ones, clusters. None holds up calls, and
each is down, with its reason in one line of the log and one series of the metrics.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Iterator

import pytest

from harness.admin import metric, wait_for_redis
from harness.calls import get
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.process import PATIENCE_SECONDS
from harness.redis import Redis, free_port

ADMIN = "--admin-listen=127.0.0.1:0"
PATIENT = "--redis-timeout=10s"
REPLICAS = Path(__file__).resolve().parents[2] / "docs" / "replicas.md"


def refusals(gateway: Gateway, kind: str) -> float:
    return metric(gateway, f'pcap_gateway_redis_refusals_total{{kind="{kind}"}}')


def said(gateway: Gateway, text: str) -> int:
    return gateway.process.output().count(text)


def with_user(redis: Redis, *rights: str) -> str:
    """The URL of `lame`, who may do so much."""
    assert "OK" in redis.cli("ACL", "SETUSER", "lame", "on", ">secret", *rights)
    return redis.url.replace("unix://", "unix://lame:secret@")


def test_a_user_without_scripts_holds_up_no_call(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    url = with_user(redis, "~*", "+@all", "-@scripting")
    gateway = start_gateway(f"--redis-url={url}", ADMIN, PATIENT, "--cache-bytes=0")
    gateway.process.stderr.wait_for(r"Redis is down: it says NOPERM: its user may not use EVALSHA")
    pcap_id = emulator.add()
    began = time.monotonic()
    for _ in range(2):
        answer = get(gateway.channel, pcap_id)
        assert "stored" not in answer.cache_status
    assert time.monotonic() - began < 5
    assert metric(gateway, "pcap_gateway_redis_up") == 0
    assert refusals(gateway, "NOPERM") >= 1
    with_user(redis, "+@all")
    wait_for_redis(gateway, True)
    assert said(gateway, "it says NOPERM") == 1


def test_the_rights_that_the_page_names_are_enough(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    (line,) = re.findall(r"ACL SETUSER gateway on >PASSWORD (.+)", REPLICAS.read_text())
    url = with_user(redis, *line.split())
    gateway = start_gateway(f"--redis-url={url}", ADMIN, PATIENT, "--cache-bytes=0")
    wait_for_redis(gateway, True)
    pcap_id = emulator.add()
    assert "stored" in get(gateway.channel, pcap_id).cache_status
    assert get(gateway.channel, pcap_id).is_hit
    assert metric(gateway, "pcap_gateway_redis_failures_total") == 0


def test_a_redis_that_becomes_a_replica_is_down_until_the_name_leads_to_another(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    gateway = start_gateway(f"--redis-url={redis.url}", ADMIN, PATIENT, "--cache-bytes=0")
    wait_for_redis(gateway, True)
    assert "stored" in get(gateway.channel, emulator.add()).cache_status
    redis.cli("REPLICAOF", "127.0.0.1", "1")
    for _ in range(3):
        assert "stored" not in get(gateway.channel, emulator.add()).cache_status
    wait_for_redis(gateway, False)
    assert refusals(gateway, "READONLY") >= 1
    assert metric(gateway, "pcap_gateway_redis_stores_total") == 1
    gateway.process.stderr.wait_for(r"Redis is down: it says READONLY: it is a replica")
    # The name, here the socket's, leads to another one.
    redis.kill()
    redis.start()
    wait_for_redis(gateway, True)
    assert "stored" in get(gateway.channel, emulator.add()).cache_status
    assert said(gateway, "it says READONLY") == 1


def test_a_full_redis_is_down_until_there_is_room(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    redis.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis.cli("CONFIG", "SET", "maxmemory", "1")
    gateway = start_gateway(f"--redis-url={redis.url}", ADMIN, PATIENT, "--cache-bytes=0")
    gateway.process.stderr.wait_for(r"Redis is down: it says OOM: it is full")
    assert "stored" not in get(gateway.channel, emulator.add()).cache_status
    redis.cli("CONFIG", "SET", "maxmemory", "0")
    wait_for_redis(gateway, True)


@pytest.fixture
def cluster() -> Iterator[list[Redis]]:
    nodes = [
        Redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()), port=free_port())
        for _ in range(2)
    ]
    yield nodes
    for node in nodes:
        node.stop()


def test_cluster_mode_behind_one_address_works(
    start_gateway: StartGateway, cluster: list[Redis], emulator: Emulator
) -> None:
    one, _ = cluster
    assert "OK" in one.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    one.wait_for_reply("cluster_state:ok", "CLUSTER", "INFO")
    gateway = start_gateway(f"--redis-url={one.url}", ADMIN, PATIENT, "--cache-bytes=0")
    wait_for_redis(gateway, True)
    for pcap_id in (emulator.add() for _ in range(5)):
        assert "stored" in get(gateway.channel, pcap_id).cache_status
        assert get(gateway.channel, pcap_id).is_hit
    assert metric(gateway, "pcap_gateway_redis_failures_total") == 0


def test_a_cluster_of_several_nodes_is_said_to_be_unsupported(
    start_gateway: StartGateway, cluster: list[Redis], emulator: Emulator
) -> None:
    one, other = cluster
    assert "OK" in one.cli("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
    assert "OK" in other.cli("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
    bus = other.cli("CONFIG", "GET", "cluster-port").split()[-2]
    assert "OK" in one.cli("CLUSTER", "MEET", "127.0.0.1", str(other.port), bus)
    for node in cluster:
        node.wait_for_reply("cluster_state:ok", "CLUSTER", "INFO")
    gateway = start_gateway(f"--redis-url={one.url}", ADMIN, PATIENT, "--cache-bytes=0")
    gateway.process.stderr.wait_for(
        r"Redis is down: it says MOVED: a cluster of several nodes is not supported"
    )
    assert "stored" not in get(gateway.channel, emulator.add()).cache_status
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while refusals(gateway, "MOVED") < 2:
        assert time.monotonic() < give_up_at
    assert said(gateway, "Redis is down") == 1
