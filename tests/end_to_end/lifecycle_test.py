"""From the first ready line to the last answer before the end."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest

from harness import health
from harness.calls import fail, get, request_for
from harness.emulator import Emulator
from harness.gateway import BINARY, Gateway, StartGateway, environment
from harness.stubs import pcap_service_pb2_grpc

SERVICE = "pcap.v1.PcapService"


def start_call(gateway: Gateway, pcap_id: str) -> Any:
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    return stub.GetPcap.future(request_for(pcap_id), timeout=30)


def test_the_ready_line_names_the_version(gateway: Gateway) -> None:
    version = subprocess.run([BINARY, "--version"], capture_output=True, text=True, timeout=20)
    assert version.returncode == 0
    assert gateway.version in version.stdout


def test_no_thread_of_grpc_polls_the_connections_beside_ours(gateway: Gateway) -> None:
    """Services of gRPC's synchronous or callback API bring such threads: they take events of the
    calls and hand them on, which makes a cached call cost an eighth more."""
    assert health.check(gateway, "") == health.SERVING
    tasks = Path(f"/proc/{gateway.process.pid}/task").iterdir()
    names = {(task / "comm").read_text().strip() for task in tasks}
    assert "pcap-gateway" in names
    assert not names & {"grpcpp_sync_ser", "nexting_thread"}


def test_both_health_names_are_serving(gateway: Gateway) -> None:
    assert health.check(gateway, "") == health.SERVING
    assert health.check(gateway, SERVICE) == health.SERVING


def test_the_health_of_an_unknown_service_is_not_found(gateway: Gateway) -> None:
    with pytest.raises(grpc.RpcError) as error:
        health.check(gateway, "pcap.v2.PcapService")
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_trouble_at_cloudflare_is_not_the_gateways_ill_health(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "html", status=503)
    assert fail(gateway.channel, pcap_id).reason == "UPSTREAM_UNAVAILABLE"
    assert health.check(gateway, "") == health.SERVING
    assert health.check(gateway, SERVICE) == health.SERVING


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_ends_with_0(start_gateway: StartGateway, number: signal.Signals) -> None:
    gateway = start_gateway()
    gateway.process.send(number)
    assert gateway.process.wait() == 0


def test_a_gateway_that_has_served_ends_with_0(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway()
    get(gateway.channel, emulator.add())
    gateway.process.send(signal.SIGTERM)
    assert gateway.process.wait() == 0


@pytest.mark.parametrize("service", ["", SERVICE])
def test_on_sigterm_health_is_not_serving_and_the_call_in_flight_finishes(
    start_gateway: StartGateway, emulator: Emulator, service: str
) -> None:
    gateway = start_gateway()
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)
    call = start_call(gateway, pcap_id)
    emulator.wait(pcap_id)
    statuses = health.watch(gateway, service)
    assert next(statuses) == health.SERVING

    gateway.process.send(signal.SIGTERM)
    assert next(statuses) == health.NOT_SERVING
    assert not call.done()
    emulator.release(gate)
    assert call.result(20).pcap.simple.id == pcap_id
    assert gateway.process.wait() == 0


def test_in_the_lame_duck_time_new_calls_are_still_served(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--lame-duck=30s")
    statuses = health.watch(gateway, "")
    assert next(statuses) == health.SERVING
    gateway.process.send(signal.SIGTERM)
    assert next(statuses) == health.NOT_SERVING
    pcap_id = emulator.add()
    assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id
    assert health.check(gateway, SERVICE) == health.NOT_SERVING
    gateway.process.send(signal.SIGTERM)  # the second one ends the wait
    assert gateway.process.wait() == 0


def test_a_call_that_does_not_finish_in_the_drain_time_is_ended(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--drain-timeout=300ms")
    pcap_id = emulator.add()
    emulator.hold(pcap_id)
    call = start_call(gateway, pcap_id)
    emulator.wait(pcap_id)
    gateway.process.send(signal.SIGTERM)
    assert call.exception(20).code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert gateway.process.wait() == 0
    emulator.wait(pcap_id, "aborted")


def test_after_the_end_nobody_listens(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway()
    gateway.process.send(signal.SIGTERM)
    assert gateway.process.wait() == 0
    with grpc.insecure_channel(gateway.address) as channel:
        assert fail(channel, emulator.add()).code is grpc.StatusCode.UNAVAILABLE


def test_a_watch_and_a_reflection_stream_do_not_hold_the_end_up(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway()
    statuses = health.watch(gateway, "")
    assert next(statuses) == health.SERVING
    gateway.process.send(signal.SIGTERM)
    assert next(statuses) == health.NOT_SERVING
    assert gateway.process.wait(10) == 0


def test_a_second_gateway_on_the_same_port_does_not_start(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    gateway = start_gateway()
    second = subprocess.run(
        [BINARY, f"--listen={gateway.address}", "--credential=caller", "--admin-listen", ""],
        capture_output=True,
        text=True,
        timeout=20,
        env=environment(tmp_path),
    )
    assert second.returncode == 1  # it may be free the next time
    assert len(second.stderr.splitlines()) == 1 and gateway.address in second.stderr
