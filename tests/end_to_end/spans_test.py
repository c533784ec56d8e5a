"""Spans: what an OpenTelemetry collector gets, and what becomes of calls when it is not there.

Debian has opentelemetry-cpp from 13 on. A gateway that was built without it says so, and the rest
has nothing to test.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from emulator import demo

from harness.admin import metrics_of, wait_until_metric
from harness.build import VERSION
from harness.calls import Failure, get
from harness.collector import CLIENT, ERROR, SERVER, Collector, Span
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.tls import Authority

HAS_SPANS = "Spans (OpenTelemetry): yes" in VERSION
needs_spans = pytest.mark.skipif(not HAS_SPANS, reason="this build has no opentelemetry-cpp")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-01"
NOT_SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00"
JSON = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
ADMIN = "--admin-listen=127.0.0.1:0"
DOWN = "the collector takes no spans: "
UP = "the collector takes spans again"
EXPORTED = "pcap_gateway_spans_exported_total"
DROPPED = 'pcap_gateway_spans_dropped_total{reason="%s"}'
# A collector may hold up the end for six seconds; the rest is the end itself.
LONGEST_END_SECONDS = 8


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.stop()


def by_kind(spans: list[Span], kind: int) -> list[Span]:
    return [span for span in spans if span.kind == kind]


def call_line(gateway: Gateway) -> dict[str, Any]:
    """The only call's line in the log."""
    gateway.process.stderr.wait_for('"method":')
    [line] = [line for line in gateway.log() if "method" in line]
    return line


def test_the_version_says_whether_there_are_spans() -> None:
    assert "\nSpans (OpenTelemetry): " in VERSION
    # It is found where it is there.
    assert HAS_SPANS == any(Path("/usr/lib").glob("*/cmake/opentelemetry-cpp"))


@pytest.mark.skipif(HAS_SPANS, reason="this build has spans")
def test_without_the_library_one_line_says_so_and_calls_go_on(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector
) -> None:
    gateway = start_gateway(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id, metadata=[("traceparent", SAMPLED)])
    assert emulator.headers(pcap_id)["traceparent"] == SAMPLED
    assert gateway.end() == 0
    lines = [line for line in gateway.log() if "OpenTelemetry" in line["message"]]
    assert [line["level"] for line in lines] == ["warn"]
    assert "pcap-gateway --version" in lines[0]["message"]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "URL"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "URL"},
        {"OTEL_TRACES_SAMPLER": "xray"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_nobody_who_asks_for_no_spans_is_told_of_them(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector, variables: dict[str, str]
) -> None:
    gateway = start_gateway(**{n: v.replace("URL", collector.url) for n, v in variables.items()})
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id, metadata=[("traceparent", SAMPLED)])
    assert emulator.headers(pcap_id)["traceparent"] == SAMPLED
    assert gateway.end() == 0
    assert not [line for line in gateway.log() if line["level"] == "warn"]


@pytest.mark.parametrize(
    ("variables", "begin"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: "),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is neither "),
    ],
)
def test_what_is_asked_of_opentelemetry_and_not_there_is_warned_of(
    start_gateway: StartGateway, collector: Collector, variables: dict[str, str], begin: str
) -> None:
    gateway = start_gateway(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **variables)
    assert gateway.end() == 0
    [line] = [line for line in gateway.log() if line["level"] == "warn"]
    assert line["message"].startswith(begin) and line["message"].endswith("there are no spans")


# What the collector gets ------------------------------------------------------------------------


@needs_spans
def test_a_call_has_a_span_and_its_request_one_below(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector
) -> None:
    before = time.time_ns()
    gateway = start_gateway(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url + "/", **JSON)
    pcap_id = emulator.add()
    metadata = [("traceparent", SAMPLED), ("tracestate", "vendor=a"), ("x-request-id", "order-66")]
    answer = get(gateway.channel, pcap_id, metadata=metadata)
    spans = collector.spans(2)
    assert {batch.path for batch in collector.batches(1)} == {"/v1/traces"}
    [server], [client] = by_kind(spans, SERVER), by_kind(spans, CLIENT)

    assert server.name == "pcap.v1.PcapService/GetPcap"
    assert (server.trace_id, server.parent) == (TRACE, "00f067aa0ba902b7")
    assert server.status == 0
    peer = server.attributes.pop("client.port")
    assert isinstance(peer, int) and peer > 0
    assert server.attributes == {
        "rpc.system": "grpc",
        "rpc.service": "pcap.v1.PcapService",
        "rpc.method": "GetPcap",
        "rpc.grpc.status_code": 0,
        "client.address": "127.0.0.1",
        "pcap_gateway.request_id": "order-66",
        "pcap_gateway.cache_status": answer.cache_status,
        "pcap_gateway.upstream_requests": 1,
    }
    assert server.resource["service.name"] == "pcap-gateway"
    assert server.resource["service.version"] == gateway.version

    assert client.name == "GET"
    assert (client.trace_id, client.parent) == (TRACE, server.span_id)
    host, port = emulator.address.split(":")
    assert client.attributes == {
        "http.request.method": "GET",
        "url.full": f"{emulator.url}/accounts/{demo.ACCOUNT_ID}/pcaps/{pcap_id}",
        "server.address": host,
        "server.port": int(port),
        "http.response.status_code": 200,
    }
    assert before < server.began <= client.began <= client.ended <= server.ended < time.time_ns()

    # What goes on, and what the log tells, is these spans.
    headers = emulator.headers(pcap_id)
    assert headers["traceparent"] == f"00-{TRACE}-{client.span_id}-01"
    assert headers["tracestate"] == "vendor=a"
    line = call_line(gateway)
    assert (line["trace_id"], line["span_id"]) == (TRACE, server.span_id)


@needs_spans
def test_a_hit_has_a_span_and_a_call_of_no_trace_begins_one(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector
) -> None:
    gateway = start_gateway(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **JSON)
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    assert get(gateway.channel, pcap_id).is_hit
    spans = collector.spans(3)
    first, hit = sorted(by_kind(spans, SERVER), key=lambda span: span.began)
    assert first.parent == hit.parent == ""
    assert first.trace_id != hit.trace_id
    assert [span.parent for span in by_kind(spans, CLIENT)] == [first.span_id]
    assert hit.attributes["pcap_gateway.upstream_requests"] == 0
    assert hit.attributes["pcap_gateway.cache_status"].startswith("pcap-gateway; hit")


@needs_spans
def test_each_try_has_a_span_and_a_failure_its_reason(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector
) -> None:
    gateway = start_gateway("--upstream-retries=1", f"--otlp-endpoint={collector.url}", **JSON)
    failing, unknown = emulator.add(), emulator.unknown_id()
    emulator.fault(failing, "html", status=503)
    for pcap_id in (failing, unknown):
        with pytest.raises(Failure):
            get(gateway.channel, pcap_id)
    spans = collector.spans(5)
    failed, not_found = sorted(by_kind(spans, SERVER), key=lambda span: span.began)
    assert failed.status == ERROR and failed.status_message
    assert failed.attributes["rpc.grpc.status_code"] == 14
    assert failed.attributes["error.type"] == "UPSTREAM_UNAVAILABLE"
    # That the caller asked for what is not there is no error of the server's.
    assert not_found.status == 0
    assert not_found.attributes["rpc.grpc.status_code"] == 5
    assert not_found.attributes["error.type"] == "PCAP_NOT_FOUND"

    tries = sorted(
        (span for span in by_kind(spans, CLIENT) if span.parent == failed.span_id),
        key=lambda span: span.began,
    )
    assert [span.attributes.get("http.request.resend_count") for span in tries] == [None, 1]
    for span in tries:
        assert span.status == ERROR
        assert span.attributes["error.type"] == "503"
        assert span.attributes["http.response.status_code"] == 503


@needs_spans
def test_no_answer_has_its_kind(start_gateway: StartGateway, collector: Collector) -> None:
    with socket.socket() as taken:  # nobody listens on it
        taken.bind(("127.0.0.1", 0))
        upstream = f"http://127.0.0.1:{taken.getsockname()[1]}/client/v4"
        gateway = start_gateway(
            upstream_url=upstream, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **JSON
        )
        with pytest.raises(Failure):
            get(gateway.channel, "0" * 31 + "1")
    [client] = by_kind(collector.spans(2), CLIENT)
    assert client.status == ERROR and client.attributes["error.type"] == "connect"
    assert "http.response.status_code" not in client.attributes


@needs_spans
def test_a_call_that_never_asks_has_its_span(
    start_gateway: StartGateway, collector: Collector
) -> None:
    gateway = start_gateway(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **JSON)
    with pytest.raises(Failure):
        get(gateway.channel, "no id", metadata=[("traceparent", SAMPLED)])
    [span] = collector.spans(1)
    assert (span.trace_id, span.kind) == (TRACE, SERVER)
    assert span.attributes["rpc.grpc.status_code"] == 3


@needs_spans
def test_protobuf_is_what_goes_out_by_default(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector
) -> None:
    gateway = start_gateway(
        f"--otlp-traces-endpoint={collector.url}/tenant/spans",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        OTEL_EXPORTER_OTLP_HEADERS="x-collector-key=open%20sesame",
        OTEL_SERVICE_NAME="captures",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
    )
    get(gateway.channel, emulator.add(), metadata=[("traceparent", SAMPLED)])
    [batch] = collector.batches(1)
    assert batch.path == "/tenant/spans"
    assert batch.headers["content-type"] == "application/x-protobuf"
    assert batch.headers["x-collector-key"] == "open sesame"
    for piece in ("pcap.v1.PcapService/GetPcap", "captures", "deployment.environment.name"):
        assert piece.encode() in batch.body
    assert bytes.fromhex(TRACE) in batch.body
    assert gateway.end() == 0
    assert "sesame" not in gateway.process.output()


@needs_spans
def test_no_secret_is_in_a_span(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector
) -> None:
    gateway = start_gateway(
        "--credential=caller", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **JSON
    )
    failing = emulator.add()
    refusal = {"success": False, "errors": [{"code": 1, "message": demo.TOKEN}]}
    emulator.answer(failing, refusal, 400)
    for pcap_id in (emulator.add(), failing):
        metadata = [
            ("authorization", f"Bearer {demo.TOKEN}"),
            ("x-request-id", f"pasted-{demo.TOKEN}"),
        ]
        try:
            get(gateway.channel, pcap_id, metadata=metadata)
        except Failure:
            assert pcap_id == failing
    collector.spans(4)
    bodies = b"".join(batch.body for batch in collector.batches(1))
    assert b"pasted-" in bodies
    assert not [secret for secret in demo.SECRETS if secret.encode() in bodies]


# Sampling ---------------------------------------------------------------------------------------


@needs_spans
@pytest.mark.parametrize(
    ("sampler", "traceparent", "sampled"),
    [
        (None, SAMPLED, True),
        (None, NOT_SAMPLED, False),
        (None, None, True),
        ("parentbased_always_off", SAMPLED, True),
        ("parentbased_always_off", None, False),
        ("always_on", NOT_SAMPLED, True),
        ("always_off", SAMPLED, False),
        ("parentbased_traceidratio", None, False),
        ("traceidratio", SAMPLED, False),
    ],
)
def test_samplers_decide_which_calls_have_spans(
    start_gateway: StartGateway,
    emulator: Emulator,
    collector: Collector,
    sampler: str | None,
    traceparent: str | None,
    sampled: bool,
) -> None:
    variables = {} if sampler is None else {"OTEL_TRACES_SAMPLER": sampler}
    gateway = start_gateway(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_TRACES_SAMPLER_ARG="0", **variables, **JSON
    )
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id, metadata=[("traceparent", traceparent)] if traceparent else [])
    sent = emulator.headers(pcap_id)["traceparent"]
    line = call_line(gateway)
    # All that waits is sent at the end.
    assert gateway.end() == 0
    spans = collector.spans(2 if sampled else 0)
    assert len(spans) == (2 if sampled else 0)
    # Whether or not, the trace goes on.
    assert sent.endswith("-01" if sampled else "-00")
    assert sent[3:35] == line["trace_id"]
    assert sent[36:52] not in (line["span_id"], "00f067aa0ba902b7")
    if traceparent is not None:
        assert line["trace_id"] == TRACE


# A collector that is not well -------------------------------------------------------------------


@needs_spans
def test_a_collector_that_goes_is_said_once_and_when_it_is_back(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector
) -> None:
    collector.answer(503, b"canary-body")
    gateway = start_gateway(ADMIN, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **JSON)
    for count in (1, 2, 3):
        get(gateway.channel, emulator.add())
        collector.batches(count)
    line = gateway.process.stderr.wait_for(DOWN)
    assert "503" in line.string
    wait_until_metric(gateway, DROPPED % "export", lambda dropped: dropped >= 6)
    collector.answer()
    get(gateway.channel, emulator.add())
    gateway.process.stderr.wait_for(UP)
    wait_until_metric(gateway, EXPORTED, lambda exported: exported >= 2)
    assert gateway.end() == 0
    messages = [line["message"] for line in gateway.log()]
    assert len([message for message in messages if message.startswith(DOWN)]) == 1
    assert messages.count(UP) == 1
    assert "canary" not in gateway.process.output()


def assert_ends_in_time(gateway: Gateway) -> None:
    begin = time.monotonic()
    gateway.process.send(signal.SIGTERM)
    assert gateway.process.wait() == 0
    assert time.monotonic() - begin < LONGEST_END_SECONDS


@needs_spans
def test_nobody_at_the_endpoint_costs_calls_nothing_and_the_end_little(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    with socket.socket() as taken:  # nobody listens on it
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        gateway = start_gateway(ADMIN, OTEL_EXPORTER_OTLP_ENDPOINT=url)
        get(gateway.channel, emulator.add())
        gateway.process.stderr.wait_for(DOWN)
        assert_ends_in_time(gateway)


@needs_spans
def test_a_collector_that_hangs_holds_up_neither_calls_nor_the_end(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector
) -> None:
    collector.answer(held=True)
    gateway = start_gateway(ADMIN, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    pcap_id = emulator.add()
    # The first batch hangs; behind it more spans come than may wait.
    get(gateway.channel, pcap_id)
    collector.batches(1)
    calls = 0
    begin = time.monotonic()
    while metrics_of(gateway)[DROPPED % "queue"] == 0:
        for _ in range(500):
            get(gateway.channel, pcap_id, timeout=1)
        calls += 500
        assert time.monotonic() - begin < 60, calls
    assert calls > 2048
    assert_ends_in_time(gateway)


@needs_spans
def test_a_name_of_the_collector_that_is_never_found_holds_up_neither(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://hangs.test:4318",
        LD_PRELOAD=os.environ["NAMES_LIBRARY"],
        NAMES_HANG="hangs.test",
    )
    get(gateway.channel, emulator.add())
    gateway.process.stderr.wait_for(DOWN)
    get(gateway.channel, emulator.add())
    assert_ends_in_time(gateway)


@needs_spans
def test_tls_is_checked_against_the_collectors_authority(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    collector = Collector(authority.certificate("127.0.0.1"))
    try:
        stranger = start_gateway(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        get(stranger.channel, emulator.add())
        stranger.process.stderr.wait_for(DOWN)
        gateway = start_gateway(
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_CERTIFICATE=str(authority.file),
            **JSON,
        )
        get(gateway.channel, emulator.add())
        assert len(collector.spans(2)) == 2
    finally:
        collector.stop()


@needs_spans
def test_the_end_sends_what_waits(
    start_gateway: StartGateway, emulator: Emulator, collector: Collector
) -> None:
    gateway = start_gateway(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **JSON)
    pcap_id = emulator.add()
    for _ in range(100):
        get(gateway.channel, pcap_id)
    assert gateway.end() == 0
    assert len(collector.spans(101)) == 101
