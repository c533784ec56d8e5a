"""deploy/envoy as it is delivered: a real Envoy before real gateways, for gRPC and for JSON."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest
import yaml
from emulator import demo
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo, RequestInfo
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from harness.admin import wait_for_metric, wait_for_waiting_calls
from harness.calls import DETAILS, Failure, fail, get, request_for
from harness.canaries import DESTINATION, EMAIL, KEY, TOKEN, told
from harness.details import MOST_MESSAGE_BYTES, MOST_STATUS_BYTES, check_details
from harness.emulator import Emulator, capture_of
from harness.envoy import BINARY, Envoy, start_with, written
from harness.gateway import Gateway, StartGateway, environment
from harness.http_json import JsonLines, get_json
from harness.process import PATIENCE_SECONDS
from harness.raw_http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    RawConnection,
    call_fields,
    frame,
    headers,
    message,
    plain,
)
from harness.stubs import REPOSITORY, pcap_service_pb2, pcap_service_pb2_grpc
from harness.tls import Authority

SERVICE = "pcap.v1.PcapService"
SERVING = health_pb2.HealthCheckResponse.SERVING
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

both_versions = pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])


@pytest.fixture(scope="module")
def envoy(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    envoy = Envoy(tmp_path_factory.mktemp("envoy"), gateway.address)
    yield envoy
    envoy.end()


@pytest.fixture(scope="module")
def watched_envoy(watched: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    """In front of a gateway that tells how many calls wait in it."""
    envoy = Envoy(tmp_path_factory.mktemp("envoy"), watched.address)
    yield envoy
    envoy.end()


@pytest.fixture(scope="module")
def channel(envoy: Envoy) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(envoy.address) as channel:
        yield channel


@pytest.fixture(scope="module")
def callers_envoy(
    caller_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Envoy]:
    """In front of a gateway whose callers bring their own credential."""
    envoy = Envoy(tmp_path_factory.mktemp("envoy"), caller_gateway.address)
    yield envoy
    envoy.end()


StartEnvoy = Callable[..., Envoy]


@pytest.fixture
def start_envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartEnvoy]:
    envoys: list[Envoy] = []

    def start(*gateways: str, **how: Any) -> Envoy:
        envoys.append(Envoy(tmp_path_factory.mktemp("envoy"), *gateways, **how))
        return envoys[-1]

    yield start
    for envoy in envoys:
        envoy.end()


def path_of(pcap_id: str, account_id: str = demo.ACCOUNT_ID) -> str:
    return f"/v1/accounts/{account_id}/pcaps/{pcap_id}"


# The configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["plaintext", "TLS", "mutual TLS on both sides"])
def test_what_is_written_is_valid_to_envoy(tmp_path: Path, variant: str) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.certificate("localhost")
    options: list[str | Path] = ["--gateway=one.example:50051", "--gateway=[::1]:50051"]
    if variant != "plaintext":
        options += ["--tls", certificate, key]
    if variant == "mutual TLS on both sides":
        options += ["--client-ca", authority.file, "--gateway-ca", authority.file]
        options += ["--gateway-cert", certificate, key]
    file = written(tmp_path / "made", *options)
    checked = subprocess.run(
        [BINARY, "--mode", "validate", "-c", file], capture_output=True, text=True, timeout=30
    )
    assert checked.returncode == 0, checked.stderr
    assert "deprecated" not in checked.stderr.lower()


def test_as_delivered_nobody_but_this_machine_can_connect() -> None:
    told = yaml.safe_load((REPOSITORY / "deploy/envoy/envoy.yaml").read_text())
    [listener] = told["static_resources"]["listeners"]
    for address in (told["admin"]["address"], listener["address"]):
        assert address["socket_address"]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--listen=0.0.0.0:0"], "--insecure"),
        (["--admin=0.0.0.0:0"], "loopback"),
        (["--admin=localhost:0"], "loopback"),
        (["--listen=127.0.0.1"], "--listen"),
        (["--listen=127.0.0.1:65536"], "--listen"),
        (["--gateway=::1:50051"], "--gateway"),
        (["--client-ca=/dev/null"], "--tls"),
        (["--gateway-name=a"], "--gateway-ca"),
        (["--tls", "/nonexistent.pem", "/dev/null"], "/nonexistent.pem"),
        (["--tls", "/dev/null", "/dev/null"], "--tls: "),
        (["--gateway-ca", "/dev/null"], "--gateway-ca: "),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_an_option_that_cannot_work_stops_the_start(
    tmp_path: Path, options: list[str], says: str
) -> None:
    ended = start_with("--out", tmp_path, "--write", *options)
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert says in line


def test_a_key_that_does_not_fit_or_is_locked_stops_the_start(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (certificate, key), (_, other) = map(authority.certificate, ("localhost", "other.example"))
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked],
        check=True,
        timeout=20,
    )
    for wrong in (other, locked):
        ended = start_with("--out", tmp_path / "made", "--write", "--tls", certificate, wrong)
        assert ended.returncode == 2
        assert len(ended.stderr.splitlines()) == 1 and str(wrong) in ended.stderr


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("PcapService.GetPcap", "PcapService.DropPcap", "pcap.v1.PcapService.DropPcap"),
        ("get: /v1/pcaps/{pcap_id}", "fetch: /v1/pcaps/{pcap_id}", "fetch"),
        ("type: google.api.Service", "type: google.api.Http", "google.api.Service"),
        ("http:\n", "title: odd\nhttp:\n", "title"),
        ("  rules:", "\trules:", "token"),
    ],
)
def test_http_rules_that_cannot_be_meant_make_no_descriptor_set(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    shutil.copytree(REPOSITORY / "deploy" / "envoy", tmp_path / "deploy" / "envoy")
    (tmp_path / "proto").symlink_to(REPOSITORY / "proto")
    rules = tmp_path / "deploy/envoy/http_rules.yaml"
    text = rules.read_text()
    assert text.count(old) == 1
    rules.write_text(text.replace(old, new))
    made = tmp_path / "pcap.pb"
    ended = subprocess.run(
        [sys.executable, tmp_path / "deploy/envoy/descriptor", made],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 1
    assert "http_rules.yaml: " in ended.stderr and says in ended.stderr
    assert not made.exists()


def test_the_proto_needs_nothing_of_google_api() -> None:
    for file in (REPOSITORY / "proto").rglob("*.proto"):
        assert "google/api" not in file.read_text()


# gRPC -------------------------------------------------------------------------------------------


def test_both_forms_come_through(
    channel: grpc.Channel, gateway: Gateway, emulator: Emulator
) -> None:
    for pcap_id, form in ((demo.SIMPLE_ID, "simple"), (demo.FULL_ID, "full")):
        answer = get(channel, pcap_id)
        assert answer.pcap.WhichOneof("form") == form
        assert answer.response == get(gateway.channel, pcap_id).response


def test_metadata_comes_through_both_ways(channel: grpc.Channel, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    sent = [
        ("x-request-id", "through-envoy.1"),
        ("traceparent", TRACEPARENT),
        ("tracestate", "congo=t61rcWkgMzE,a=1"),
    ]
    answer = get(channel, pcap_id, metadata=sent)
    upstream = emulator.headers(pcap_id)
    for name, value in sent:
        assert upstream[name] == value
    assert answer.metadata["x-request-id"] == "through-envoy.1"
    assert answer.cache_status.startswith("pcap-gateway; fwd=uri-miss")
    assert answer.metadata["age"] == "0" and answer.metadata["cf-ray"]
    assert not [name for name in answer.metadata if name.startswith("x-envoy")]
    assert get(channel, pcap_id).is_hit
    assert not get(channel, pcap_id, metadata=[("cache-control", "no-cache")]).is_hit
    assert not get(channel, pcap_id, max_age=0).is_hit


@pytest.mark.parametrize("service", ["", SERVICE])
def test_health_comes_through(channel: grpc.Channel, service: str) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=service)
    assert stub.Check(request, timeout=PATIENCE_SECONDS).status == SERVING
    watch = stub.Watch(request, timeout=PATIENCE_SECONDS)
    assert next(watch).status == SERVING
    watch.cancel()


def test_nothing_but_the_service_and_its_health_is_passed_on(channel: grpc.Channel) -> None:
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    with pytest.raises(grpc.RpcError) as error:
        list(stub.ServerReflectionInfo(iter([asked]), timeout=PATIENCE_SECONDS))
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


def unpacked(status: status_pb2.Status | None) -> list[Message]:
    """The details: packed ones may differ in their bytes though they say the same."""
    assert status is not None
    details = []
    for packed in status.details:
        [kind] = [kind for kind in DETAILS if packed.Is(kind.DESCRIPTOR)]
        details.append(kind())
        packed.Unpack(details[-1])
    return details


@pytest.mark.parametrize("status", [400, 404, 409, 429, 503])
def test_a_failure_comes_through_with_all_its_details(
    channel: grpc.Channel, gateway: Gateway, emulator: Emulator, status: int
) -> None:
    error = {
        "code": 1000,
        "message": "ü" * 5000,
        "documentation_url": "https://developers.cloudflare.com/" + "d" * 470,
    }
    failures = []
    for each in (gateway.channel, channel):
        pcap_id = emulator.unknown_id()
        emulator.answer(pcap_id, {"success": False, "errors": [error]}, status=status)
        failures.append(fail(each, pcap_id, metadata=[("x-request-id", "the-same")]))
    heard = []
    for failure in failures:
        check_details(failure)
        details = unpacked(failure.status)
        for detail in details:
            if isinstance(detail, RequestInfo):
                detail.ClearField("serving_data")  # each ray is another
        heard.append((failure.code, failure.message, details))
    assert heard[0] == heard[1]
    direct, through = failures
    direct.metadata.pop("cf-ray"), through.metadata.pop("cf-ray")
    assert direct.metadata.items() <= through.metadata.items()


class LargestFailure(pcap_service_pb2_grpc.PcapServiceServicer):  # type: ignore[misc]
    """What stands in for a gateway that says as much as it may: see the contract of errors."""

    def __init__(self) -> None:
        self.status = status_pb2.Status(code=5, message="ü" * (MOST_MESSAGE_BYTES // 2))
        info = ErrorInfo(reason="PCAP_NOT_FOUND", domain="pcap.v1")
        for number in range(8):
            info.metadata[f"key{number}"] = "v" * 220
        self.status.details.add().Pack(info)
        left = MOST_STATUS_BYTES - self.status.ByteSize()
        assert 0 < left - 100
        request_info = RequestInfo(request_id="r", serving_data="s" * (left - 64))
        self.status.details.add().Pack(request_info)
        assert MOST_STATUS_BYTES - 30 < self.status.ByteSize() <= MOST_STATUS_BYTES

    def GetPcap(self, request: Any, context: Any) -> Any:
        context.abort_with_status(rpc_status.to_status(self.status))


@contextmanager
def stand_in(credentials: grpc.ServerCredentials | None = None) -> Iterator[str]:
    """The address of a server that is healthy and fails each call with LargestFailure."""
    server = grpc.server(ThreadPoolExecutor(4))
    pcap_service_pb2_grpc.add_PcapServiceServicer_to_server(LargestFailure(), server)
    healthy = health.HealthServicer()
    healthy.set(SERVICE, SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def test_the_largest_failure_that_there_may_be_comes_through(start_envoy: StartEnvoy) -> None:
    with stand_in() as address:
        envoy = start_envoy(address)
        with grpc.insecure_channel(envoy.address) as channel:
            through = fail(channel, demo.SIMPLE_ID).status
        answer = get_json(envoy.address, path_of(demo.SIMPLE_ID), http2=True)
    assert answer.status == 404
    as_json = json_format.ParseDict(answer.json(), status_pb2.Status())
    told = LargestFailure().status
    for heard in (through, as_json):
        assert heard is not None and heard.message == told.message
        assert unpacked(heard) == unpacked(told)


def test_the_callers_deadline_is_the_gateways(
    watched_envoy: Envoy, watched: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    emulator.hold(pcap_id)
    body = message(request_for(pcap_id).SerializeToString())
    with RawConnection(watched_envoy.address) as connection:  # which cancels nothing by itself
        connection.send(
            headers(1, call_fields(("grpc-timeout", "300m"))), frame(DATA, END_STREAM, 1, body)
        )
        assert connection.listen(HEADERS).kinds.get(HEADERS)
    emulator.wait(pcap_id)
    wait_for_waiting_calls(watched, 0)

    answer = get_json(watched_envoy.address, path_of(pcap_id), {"grpc-timeout": "300m"})
    assert (answer.status, answer.reason()) == (504, "DEADLINE_EXCEEDED")  # it says so itself


def test_a_cancelled_call_reaches_the_gateway(
    watched_envoy: Envoy, watched: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    emulator.hold(pcap_id)
    with grpc.insecure_channel(watched_envoy.address) as channel:
        stub = pcap_service_pb2_grpc.PcapServiceStub(channel)
        call = stub.GetPcap.future(request_for(pcap_id), timeout=PATIENCE_SECONDS)
        emulator.wait(pcap_id)
        wait_for_waiting_calls(watched, 1)
        call.cancel()
        wait_for_waiting_calls(watched, 0)


def test_a_json_caller_who_hangs_up_reaches_the_gateway(
    watched_envoy: Envoy, watched: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    emulator.hold(pcap_id)
    host, _, port = watched_envoy.address.rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path_of(pcap_id)} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
        emulator.wait(pcap_id)
        wait_for_waiting_calls(watched, 1)
    wait_for_waiting_calls(watched, 0)


# HTTP/JSON --------------------------------------------------------------------------------------


@both_versions
def test_a_simple_capture_comes_as_json(envoy: Envoy, emulator: Emulator, http2: bool) -> None:
    pcap_id = emulator.add(filter_v1={"source_port": 0, "protocol": 6}, offset_time=None)
    answer = get_json(envoy.address, path_of(pcap_id), {"x-request-id": "json.1"}, http2)
    assert answer.status == 200
    # Only what Cloudflare said is there; a 0 that it said, too.
    assert answer.json() == {
        "pcap": {
            "simple": {
                "id": pcap_id,
                "filter_v1": {"source_port": 0, "protocol": 6},
                "status": "PCAP_STATUS_SUCCESS",
                "submitted": "2026-01-02T03:00:00Z",
                "system": "PCAP_SYSTEM_MAGIC_TRANSIT",
                "time_limit": "60s",
            }
        }
    }
    assert answer.headers["cache-status"].startswith("pcap-gateway; fwd=uri-miss; stored")
    assert answer.headers["age"] == "0" and answer.headers["cf-ray"]
    assert answer.headers["x-request-id"] == "json.1"
    assert answer.headers["cache-control"] == "no-store"
    again = get_json(envoy.address, path_of(pcap_id), http2=http2)
    assert again.headers["cache-status"].startswith("pcap-gateway; hit")
    assert again.json() == answer.json()


@both_versions
@pytest.mark.parametrize("known", [True, False])
def test_head_gives_what_get_gives_without_the_body(
    envoy: Envoy, emulator: Emulator, http2: bool, known: bool
) -> None:
    pcap_id = emulator.add() if known else emulator.unknown_id()
    paths = (path_of(pcap_id), f"/v1/pcaps/{pcap_id}", path_of("no-id"), "/", "/v1/pcaps/a?b=1")
    for path in paths:
        get_json(envoy.address, path)  # what comes from Cloudflare has one header more
        got = get_json(envoy.address, path, http2=http2)
        head = get_json(envoy.address, path, http2=http2, method="HEAD")
        assert (head.status, head.body) == (got.status, b"")
        for name in ("content-type", "content-length", "cache-control"):
            assert head.headers.get(name) == got.headers.get(name), name
        assert head.headers.keys() == got.headers.keys()


@both_versions
def test_a_full_capture_comes_as_json(envoy: Envoy, emulator: Emulator, http2: bool) -> None:
    pcap_id = emulator.add(
        type="full",
        status="complete",
        byte_limit=1 << 53,
        packets_captured=0,
        colo_name="",
        destination_conf=DESTINATION,
        filter_v1=None,
        odd={"a": [1, None, "x", 1 << 60]},
    )
    answer = get_json(envoy.address, path_of(pcap_id), http2=http2)
    assert answer.status == 200
    assert answer.json() == {
        "pcap": {
            "full": {
                "id": pcap_id,
                "byte_limit": "9007199254740992",  # int64: as text
                "packets_captured": "0",
                "colo_name": "",
                "destination_conf": "r2://b?account-id=a&access-key-id=REDACTED"
                "&secret-access-key=REDACTED",
                "status": "PCAP_STATUS_COMPLETE",
                "submitted": "2026-01-02T03:00:00Z",
                "system": "PCAP_SYSTEM_MAGIC_TRANSIT",
                "time_limit": "60s",
            },
            "extra_fields": {"odd": {"a": [1, None, "x", "1152921504606846976"]}},
        }
    }


def test_a_capture_of_no_known_form_comes_as_json(envoy: Envoy, emulator: Emulator) -> None:
    pcap_id = emulator.unknown_id()
    emulator.add_exactly(pcap_id, {"type": "holographic", "depth": 3})
    answer = get_json(envoy.address, path_of(pcap_id))
    assert answer.json() == {"pcap": {"extra_fields": {"type": "holographic", "depth": 3}}}


def test_messages_come_as_json(envoy: Envoy, emulator: Emulator) -> None:
    pcap_id = emulator.unknown_id()
    messages = [{"code": 1001, "message": "soon gone"}, "plain"]
    result = capture_of(pcap_id)
    body = {"success": True, "errors": [], "messages": messages, "result": result}
    emulator.answer(pcap_id, body)
    told = get_json(envoy.address, path_of(pcap_id)).json()["messages"]
    assert told == [{"code": "1001", "message": "soon gone"}, {"message": "plain"}]


def test_a_path_without_an_account_is_of_the_default_account(
    envoy: Envoy, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    answer = get_json(envoy.address, f"/v1/pcaps/{pcap_id}")
    assert answer.json()["pcap"]["simple"]["id"] == pcap_id
    assert demo.ACCOUNT_ID in emulator.requests(pcap_id)[0]["path"]


def test_a_json_caller_says_how_old_an_answer_may_be(envoy: Envoy, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    path = path_of(pcap_id)
    asked = 0
    for query, headers_, is_hit in (
        ("", {}, False),
        ("", {}, True),
        ("?max_age=3600s", {}, True),
        ("?max_age=0s", {}, False),
        ("?", {}, True),
        ("", {"cache-control": "no-cache"}, False),
        ("?max_age=0.000000001s", {}, False),
    ):
        answer = get_json(envoy.address, path + query, headers_)
        assert answer.status == 200, answer
        assert ("; hit" in answer.headers["cache-status"]) == is_hit, (query, headers_)
        asked += not is_hit
        assert len(emulator.requests(pcap_id)) == asked


def test_an_answer_of_nearly_1_mib_comes_as_json(envoy: Envoy, emulator: Emulator) -> None:
    pcap_id = emulator.add(notes="n" * 900_000)
    answer = get_json(envoy.address, path_of(pcap_id))
    assert answer.json()["pcap"]["extra_fields"]["notes"] == "n" * 900_000


BAD_REQUESTS = {
    "a parameter that there is not": (path_of(demo.SIMPLE_ID) + "?maxage=0s", "maxage"),
    "a second parameter": (path_of(demo.SIMPLE_ID) + "?max_age=0s&token=a", "token"),
    "max_age twice": (path_of(demo.SIMPLE_ID) + "?max_age=0s&max_age=1s", "max_age, once"),
    "no Duration": (path_of(demo.SIMPLE_ID) + "?max_age=banana", "max_age"),
    "a Duration without unit": (path_of(demo.SIMPLE_ID) + "?max_age=5", "max_age"),
    # Which would win over the one in the path.
    "another pcap_id": (path_of(demo.SIMPLE_ID) + f"?pcap_id={demo.FULL_ID}", "max_age, once"),
    "another pcapId": (path_of(demo.SIMPLE_ID) + f"?pcapId={demo.FULL_ID}", "max_age, once"),
    "another account_id": (
        path_of(demo.SIMPLE_ID) + f"?max_age=1s&account_id={demo.OTHER_ACCOUNT_ID}",
        "max_age, once",
    ),
}


@pytest.mark.parametrize(("path", "says"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
@both_versions
def test_a_query_that_cannot_be_meant_is_told(
    envoy: Envoy, emulator: Emulator, path: str, says: str, http2: bool
) -> None:
    before = len(emulator.requests())
    answer = get_json(envoy.address, path, {"x-request-id": "odd"}, http2)
    assert answer.status == 400
    assert answer.json()["code"] == 3 and says in answer.json()["message"]
    assert answer.headers["x-request-id"] == "odd"
    assert len(emulator.requests()) == before


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/pcaps/nope", "pcap_id"),
        (path_of(demo.SIMPLE_ID.upper()), "pcap_id"),
        (path_of(demo.SIMPLE_ID, "a"), "account_id"),
        (path_of(demo.SIMPLE_ID) + "?max_age=-1s", "max_age"),
        ("/v1/pcaps/%00" + demo.SIMPLE_ID[1:], None),
        ("/v1/pcaps/..%2f" + demo.SIMPLE_ID, None),
    ],
)
def test_an_id_that_is_none_is_a_bad_request(
    envoy: Envoy, emulator: Emulator, path: str, field: str | None
) -> None:
    before = len(emulator.requests())
    passed_on = envoy.counter("cluster.pcap_gateway.upstream_rq_total")
    answer = get_json(envoy.address, path)
    assert (answer.status, answer.json()["code"]) == (400, 3)
    if field is None:  # Envoy's own word
        assert envoy.counter("cluster.pcap_gateway.upstream_rq_total") == passed_on
    else:
        assert answer.reason() == "INVALID_REQUEST"
        assert [v["field"] for v in answer.detail("BadRequest")["field_violations"]] == [field]
        assert answer.detail("RequestInfo")["request_id"] == answer.headers["x-request-id"]
    assert len(emulator.requests()) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/pcap"),
        ("GET", "/v1/accounts//pcaps/"),
        ("GET", path_of(demo.SIMPLE_ID) + "/download"),
        ("POST", path_of(demo.SIMPLE_ID)),
        ("DELETE", path_of(demo.SIMPLE_ID)),
        ("POST", "/pcap.v1.PcapService/GetPcap"),
        ("GET", "/metrics"),
        ("GET", "/stats"),
    ],
)
def test_there_is_nothing_else(envoy: Envoy, method: str, path: str) -> None:
    answer = get_json(envoy.address, path, method=method)
    assert (answer.status, answer.json()["code"]) == (404, 5)


# Watching ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watching_gateway(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Which hears of a change within a third of a second."""
    folder = tmp_path_factory.mktemp("watching")
    options = [f"--upstream-url={emulator.url}", "--admin-listen=127.0.0.1:0", "--lame-duck=0s"]
    options += ["--moving-lifetime=300ms", "--longest-moving-lifetime=300ms"]
    options += [f"--default-account-id={demo.ACCOUNT_ID}"]
    gateway = Gateway(options, environment(folder, CLOUDFLARE_API_TOKEN=demo.TOKEN))
    yield gateway
    assert gateway.end() == 0, gateway.process.output()


@pytest.fixture(scope="module")
def watching_envoy(
    watching_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Envoy]:
    envoy = Envoy(tmp_path_factory.mktemp("envoy"), watching_gateway.address)
    yield envoy
    envoy.end()


def watch_path(*pcap_ids: str, parent: str = f"/v1/accounts/{demo.ACCOUNT_ID}") -> str:
    query = "&".join(f"pcap_ids={pcap_id}" for pcap_id in pcap_ids)
    return f"{parent}/pcaps/watch" + (f"?{query}" if query else "")


def form_in(line: Any) -> Any:
    [form] = line["pcap"].values()
    return form


def test_a_watch_comes_as_a_line_for_each_change(
    watching_envoy: Envoy, emulator: Emulator
) -> None:
    pcap_id, other_id = emulator.add(status="running"), emulator.add(status="pending")
    with JsonLines(watching_envoy.address, watch_path(pcap_id, other_id)) as watch:
        assert (watch.status, watch.headers["cache-control"]) == (200, "no-store")
        assert watch.headers["content-type"] == "application/x-ndjson"
        lines = iter(watch)
        first = {form["id"]: form["status"] for form in (form_in(next(lines)) for _ in range(2))}
        assert first == {pcap_id: "PCAP_STATUS_RUNNING", other_id: "PCAP_STATUS_PENDING"}
        for told_id, status in ((pcap_id, "success"), (other_id, "running"), (other_id, "failed")):
            emulator.add_exactly(told_id, capture_of(told_id, status=status))
            form = form_in(next(lines))
            assert (form["id"], form["status"]) == (told_id, f"PCAP_STATUS_{status.upper()}")
        assert list(lines) == []  # both are final


@both_versions
@pytest.mark.parametrize("parent", [f"/v1/accounts/{demo.ACCOUNT_ID}", "/v1"])
def test_a_watch_of_what_is_final_ends(
    watching_envoy: Envoy, emulator: Emulator, http2: bool, parent: str
) -> None:
    ids = [emulator.add(), emulator.add()]
    path = watch_path(*ids, parent=parent)
    if http2:
        answer = get_json(watching_envoy.address, path, http2=True)
        assert answer.status == 200 and answer.headers["grpc-status"] == "0"
        lines = [json.loads(line) for line in answer.body.splitlines()]
    else:
        with JsonLines(watching_envoy.address, path) as watch:
            lines = list(watch)
    assert sorted(form_in(line)["id"] for line in lines) == sorted(ids)


def test_a_json_caller_who_watches_and_hangs_up_reaches_the_gateway(
    watching_gateway: Gateway, watching_envoy: Envoy, emulator: Emulator
) -> None:
    emulator.add(status="running")
    with JsonLines(watching_envoy.address, watch_path()) as watch:
        assert form_in(next(iter(watch)))
        wait_for_metric(watching_gateway, "pcap_gateway_watch_watchers", 1)
    wait_for_metric(watching_gateway, "pcap_gateway_watch_watchers", 0)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        (watch_path("nope"), 400, "INVALID_REQUEST"),
        (watch_path("f" * 32), 404, "PCAP_NOT_FOUND"),
        (watch_path("f" * 32) + "&max_age=0s", 400, "max_age"),
        (watch_path() + "?account_id=" + "0" * 32, 400, "to watch, pcap_ids"),
    ],
)
@both_versions
def test_a_watch_that_cannot_be_is_told_at_once(
    watching_envoy: Envoy, path: str, status: int, says: str, http2: bool
) -> None:
    answer = get_json(watching_envoy.address, path, http2=http2)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert says in answer.body.decode()


def test_a_stream_lasts_longer_than_a_call_may(
    watching_gateway: Gateway, start_envoy: StartEnvoy, emulator: Emulator
) -> None:
    def hurry(configuration: Any) -> None:
        [listener] = configuration["static_resources"]["listeners"]
        [chain] = listener["filter_chains"]
        manager = chain["filters"][0]["typed_config"]
        manager["stream_idle_timeout"] = "0.5s"
        for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
            if route.get("route", {}).get("timeout") == "60s":
                route["route"]["timeout"] = "0.5s"

    envoy = start_envoy(watching_gateway.address, change=hurry)
    pcap_id, slow_id = emulator.add(status="running"), emulator.add()
    emulator.fault(slow_id, "delay", seconds=3)
    request = pcap_service_pb2.WatchPcapsRequest(account_id=demo.ACCOUNT_ID, pcap_ids=[pcap_id])
    with (
        grpc.insecure_channel(envoy.address) as channel,
        JsonLines(envoy.address, watch_path(pcap_id)) as json_watch,
    ):
        watch = pcap_service_pb2_grpc.PcapServiceStub(channel).WatchPcaps(
            request, timeout=PATIENCE_SECONDS
        )
        lines = iter(json_watch)
        assert form_in(next(lines))["status"] == "PCAP_STATUS_RUNNING" and next(watch)
        # So long nothing moves on either.
        assert get_json(envoy.address, path_of(slow_id) + "?max_age=0s").status == 504
        emulator.add_exactly(pcap_id, capture_of(pcap_id, status="success"))
        assert form_in(next(lines))["status"] == "PCAP_STATUS_SUCCESS"
        assert next(watch).pcap.simple.id == pcap_id


# Writes -----------------------------------------------------------------------------------------

JSON = {"content-type": "application/json"}
PCAPS = f"/v1/accounts/{demo.ACCOUNT_ID}/pcaps"
SIMPLE = {"simple": {"time_limit": "10s", "packet_limit": 100}}


@pytest.fixture(scope="module")
def writing_envoy(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Envoy]:
    """In front of a gateway that lets its callers write."""
    folder = tmp_path_factory.mktemp("writing")
    options = [f"--upstream-url={emulator.url}", "--admin-listen", "", "--lame-duck=0s"]
    options += ["--allow=write", f"--default-account-id={demo.ACCOUNT_ID}"]
    gateway = Gateway(options, environment(folder, CLOUDFLARE_API_TOKEN=demo.TOKEN))
    envoy = Envoy(tmp_path_factory.mktemp("envoy"), gateway.address)
    yield envoy
    envoy.end()
    assert gateway.end() == 0, gateway.process.output()


def send(
    envoy: Envoy,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    http2: bool = False,
) -> Any:
    text = b"" if body is None else json.dumps(body).encode()
    sent = (JSON if text else {}) if headers is None else headers
    return get_json(envoy.address, path, sent, http2, method=method, body=text)


@both_versions
def test_a_capture_is_made_and_stopped(
    writing_envoy: Envoy, emulator: Emulator, http2: bool
) -> None:
    emulator.advance(86_400)  # nothing is under way
    made = send(writing_envoy, "POST", PCAPS, SIMPLE, http2=http2)
    assert made.status == 200, made
    assert made.json()["pcap"]["simple"]["time_limit"] == "10s"
    assert made.headers["cache-control"] == "no-store"
    full = {"time_limit": "60s", "colo_name": "ord02", "destination_conf": demo.BUCKET}
    made = send(writing_envoy, "POST", "/v1/pcaps", {"full": full}, http2=http2)
    pcap_id = made.json()["pcap"]["full"]["id"]
    stopped = send(writing_envoy, "PUT", f"{PCAPS}/{pcap_id}/stop", http2=http2)
    assert (stopped.status, stopped.json()) == (200, {})
    got = send(writing_envoy, "GET", f"{PCAPS}/{pcap_id}")
    assert "stop_requested" in got.json()["pcap"]["full"]


def test_a_bucket_is_named_proven_and_taken_away(
    writing_envoy: Envoy, emulator: Emulator
) -> None:
    bucket = {"destination_conf": "gs://through-envoy"}
    made = send(writing_envoy, "POST", f"{PCAPS}/ownership", bucket)
    assert made.status == 200, made
    own = made.json()["ownership"]
    assert own["status"] == "OWNERSHIP_STATUS_PENDING"
    proof = {**bucket, "ownership_challenge": emulator.challenge(own["id"])}
    assert send(writing_envoy, "POST", f"{PCAPS}/ownership/validate", proof).status == 200
    listed = send(writing_envoy, "GET", "/v1/pcaps/ownership").json()["ownerships"]
    assert own["id"] in [one["id"] for one in listed]
    taken = send(writing_envoy, "DELETE", f"/v1/pcaps/ownership/{own['id']}")
    assert (taken.status, taken.json()) == (200, {})
    again = send(writing_envoy, "DELETE", f"{PCAPS}/ownership/{own['id']}")
    assert (again.status, again.reason()) == (404, "OWNERSHIP_NOT_FOUND")


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"]
)
def test_what_a_page_of_another_site_could_send_writes_nothing(
    writing_envoy: Envoy, emulator: Emulator, content_type: str | None
) -> None:
    before = len(emulator.requests(method="POST"))
    headers = {} if content_type is None else {"content-type": content_type}
    answer = send(writing_envoy, "POST", PCAPS, SIMPLE, headers)
    assert (answer.status, answer.json()["code"]) == (400, 3)
    assert "application/json" in answer.json()["message"]
    assert len(emulator.requests(method="POST")) == before


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"simple": {"time_limit": "301s", "packet_limit": 1}}, "time_limit"),
        ({"account_id": "0" * 32, **SIMPLE}, "account_id"),
    ],
)
def test_a_body_that_is_wrong_is_a_bad_request(
    writing_envoy: Envoy, emulator: Emulator, body: Any, says: str
) -> None:
    before = len(emulator.requests(method="POST"))
    answer = send(writing_envoy, "POST", PCAPS, body)
    assert answer.status == 400, answer
    assert says in answer.json()["message"]
    assert len(emulator.requests(method="POST")) == before


def test_writes_are_off_unless_the_gateway_allows_them(envoy: Envoy, emulator: Emulator) -> None:
    before = len(emulator.requests())
    for method, path, body in (
        ("POST", PCAPS, SIMPLE),
        ("PUT", f"{PCAPS}/{demo.RUNNING_ID}/stop", None),
        ("DELETE", f"{PCAPS}/ownership/{demo.OWNERSHIP_ID}", None),
    ):
        answer = send(envoy, method, path, body)
        assert (answer.status, answer.reason()) == (403, "METHOD_DISABLED")
    assert len(emulator.requests()) == before


FAILURES = {
    "400": ({"status": 400}, 400, 3, "UPSTREAM_BAD_REQUEST"),
    "401": ({"status": 401}, 500, 13, "UPSTREAM_CREDENTIALS_REJECTED"),
    "404": ({"status": 404}, 404, 5, "PCAP_NOT_FOUND"),
    "409": ({"status": 409}, 409, 10, "UPSTREAM_CONFLICT"),
    "429": ({"status": 429, "headers": {"Retry-After": "17"}}, 429, 8, "RATE_LIMITED"),
    "503": ({"status": 503}, 503, 14, "UPSTREAM_UNAVAILABLE"),
    "200 with errors": ({"status": 200}, 500, 13, "UPSTREAM_ERROR"),
}


@pytest.mark.parametrize("row", FAILURES.values(), ids=FAILURES.keys())
@both_versions
def test_a_failure_comes_as_json(
    envoy: Envoy, emulator: Emulator, row: tuple[dict[str, Any], int, int, str], http2: bool
) -> None:
    settings, status, code, reason = row
    pcap_id = emulator.unknown_id()
    emulator.answer(pcap_id, {"errors": [{"code": 1000, "message": 'a "quoted" <b>'}]}, **settings)
    answer = get_json(envoy.address, path_of(pcap_id), {"x-request-id": "failed"}, http2)
    assert (answer.status, answer.json()["code"], answer.reason()) == (status, code, reason)
    assert answer.json()["message"]
    assert answer.detail("ErrorInfo")["domain"] == "pcap.v1"
    assert answer.detail("RequestInfo")["request_id"] == "failed"
    assert answer.headers["x-request-id"] == "failed"
    assert answer.headers["cache-control"] == "no-store"
    if status == 429:
        assert answer.detail("RetryInfo")["retry_delay"] == "17s"
        assert answer.headers["retry-after"] == "17"
    else:
        assert "retry-after" not in answer.headers


def test_retry_after_is_a_whole_number_that_is_not_too_early(
    start_gateway: StartGateway, start_envoy: StartEnvoy, emulator: Emulator
) -> None:
    # A budget of 1 request: the next place is free in some minutes and a fraction of a second.
    gateway = start_gateway("--upstream-limit=1", "--upstream-reserve=0")
    envoy = start_envoy(gateway.address)
    assert get_json(envoy.address, path_of(emulator.add())).status == 200
    answer = get_json(envoy.address, path_of(emulator.add()))
    assert (answer.status, answer.reason()) == (429, "RATE_LIMITED")
    delay = float(answer.detail("RetryInfo")["retry_delay"].removesuffix("s"))
    assert delay <= int(answer.headers["retry-after"]) < delay + 1


def test_no_text_of_an_answer_passes_for_a_delay(envoy: Envoy, emulator: Emulator) -> None:
    pcap_id = emulator.unknown_id()
    text = '{"retry_delay":"5s"}'
    emulator.answer(pcap_id, {"errors": [{"code": 1000, "message": text}]}, status=503)
    answer = get_json(envoy.address, path_of(pcap_id))
    assert answer.status == 503 and text in answer.json()["message"]
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    ("credential", "status", "code", "reason"),
    [
        ({}, 401, 16, "MISSING_CREDENTIAL"),
        ({"authorization": "Basic nonsense"}, 401, 16, "INVALID_CREDENTIAL"),
        ({"authorization": f"Bearer {demo.NO_RIGHTS_TOKEN}"}, 403, 7, "UPSTREAM_PERMISSION_DENIED"),
        ({"authorization": "Bearer unknown"}, 401, 16, "UPSTREAM_UNAUTHENTICATED"),
        ({"authorization": f"Bearer {demo.TOKEN}"}, 200, None, None),
        ({"x-auth-email": demo.EMAIL, "x-auth-key": demo.KEY}, 200, None, None),
    ],
)
def test_a_json_caller_brings_a_credential(
    callers_envoy: Envoy,
    emulator: Emulator,
    credential: dict[str, str],
    status: int,
    code: int | None,
    reason: str | None,
) -> None:
    answer = get_json(callers_envoy.address, path_of(emulator.add()), credential)
    assert answer.status == status, answer
    if code is not None:
        assert (answer.json()["code"], answer.reason()) == (code, reason)


# Several gateways, and none ---------------------------------------------------------------------


class Callers:
    """Several threads that call one after the other until they are told to stop."""

    def __init__(self, address: str, pcap_ids: list[str], count: int = 4) -> None:
        self.failures: list[Failure] = []
        self.answers = 0
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._call, args=(address, pcap_ids, i)) for i in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _call(self, address: str, pcap_ids: list[str], number: int) -> None:
        own = (("grpc.use_local_subchannel_pool", 1),)
        with grpc.insecure_channel(address, options=own) as channel:
            turn = number
            while not self._stop.is_set():
                turn += 1
                try:
                    # One in two asks Cloudflare.
                    get(channel, pcap_ids[turn % len(pcap_ids)], max_age=0 if turn % 2 else None)
                except Failure as failure:
                    self.failures.append(failure)
                with self._more:
                    self.answers += 1
                    self._more.notify_all()

    def wait_for_more(self, count: int = 50) -> None:
        with self._more:
            wanted = self.answers + count
            assert self._more.wait_for(lambda: self.answers >= wanted, PATIENCE_SECONDS)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def health_event(kind: str, address: str) -> str:
    """What Envoy's line about a change of health looks like."""
    host, _, port = address.rpartition(":")
    return rf'^(?=.*"port_value":{port}\b)(?=.*"address":"{host}").*"{kind}'


def test_gateways_restart_one_after_the_other_and_no_call_fails(
    start_gateway: StartGateway, start_envoy: StartEnvoy, emulator: Emulator
) -> None:
    # Addresses of their own, so that no outgoing connection can take the port between two lives.
    options = [("--lame-duck=4s", f"--listen=127.0.0.{n}:0") for n in (77, 78)]
    gateways = [start_gateway(*each) for each in options]
    envoy = start_envoy(*(gateway.address for gateway in gateways))
    pcap_ids = [emulator.add() for _ in range(8)]
    held = [emulator.add() for _ in range(4)]
    gates = [emulator.hold(pcap_id) for pcap_id in held]
    callers = Callers(envoy.address, pcap_ids)
    with grpc.insecure_channel(envoy.address) as channel:
        stub = pcap_service_pb2_grpc.PcapServiceStub(channel)
        calls = [stub.GetPcap.future(request_for(i), timeout=PATIENCE_SECONDS) for i in held]
        try:
            for pcap_id in held:
                emulator.wait(pcap_id)
            callers.wait_for_more()
            for gateway in gateways:
                gateway.process.send(signal.SIGTERM)
                envoy.process.stdout.wait_for(
                    health_event("eject_unhealthy_event", gateway.address)
                )
                for gate in gates:  # calls of before the signal are still under way
                    emulator.release(gate)
                gates.clear()
                assert gateway.process.wait() == 0
                callers.wait_for_more()
                again = start_gateway("--lame-duck=4s", f"--listen={gateway.address}")
                assert again.address == gateway.address
                envoy.process.stdout.wait_for(
                    health_event('add_healthy_event":{"first_check":false', gateway.address)
                )
            callers.wait_for_more()
            for call, pcap_id in zip(calls, held):
                assert call.result(PATIENCE_SECONDS).pcap.simple.id == pcap_id
        finally:
            callers.stop()
    assert not callers.failures, f"{len(callers.failures)} of {callers.answers}: {callers.failures}"
    print(f"{callers.answers} calls")


def test_a_gateway_that_dies_is_passed_over(
    start_gateway: StartGateway, start_envoy: StartEnvoy, emulator: Emulator
) -> None:
    ends, stays = start_gateway(), start_gateway()
    envoy = start_envoy(ends.address, stays.address)
    pcap_id = emulator.add()
    with grpc.insecure_channel(envoy.address) as channel:
        for _ in range(4):
            get(channel, pcap_id)
        ends.process.send(signal.SIGTERM)  # at once: there is no lame duck
        ends.process.send(signal.SIGINT)
        assert ends.process.wait() == 0
        for _ in range(20):
            assert get(channel, pcap_id).pcap.simple.id == pcap_id
    # As those are retried that found nobody; nothing else is.
    assert envoy.counter("cluster.pcap_gateway.upstream_rq_5xx") == 0


@both_versions
def test_with_no_gateway_at_all_the_caller_hears_so(
    start_gateway: StartGateway, start_envoy: StartEnvoy, http2: bool
) -> None:
    gateway = start_gateway()
    envoy = start_envoy(gateway.address)
    assert get_json(envoy.address, "/healthz", http2=http2).status == 200
    gateway.process.send(signal.SIGTERM)
    assert gateway.process.wait() == 0
    envoy.process.stdout.wait_for(health_event("eject_unhealthy_event", gateway.address))
    answer = get_json(envoy.address, path_of(demo.SIMPLE_ID), {"x-request-id": "lost"}, http2)
    assert (answer.status, answer.json()["code"]) == (503, 14)
    assert answer.json()["message"] and answer.headers["x-request-id"] == "lost"
    with grpc.insecure_channel(envoy.address) as channel:
        assert fail(channel, demo.SIMPLE_ID).code is grpc.StatusCode.UNAVAILABLE
    assert get_json(envoy.address, "/healthz", http2=http2).status == 503


def test_a_gateway_in_its_lame_duck_serves_if_there_is_no_other(
    start_gateway: StartGateway, start_envoy: StartEnvoy, emulator: Emulator
) -> None:
    gateway = start_gateway("--lame-duck=30s")
    envoy = start_envoy(gateway.address)
    gateway.process.send(signal.SIGTERM)
    envoy.process.stdout.wait_for(health_event("eject_unhealthy_event", gateway.address))
    assert get_json(envoy.address, path_of(emulator.add())).status == 200


def test_trouble_at_cloudflare_is_neither_retried_nor_held_against_a_gateway(
    gateway: Gateway, start_gateway: StartGateway, start_envoy: StartEnvoy, emulator: Emulator
) -> None:
    envoy = start_envoy(gateway.address, start_gateway().address)  # of two, one may be ejected
    with grpc.insecure_channel(envoy.address) as channel:
        for kind in ("html", "reset_before", "nested"):
            for _ in range(16):
                pcap_id = emulator.add()
                emulator.fault(pcap_id, kind, **({"status": 503} if kind == "html" else {}))
                assert fail(channel, pcap_id).code.name in ("UNAVAILABLE", "INTERNAL")
                # libcurl sends anew what a kept connection lost; the gateway is told not to retry.
                assert len(emulator.requests(pcap_id)) <= (2 if kind == "reset_before" else 1)
        assert get(channel, emulator.add())
    assert envoy.counter("cluster.pcap_gateway.upstream_rq_retry") == 0
    assert envoy.counter("cluster.pcap_gateway.outlier_detection.ejections_enforced_total") == 0


# What callers may not do ------------------------------------------------------------------------


def test_a_caller_without_a_request_id_gets_one_that_all_logs_tell(
    envoy: Envoy, channel: grpc.Channel, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    request_id = get(channel, pcap_id).metadata["x-request-id"]
    assert emulator.headers(pcap_id)["x-request-id"] == request_id
    entry = envoy.logged(request_id)
    assert entry["path"] == "/pcap.v1.PcapService/GetPcap"
    assert (entry["status"], entry["grpc_status"], entry["tries"]) == (200, 0, 1)
    assert entry["cache_status"].startswith("pcap-gateway; fwd=")


def test_the_access_log_tells_what_the_caller_asked_for(envoy: Envoy, emulator: Emulator) -> None:
    path = path_of(emulator.unknown_id())
    sent = {"x-request-id": "in-the-log", "traceparent": TRACEPARENT}
    assert get_json(envoy.address, path + "?max_age=0s", sent).status == 404
    entry = envoy.logged("in-the-log")
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", path, 404)
    assert entry["traceparent"] == TRACEPARENT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
        ("x-envoy-max-retries", "10"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-retry-grpc-on", "unavailable"),
        ("x-envoy-original-path", "/somewhere/else"),
        ("x-envoy-force-trace", "true"),
    ],
)
def test_a_caller_does_not_steer_envoy(
    envoy: Envoy, channel: grpc.Channel, emulator: Emulator, name: str, value: str
) -> None:
    retries = envoy.counter("cluster.pcap_gateway.upstream_rq_retry")
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "html", status=503, times=1)
    request_id = f"steers.{name}"
    sent = [(name, value), ("x-request-id", request_id)]
    assert fail(channel, pcap_id, metadata=sent).reason == "UPSTREAM_UNAVAILABLE"
    assert envoy.logged(request_id)["path"] == "/pcap.v1.PcapService/GetPcap"
    assert envoy.counter("cluster.pcap_gateway.upstream_rq_retry") == retries
    emulator.fault(pcap_id, "delay", seconds=0.1)
    assert get(channel, pcap_id, metadata=[(name, value)])


def test_no_credential_is_in_any_log(
    start_gateway: StartGateway, start_envoy: StartEnvoy, emulator: Emulator
) -> None:
    rights = {demo.ACCOUNT_ID: ["read"]}
    emulator.add_principal("envoy's token", token=TOKEN, rights=rights)
    emulator.add_principal("envoy's user", email=EMAIL, key=KEY, rights=rights)
    envoy = start_envoy(start_gateway("--credential=caller").address)
    bearer = {"authorization": f"Bearer {TOKEN}"}
    user = {"x-auth-email": EMAIL, "x-auth-key": KEY}
    pcap_id = emulator.add()
    asked = [
        (path_of(pcap_id), bearer),
        (path_of(pcap_id), user),
        (path_of(pcap_id), {**bearer, "cookie": f"session={KEY}", "user-agent": TOKEN}),
        (path_of(pcap_id) + f"?token={TOKEN}", {}),
        (path_of(pcap_id) + f"?max_age=0s&x={KEY}", bearer),
        ("/nowhere", bearer),
        ("/v1/pcaps/nope", user),
        (path_of(pcap_id), {**bearer, "x-long": "y" * 20_000}),
        (path_of(pcap_id), {**user, "referer": f"https://a/?{TOKEN}"}),
    ]
    for http2 in (False, True):
        for number, (path, sent) in enumerate(asked):
            if http2 and "x-long" in sent:
                continue  # is ended by a reset
            get_json(envoy.address, path, {"x-request-id": f"{http2}.{number}", **sent}, http2)
    with grpc.insecure_channel(envoy.address) as channel:
        for sent in (bearer, user):
            get(channel, pcap_id, metadata=[*sent.items(), ("x-request-id", "grpc")])
    envoy.logged("grpc")
    assert envoy.logged("True.0")["status"] == 200
    assert envoy.logged("True.6")["status"] == 400
    assert told(envoy.process.output()) == []


HUGE = "a" * 100_000
LINES = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "a huge path": f"GET /{HUGE} HTTP/1.1\r\nhost: a\r\n\r\n".encode(),
    "a huge header": f"GET / HTTP/1.1\r\nhost: a\r\nx: {HUGE}\r\n\r\n".encode(),
    "many headers": b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: 1\r\n" * 1000 + b"\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
    "HTTP/1.0": f"GET {path_of(demo.SIMPLE_ID)} HTTP/1.0\r\nhost: a\r\n\r\n".encode(),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nhost: a\r\nx: \x00\r\n\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:9901 HTTP/1.1\r\nhost: 127.0.0.1:9901\r\n\r\n",
    "another's upgrade": b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
    b"http2-settings: AAMAAABkAAQAAP__\r\n\r\n",
}


@pytest.mark.parametrize("sent", LINES.values(), ids=LINES.keys())
def test_hostile_http1_ends_at_envoy(
    envoy: Envoy, channel: grpc.Channel, gateway: Gateway, sent: bytes
) -> None:
    before = envoy.counter("cluster.pcap_gateway.upstream_rq_total")
    host, _, port = envoy.address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE_SECONDS) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        heard = b""
        try:
            while chunk := connection.recv(1 << 16):
                heard += chunk
        except ConnectionResetError:
            pass
    assert b" 200 " not in heard.split(b"\r\n")[0]
    assert envoy.counter("cluster.pcap_gateway.upstream_rq_total") == before
    assert get(channel, demo.SIMPLE_ID) and gateway.process.running()


FIELDS: dict[str, list[tuple[str, str]]] = {
    "a bad te": [
        *call_fields()[:4],
        ("te", "gzip, \x01trailers"),
        ("content-type", "application/grpc"),
    ],
    "a huge path": [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/" + HUGE),
        *call_fields()[3:],
    ],
    "a huge header": call_fields(("x-huge", HUGE)),
    "many headers": call_fields(*((f"x-{i}", "1") for i in range(1000))),
    "a huge header of a name": call_fields((HUGE[:20_000], "1")),
    "no path": [f for f in call_fields() if f[0] != ":path"],
    "two paths": [(":path", "/b"), *call_fields()],
    "an odd scheme": [(":scheme", "\x01"), *[f for f in call_fields() if f[0] != ":scheme"]],
    "an upper-case name": call_fields(("X-Upper", "1")),
    "connection": call_fields(("connection", "close")),
    "a line break": call_fields(("x-a", "1\r\nx-b: 2")),
    "a wrong length": call_fields(("content-length", "-1")),
    "an unknown method": [(":method", "BREW"), *call_fields()[1:]],
}


def is_over(connection: RawConnection) -> bool:
    """Whether the stream or the connection has been ended by the other side; waits for it."""
    heard = connection.heard
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        if heard.closed or heard.goaway is not None or {RST_STREAM, HEADERS} & set(heard.kinds):
            return True
        connection.listen(RST_STREAM, seconds=0.05)
    return False


def test_hostile_http2_ends_at_envoy(envoy: Envoy, channel: grpc.Channel, gateway: Gateway) -> None:
    before = envoy.counter("cluster.pcap_gateway.upstream_rq_total")
    with ExitStack() as open_:  # all at once, as Envoy takes a second to close
        connections = {}
        for name, fields in FIELDS.items():
            connection = open_.enter_context(RawConnection(envoy.address))
            connection.send(headers(1, fields), frame(DATA, END_STREAM, 1, message(b"")))
            connections[name] = connection
        assert [name for name, each in connections.items() if not is_over(each)] == []
    assert envoy.counter("cluster.pcap_gateway.upstream_rq_total") == before
    assert get(channel, demo.SIMPLE_ID) and gateway.process.running()


def test_oversized_metadata_is_envoys_to_refuse(
    channel: grpc.Channel, envoy: Envoy, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    for metadata in ([("x-big", "y" * 14_000)], [(f"x-{i}", "y") for i in range(80)]):
        with pytest.raises(Failure) as failure:
            get(channel, pcap_id, metadata=metadata)
        assert failure.value.code is not grpc.StatusCode.DEADLINE_EXCEEDED
    assert emulator.requests(pcap_id) == []
    assert get(channel, pcap_id, metadata=[("x-big", "y" * 10_000)])


CANCEL = struct.pack(">I", 8)


def test_rapid_reset_is_ended_by_envoy(
    envoy: Envoy, channel: grpc.Channel, gateway: Gateway
) -> None:
    """CVE-2023-44487: the gateway's own gRPC would take all of them."""
    call = plain(call_fields())
    block = b"".join(
        frame(HEADERS, END_HEADERS, stream, call) + frame(RST_STREAM, 0, stream, CANCEL)
        for stream in range(1, 20_000, 2)
    )
    before = envoy.counter("cluster.pcap_gateway.upstream_rq_total")
    with RawConnection(envoy.address) as connection:
        connection.send(block)
        assert connection.listen().closed
    assert envoy.counter("cluster.pcap_gateway.upstream_rq_total") - before < 1000
    assert envoy.counter("http.callers.downstream_rq_too_many_premature_resets") == 1
    assert get(channel, demo.SIMPLE_ID) and gateway.process.running()


def test_an_endless_header_field_is_ended_by_envoy(
    envoy: Envoy, channel: grpc.Channel, gateway: Gateway
) -> None:
    """CVE-2023-33953's kind, which stalls the gateway's own gRPC for seconds (SECURITY.md)."""
    start = plain(call_fields()) + b"\x00\x01x\x7f" + b"\x81\xff\xff\x7f"
    piece = frame(CONTINUATION, 0, 1, b"y" * 16384)
    with RawConnection(envoy.address) as connection:
        connection.send(frame(HEADERS, 0, 1, start))
        connection.send(*[piece] * 1000)
        assert connection.listen().closed
        assert connection.heard.sent < 4 << 20
    assert get(channel, demo.SIMPLE_ID) and gateway.process.running()


def test_connections_are_capped(gateway: Gateway, start_envoy: StartEnvoy) -> None:
    def at_most_3(configuration: Any) -> None:
        [connections] = [
            monitor["typed_config"]
            for monitor in configuration["overload_manager"]["resource_monitors"]
            if "max_active_downstream_connections" in monitor["typed_config"]
        ]
        connections["max_active_downstream_connections"] = 3

    envoy = start_envoy(gateway.address, change=at_most_3)
    open_ = [RawConnection(envoy.address) for _ in range(3)]
    for connection in open_:
        connection.listen(kind=4)  # SETTINGS: it is taken
        assert not connection.heard.closed
    with pytest.raises(OSError):
        get_json(envoy.address, path_of(demo.SIMPLE_ID))
    for connection in open_:
        connection.close()
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:  # until it has seen that they are closed
        try:
            assert get_json(envoy.address, path_of(demo.SIMPLE_ID)).status == 200
            break
        except OSError:
            assert time.monotonic() < give_up_at


# TLS towards callers ----------------------------------------------------------------------------


def trusting(
    authority: Authority, *alpn: str, own: tuple[Path, Path] | None = None
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.file)
    context.set_alpn_protocols(list(alpn))
    if own is not None:
        context.load_cert_chain(*own)
    return context


def serial_at(address: str, context: ssl.SSLContext) -> str:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE_SECONDS) as connection:
        with context.wrap_socket(connection, server_hostname="localhost") as secured:
            certificate = secured.getpeercert()
            assert certificate is not None
            return str(certificate["serialNumber"])


def test_callers_have_tls_and_soon_a_renewed_certificate(
    gateway: Gateway, start_envoy: StartEnvoy, emulator: Emulator, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    # As Kubernetes shows a secret: files are links through a link, which is moved to renew them.
    shown = tmp_path / "shown"
    shown.mkdir()

    def show(*files: Path) -> None:
        version = Path(tempfile.mkdtemp(dir=shown, prefix=".."))
        for name, file in zip(("cert.pem", "key.pem"), files, strict=True):
            file.rename(version / name)
        link = shown / "..new"
        link.symlink_to(version.name)
        link.rename(shown / "..data")

    show(*authority.certificate("localhost"))
    for name in ("cert.pem", "key.pem"):
        (shown / name).symlink_to(f"..data/{name}")
    envoy = start_envoy(gateway.address, options=("--tls", shown / "cert.pem", shown / "key.pem"))
    pcap_id = emulator.add()
    for http2 in (False, True):
        context = trusting(authority, "h2" if http2 else "http/1.1")
        assert get_json(envoy.address, path_of(pcap_id), http2=http2, tls=context).status == 200
    with pytest.raises(OSError):
        get_json(envoy.address, path_of(pcap_id))  # in plaintext
    port = envoy.address.rpartition(":")[2]
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
    with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
        assert get(channel, pcap_id).pcap.simple.id == pcap_id
        serial = serial_at(envoy.address, trusting(authority, "h2"))
        show(*authority.certificate("localhost"))
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while serial_at(envoy.address, trusting(authority, "h2")) == serial:
            assert time.monotonic() < give_up_at
        assert get(channel, pcap_id).pcap.simple.id == pcap_id  # on its old connection

    serial = serial_at(envoy.address, trusting(authority, "h2"))
    for name in ("broken.pem", "not-its.pem"):
        (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----\nnot one\n")
    show(tmp_path / "broken.pem", tmp_path / "not-its.pem")
    envoy.process.stderr.wait_for("Failed to reload certificates")  # and keeps what it has
    assert serial_at(envoy.address, trusting(authority, "h2")) == serial


def test_callers_without_a_certificate_of_ours_are_refused(
    gateway: Gateway, start_envoy: StartEnvoy, emulator: Emulator, tmp_path: Path
) -> None:
    for name in ("ours", "callers", "strangers"):
        (tmp_path / name).mkdir()
    ours, callers, strangers = (
        Authority(tmp_path / name) for name in ("ours", "callers", "strangers")
    )
    envoy = start_envoy(
        gateway.address,
        options=("--tls", *ours.certificate("localhost"), "--client-ca", callers.file),
    )
    path = path_of(emulator.add())
    known = trusting(ours, "h2", own=callers.certificate("caller.example"))
    assert get_json(envoy.address, path, {"x-request-id": "known"}, True, known).status == 200
    assert "caller_certificate" in envoy.logged("known")
    for own in (None, strangers.certificate("caller.example")):
        with pytest.raises(OSError):
            get_json(envoy.address, path, http2=True, tls=trusting(ours, "h2", own=own))


# TLS towards the gateway ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "trusted", "shows", "reached"),
    [
        ("gateway.example", "gateways", "callers", True),
        ("gateway.example", "gateways", None, False),
        ("gateway.example", "gateways", "gateways", False),
        ("another.example", "gateways", "callers", False),
        ("gateway.example", "callers", "callers", False),
    ],
)
def test_envoy_and_the_gateway_know_each_other_by_certificates(
    start_envoy: StartEnvoy,
    tmp_path: Path,
    name: str,
    trusted: str,
    shows: str | None,
    reached: bool,
) -> None:
    for folder in ("gateways", "callers"):
        (tmp_path / folder).mkdir()
    authorities = {folder: Authority(tmp_path / folder) for folder in ("gateways", "callers")}
    certificate, key = authorities["gateways"].certificate("gateway.example")
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        authorities["callers"].file.read_bytes(),
        require_client_auth=True,
    )
    options: list[str | Path] = ["--gateway-ca", authorities[trusted].file, "--gateway-name", name]
    if shows is not None:
        options += ["--gateway-cert", *authorities[shows].certificate("envoy.example")]
    with stand_in(credentials) as address:
        envoy = start_envoy(address, options=tuple(options))
        answer = get_json(envoy.address, path_of(demo.SIMPLE_ID))
        assert get_json(envoy.address, "/healthz").status == (200 if reached else 503)
    if reached:
        assert (answer.status, answer.reason()) == (404, "PCAP_NOT_FOUND")
    else:
        assert (answer.status, answer.json()["code"]) == (503, 14)
