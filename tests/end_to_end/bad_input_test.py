"""Bad input from either side is answered clearly, and the process goes on serving."""

from __future__ import annotations

import base64
from typing import Any, Callable

import grpc
import pytest
from emulator import demo
from google.rpc.error_details_pb2 import BadRequest

from harness.calls import Failure, fail, get
from harness.emulator import Emulator
from harness.gateway import Gateway

StillServes = Callable[[Gateway], None]

HEX = "0123456789abcdef"

BAD_IDS = {
    "31 characters": HEX + HEX[:15],
    "33 characters": HEX + HEX + "0",
    "upper case": (HEX + HEX).upper(),
    "one upper case": "A" + HEX + HEX[1:],
    "dot dot slash": "../" + HEX + HEX[3:],
    "only dot dot": "../" * 10 + "..",
    "escaped slash": "%2f" + HEX + HEX[3:],
    "NUL": "\x00" + HEX + HEX[1:],
    "NUL at the end": HEX + HEX[1:] + "\x00",
    "question mark": "?" + HEX + HEX[1:],
    "hash": "#" + HEX + HEX[1:],
    "space": " " + HEX + HEX[1:],
    "newline at the end": HEX + HEX + "\n",
    "not hexadecimal": "g" + HEX + HEX[1:],
    "digits of another script": "٣" * 32,
    "full-width digits": "０" * 32,
    "32 bytes of other characters": "é" * 16,
    "long": "a" * 60_000,
}


@pytest.mark.parametrize("bad_id", BAD_IDS.values(), ids=BAD_IDS.keys())
def test_an_id_that_is_none_never_leaves_the_process(
    gateway: Gateway, emulator: Emulator, still_serves: StillServes, bad_id: str
) -> None:
    before = len(emulator.requests())
    for pcap_id, account_id, field in (
        (bad_id, demo.ACCOUNT_ID, "pcap_id"),
        (demo.SIMPLE_ID, bad_id, "account_id"),
    ):
        failure = fail(gateway.channel, pcap_id, account_id=account_id)
        assert (failure.code.name, failure.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert [v.field for v in failure.only(BadRequest).field_violations] == [field]
        assert bad_id not in failure.told(), "the value is repeated"
    assert len(emulator.requests()) == before
    still_serves(gateway)


def test_an_empty_pcap_id_is_refused(gateway: Gateway, still_serves: StillServes) -> None:
    assert fail(gateway.channel, "").reason == "INVALID_REQUEST"
    still_serves(gateway)


@pytest.mark.parametrize("max_age", [-1, -0.000000001, 1e12])
def test_a_max_age_that_is_no_duration_of_0_or_more_is_refused(
    gateway: Gateway, still_serves: StillServes, max_age: float
) -> None:
    failure = fail(gateway.channel, demo.SIMPLE_ID, max_age=max_age)
    assert failure.reason == "INVALID_REQUEST"
    assert [v.field for v in failure.only(BadRequest).field_violations] == ["max_age"]
    still_serves(gateway)


def raw_call(gateway: Gateway, request: bytes) -> Failure:
    """Sends any bytes for a request."""
    method = gateway.channel.unary_unary("/pcap.v1.PcapService/GetPcap", None, None)
    try:
        method(request, timeout=20)
    except grpc.RpcError as error:
        return Failure(error)
    raise AssertionError("the call succeeded")


def test_a_request_of_1_mib_is_refused(gateway: Gateway, still_serves: StillServes) -> None:
    failure = fail(gateway.channel, "a" * (1 << 20))
    assert failure.code.name in ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT")
    assert failure.message
    still_serves(gateway)


@pytest.mark.parametrize(
    "request_bytes",
    [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02a", b"\x12\x02\xc3\x28", b"\x00" * 100],
    ids=["no field", "length beyond", "cut off", "not UTF-8", "field number 0"],
)
def test_a_request_that_is_no_message_is_refused(
    gateway: Gateway, still_serves: StillServes, request_bytes: bytes
) -> None:
    failure = raw_call(gateway, request_bytes)
    assert (failure.code.name, failure.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    still_serves(gateway)


def test_a_method_that_is_not_there_is_unimplemented(
    gateway: Gateway, still_serves: StillServes
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        gateway.channel.unary_unary("/pcap.v1.PcapService/DropPcap", None, None)(b"", timeout=20)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    still_serves(gateway)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


FAULTS: dict[str, dict[str, Any]] = {
    "HTML with 200": {"kind": "html", "status": 200},
    "HTML with 502": {"kind": "html", "status": 502},
    "nothing with 200": {"kind": "empty", "status": 200},
    "nothing with 503": {"kind": "empty", "status": 503},
    "half": {"kind": "truncate"},
    "half, then a reset": {"kind": "reset_within"},
    "10,000 nested arrays": {"kind": "nested", "depth": 10_000},
    "arrays that never end": {"kind": "answer", "body": "[" * 1_000_000},
    "objects that never end": {"kind": "answer", "body": '{"a":' * 200_000},
    "not UTF-8": {
        "kind": "raw",
        "base64": encoded(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"\xff\xfe"'),
    },
    "a lone surrogate": {
        "kind": "answer",
        "body": r'{"success":true,"errors":[],"messages":[],"result":{"id":"\ud800"}}',
    },
    "a number beyond double": {
        "kind": "answer",
        "body": '{"success":true,"errors":[],"messages":[],"result":1e999}',
    },
    "gzip that nobody asked for": {
        "kind": "answer",
        "body": "{}",
        "headers": {"Content-Encoding": "gzip"},
    },
    "a status line alone": {
        "kind": "raw",
        "base64": encoded(b"HTTP/1.1 200 OK\r\n"),
    },
    "a header of 1 MiB": {
        "kind": "raw",
        "base64": encoded(b"HTTP/1.1 200 OK\r\ncf-ray: " + b"a" * (1 << 20) + b"\r\n\r\n"),
    },
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_whatever_cloudflare_answers_is_a_clear_error_and_no_more(
    gateway: Gateway, emulator: Emulator, still_serves: StillServes, fault: dict[str, Any]
) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, times=1, **fault)
    failure = fail(gateway.channel, pcap_id)
    assert failure.code.name in ("INTERNAL", "UNAVAILABLE")
    assert failure.reason.startswith("UPSTREAM_")
    still_serves(gateway)


def test_an_answer_of_100_mib_is_given_up_early(
    gateway: Gateway, emulator: Emulator, still_serves: StillServes
) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "huge", size=100 << 20, times=1)
    failure = fail(gateway.channel, pcap_id)
    assert (failure.code.name, failure.reason) == ("INTERNAL", "UPSTREAM_RESPONSE_TOO_LARGE")
    emulator.wait(pcap_id, "aborted")
    # What was under way between the two when the gateway hung up, but not all of it.
    assert emulator.requests(pcap_id)[0]["body_bytes_sent"] < 50 << 20
    still_serves(gateway)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cf-ray", b"\x01\x02\x1f"),
        ("cf-ray", b"\x7f\x80\xff"),
        ("cf-ray", "ångström-ÆØÅ".encode()),
        ("cf-ray", b"two words"),
        ("cf-ray", b"a" * 10_000),
        ("x-request-id", b"\x01\xff"),
        ("content-type", b"application/json\x01"),
        ("ratelimit", b"\xff\xfe\x00"[:2]),
    ],
)
def test_a_header_that_grpc_could_not_carry_stays_here(
    gateway: Gateway, emulator: Emulator, still_serves: StillServes, name: str, value: bytes
) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "header_bytes", name=name, base64=encoded(value))
    answer = get(gateway.channel, pcap_id)
    assert answer.pcap.simple.id == pcap_id
    for text in answer.metadata.values():
        assert text.isascii() and text.isprintable()
    assert "cf-ray" not in answer.metadata
    still_serves(gateway)


def test_the_same_header_with_an_error_stays_here_too(
    gateway: Gateway, emulator: Emulator, still_serves: StillServes
) -> None:
    pcap_id = emulator.add()
    raw = (
        b"HTTP/1.1 500 X\r\ncf-ray: \x01\xff\r\nretry-after: \x02\xfe\r\n"
        b"content-type: \xff\r\ncontent-length: 2\r\n\r\n{}"
    )
    emulator.fault(pcap_id, "raw", base64=encoded(raw))
    assert fail(gateway.channel, pcap_id).reason == "UPSTREAM_UNAVAILABLE"
    still_serves(gateway)


@pytest.mark.parametrize("value", ["\x00", "\x1b[2J", "‮reversed", "line\u2028separator", "\ufffe"])
def test_strange_characters_stay_inside_their_string(
    gateway: Gateway, emulator: Emulator, still_serves: StillServes, value: str
) -> None:
    pcap_id = emulator.add(type="full", colo_name=value)
    assert get(gateway.channel, pcap_id).pcap.full.colo_name == value
    still_serves(gateway)


def test_of_duplicate_names_the_last_one_counts(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.unknown_id()
    emulator.answer(
        pcap_id,
        '{"success":true,"errors":[],"messages":[],'
        f'"result":{{"type":"simple","id":"a","id":"{pcap_id}","time_limit":1,"time_limit":2}}}}',
    )
    simple = get(gateway.channel, pcap_id).pcap.simple
    assert simple.id == pcap_id and simple.time_limit.seconds == 2


def test_metadata_of_all_sorts_does_no_harm(
    gateway: Gateway, emulator: Emulator, still_serves: StillServes
) -> None:
    pcap_id = emulator.add()
    metadata: list[tuple[str, Any]] = [
        ("authorization", "Basic nonsense"),
        ("x-auth-email", "a@b"),
        ("cache-control", 'max-age=99999999999999999999, no-store, "quoted"=x'),
        ("traceparent", "0" * 500),
        ("x-bin-bin", b"\x00\xff\x00"),
    ]
    assert get(gateway.channel, pcap_id, metadata=metadata).pcap.simple.id == pcap_id
    still_serves(gateway)


def test_more_metadata_than_is_allowed_is_refused(
    gateway: Gateway, still_serves: StillServes
) -> None:
    # On a connection of its own, as the gateway may close it.
    own = (("grpc.use_local_subchannel_pool", 1),)
    with grpc.insecure_channel(gateway.address, options=own) as channel:
        failure = fail(channel, demo.SIMPLE_ID, metadata=[("x-long", "x" * 100_000)])
    assert failure.code.name in ("RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE")
    still_serves(gateway)
