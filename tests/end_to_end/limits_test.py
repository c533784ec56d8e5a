"""Limits on connections and calls: a flood is refused, and the gateway is never down, never deaf."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import socket
import threading
import time
from pathlib import Path
from typing import Callable, Iterator
from urllib.request import urlopen

import grpc
import pytest
from emulator import demo
from google.rpc import error_details_pb2

from harness.admin import fetch, metric, wait_for_waiting_calls
from harness.calls import Failure, fail, get, request_for
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway, environment
from harness.process import PATIENCE_SECONDS
from harness.raw_http2 import PREFACE, settings
from harness.stubs import pcap_service_pb2_grpc

# As tests/end_to_end/CMakeLists.txt builds it.
NAMES = os.environ.get("NAMES_LIBRARY", "")
ADMIN = "--admin-listen=127.0.0.1:0"
FLOOD = 10_000

OPEN = "pcap_gateway_connections"
REFUSED = "pcap_gateway_connections_refused_total"


@pytest.fixture(scope="module", autouse=True)
def many_descriptors() -> Iterator[None]:
    """The flood is this process's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= FLOOD + 500, f"this test needs {FLOOD + 500} descriptors, `ulimit -Hn`: {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_SECONDS)


@contextlib.contextmanager
def flood(address: str, count: int = FLOOD) -> Iterator[list[socket.socket]]:
    """So many connections at once, none of which says a word."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(address)) for _ in range(count)]


def new_channel(gateway: Gateway) -> grpc.Channel:
    """One with a connection of its own."""
    return grpc.insecure_channel(gateway.address, [("grpc.use_local_subchannel_pool", 1)])


def eventually(what: str, holds: Callable[[], bool]) -> None:
    """What can only be polled; the pause is for others."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < give_up_at, what
        pause.wait(0.05)


def resident_mib(gateway: Gateway) -> float:
    text = Path(f"/proc/{gateway.process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.M)
    assert found
    return int(found[1]) / 1024


def test_at_rest_it_holds_little(start_gateway: StartGateway) -> None:
    """Malloc keeps nothing of what was read at the start: certificates take 15 MiB for a moment."""
    gateway = start_gateway()
    assert gateway.is_sanitized() or resident_mib(gateway) < 40


def served_anew(gateway: Gateway, pcap_id: str) -> bool:
    with new_channel(gateway) as channel:
        try:
            return bool(get(channel, pcap_id).pcap.simple.id == pcap_id)
        except Failure:
            return False


def check_flood(gateway: Gateway, emulator: Emulator, most: int) -> None:
    """Ten thousand silent connections come and go; `most` of all connections are let in."""
    pcap_id = emulator.add()
    assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id
    with flood(gateway.address):
        assert metric(gateway, OPEN) <= most
        # All are dealt with, those that hang in the kernel's queue, too.
        refused = FLOOD + 1 - most
        eventually("connections were refused", lambda: metric(gateway, REFUSED) >= refused)
        assert metric(gateway, OPEN) == most
        # Who was there before goes on: what is kept, and what is not.
        assert get(gateway.channel, pcap_id).is_hit
        assert not get(gateway.channel, emulator.add()).is_hit
        assert fetch(gateway, "/healthz")[0] == 200
        assert fetch(gateway, "/readyz")[0] == 200
        gateway.process.stderr.wait_for(rf"there are {most} connections, as many as may be")
        # 29 MiB at rest; an idle connection costs about 15 KiB.
        assert gateway.is_sanitized() or resident_mib(gateway) < 256
    # And it is not deaf.
    eventually("a new caller is served", lambda: served_anew(gateway, pcap_id))
    assert gateway.process.running()
    lines = gateway.process.stderr.text().count("as many as may be")
    assert lines <= 10, f"the flood made {lines} lines"


def test_a_flood_of_connections_is_refused_beyond_the_limit(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    check_flood(start_gateway(ADMIN, "--max-connections=1000"), emulator, 1000)


def test_a_flood_of_connections_is_survived_with_few_descriptors(
    emulator: Emulator, tmp_path: Path
) -> None:
    """`ulimit -n 256`, soft and hard: half of them are for callers, and the start says so."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    options = [f"--upstream-url={emulator.url}", ADMIN, "--lame-duck=0s", "--upstream-limit=0"]
    gateway = Gateway(
        options,
        environment(tmp_path, CLOUDFLARE_API_TOKEN=demo.TOKEN),
        wrapper=["prlimit", "--nofile=256"],
    )
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
    try:
        said = r"--max-connections: 256 file descriptors allow 128 connections, not 10000"
        gateway.process.stderr.wait_for(said)
        check_flood(gateway, emulator, 128)
    finally:
        assert gateway.end() == 0, gateway.process.output()


def test_the_soft_limit_of_descriptors_is_raised(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    soft, hard = resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE)
    assert soft == hard
    assert "descriptors" not in gateway.process.stderr.text()


def test_who_is_refused_is_closed_and_clients_report_it_at_once(
    start_gateway: StartGateway,
) -> None:
    """Not a byte: see service/rpc/acceptor.h for what clients make of a GOAWAY."""
    gateway = start_gateway(ADMIN, "--max-connections=2")
    with flood(gateway.address, 2):
        eventually("both are counted", lambda: metric(gateway, OPEN) == 2)
        with connect(gateway.address) as refused:
            assert refused.recv(4096) == b""
        with new_channel(gateway) as channel:
            assert fail(channel, "0" * 32).code is grpc.StatusCode.UNAVAILABLE
        # They back off, and do not come in a loop.
        assert 2 <= metric(gateway, REFUSED) < 10


def test_a_connection_that_is_gone_makes_room(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(ADMIN, "--max-connections=1")
    pcap_id = emulator.add()
    for _ in range(20):
        eventually("a new caller is served", lambda: served_anew(gateway, pcap_id))
    eventually("all have left", lambda: metric(gateway, OPEN) == 0)


def test_no_limit_is_what_descriptors_allow(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(ADMIN, "--max-connections=0")
    beyond = 1100  # a process's usual limit is 1024
    with flood(gateway.address, beyond) as connections:
        # One that stays silent is closed after ten seconds, and not each machine lets all in by then.
        for connection in connections:
            connection.sendall(PREFACE + settings())
        eventually("all are in", lambda: metric(gateway, OPEN) == beyond)
        assert metric(gateway, REFUSED) == 0
        get(gateway.channel, emulator.add())


# What `localhost` means in the test below; the last one is of no machine.
LOCAL = ("127.0.0.1", "127.0.0.2", "[::1]", "192.0.2.1")


@pytest.mark.parametrize(
    "host, addresses",
    [
        ("localhost", LOCAL[:3]),
        ("[::1]", ("[::1]",)),
        ("0.0.0.0", ("127.0.0.1", "[::1]")),
        ("[::]", ("127.0.0.1", "[::1]")),
    ],
)
def test_every_address_that_is_listened_on_is_served(
    start_gateway: StartGateway, emulator: Emulator, host: str, addresses: tuple[str, ...]
) -> None:
    gateway = start_gateway(
        f"--listen={host}:0",
        f"--admin-listen={host}:0",
        "--insecure",
        LD_PRELOAD=NAMES,
        NAMES_SEVERAL=f"localhost={','.join(LOCAL).replace('[', '').replace(']', '')}",
    )
    port = gateway.address.rpartition(":")[2]
    admin_port = gateway.admin_address().rpartition(":")[2]
    pcap_id = emulator.add()
    for address in addresses:
        with grpc.insecure_channel(f"{address}:{port}") as channel:
            assert get(channel, pcap_id).pcap.simple.id == pcap_id
        with urlopen(f"http://{address}:{admin_port}/readyz", timeout=20) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("first, second", [("0.0.0.0", "127.0.0.1"), ("[::]", "0.0.0.0")])
def test_a_port_that_is_taken_in_part_is_taken(
    start_gateway: StartGateway, first: str, second: str
) -> None:
    port = start_gateway(f"--listen={first}:0", "--insecure").address.rpartition(":")[2]
    with pytest.raises(AssertionError, match="cannot listen on .*in use"):
        start_gateway(f"--listen={second}:{port}", "--insecure")


def test_calls_over_the_limit_are_refused_and_the_others_go_on(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(ADMIN, "--max-calls=3")
    kept = emulator.add()
    get(gateway.channel, kept)
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    held = [emulator.add() for _ in range(3)]
    gates = [emulator.hold(pcap_id) for pcap_id in held]
    calls = [stub.GetPcap.future(request_for(i), timeout=PATIENCE_SECONDS) for i in held]
    wait_for_waiting_calls(gateway, 3)

    failure = fail(gateway.channel, emulator.add())
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert failure.reason == "TOO_MANY_CALLS"
    assert failure.only(error_details_pb2.RetryInfo).retry_delay.seconds == 1
    # What would wait for another's request waits, too.
    assert fail(gateway.channel, held[0]).reason == "TOO_MANY_CALLS"
    assert get(gateway.channel, kept).is_hit
    assert metric(gateway, "pcap_gateway_calls_refused_total") == 2

    for gate in gates:
        emulator.release(gate)
    for pcap_id, call in zip(held, calls):
        assert call.result(PATIENCE_SECONDS).pcap.simple.id == pcap_id
    assert not get(gateway.channel, emulator.add()).is_hit
