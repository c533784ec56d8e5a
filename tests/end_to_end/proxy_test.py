"""deploy/nginx.conf, as it is delivered, in front of a gateway."""

from __future__ import annotations

import os
import signal
import socket
from typing import Iterator

import grpc
import pytest
from emulator import demo
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from harness.calls import DEADLINE_SECONDS, fail, get, request_for
from harness.emulator import Emulator, capture_of
from harness.gateway import Gateway
from harness.process import Process
from harness.stubs import REPOSITORY, pcap_pb2, pcap_service_pb2, pcap_service_pb2_grpc
from harness.tls import NGINX, Authority


def put(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{text.count(old)} times in deploy/nginx.conf: {old}"
    return text.replace(old, new)


@pytest.fixture(scope="module")
def proxied(
    gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[grpc.Channel]:
    folder = tmp_path_factory.mktemp("nginx")
    authority = Authority(folder)
    certificate, key = authority.certificate("localhost")
    # nginx takes over a socket that already listens.
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        port = listener.getsockname()[1]
        site = (REPOSITORY / "deploy" / "nginx.conf").read_text()
        site = put(site, "listen 443 ", f"listen 127.0.0.1:{port} ")
        site = put(site, "127.0.0.1:50051", gateway.address)
        site = put(site, "grpc_read_timeout 60s", "grpc_read_timeout 5s")  # for whom it is to hold
        site = put(site, "/etc/nginx/pcap-gateway.cert.pem", str(certificate))
        site = put(site, "/etc/nginx/pcap-gateway.key.pem", str(key))
        (folder / "site.conf").write_text(site)
        paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{path}_temp_path {folder}/{path};\n" for path in paths)
        (folder / "main.conf").write_text(f"""
            daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
            events {{ worker_connections 512; }}
            http {{ access_log off; {temporary} include {folder}/site.conf; }}
        """)
        process = Process(
            [NGINX, "-e", "stderr", "-p", folder, "-c", folder / "main.conf"],
            {"PATH": os.environ["PATH"], "NGINX": f"{listener.fileno()};"},
            pass_fds=(listener.fileno(),),
        )
        credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
        with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
            yield channel
        process.send(signal.SIGQUIT)
        process.wait()


def test_answers_with_their_metadata_pass(proxied: grpc.Channel, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    sent = [("x-request-id", "through-nginx"), ("cache-control", "no-cache")]
    answer = get(proxied, pcap_id, metadata=sent)
    assert answer.pcap.simple.id == pcap_id
    assert answer.cache_status.startswith("pcap-gateway; fwd=")
    assert emulator.headers(pcap_id)["x-request-id"] == "through-nginx"
    assert get(proxied, pcap_id).is_hit


def test_failures_with_their_details_pass(proxied: grpc.Channel, emulator: Emulator) -> None:
    failure = fail(proxied, emulator.unknown_id())
    assert failure.code is grpc.StatusCode.NOT_FOUND
    assert failure.reason
    assert fail(proxied, "not-an-id").code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("fields", [1, 40])
def test_oversized_headers_end_at_nginx(
    proxied: grpc.Channel, emulator: Emulator, fields: int
) -> None:
    pcap_id = emulator.add()
    metadata = [(f"x-big-{i}", "y" * (40_000 // fields)) for i in range(fields)]
    stub = pcap_service_pb2_grpc.PcapServiceStub(proxied)
    with pytest.raises(grpc.RpcError) as error:
        stub.GetPcap(request_for(pcap_id), metadata=metadata, timeout=DEADLINE_SECONDS)
    assert error.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
    # The gateway's own refusal would be RESOURCE_EXHAUSTED.
    assert error.value.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED, error.value.details()
    assert emulator.requests(pcap_id) == []
    assert get(proxied, demo.SIMPLE_ID)


def test_a_watch_lasts_longer_than_a_call_may(proxied: grpc.Channel, emulator: Emulator) -> None:
    pcap_id, slow_id = emulator.add(status="running"), emulator.add()
    request = pcap_service_pb2.WatchPcapsRequest(account_id=demo.ACCOUNT_ID, pcap_ids=[pcap_id])
    watch = pcap_service_pb2_grpc.PcapServiceStub(proxied).WatchPcaps(request, timeout=60)
    assert next(watch).pcap.simple.id == pcap_id
    emulator.fault(slow_id, "delay", seconds=DEADLINE_SECONDS)
    # So long nothing moves on the watch either.
    assert fail(proxied, slow_id, max_age=0).code is grpc.StatusCode.UNAVAILABLE
    emulator.add_exactly(pcap_id, capture_of(pcap_id, status="success"))
    assert next(watch).pcap.simple.status == pcap_pb2.PCAP_STATUS_SUCCESS


def test_reflection_is_not_passed_on(proxied: grpc.Channel) -> None:
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(proxied)
    with pytest.raises(grpc.RpcError) as error:
        list(stub.ServerReflectionInfo(iter([asked]), timeout=DEADLINE_SECONDS))
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
