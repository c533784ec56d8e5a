"""Every way to fail has its code, its reason and its details, and tells no more than it should."""

from __future__ import annotations

import base64
import email.utils
import json
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from emulator import demo
from google.rpc.error_details_pb2 import BadRequest, Help, RequestInfo, RetryInfo

from harness.admin import fetch
from harness.calls import fail, get, request_for
from harness.details import check_details
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.stubs import pcap_service_pb2_grpc


@dataclass
class Row:
    """One way in which Cloudflare's answer, or the lack of one, is a failure."""

    name: str
    code: str
    reason: str
    fault: dict[str, Any]
    caller: bool = field(default=False)  # the credential is the caller's own


def envelope(code: int = 1000, **more: Any) -> str:
    error = {"code": code, "message": "what Cloudflare says", **more}
    return json.dumps({"success": False, "errors": [error], "messages": [], "result": None})


def envelope_around(result: dict[str, Any]) -> str:
    return json.dumps({"success": True, "errors": [], "messages": [], "result": result})


def page(status: int) -> dict[str, Any]:
    return {"kind": "html", "status": status}


def empty(status: int) -> dict[str, Any]:
    return {"kind": "empty", "status": status}


def answer(status: int, body: str | None = None, **headers: str) -> dict[str, Any]:
    text = envelope() if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"kind": "answer", "status": status, "body": text, "headers": named}


def coded(status: int) -> dict[str, Any]:
    return {"kind": "gzip", "status": status}


def rejection(*chain: int) -> str:
    """The last code within the error chain of those before it."""
    error: dict[str, Any] = {"code": chain[-1], "message": "no"}
    for code in reversed(chain[:-1]):
        error = {"code": code, "message": "no", "error_chain": [error]}
    return json.dumps({"success": False, "errors": [error], "messages": [], "result": None})


PROBLEM = json.dumps({"title": "Error 1020: Access denied", "status": 403, "error_code": 1020})
NOT_HTTP = {"kind": "raw", "base64": base64.b64encode(b"hello\r\n\r\n").decode()}

ROWS = [
    Row("400", "INVALID_ARGUMENT", "UPSTREAM_BAD_REQUEST", answer(400)),
    Row("422", "INVALID_ARGUMENT", "UPSTREAM_BAD_REQUEST", answer(422)),
    Row("401 caller", "UNAUTHENTICATED", "UPSTREAM_UNAUTHENTICATED", answer(401), caller=True),
    Row("403 caller", "PERMISSION_DENIED", "UPSTREAM_PERMISSION_DENIED", answer(403), caller=True),
    Row("401 service", "INTERNAL", "UPSTREAM_CREDENTIALS_REJECTED", answer(401)),
    Row("403 service", "PERMISSION_DENIED", "UPSTREAM_ACCOUNT_DENIED", answer(403)),
    *[
        row
        for chain in ((6003, 6103), (6003, 6111), (1000, 1001, 6111), (9106,), (10000,), (10001,))
        for row in (
            Row(
                f"400 {chain} service",
                "INTERNAL",
                "UPSTREAM_CREDENTIALS_REJECTED",
                answer(400, rejection(*chain)),
            ),
            Row(
                f"400 {chain} caller",
                "UNAUTHENTICATED",
                "UPSTREAM_UNAUTHENTICATED",
                answer(400, rejection(*chain)),
                caller=True,
            ),
        )
    ],
    Row("404", "NOT_FOUND", "PCAP_NOT_FOUND", answer(404)),
    Row("409", "ABORTED", "UPSTREAM_CONFLICT", answer(409)),
    Row("429", "RESOURCE_EXHAUSTED", "RATE_LIMITED", answer(429, retry_after="17")),
    Row("429 bare", "RESOURCE_EXHAUSTED", "RATE_LIMITED", answer(429, "")),
    *[
        Row(str(status), "UNAVAILABLE", "UPSTREAM_UNAVAILABLE", answer(status))
        for status in (500, 502, 503, 504, 520, 522, 530)
    ],
    *[
        Row(str(status), "UNAVAILABLE", "UPSTREAM_UNAVAILABLE", answer(status, location="/x"))
        for status in (300, 301, 302, 304, 307, 308)
    ],
    *[
        Row(f"html {status}", "UNAVAILABLE", "UPSTREAM_UNAVAILABLE", page(status))
        for status in (400, 401, 403, 404, 409, 500, 503)
    ],
    # Whoever says it says when to come back.
    Row("html 429", "RESOURCE_EXHAUSTED", "RATE_LIMITED", page(429)),
    *[
        Row(f"{name} {status}", "UNAVAILABLE", "UPSTREAM_UNAVAILABLE", fault, caller=caller)
        for status in (400, 401, 403, 404, 409)
        for caller in (False, True)
        for name, fault in (
            ("edge's problem", answer(status, PROBLEM, content_type="application/problem+json")),
            ("proxy's JSON", answer(status, '{"error":"denied"}')),
            ("edge's text", answer(status, "error code: 1010", content_type="text/plain")),
            (
                "edge's challenge",
                answer(status, "<html>", content_type="text/html", cf_mitigated="challenge"),
            ),
            ("coded", coded(status)),
        )
    ],
    *[
        Row(f"empty {status}", "UNAVAILABLE", "UPSTREAM_UNAVAILABLE", empty(status))
        for status in (404, 502, 503)
    ],
    Row("reset within", "UNAVAILABLE", "UPSTREAM_UNREACHABLE", {"kind": "reset_within"}),
    Row("truncated", "UNAVAILABLE", "UPSTREAM_UNREACHABLE", {"kind": "truncate"}),
    Row("too long", "UNAVAILABLE", "UPSTREAM_UNREACHABLE", {"kind": "wrong_length", "size": 9}),
    Row("too short", "INTERNAL", "UPSTREAM_INVALID_RESPONSE", {"kind": "wrong_length", "size": -9}),
    Row("not HTTP", "UNAVAILABLE", "UPSTREAM_UNREACHABLE", NOT_HTTP),
    *[
        Row(f"200 {body[:20]}", "INTERNAL", "UPSTREAM_INVALID_RESPONSE", answer(200, body))
        for body in (
            "",
            "null",
            "[]",
            '"text"',
            "{}",
            "{",
            '{"result":{}} trailing',
            '{"success":true,"errors":[],"messages":[],"result":null}',
            '{"success":true,"errors":[],"messages":[],"result":[]}',
            '{"success":true,"errors":[],"messages":[],"result":"gone"}',
            '{"success":true,"errors":[],"messages":[]}',
            envelope_around({"id": demo.FULL_ID, "type": "simple", "status": "success"}),
            envelope_around({"id": "", "type": "simple"}),
            envelope_around({"id": 7, "type": "simple"}),
        )
    ],
    Row("204", "INTERNAL", "UPSTREAM_INVALID_RESPONSE", empty(204)),
    Row("html 200", "INTERNAL", "UPSTREAM_INVALID_RESPONSE", page(200)),
    Row("coded 200", "INTERNAL", "UPSTREAM_INVALID_RESPONSE", coded(200)),
    Row("deep", "INTERNAL", "UPSTREAM_INVALID_RESPONSE", {"kind": "nested", "depth": 10_000}),
    Row("large", "INTERNAL", "UPSTREAM_RESPONSE_TOO_LARGE", {"kind": "huge", "size": 2 << 20}),
    Row("success false", "INTERNAL", "UPSTREAM_ERROR", answer(200, envelope(4242))),
    Row(
        "success false, no errors",
        "INTERNAL",
        "UPSTREAM_ERROR",
        answer(200, '{"success":false,"errors":null,"messages":[],"result":{"id":"x"}}'),
    ),
    Row(
        "success false, text",
        "INTERNAL",
        "UPSTREAM_ERROR",
        answer(200, '{"success":false,"errors":["it broke"],"messages":null,"result":null}'),
    ),
    Row(
        "success false 10000, service",
        "INTERNAL",
        "UPSTREAM_CREDENTIALS_REJECTED",
        answer(200, envelope(10000)),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_way_to_fail_has_its_code_and_reason(
    gateway: Gateway, caller_gateway: Gateway, emulator: Emulator, row: Row
) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, times=1, **row.fault)
    if row.caller:
        # Its own: one that was rejected is not asked with again for a while.
        credential = [("authorization", f"Bearer emulator-token-{ROWS.index(row)}")]
        failure = fail(caller_gateway.channel, pcap_id, metadata=credential)
    else:
        failure = fail(gateway.channel, pcap_id)
    check_details(failure)
    assert (failure.code.name, failure.reason) == (row.code, row.reason), failure.message
    assert len(emulator.requests(pcap_id)) == 1


def test_an_answer_about_another_capture_is_kept_nowhere(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id, other = emulator.add(), emulator.add()
    body = envelope_around({"id": other, "type": "simple", "status": "success"})
    emulator.fault(pcap_id, times=1, **answer(200, body))
    assert fail(gateway.channel, pcap_id).reason == "UPSTREAM_INVALID_RESPONSE"
    for asked in (pcap_id, other):
        answered = get(gateway.channel, asked)
        assert answered.pcap.simple.id == asked and not answered.is_hit


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("body", ["<html>sign in</html>", '{"error":"denied"}', PROBLEM])
def test_what_is_not_cloudflares_word_forgets_nothing(
    gateway: Gateway, emulator: Emulator, status: int, body: str
) -> None:
    pcap_id = emulator.add(status="running")
    kept = get(gateway.channel, pcap_id).pcap
    emulator.fault(pcap_id, times=1, **answer(status, body))
    failure = fail(gateway.channel, pcap_id, max_age=0)
    assert failure.reason == "UPSTREAM_UNAVAILABLE" and "credential" not in failure.message
    assert ("Access denied (1020)" in failure.message) == (body == PROBLEM)
    again = get(gateway.channel, pcap_id)
    assert again.pcap == kept and again.is_hit


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (answer(403, PROBLEM), "Error 1020: Access denied (1020)"),
        (answer(403, '{"message":"no route","detail":"try later"}'), "no route; try later"),
        (answer(403, '{"error":"denied","token":"s3cr3t"}'), "denied"),
        (answer(403, "error code: 1010", content_type="text/plain"), "error 1010"),
        (
            answer(403, "<html>", content_type="text/html", cf_mitigated="challenge"),
            "it is a challenge of Cloudflare's edge",
        ),
    ],
    ids=["problem", "message", "error", "text", "challenge"],
)
def test_what_the_edge_or_a_proxy_says_is_told(
    gateway: Gateway, emulator: Emulator, fault: dict[str, Any], words: str
) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, times=1, **fault)
    failure = fail(gateway.channel, pcap_id)
    check_details(failure)
    assert failure.message.endswith(words)
    assert "s3cr3t" not in failure.told()


def test_no_coding_is_asked_for_and_one_that_comes_is_named(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, times=1, **coded(200))
    assert "in the coding gzip, which was not asked for" in fail(gateway.channel, pcap_id).message
    assert emulator.headers(pcap_id)["accept-encoding"] == "identity"


def test_429_says_when_to_come_back(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, **answer(429, retry_after="17"))
    failure = fail(gateway.channel, pcap_id)
    assert failure.only(RetryInfo).retry_delay.seconds == 17


@pytest.mark.parametrize(
    "retry_after", [None, "soon", "-5", "", "99999999999999999999", "Fri, 02 Jan 2026"]
)
def test_429_says_when_to_come_back_even_if_cloudflare_does_not(
    gateway: Gateway, emulator: Emulator, retry_after: str | None
) -> None:
    pcap_id = emulator.add()
    headers = {} if retry_after is None else {"retry_after": retry_after}
    emulator.fault(pcap_id, **answer(429, **headers))
    failure = fail(gateway.channel, pcap_id)
    check_details(failure)
    # Within Cloudflare's longest block and some.
    assert 0 < failure.only(RetryInfo).retry_delay.ToTimedelta().total_seconds() <= 3600


@pytest.mark.parametrize(("ahead", "least", "most"), [(1000, 900, 1000), (-1000, 0, 0)])
def test_429_may_name_a_date(
    gateway: Gateway, emulator: Emulator, ahead: int, least: int, most: int
) -> None:
    pcap_id = emulator.add()
    date = email.utils.formatdate(time.time() + ahead, usegmt=True)
    emulator.fault(pcap_id, **answer(429, retry_after=date))
    assert least <= fail(gateway.channel, pcap_id).only(RetryInfo).retry_delay.seconds <= most


def test_cloudflares_rate_limit_arrives_as_resource_exhausted(
    gateway: Gateway, emulator: Emulator
) -> None:
    emulator.set_rate_limit(requests=1, window_seconds=300, block_seconds=300)
    try:
        get(gateway.channel, emulator.add())
        failure = fail(gateway.channel, emulator.add())
    finally:
        emulator.set_rate_limit()
    assert failure.reason == "RATE_LIMITED"
    assert failure.only(RetryInfo).retry_delay.seconds == 300


def test_a_documentation_url_becomes_help(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    url = "https://developers.cloudflare.com/errors/1000"
    emulator.fault(pcap_id, **answer(400, envelope(documentation_url=url)))
    failure = fail(gateway.channel, pcap_id)
    check_details(failure)
    assert [link.url for link in failure.only(Help).links] == [url]


def test_cloudflares_own_words_are_passed_on(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, **answer(400))
    assert "what Cloudflare says" in fail(gateway.channel, pcap_id).message


def test_the_failed_request_can_be_found_again_at_cloudflare(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.unknown_id()
    failure = fail(gateway.channel, pcap_id, metadata=[("x-request-id", "lost-1")])
    [request] = emulator.requests(pcap_id)
    ray = f"{request['number']:016x}-EMU"
    assert failure.metadata["cf-ray"] == ray
    assert failure.metadata["x-request-id"] == "lost-1"
    assert ray in failure.only(RequestInfo).serving_data
    assert failure.only(RequestInfo).request_id == "lost-1"


@pytest.mark.parametrize(
    "text",
    [
        "é" * 5_000,
        "😀" * 2_000,
        "a" + "€" * 5_000,
        "\x00\x01\x1b[31mred\x7f",
        "%00%" * 2_000,
        "new\nline\r\nand more",
    ],
    ids=["two bytes", "four bytes", "three bytes", "control", "percent", "lines"],
)
def test_long_and_strange_error_texts_fit_into_the_status(
    gateway: Gateway, emulator: Emulator, text: str
) -> None:
    pcap_id = emulator.add()
    error = {"code": 1000, "message": text, "documentation_url": "https://x/" + "y" * 5_000}
    body = {"success": False, "errors": [error] * 20, "messages": [error], "result": None}
    emulator.answer(pcap_id, body, status=400)
    failure = fail(gateway.channel, pcap_id)
    check_details(failure)
    assert failure.reason == "UPSTREAM_BAD_REQUEST"


def test_a_reset_before_the_answer_is_unavailable(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    # Every time: on a connection that was kept from before, libcurl rightly tries once more.
    emulator.fault(pcap_id, "reset_before")
    failure = fail(gateway.channel, pcap_id)
    check_details(failure)
    assert (failure.code.name, failure.reason) == ("UNAVAILABLE", "UPSTREAM_UNREACHABLE")


def test_a_kept_connection_that_went_dead_costs_no_call(
    gateway: Gateway, emulator: Emulator
) -> None:
    get(gateway.channel, emulator.add())  # a connection is kept
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "reset_before", times=1)
    assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id


def test_redirects_are_not_followed(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id, target = emulator.add(), emulator.add()
    location = f"{emulator.url}/accounts/{demo.ACCOUNT_ID}/pcaps/{target}"
    emulator.fault(pcap_id, "redirect", status=302, body=location)
    assert fail(gateway.channel, pcap_id).reason == "UPSTREAM_UNAVAILABLE"
    assert emulator.requests(target) == []


def test_an_upstream_that_takes_too_long_is_unreachable(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--upstream-timeout=200ms")
    pcap_id = emulator.add()
    emulator.hold(pcap_id)
    failure = fail(gateway.channel, pcap_id)
    check_details(failure)
    assert (failure.code.name, failure.reason) == ("UNAVAILABLE", "UPSTREAM_UNREACHABLE")
    emulator.wait(pcap_id, "aborted")


def test_an_answer_that_drips_is_cut_off_by_the_upstream_timeout(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--upstream-timeout=300ms")
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "drip", seconds=0.05)
    assert fail(gateway.channel, pcap_id).reason == "UPSTREAM_UNREACHABLE"


def test_the_callers_deadline_is_its_own_reason(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    emulator.hold(pcap_id)
    # The gateway answers shortly before the deadline, so that its reason arrives. On a busy machine
    # the client's own clock may win; not every time, though.
    for _ in range(5):
        failure = fail(gateway.channel, pcap_id, timeout=1)
        assert failure.code is grpc.StatusCode.DEADLINE_EXCEEDED
        if failure.status is not None:
            assert failure.reason == "DEADLINE_EXCEEDED"
            check_details(failure)
            return
    raise AssertionError("the gateway's own answer never came in time")


def test_a_cancelled_call_is_cancelled(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)
    call = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel).GetPcap.future(
        request_for(pcap_id), timeout=20
    )
    emulator.wait(pcap_id)
    call.cancel()
    assert call.code() is grpc.StatusCode.CANCELLED
    emulator.release(gate)
    emulator.wait(pcap_id, "answered")


def test_nobody_listening_upstream_is_unavailable(start_gateway: StartGateway) -> None:
    # Bound but not listening: connections are refused, and nobody else can take the port.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        gateway = start_gateway(upstream_url=f"http://127.0.0.1:{bound.getsockname()[1]}")
        failure = fail(gateway.channel, demo.SIMPLE_ID)
    check_details(failure)
    assert (failure.code.name, failure.reason) == ("UNAVAILABLE", "UPSTREAM_UNREACHABLE")
    assert failure.message.startswith(
        "Cloudflare gave no answer: Failed to connect to the upstream after "
    )


def test_who_answers_not_is_told_to_operators_alone(start_gateway: StartGateway) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        gateway = start_gateway(
            "--admin-listen=127.0.0.1:0",
            "--allow-http-upstream",
            f"--upstream-proxy=http://user:s3cr3t-of-the-proxy@127.0.0.1:{port}",
            upstream_url="http://api.example.com",
        )
        failure = fail(gateway.channel, demo.SIMPLE_ID)
    check_details(failure)
    # Since libcurl 8.22 it says "over proxy" and its host, too, and HOST:PORT below.
    assert re.search("connect to the proxy (over proxy the proxy )?after", failure.message)
    for hidden in ("127.0.0.1", str(port), "api.example.com", "s3cr3t"):
        assert hidden not in failure.told()
    page, described = fetch(gateway, "/")[1], json.loads(fetch(gateway, "/status.json")[1])
    assert gateway.end() == 0
    [line] = [line for line in gateway.log() if "reason" in line]
    where = f"api.example.com port 80, through the proxy 127.0.0.1 port {port}, at 127.0.0.1: "
    told = re.escape(where) + f"Failed to connect to 127[.]0[.]0[.]1(:| port ){port} "
    assert re.match(told, line["upstream_failure"])
    assert [error["detail"] for error in described["errors"]] == [line["upstream_failure"]]
    assert where in page
    assert "s3cr3t" not in page + gateway.process.output()


def test_a_name_without_an_address_is_unavailable(start_gateway: StartGateway) -> None:
    # RFC 6761: `.invalid` never resolves.
    gateway = start_gateway(upstream_url="https://cloudflare.invalid/client/v4")
    failure = fail(gateway.channel, demo.SIMPLE_ID)
    check_details(failure)
    assert (failure.code.name, failure.reason) == ("UNAVAILABLE", "UPSTREAM_UNREACHABLE")


def test_a_malformed_request_names_the_fields(gateway: Gateway) -> None:
    failure = fail(gateway.channel, "nope", account_id="nor this", max_age=-1)
    check_details(failure)
    assert (failure.code.name, failure.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    violations = failure.only(BadRequest).field_violations
    assert {v.field for v in violations} == {"account_id", "pcap_id", "max_age"}
    assert all(v.description for v in violations)


def test_a_call_without_a_credential_is_unauthenticated(
    caller_gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    failure = fail(caller_gateway.channel, pcap_id)
    check_details(failure)
    assert (failure.code.name, failure.reason) == ("UNAUTHENTICATED", "MISSING_CREDENTIAL")
    assert emulator.requests(pcap_id) == []


def test_answers_just_within_the_limits_are_answers(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add(note="x" * ((1 << 20) - 2_000))
    pcap = get(gateway.channel, pcap_id).pcap
    assert len(pcap.extra_fields["note"]) == (1 << 20) - 2_000

    deep: Any = "bottom"
    for _ in range(25):  # the envelope and the capture are around it
        deep = [deep]
    pcap_id = emulator.add(deep=deep)
    assert "deep" in get(gateway.channel, pcap_id).pcap.extra_fields
