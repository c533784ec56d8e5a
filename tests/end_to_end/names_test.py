"""Host names: a look-up that never ends, and addresses of which the first are dead; and a wall clock
that somebody sets. None of them holds up calls, or the end.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator
from urllib.parse import urlsplit

import grpc
import pytest

from harness.admin import fetch, metric, wait_for_redis
from harness.calls import fail, get
from harness.emulator import Emulator
from harness.faketime import MovedClock
from harness.gateway import Gateway, StartGateway
from harness.redis import Redis, free_port

# As tests/end_to_end/CMakeLists.txt builds it.
NAMES = os.environ.get("NAMES_LIBRARY", "")
ADMIN = "--admin-listen=127.0.0.1:0"


def ends_in_time(gateway: Gateway) -> None:
    gateway.process.send(signal.SIGTERM)
    assert gateway.process.wait(timeout=10) == 0


def test_a_look_up_that_never_ends_holds_up_neither_the_loop_nor_the_end(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(
        "--allow-http-upstream",
        "--upstream-connect-timeout=20s",
        "--upstream-limit=1200",
        ADMIN,
        upstream_url="http://hangs.test",
        LD_PRELOAD=NAMES,
        NAMES_HANG="hangs.test",
    )
    for _ in range(3):
        error = fail(gateway.channel, "0" * 32, timeout=0.5)
        assert error.code == grpc.StatusCode.DEADLINE_EXCEEDED
    # The loop answers: metrics ask it.
    assert metric(gateway, 'pcap_gateway_upstream_budget_left{credential="service"}') >= 1190
    assert fetch(gateway, "/healthz")[0] == 200
    ends_in_time(gateway)


def test_a_look_up_of_redis_that_never_ends_holds_up_neither(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway(
        "--redis-url=redis://hangs.test", ADMIN, LD_PRELOAD=NAMES, NAMES_HANG="hangs.test"
    )
    get(gateway.channel, emulator.add())
    assert metric(gateway, "pcap_gateway_redis_up") == 0
    ends_in_time(gateway)


def test_a_name_of_redis_that_is_slow_to_be_found_is_used(
    start_gateway: StartGateway,
) -> None:
    """Longer than one attempt takes, and the pause after it."""
    server = Redis()
    port = server.listen_on_tcp()
    try:
        gateway = start_gateway(
            f"--redis-url=redis://slow.test:{port}",
            ADMIN,
            LD_PRELOAD=NAMES,
            NAMES_SLOW="slow.test",
            NAMES_SEVERAL="slow.test=127.0.0.1",
        )
        wait_for_redis(gateway, True)
    finally:
        server.stop()


@contextmanager
def dead(addresses: list[str], port: int) -> Iterator[None]:
    """Ports that take connections no further than into their queue, which is full."""
    sockets = []
    for address in addresses:
        listener = socket.socket()
        listener.bind((address, port))
        listener.listen(0)
        sockets.append(listener)
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
            sockets.append(waiting)
    try:
        yield
    finally:
        for each in sockets:
            each.close()


@pytest.mark.parametrize("addresses", [["127.0.0.2"], ["127.0.0.2", "127.0.0.3"]])
def test_the_first_addresses_of_a_name_may_be_dead(
    addresses: list[str], start_gateway: StartGateway, emulator: Emulator
) -> None:
    port = urlsplit(emulator.url).port
    assert port is not None
    path = urlsplit(emulator.url).path
    with dead(addresses, port):
        gateway = start_gateway(
            "--allow-http-upstream",
            "--upstream-connect-timeout=4s",
            upstream_url=f"http://several.test:{port}{path}",
            LD_PRELOAD=NAMES,
            NAMES_SEVERAL=f"several.test={','.join([*addresses, '127.0.0.1'])}",
        )
        get(gateway.channel, emulator.add(), timeout=10)


@pytest.mark.parametrize("first", ["dead", "refuses"])
def test_the_first_address_of_redis_may_be_of_no_use(
    first: str, start_gateway: StartGateway, emulator: Emulator
) -> None:
    """The next one is tried at once, and Redis is not down for a moment."""
    server = Redis()
    port = server.listen_on_tcp()
    try:
        with dead(["127.0.0.2"] if first == "dead" else [], port):
            gateway = start_gateway(
                f"--redis-url=redis://several.test:{port}",
                ADMIN,
                LD_PRELOAD=NAMES,
                NAMES_SEVERAL="several.test=127.0.0.2,127.0.0.1",
            )
            wait_for_redis(gateway, True)
            assert "Redis is down" not in gateway.process.stderr.text()
    finally:
        server.stop()


def test_redis_is_down_until_one_of_its_addresses_has_one(start_gateway: StartGateway) -> None:
    server = Redis(port=free_port())
    server.kill()
    try:
        gateway = start_gateway(
            f"--redis-url=redis://several.test:{server.port}",
            ADMIN,
            LD_PRELOAD=NAMES,
            NAMES_SEVERAL="several.test=127.0.0.2,127.0.0.1",
        )
        gateway.process.stderr.wait_for("Redis is down: Connection refused")
        assert metric(gateway, 'pcap_gateway_redis_failures_total{kind="connection"}') >= 2
        server.start()
        wait_for_redis(gateway, True)
    finally:
        server.stop()


@pytest.mark.parametrize("shift", ["-3600", "+3600"])
def test_a_wall_clock_that_is_set_changes_no_deadline(
    shift: str, start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    clock = MovedClock(tmp_path / "clock")
    gateway = start_gateway("--upstream-retries=2", **clock.variables)
    get(gateway.channel, emulator.add())
    clock.move(shift)
    # Repeated, as there is time left for it.
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "reset_before", times=1)
    get(gateway.channel, pcap_id, timeout=5)
    assert len(emulator.requests(pcap_id)) == 2
    # And not for longer than there is time.
    held = emulator.add()
    gate = emulator.hold(held)
    error = fail(gateway.channel, held, timeout=1)
    assert error.code == grpc.StatusCode.DEADLINE_EXCEEDED
    emulator.release(gate)


