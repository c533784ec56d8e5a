"""Two replicas, one client that knows both, and restarts in turn: no call is lost.

The client is gRPC's own as it comes: no retry policy in its service config, no wait_for_ready. What
remains are the transparent retries of gRFC A6, of calls that no server has seen, which every client
does unasked. A call that still fails has failed.
"""

from __future__ import annotations

import collections
import json
import random
import signal
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Callable, Iterator

import grpc
import pytest
from emulator import demo

from harness.admin import metric
from harness.calls import request_for
from harness.emulator import Emulator
from harness.gateway import Gateway, environment
from harness.identities import Authority
from harness.process import PATIENCE_SECONDS
from harness.stubs import pcap_service_pb2_grpc

SERVICE = "pcap.v1.PcapService"
RESTARTS = 5
CALLS = 10_000
THREADS = 4

BALANCED: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
# With it the client leaves a replica when that says NOT_SERVING, in its lame duck time.
HEALTH_CHECKED = {**BALANCED, "healthCheckConfig": {"serviceName": SERVICE}}


def free_port() -> int:
    """Below the range that outgoing connections are given, so that it stays free when its owner
    is between two lives."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


class Replica:
    """A gateway that always comes back to the same port."""

    def __init__(self, start: Callable[[int], Gateway]) -> None:
        self._start = start
        self.port = free_port()
        self._gateway = start(self.port)

    def restart(self) -> None:
        """Over when callers have found it again, after gRPC's back-off of a second or more: what a
        rollout waits for with minReadySeconds."""
        self.stop()
        self._gateway = self._start(self.port)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        pause = threading.Event()  # metrics can only be polled
        while metric(self._gateway, "grpc_server_handled_total") == 0:
            assert time.monotonic() < give_up_at, "no caller came back to the replica"
            pause.wait(0.02)

    def stop(self) -> None:
        self._gateway.channel.close()
        self._gateway.process.send(signal.SIGTERM)
        assert self._gateway.process.wait() == 0, self._gateway.process.output()


@pytest.fixture
def start(emulator: Emulator, tmp_path: Path) -> Callable[..., Gateway]:
    def start(port: int, *options: str) -> Gateway:
        usual = [
            f"--upstream-url={emulator.url}",
            "--upstream-limit=0",
            "--admin-listen=127.0.0.1:0",
            f"--listen=127.0.0.1:{port}",
        ]
        variables = environment(tmp_path, CLOUDFLARE_API_TOKEN=demo.TOKEN)
        return Gateway([*usual, *options], variables)

    return start


class Callers:
    """Threads that call without a pause; each call's outcome is counted."""

    def __init__(self, channel: grpc.Channel, pcap_ids: list[str]) -> None:
        self._stub = pcap_service_pb2_grpc.PcapServiceStub(channel)
        self._pcap_ids = pcap_ids
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self.outcomes: collections.Counter[str] = collections.Counter()
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def _call(self, number: int) -> None:
        while not self._stop.is_set():
            number += THREADS
            pcap_id = self._pcap_ids[number % len(self._pcap_ids)]
            try:
                response = self._stub.GetPcap(request_for(pcap_id), timeout=PATIENCE_SECONDS)
                outcome = "OK" if response.pcap.simple.id == pcap_id else "another capture"
            except grpc.RpcError as error:
                outcome = f"{error.code().name}: {error.details()}"
            with self._changed:
                self.outcomes[outcome] += 1
                self._changed.notify_all()

    def total(self) -> int:
        return sum(self.outcomes.values())

    def wait_for(self, more: int) -> None:
        """Until so many more calls are over."""
        with self._changed:
            until = self.total() + more
            enough = self._changed.wait_for(lambda: self.total() >= until, 10 * PATIENCE_SECONDS)
            assert enough, f"{self.total()} calls instead of {until}"

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE_SECONDS)


@pytest.fixture
def pcap_ids(emulator: Emulator) -> Iterator[list[str]]:
    """Many, and every fourth a moving one: hits and misses are mixed all the time."""
    yield [emulator.add(status="pending" if i % 4 == 0 else "success") for i in range(200)]


def roll(replicas: list[Replica], callers: Callers, between: Callable[[], None]) -> None:
    """Restarts each replica in turn, RESTARTS times, with calls before, between and after."""
    share = CALLS // (RESTARTS * len(replicas))
    for _ in range(RESTARTS):
        for replica in replicas:
            callers.wait_for(share)
            replica.restart()
        between()
    callers.wait_for(share)


class Plaintext:
    options: tuple[str, ...] = ()

    def channel(self, target: str, options: list[tuple[str, str]]) -> grpc.Channel:
        return grpc.insecure_channel(target, options)

    def rotate(self, replicas: list[Replica]) -> None:
        """There is nothing to rotate."""


class Tls:
    """One certificate for both replicas, replaced while they serve."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority()
        self._folder = folder
        certificate, key = self._write()
        self.options = (
            f"--tls-cert-file={certificate}",
            f"--tls-key-file={key}",
            "--reload-interval=50ms",
        )

    def _write(self) -> tuple[Path, Path]:
        self._identity = self._authority.server()
        return self._identity.write(self._folder, "server")

    def channel(self, target: str, options: list[tuple[str, str]]) -> grpc.Channel:
        named = ("grpc.ssl_target_name_override", "localhost")
        credentials = grpc.ssl_channel_credentials(self._authority.pem)
        return grpc.secure_channel(target, credentials, [*options, named])

    def rotate(self, replicas: list[Replica]) -> None:
        """Over when each replica shows the new certificate to who connects."""
        self._write()
        new = self._identity.chain.decode().strip()
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        pause = threading.Event()  # it can only be polled
        for replica in replicas:
            where = ("127.0.0.1", replica.port)
            while ssl.get_server_certificate(where, timeout=PATIENCE_SECONDS).strip() != new:
                assert time.monotonic() < give_up_at, "the new certificate was not taken"
                pause.wait(0.05)


@pytest.mark.timeout(240)  # half a minute for itself, with a sanitizer
@pytest.mark.parametrize("config", [HEALTH_CHECKED, BALANCED], ids=["health-checked", "plain"])
@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "tls"])
def test_no_call_is_lost_when_replicas_restart_in_turn(
    start: Callable[..., Gateway],
    pcap_ids: list[str],
    tmp_path: Path,
    tls: bool,
    config: dict[str, object],
) -> None:
    """With TLS the certificate is rotated five times, too, each time under load."""
    transport = Tls(tmp_path) if tls else Plaintext()
    replicas = [
        Replica(lambda port: start(port, "--lame-duck=1s", *transport.options)) for _ in range(2)
    ]
    target = "ipv4:" + ",".join(f"127.0.0.1:{replica.port}" for replica in replicas)
    options = [("grpc.service_config", json.dumps(config))]
    with transport.channel(target, options) as channel:
        grpc.channel_ready_future(channel).result(PATIENCE_SECONDS)
        callers = Callers(channel, pcap_ids)
        try:
            roll(replicas, callers, lambda: transport.rotate(replicas))
        finally:
            callers.end()
    for replica in replicas:
        replica.stop()
    assert callers.total() >= CALLS
    assert set(callers.outcomes) == {"OK"}, dict(callers.outcomes)
    print(f"{callers.total()} calls, none lost")
