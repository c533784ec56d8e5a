"""The fault matrix: whatever goes wrong upstream, the caller hears a good answer or a clear reason,
and Cloudflare is asked exactly so many times.

Each row gets a gateway of its own with its protections on, as an operator gets them. A row accounts
for its fault: it fails if the fault did not strike as often as the row says, or was not there.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import math
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest
from emulator import demo
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from h2.errors import ErrorCodes

from harness.admin import metric
from harness.calls import DEADLINE_SECONDS, Answer, Failure, answer_of, get, request_for
from harness.details import check_details
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.handshakes import Handshakes
from harness.http2 import GoAway, Http2Server, Reset, Treatment, Wait
from harness.libcurl import RESENDS_AFTER_GOAWAY, SEES_AT_ONCE_WHAT_IS_CLOSED
from harness.stubs import (
    pcap_ownership_service_pb2,
    pcap_ownership_service_pb2_grpc,
    pcap_service_pb2,
    pcap_service_pb2_grpc,
)
from harness.tls import Authority, Nginx, self_signed_with_openssl
from harness.toxiproxy import Toxiproxy

# How a call ends: code and reason.
GOOD = ("OK", None)
UNAVAILABLE = ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE")
UNREACHABLE = ("UNAVAILABLE", "UPSTREAM_UNREACHABLE")
LIMITED = ("RESOURCE_EXHAUSTED", "RATE_LIMITED")
INVALID = ("INTERNAL", "UPSTREAM_INVALID_RESPONSE")
TOO_LARGE = ("INTERNAL", "UPSTREAM_RESPONSE_TOO_LARGE")
BAD_REQUEST = ("INVALID_ARGUMENT", "UPSTREAM_BAD_REQUEST")
NOT_FOUND = ("NOT_FOUND", "PCAP_NOT_FOUND")
CONFLICT = ("ABORTED", "UPSTREAM_CONFLICT")
UNKNOWN = ("UNKNOWN", "OUTCOME_UNKNOWN")
CUT_OFF = ("DATA_LOSS", "DOWNLOAD_INCOMPLETE")
LATE = ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
End = tuple[str, str | None]

ALWAYS = 1_000_000  # strikes whatever comes
# RetryInfo: none, or so many seconds.
NO = None
# Seconds within which a call ends that waits for no more than its backoffs, 0.3 s at most: a call
# that hangs does not, and a busy machine does not matter.
SOON = 10.0

# The defaults of an operator's gateway; conftest's turn them off.
PROTECTED = (
    "--upstream-limit=1200",
    "--upstream-retries=2",
    "--upstream-failures=20",
    "--admin-listen=127.0.0.1:0",
)

Fault = dict[str, Any]


def answer(status: int, retry_after: str | None = None) -> Fault:
    body = '{"success":false,"errors":[{"code":1000,"message":"no"}],"messages":[],"result":null}'
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return {"kind": "answer", "status": status, "body": body, "headers": headers}


def html(status: int) -> Fault:
    return {"kind": "html", "status": status}


def empty(status: int) -> Fault:
    return {"kind": "empty", "status": status}


def drip(seconds: float) -> Fault:
    return {"kind": "drip", "seconds": seconds}


def interim(status: int, **headers: str) -> Fault:
    return {"kind": "interim", "status": status, "headers": headers}


RESET_BEFORE = {"kind": "reset_before"}
RESET_IN_HEADERS = {"kind": "reset_in_headers"}
RESET_IN_BODY = {"kind": "reset_within"}
STALL_BEFORE = {"kind": "normal", "hold": "for ever"}
STALL_IN_HEADERS = {"kind": "stall_in_headers"}
STALL_IN_BODY = {"kind": "stall_in_body"}
TRUNCATED = {"kind": "truncate"}
TOO_SHORT = {"kind": "wrong_length", "size": -9}
TOO_LONG = {"kind": "wrong_length", "size": 9}
CUT_CHUNK = {"kind": "cut_chunk"}
NOT_HTTP = {"kind": "raw", "base64": base64.b64encode(b"hello\r\n\r\n").decode()}
EARLY_HINTS = {"kind": "raw", "base64": base64.b64encode(b"HTTP/1.1 103 Hints\r\n\r\n").decode()}
HUGE = {"kind": "huge", "size": 2 << 20}
GZIP_BOMB = {"kind": "gzip", "size": 256 << 20}
HEADER_BOMB = {"kind": "header_bomb", "size": 8 << 20}
MANY_HEADERS = {"kind": "header_bomb", "size": 32 << 10}
OLD_DATE = "Sun, 06 Nov 1994 08:49:37 GMT"

# So long the gateway waits at most, in the rows about waiting.
TOTAL = "--upstream-timeout=1s"
FIRST_BYTE = "--upstream-first-byte-timeout=300ms"


@dataclass(frozen=True)
class Row:
    name: str
    fault: Fault
    strikes: int  # that many requests at most; the others are answered
    end: End
    retry_info: float | None  # seconds, to the next whole one
    requests: int  # that reach Cloudflare: exactly
    within: float = SOON  # seconds, from the call to its end
    at_least: float = 0  # seconds: what a Retry-After made it wait
    options: tuple[str, ...] = ()  # of the gateway
    deadline: float = DEADLINE_SECONDS  # the caller's


# fmt: off
ROWS = [
    #   what goes wrong                        how                        strikes  the end    RetryInfo  requests
    Row("503 once",                            answer(503),               1,       GOOD,        NO,      2),
    Row("503 twice",                           answer(503),               2,       GOOD,        NO,      3),
    Row("503 always",                          answer(503),               ALWAYS,  UNAVAILABLE, NO,      3),
    Row("503 once, Retry-After 1",             answer(503, "1"),          1,       GOOD,        NO,      2, at_least=1),
    Row("503 always, Retry-After 1",           answer(503, "1"),          ALWAYS,  UNAVAILABLE, 1,       3, at_least=2),
    Row("503 always, Retry-After past the cap", answer(503, "8"),         ALWAYS,  UNAVAILABLE, 8,       1),
    Row("503 always, Retry-After a text",      answer(503, "soon"),       ALWAYS,  UNAVAILABLE, NO,      3),
    Row("503 always, Retry-After past deadline", answer(503, "4"),        ALWAYS,  UNAVAILABLE, 4,       1, deadline=3),
    Row("500 once",                            answer(500),               1,       GOOD,        NO,      2),
    Row("500 always",                          answer(500),               ALWAYS,  UNAVAILABLE, NO,      3),
    Row("502 once",                            answer(502),               1,       GOOD,        NO,      2),
    Row("502 always",                          answer(502),               ALWAYS,  UNAVAILABLE, NO,      3),
    Row("504 once",                            answer(504),               1,       GOOD,        NO,      2),
    Row("504 always",                          answer(504),               ALWAYS,  UNAVAILABLE, NO,      3),
    Row("408 once",                            answer(408),               1,       GOOD,        NO,      2),
    Row("408 always",                          answer(408),               ALWAYS,  UNAVAILABLE, NO,      3),
    Row("425 once",                            answer(425),               1,       GOOD,        NO,      2),
    Row("425 always",                          answer(425),               ALWAYS,  UNAVAILABLE, NO,      3),
    Row("501: it stays as it is",              answer(501),               ALWAYS,  UNAVAILABLE, NO,      1),
    Row("400: the request's own fault",        answer(400),               ALWAYS,  BAD_REQUEST, NO,      1),
    Row("404",                                 answer(404),               ALWAYS,  NOT_FOUND,   NO,      1),
    Row("409",                                 answer(409),               ALWAYS,  CONFLICT,    NO,      1),

    Row("429 once, Retry-After 1",             answer(429, "1"),          1,       GOOD,        NO,      2, at_least=1),
    Row("429 always, Retry-After 1",           answer(429, "1"),          ALWAYS,  LIMITED,     1,       3, at_least=2),
    Row("429 always, Retry-After 17",          answer(429, "17"),         ALWAYS,  LIMITED,     17,      1),
    Row("429 always, Retry-After past deadline", answer(429, "4"),        ALWAYS,  LIMITED,     4,       1, deadline=3),
    Row("429 always, no Retry-After",          answer(429),               ALWAYS,  LIMITED,     300,     1),
    Row("429 always, Retry-After huge",        answer(429, "9" * 20),     ALWAYS,  LIMITED,     3600,    1),
    Row("429 always, Retry-After negative",    answer(429, "-5"),         ALWAYS,  LIMITED,     300,     1),
    Row("429 always, Retry-After a text",      answer(429, "soon"),       ALWAYS,  LIMITED,     300,     1),
    Row("429 always, Retry-After an old date", answer(429, OLD_DATE),     ALWAYS,  LIMITED,     0,       3),
    Row("429 in HTML",                         html(429),                 ALWAYS,  LIMITED,     300,     1),

    Row("reset before headers, once",          RESET_BEFORE,              1,       GOOD,        NO,      2),
    Row("reset before headers, always",        RESET_BEFORE,              ALWAYS,  UNREACHABLE, NO,      3),
    Row("reset in headers, once",              RESET_IN_HEADERS,          1,       GOOD,        NO,      2),
    Row("reset in headers, always",            RESET_IN_HEADERS,          ALWAYS,  UNREACHABLE, NO,      3),
    Row("reset in body, once",                 RESET_IN_BODY,             1,       GOOD,        NO,      2),
    Row("reset in body, always",               RESET_IN_BODY,             ALWAYS,  UNREACHABLE, NO,      3),
    Row("truncated, once",                     TRUNCATED,                 1,       GOOD,        NO,      2),
    Row("truncated, always",                   TRUNCATED,                 ALWAYS,  UNREACHABLE, NO,      3),
    Row("chunked, cut off, once",              CUT_CHUNK,                 1,       GOOD,        NO,      2),
    Row("chunked, cut off, always",            CUT_CHUNK,                 ALWAYS,  UNREACHABLE, NO,      3),
    Row("length too large",                    TOO_LONG,                  ALWAYS,  UNREACHABLE, NO,      3),
    Row("length too small",                    TOO_SHORT,                 ALWAYS,  INVALID,     NO,      1),
    Row("no HTTP",                             NOT_HTTP,                  ALWAYS,  UNREACHABLE, NO,      1),
    Row("interim answer, then closed, once",   EARLY_HINTS,               1,       GOOD,        NO,      2),
    Row("interim answer, then closed, always", EARLY_HINTS,               ALWAYS,  UNREACHABLE, NO,      3),
    Row("empty, 200",                          empty(200),                ALWAYS,  INVALID,     NO,      1),
    Row("empty, 502, once",                    empty(502),                1,       GOOD,        NO,      2),
    Row("empty, 502, always",                  empty(502),                ALWAYS,  UNAVAILABLE, NO,      3),
    Row("HTML, 200",                           html(200),                 ALWAYS,  INVALID,     NO,      1),
    Row("HTML, 404",                           html(404),                 ALWAYS,  UNAVAILABLE, NO,      1),
    Row("HTML, 503, once",                     html(503),                 1,       GOOD,        NO,      2),
    Row("HTML, 503, always",                   html(503),                 ALWAYS,  UNAVAILABLE, NO,      3),
    Row("2 MiB",                               HUGE,                      ALWAYS,  TOO_LARGE,   NO,      1),
    Row("gzip bomb that nobody asked for",     GZIP_BOMB,                 ALWAYS,  INVALID,     NO,      1),
    Row("8 MiB of headers",                    HEADER_BOMB,               ALWAYS,  TOO_LARGE,   NO,      1),
    Row("32 KiB of headers",                   MANY_HEADERS,              ALWAYS,  GOOD,        NO,      1),
    Row("100 before 200",                      interim(100),              ALWAYS,  GOOD,        NO,      1),
    Row("103 before 200",                      interim(103, Link="</x>"), ALWAYS,  GOOD,        NO,      1),

    Row("stall before headers",                STALL_BEFORE,              ALWAYS,  UNREACHABLE, NO,      1, options=(TOTAL,)),
    Row("stall in headers",                    STALL_IN_HEADERS,          ALWAYS,  UNREACHABLE, NO,      1, options=(TOTAL,)),
    Row("stall in body",                       STALL_IN_BODY,             ALWAYS,  UNREACHABLE, NO,      1, options=(TOTAL,)),
    Row("slow drip",                           drip(0.1),                 ALWAYS,  UNREACHABLE, NO,      1, options=(TOTAL,)),
    Row("no first byte in time, once",         STALL_BEFORE,              1,       GOOD,        NO,      2, options=(FIRST_BYTE,)),
    Row("no first byte in time, always",       STALL_BEFORE,              ALWAYS,  UNREACHABLE, NO,      3, options=(FIRST_BYTE,)),
    Row("slower than the caller",              STALL_BEFORE,              ALWAYS,  LATE,        NO,      1, deadline=2),
    Row("stall in body, once, 30 s in all",    STALL_IN_BODY,             1,       GOOD,        NO,      2, within=18),
    Row("slow drip, once, 30 s in all",        drip(0.1),                 1,       GOOD,        NO,      2, within=18),
]
# fmt: on


def fresh(fault: Fault) -> Fault:
    """With a gate of its own, which nobody has opened."""
    return {**fault, "hold": f"row {next(_gates)}"} if "hold" in fault else fault


_gates = itertools.count()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """This file's own: its count of requests is told in its answers, and heeded."""
    emulator = Emulator()
    yield emulator
    emulator.stop()


def outcome_of(gateway: Gateway, pcap_id: str, deadline: float) -> Answer | Failure:
    try:
        return get(gateway.channel, pcap_id, timeout=deadline)
    except Failure as failure:
        return failure


def check_end(outcome: Answer | Failure, pcap_id: str, end: End, retry_info: float | None) -> None:
    if isinstance(outcome, Answer):
        assert end == GOOD, outcome
        assert outcome.pcap.simple.id == pcap_id
        return
    if end == LATE and outcome.status is None:
        # On a busy machine the caller's own clock was faster than the gateway's answer.
        assert outcome.code is grpc.StatusCode.DEADLINE_EXCEEDED
        return
    check_details(outcome)
    assert (outcome.code.name, outcome.reason) == end, outcome.message
    delays = [info.retry_delay.ToTimedelta().total_seconds() for info in outcome.all(RetryInfo)]
    assert [math.ceil(delay) for delay in delays] == ([] if retry_info is None else [retry_info])


def check_sent(gateway: Gateway, requests: int, retries: int, resent: int = 0) -> None:
    """By the gateway's own count; `resent` by libcurl, beside `requests`."""
    names = ("requests", "retries", "resent")
    counted = tuple(metric(gateway, f"pcap_gateway_upstream_{name}_total") for name in names)
    if SEES_AT_ONCE_WHAT_IS_CLOSED:
        assert counted == (requests, retries, resent)
        return
    more = counted[1] - retries
    assert more in (0, 1) and counted[0] == requests + more, counted
    assert counted[2] <= max(resent, retries, 1), counted


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_faulty_answer_ends_as_its_row_says(start_gateway: StartGateway, emulator: Emulator, row: Row) -> None:
    gateway = start_gateway(*PROTECTED, *row.options)
    pcap_id = emulator.add()
    emulator.fault(pcap_id, times=row.strikes, **fresh(row.fault))
    began = time.monotonic()
    outcome = outcome_of(gateway, pcap_id, row.deadline)
    took = time.monotonic() - began
    check_end(outcome, pcap_id, row.end, row.retry_info)
    assert row.at_least <= took <= row.within

    struck = min(row.strikes, row.requests)
    faults = [request["fault"] for request in emulator.requests(pcap_id)]
    assert faults == [row.fault["kind"]] * struck + [None] * (row.requests - struck)
    check_sent(gateway, row.requests, row.requests - 1)
    if row.end != LIMITED:
        other = emulator.add()
        assert get(gateway.channel, other).pcap.simple.id == other, "it did not recover"


# After 429 nothing is sent until the time is over, whichever capture is asked for.
def test_after_429_nobody_else_asks(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway(*PROTECTED)
    pcap_id, other = emulator.add(), emulator.add()
    emulator.fault(pcap_id, **answer(429, "17"))
    check_end(outcome_of(gateway, pcap_id, 20), pcap_id, LIMITED, 17)
    failure = outcome_of(gateway, other, 20)
    assert isinstance(failure, Failure) and failure.reason == "RATE_LIMITED"
    assert 0 < failure.only(RetryInfo).retry_delay.ToTimedelta().total_seconds() <= 25
    assert emulator.requests(other) == []
    check_sent(gateway, requests=1, retries=0)


# An outage is not multiplied: retries are a fifth of the requests, and twenty saved up.
def test_an_outage_is_met_with_few_retries(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway(*PROTECTED, "--upstream-failures=0")
    ids = [emulator.add() for _ in range(50)]
    for pcap_id in ids:
        emulator.fault(pcap_id, **answer(503))
        check_end(outcome_of(gateway, pcap_id, 20), pcap_id, UNAVAILABLE, NO)
    counts = [len(emulator.requests(pcap_id)) for pcap_id in ids]
    assert counts[0] == 3 and counts[-3:].count(3) == 0
    assert 50 + 20 + 10 - 2 <= sum(counts) <= 50 + 20 + 10
    check_sent(gateway, sum(counts), sum(counts) - 50)


def test_an_upstream_that_keeps_failing_is_left_alone(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*PROTECTED)
    ids = [emulator.add() for _ in range(10)]
    for pcap_id in ids:
        emulator.fault(pcap_id, **answer(503))
    for pcap_id in ids:
        failure = outcome_of(gateway, pcap_id, 20)
        assert isinstance(failure, Failure) and (failure.code.name, failure.reason) == UNAVAILABLE
        if failure.all(RetryInfo):
            break
    else:
        raise AssertionError("it was asked on and on")
    assert 0 < failure.only(RetryInfo).retry_delay.ToTimedelta().total_seconds() <= 1
    assert sum(len(emulator.requests(pcap_id)) for pcap_id in ids) == 20


# What changes something, and what streams ------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """A call of another method than GetPcap, and the request that it makes."""

    name: str
    http_method: str
    path: str  # how the request's path ends
    missing: str  # the reason of a 404
    call: Callable[[Emulator, grpc.Channel], Callable[[float], Any]]  # made ready, then called


def _pcaps(channel: grpc.Channel) -> Any:
    return pcap_service_pb2_grpc.PcapServiceStub(channel)


def _ownerships(channel: grpc.Channel) -> Any:
    return pcap_ownership_service_pb2_grpc.PcapOwnershipServiceStub(channel)


def _create(emulator: Emulator, channel: grpc.Channel) -> Callable[[float], Any]:
    emulator.advance(61)  # one simple capture a minute
    request = pcap_service_pb2.CreatePcapRequest(
        account_id=demo.ACCOUNT_ID,
        simple=pcap_service_pb2.CreateSimplePcap(time_limit=Duration(seconds=1), packet_limit=1),
    )
    return lambda deadline: _pcaps(channel).CreatePcap(request, timeout=deadline)


def _stop(_: Emulator, channel: grpc.Channel) -> Callable[[float], Any]:
    request = pcap_service_pb2.StopPcapRequest(
        account_id=demo.ACCOUNT_ID, pcap_id=demo.RUNNING_ID
    )
    return lambda deadline: _pcaps(channel).StopPcap(request, timeout=deadline)


def _download(emulator: Emulator, channel: grpc.Channel) -> Callable[[float], Any]:
    request = pcap_service_pb2.DownloadPcapRequest(
        account_id=demo.ACCOUNT_ID, pcap_id=emulator.add(packets=2000)
    )

    def call(deadline: float) -> None:
        messages = list(_pcaps(channel).DownloadPcap(request, timeout=deadline))
        assert sum(len(message.data) for message in messages) == 24 + 56 * 2000

    return call


def _create_ownership(emulator: Emulator, channel: grpc.Channel) -> Callable[[float], Any]:
    request = pcap_ownership_service_pb2.CreateOwnershipRequest(
        account_id=demo.ACCOUNT_ID, destination_conf=f"s3://{emulator.unknown_id()}"
    )
    return lambda deadline: _ownerships(channel).CreateOwnership(request, timeout=deadline)


def _validate_ownership(_: Emulator, channel: grpc.Channel) -> Callable[[float], Any]:
    request = pcap_ownership_service_pb2.ValidateOwnershipRequest(
        account_id=demo.ACCOUNT_ID, destination_conf=demo.NEW_BUCKET, ownership_challenge="proof"
    )
    return lambda deadline: _ownerships(channel).ValidateOwnership(request, timeout=deadline)


def _delete_ownership(emulator: Emulator, channel: grpc.Channel) -> Callable[[float], Any]:
    bucket = f"s3://{emulator.unknown_id()}"
    made = _ownerships(channel).CreateOwnership(
        pcap_ownership_service_pb2.CreateOwnershipRequest(
            account_id=demo.ACCOUNT_ID, destination_conf=bucket
        )
    )
    request = pcap_ownership_service_pb2.DeleteOwnershipRequest(
        account_id=demo.ACCOUNT_ID, ownership_id=made.ownership.id
    )
    return lambda deadline: _ownerships(channel).DeleteOwnership(request, timeout=deadline)


OWNERSHIP_GONE = "OWNERSHIP_NOT_FOUND"
# Those that are sent once, and answer with what they made; then those whose answer has no body.
SENT_ONCE = (
    Sent("CreatePcap", "POST", "/pcaps", "ACCOUNT_NOT_FOUND", _create),
    Sent("CreateOwnership", "POST", "/ownership", "ACCOUNT_NOT_FOUND", _create_ownership),
    Sent("ValidateOwnership", "POST", "/ownership/validate", OWNERSHIP_GONE, _validate_ownership),
)
DELETE = Sent("DeleteOwnership", "DELETE", "", OWNERSHIP_GONE, _delete_ownership)
STOP = Sent("StopPcap", "PUT", "/stop", "PCAP_NOT_FOUND", _stop)
DOWNLOAD = Sent("DownloadPcap", "GET", "/download", "PCAP_NOT_FOUND", _download)


@dataclass(frozen=True)
class SentRow:
    """The end and the requests, exactly: of those that are sent once, of StopPcap, of a download.

    None: the fault is not one of theirs. `delete`: of DeleteOwnership, where it differs from `once`,
    as any 2xx will do for it.
    """

    name: str
    fault: Fault
    strikes: int
    once: tuple[End, int] | None
    stop: tuple[End, int] | None
    download: tuple[End, int] | None
    delete: tuple[End, int] | None | str = "as once"
    retry_info: float | None = NO
    options: tuple[str, ...] = ()
    deadline: float = DEADLINE_SECONDS


MISSING: End = ("NOT_FOUND", "")  # the reason is the method's
DONE_AND_RESET = {"kind": "reset_before", "done": True}

# fmt: off
SENT_ROWS = [
    #       what goes wrong                     how                   strikes  sent once          StopPcap           DownloadPcap
    SentRow("503 once",                         answer(503),          1,       (UNAVAILABLE, 1),  (GOOD, 2),         (GOOD, 2)),
    SentRow("503 always",                       answer(503),          ALWAYS,  (UNAVAILABLE, 1),  (UNAVAILABLE, 3),  (UNAVAILABLE, 3)),
    SentRow("500 always",                       answer(500),          ALWAYS,  (UNAVAILABLE, 1),  (UNAVAILABLE, 3),  (UNAVAILABLE, 3)),
    SentRow("504 always",                       answer(504),          ALWAYS,  (UNAVAILABLE, 1),  (UNAVAILABLE, 3),  (UNAVAILABLE, 3)),
    SentRow("503 always, Retry-After past the cap", answer(503, "8"), ALWAYS,  (UNAVAILABLE, 1),  (UNAVAILABLE, 1),  (UNAVAILABLE, 1), retry_info=8),
    SentRow("501",                              answer(501),          ALWAYS,  (UNAVAILABLE, 1),  (UNAVAILABLE, 1),  (UNAVAILABLE, 1)),
    SentRow("400",                              answer(400),          ALWAYS,  (BAD_REQUEST, 1),  (BAD_REQUEST, 1),  (BAD_REQUEST, 1)),
    SentRow("404",                              answer(404),          ALWAYS,  (MISSING, 1),      (MISSING, 1),      (MISSING, 1)),
    SentRow("409",                              answer(409),          ALWAYS,  (CONFLICT, 1),     (CONFLICT, 1),     (CONFLICT, 1)),
    SentRow("429 once, Retry-After 1",          answer(429, "1"),     1,       None,              (GOOD, 2),         (GOOD, 2)),
    SentRow("429 always, Retry-After 17",       answer(429, "17"),    ALWAYS,  (LIMITED, 1),      (LIMITED, 1),      (LIMITED, 1), retry_info=17),

    SentRow("reset before headers, once",       RESET_BEFORE,         1,       (UNKNOWN, 1),      (GOOD, 2),         (GOOD, 2)),
    SentRow("reset before headers, always",     RESET_BEFORE,         ALWAYS,  (UNKNOWN, 1),      (UNREACHABLE, 3),  (UNREACHABLE, 3)),
    SentRow("done, and reset, once",            DONE_AND_RESET,       1,       (UNKNOWN, 1),      (GOOD, 2),         (GOOD, 2)),
    SentRow("reset in headers, once",           RESET_IN_HEADERS,     1,       (UNKNOWN, 1),      (GOOD, 2),         (GOOD, 2)),
    SentRow("reset in headers, always",         RESET_IN_HEADERS,     ALWAYS,  (UNKNOWN, 1),      (UNREACHABLE, 3),  (UNREACHABLE, 3)),
    SentRow("reset in body, always",            RESET_IN_BODY,        ALWAYS,  (UNKNOWN, 1),      None,              (CUT_OFF, 1), delete=None),
    SentRow("truncated, always",                TRUNCATED,            ALWAYS,  (UNKNOWN, 1),      None,              (CUT_OFF, 1), delete=None),
    SentRow("chunked, cut off, always",         CUT_CHUNK,            ALWAYS,  (UNKNOWN, 1),      None,              (CUT_OFF, 1), delete=None),
    SentRow("no HTTP",                          NOT_HTTP,             ALWAYS,  (UNKNOWN, 1),      (UNREACHABLE, 1),  (UNREACHABLE, 1)),
    SentRow("interim answer, then closed",      EARLY_HINTS,          ALWAYS,  (UNKNOWN, 1),      (UNREACHABLE, 3),  (UNREACHABLE, 3)),
    SentRow("empty, 200",                       empty(200),           ALWAYS,  (UNKNOWN, 1),      (GOOD, 1),         (INVALID, 1), delete=(GOOD, 1)),
    SentRow("empty, 502",                       empty(502),           ALWAYS,  (UNKNOWN, 1),      (UNAVAILABLE, 3),  (UNAVAILABLE, 3)),
    SentRow("HTML, 200",                        html(200),            ALWAYS,  (UNKNOWN, 1),      (GOOD, 1),         (INVALID, 1), delete=(GOOD, 1)),
    SentRow("HTML, 403",                        html(403),            ALWAYS,  (UNAVAILABLE, 1),  (UNAVAILABLE, 1),  (UNAVAILABLE, 1)),
    SentRow("HTML, 502, once",                  html(502),            1,       (UNKNOWN, 1),      (GOOD, 2),         (GOOD, 2)),
    SentRow("HTML, 502, always",                html(502),            ALWAYS,  (UNKNOWN, 1),      (UNAVAILABLE, 3),  (UNAVAILABLE, 3)),
    SentRow("2 MiB",                            HUGE,                 ALWAYS,  (UNKNOWN, 1),      (TOO_LARGE, 1),    (TOO_LARGE, 1)),
    SentRow("8 MiB of headers",                 HEADER_BOMB,          ALWAYS,  (UNKNOWN, 1),      (TOO_LARGE, 1),    (TOO_LARGE, 1)),
    SentRow("100 before the answer",            interim(100),         ALWAYS,  (GOOD, 1),         (GOOD, 1),         (GOOD, 1)),

    SentRow("stall before headers",             STALL_BEFORE,         ALWAYS,  (UNKNOWN, 1),      (UNREACHABLE, 1),  (UNREACHABLE, 1), options=(TOTAL,)),
    SentRow("stall in headers",                 STALL_IN_HEADERS,     ALWAYS,  (UNKNOWN, 1),      (UNREACHABLE, 1),  (UNREACHABLE, 1), options=(TOTAL,)),
    SentRow("no first byte in time, once",      STALL_BEFORE,         1,       (UNKNOWN, 1),      (GOOD, 2),         (GOOD, 2),        options=(FIRST_BYTE,)),
    SentRow("slower than the caller",           STALL_BEFORE,         ALWAYS,  (UNKNOWN, 1),      (LATE, 1),         (LATE, 1),        deadline=2),
]
# fmt: on


def expected(row: SentRow, sent: Sent) -> tuple[End, int] | None:
    if sent is STOP:
        return row.stop
    if sent is DOWNLOAD:
        return row.download
    if sent is DELETE and not isinstance(row.delete, str):
        return row.delete
    return row.once


def check_sent_row(gateway: Gateway, emulator: Emulator, row: SentRow, sent: Sent) -> None:
    told = expected(row, sent)
    if told is None:
        return
    end, requests = told
    call = sent.call(emulator, gateway.channel)
    which = {"method": sent.http_method, "path": sent.path or None}
    before = len(emulator.requests(**which))
    emulator.fault(None, times=row.strikes, **which, **fresh(row.fault))
    began = time.monotonic()
    failure: Failure | None = None
    try:
        call(row.deadline)
    except grpc.RpcError as error:
        failure = Failure(error)
    took = time.monotonic() - began
    emulator.clear_faults()
    if end == GOOD:
        assert failure is None, sent.name
    elif end == LATE and failure is not None and failure.status is None:
        # On a busy machine the caller's own clock was faster than the gateway's answer.
        assert failure.code is grpc.StatusCode.DEADLINE_EXCEEDED
    else:
        assert failure is not None, sent.name
        check_details(failure)
        wanted = ("NOT_FOUND", sent.missing) if end == MISSING else end
        assert (failure.code.name, failure.reason) == wanted, f"{sent.name}: {failure.message}"
        delays = [info.retry_delay.ToTimedelta().total_seconds() for info in failure.all(RetryInfo)]
        wanted_delays = [] if row.retry_info is NO else [row.retry_info]
        assert [math.ceil(delay) for delay in delays] == wanted_delays, sent.name
    assert took <= SOON, sent.name
    struck = min(row.strikes, requests)
    faults = [request["fault"] for request in emulator.requests(**which)][before:]
    assert faults == [row.fault["kind"]] * struck + [None] * (requests - struck), sent.name


@pytest.mark.parametrize("row", SENT_ROWS, ids=lambda row: row.name)
def test_a_fault_under_what_is_sent_ends_as_its_row_says(
    start_gateway: StartGateway, emulator: Emulator, row: SentRow
) -> None:
    gateway: Gateway | None = None
    for sent in (*SENT_ONCE, DELETE, STOP, DOWNLOAD):
        # After a wait that Cloudflare asks for, the same gateway sends nothing more. And what is sent
        # on a kept connection is sent again by libcurl, which rows of their own are about.
        if gateway is None or row.retry_info is not NO or sent is STOP:
            gateway = start_gateway(*PROTECTED, "--allow=write,download", *row.options)
        check_sent_row(gateway, emulator, row, sent)


# Elsewhere ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_elsewhere_is_not_followed(
    start_gateway: StartGateway, emulator: Emulator, status: int
) -> None:
    pcap_id = emulator.add()
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        location = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/client/v4/{pcap_id}"
        emulator.fault(pcap_id, "redirect", status=status, body=location)
        gateway = start_gateway(*PROTECTED)
        check_end(outcome_of(gateway, pcap_id, 20), pcap_id, UNAVAILABLE, NO)
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody is waiting to be let in
            elsewhere.accept()
    assert [request["fault"] for request in emulator.requests(pcap_id)] == ["redirect"]
    check_sent(gateway, requests=1, retries=0)


def test_a_refused_connection_ends_as_unavailable(start_gateway: StartGateway) -> None:
    with socket.socket() as bound:  # and not listening; nobody else can take the port
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        gateway = start_gateway(*PROTECTED, upstream_url=url)
        outcome = outcome_of(gateway, demo.SIMPLE_ID, 20)
    check_end(outcome, demo.SIMPLE_ID, UNREACHABLE, NO)
    assert isinstance(outcome, Failure) and "connect" in outcome.message
    check_sent(gateway, requests=3, retries=2)


def test_a_name_without_an_address_ends_as_unavailable(start_gateway: StartGateway) -> None:
    # RFC 6761: `.invalid` never resolves.
    gateway = start_gateway(*PROTECTED, upstream_url="https://cloudflare.invalid/client/v4")
    outcome = outcome_of(gateway, demo.SIMPLE_ID, 20)
    check_end(outcome, demo.SIMPLE_ID, UNREACHABLE, NO)
    assert isinstance(outcome, Failure) and "resolve" in outcome.message
    check_sent(gateway, requests=3, retries=2)


# Connections that went dead: no failure of the upstream's, and no retry -----------------------------


def test_a_kept_connection_that_was_closed_costs_nothing(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*PROTECTED)
    first, second = emulator.add(), emulator.add()
    emulator.fault(first, "close_after")
    assert get(gateway.channel, first).pcap.simple.id == first
    # The emulator answers this after it has closed: what it sent is with the gateway by then.
    emulator.wait(first, "answered")
    assert get(gateway.channel, second).pcap.simple.id == second
    [closed], [fresh] = emulator.requests(first), emulator.requests(second)
    assert closed["fault"] == "close_after" and closed["connection"] != fresh["connection"]
    check_sent(gateway, requests=2, retries=0)


def test_a_kept_connection_that_ends_as_it_is_used_is_no_retry(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*PROTECTED)
    first, second = emulator.add(), emulator.add()
    get(gateway.channel, first)
    emulator.fault(second, "reset_before", times=1)
    assert get(gateway.channel, second).pcap.simple.id == second
    [kept], [struck, again] = emulator.requests(first), emulator.requests(second)
    assert struck["fault"] == "reset_before" and struck["connection"] == kept["connection"]
    assert again["fault"] is None and again["connection"] != kept["connection"]
    check_sent(gateway, requests=2, retries=0, resent=1)


def test_a_restart_of_the_upstream_between_two_calls_costs_nothing(
    start_gateway: StartGateway,
) -> None:
    before = Emulator()
    gateway = start_gateway(*PROTECTED, upstream_url=before.url)
    get(gateway.channel, before.add())
    before.kill()
    after = Emulator("--listen", before.address)
    try:
        pcap_id = after.add()
        assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id
        assert len(after.requests(pcap_id)) == 1
        check_sent(gateway, requests=2, retries=0)
        gateway.end()
    finally:
        after.stop()


# TLS: who does not prove to be Cloudflare is told nothing ------------------------------------------


@dataclass(frozen=True)
class TlsRow:
    name: str
    requests: int  # connections that are tried: exactly
    # Makes what the server offers; None: a reset instead.
    context: Callable[[Authority, Path], ssl.SSLContext | None]


def offer(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def other_host(authority: Authority, _folder: Path) -> ssl.SSLContext:
    return offer(*authority.certificate("api.cloudflare.com"))


def expired(authority: Authority, _folder: Path) -> ssl.SSLContext:
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    return offer(*authority.certificate("localhost", not_after=yesterday))


def self_signed(_authority: Authority, folder: Path) -> ssl.SSLContext:
    return offer(*self_signed_with_openssl(folder, "localhost"))


def too_old(authority: Authority, _folder: Path) -> ssl.SSLContext:
    context = offer(*authority.certificate("localhost"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


# fmt: off
TLS_ROWS = [
    TlsRow("wrong host",       1, other_host),
    TlsRow("expired",          1, expired),
    TlsRow("self-signed",      1, self_signed),
    # These may be an interruption: libcurl does not say. They are tried again.
    TlsRow("TLS 1.1",          3, too_old),
    TlsRow("reset during the handshake", 3, lambda *_: None),
]
# fmt: on


@pytest.mark.parametrize("row", TLS_ROWS, ids=lambda row: row.name)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_that_does_not_hold_ends_as_unreachable(start_gateway: StartGateway, tmp_path: Path, row: TlsRow) -> None:
    authority = Authority(tmp_path)
    server = Handshakes(row.context(authority, tmp_path))
    try:
        gateway = start_gateway(
            *PROTECTED,
            f"--upstream-ca-file={authority.file}",
            upstream_url=f"https://{server.address}/client/v4",
        )
        outcome = outcome_of(gateway, demo.SIMPLE_ID, 20)
    finally:
        server.stop()
    check_end(outcome, demo.SIMPLE_ID, UNREACHABLE, NO)
    assert server.begun == row.requests
    assert server.heard == b""
    check_sent(gateway, row.requests, row.requests - 1)


def test_a_handshake_that_nobody_goes_on_with_ends_as_unreachable(start_gateway: StartGateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel lets them in, nobody else
        gateway = start_gateway(
            *PROTECTED,
            "--upstream-connect-timeout=300ms",
            upstream_url=f"https://localhost:{silent.getsockname()[1]}/client/v4",
        )
        outcome = outcome_of(gateway, demo.SIMPLE_ID, 20)
        silent.setblocking(False)
        came = 0
        with pytest.raises(BlockingIOError):
            while True:
                silent.accept()[0].close()
                came += 1
    check_end(outcome, demo.SIMPLE_ID, UNREACHABLE, NO)
    assert came == 3
    check_sent(gateway, requests=3, retries=2)


# HTTP/2 -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Http2Row:
    name: str
    treatment: Treatment
    strikes: int
    end: End
    retries: int  # by the gateway
    resent: int  # by libcurl

    @property
    def requests(self) -> int:
        """That reach the server: exactly."""
        return 1 + self.retries + self.resent


REFUSED = Reset(ErrorCodes.REFUSED_STREAM)
BROKEN = Reset(ErrorCodes.INTERNAL_ERROR)
BROKEN_LATE = Reset(ErrorCodes.INTERNAL_ERROR, after_headers=True)
CANCELLED = Reset(ErrorCodes.CANCEL)
GO_AWAY = GoAway(ErrorCodes.NO_ERROR)
GONE = GoAway(ErrorCodes.NO_ERROR, closes=True)
CALM_DOWN = GoAway(ErrorCodes.ENHANCE_YOUR_CALM, closes=True)

# Of one request that GOAWAY once left behind, and of three that it always did: who sent it anew, the
# gateway and libcurl.
ONCE, EACH_TIME = ((0, 1), (2, 3)) if RESENDS_AFTER_GOAWAY else ((1, 0), (2, 0))

# fmt: off
HTTP2_ROWS = [
    #        what goes wrong                      how          strikes  the end    retries and resent
    Http2Row("GOAWAY, once",                      GO_AWAY,     1,       GOOD,        *ONCE),
    Http2Row("GOAWAY and closed, once",           GONE,        1,       GOOD,        *ONCE),
    Http2Row("GOAWAY and closed, always",         GONE,        ALWAYS,  UNREACHABLE, *EACH_TIME),
    Http2Row("GOAWAY, calm down, once",           CALM_DOWN,   1,       GOOD,        *ONCE),
    Http2Row("GOAWAY, calm down, always",         CALM_DOWN,   ALWAYS,  UNREACHABLE, *EACH_TIME),
    Http2Row("stream refused, once",              REFUSED,     1,       GOOD,        0, 1),
    Http2Row("stream broken, once",               BROKEN,      1,       GOOD,        1, 0),
    Http2Row("stream broken, always",             BROKEN,      ALWAYS,  UNREACHABLE, 2, 0),
    Http2Row("stream broken after headers, once", BROKEN_LATE, 1,       GOOD,        1, 0),
    Http2Row("stream cancelled, once",            CANCELLED,   1,       GOOD,        1, 0),
    Http2Row("stream cancelled, always",          CANCELLED,   ALWAYS,  UNREACHABLE, 2, 0),
]
# fmt: on


@pytest.mark.parametrize("row", HTTP2_ROWS, ids=lambda row: row.name)
def test_a_fault_of_http2_ends_as_its_row_says(start_gateway: StartGateway, tmp_path: Path, row: Http2Row) -> None:
    authority = Authority(tmp_path)
    pair = authority.certificate("localhost")
    server = Http2Server(*pair, [row.treatment], forever=row.strikes == ALWAYS)
    try:
        gateway = start_gateway(
            *PROTECTED, f"--upstream-ca-file={authority.file}", upstream_url=server.url
        )
        outcome = outcome_of(gateway, demo.SIMPLE_ID, 20)
    finally:
        server.stop()
    check_end(outcome, demo.SIMPLE_ID, row.end, NO)
    struck = min(row.strikes, row.requests)
    treated = [row.treatment] * struck + [None] * (row.requests - struck)
    if not SEES_AT_ONCE_WHAT_IS_CLOSED:
        treated = treated[: len(server.treated)]
    assert server.treated == treated
    check_sent(gateway, row.retries + 1, row.retries, row.resent)


def test_a_connection_that_ends_with_many_calls_on_it_loses_none(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    many = 80
    treatments: list[Treatment] = [Wait()] * (many - 1) + [GO_AWAY]
    server = Http2Server(*authority.certificate("localhost"), treatments)
    ids = [f"{number:032x}" for number in range(many)]

    async def ask(address: str) -> list[Answer]:
        async with grpc.aio.insecure_channel(address) as channel:
            stub = pcap_service_pb2_grpc.PcapServiceStub(channel)
            calls = [stub.GetPcap(request_for(pcap_id), timeout=20) for pcap_id in ids]
            return await asyncio.gather(*map(answer_of, calls))

    try:
        gateway = start_gateway(
            *PROTECTED, f"--upstream-ca-file={authority.file}", upstream_url=server.url
        )
        answers = asyncio.run(ask(gateway.address))
    finally:
        server.stop()
    assert [answer.pcap.simple.id for answer in answers] == ids
    assert server.treated == treatments + [None] * many
    # libcurl repeats those that the server did not look at by itself; version 7.88, all but the one
    # that read the GOAWAY.
    retries, resent = ONCE
    check_sent(gateway, requests=many + retries, retries=retries, resent=many - 1 + resent)


def test_a_connection_that_nginx_ends_costs_nothing(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    upstream = emulator.address
    pair = authority.certificate("localhost")
    nginx = Nginx(tmp_path, upstream, *pair, requests_a_connection=3)
    ids = [emulator.add() for _ in range(20)]
    try:
        gateway = start_gateway(
            *PROTECTED, f"--upstream-ca-file={authority.file}", upstream_url=nginx.url
        )
        for pcap_id in ids:
            assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id
        check_sent(gateway, requests=20, retries=0)
        assert gateway.end() == 0
    finally:
        nginx.stop()
    came = nginx.requests()
    assert {protocol for protocol, _, _ in came} == {"HTTP/2.0"}
    assert len({connection for _, connection, _ in came}) == 7  # GOAWAY came six times
    assert [len(emulator.requests(pcap_id)) for pcap_id in ids] == [1] * 20


# The network --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ToxicRow:
    name: str
    toxic: str
    attributes: dict[str, int]
    end: End
    requests: int  # that reach Cloudflare: exactly
    at_least: float  # seconds: what the toxic makes every call wait
    fault: Fault | None = None  # beside the toxic
    options: tuple[str, ...] = ()
    deadline: float = DEADLINE_SECONDS
    capture_bytes: int = 0


# fmt: off
TOXIC_ROWS = [
    #        what goes wrong        toxic           attributes                            the end      requests  at least
    ToxicRow("latency",             "latency",      {"latency": 300},                     GOOD,        1,        0.3),
    ToxicRow("latency past deadline", "latency",    {"latency": 5000},                    LATE,        1,        0,  deadline=2),
    ToxicRow("latency past first byte", "latency",  {"latency": 5000},                    UNREACHABLE, 3,        0.9, options=(FIRST_BYTE,)),
    ToxicRow("silence, then closed", "timeout",     {"timeout": 200},                     UNREACHABLE, 3,        0.6),
    ToxicRow("silence",             "timeout",      {"timeout": 0},                       UNREACHABLE, 3,        0.9, options=(FIRST_BYTE,)),
    ToxicRow("reset",               "reset_peer",   {"timeout": 0},                       UNREACHABLE, 3,        0),
    ToxicRow("a byte at a time",    "slicer",       {"average_size": 1, "delay": 500},    GOOD,        1,        0.1),
    ToxicRow("cut off in headers",  "limit_data",   {"bytes": 50},                        UNREACHABLE, 3,        0),
    ToxicRow("cut off in body",     "limit_data",   {"bytes": 20_000},                    UNREACHABLE, 3,        0,  capture_bytes=50_000),
    ToxicRow("closes slowly",       "slow_close",   {"delay": 500},                       GOOD,        1,        0.5, fault={"kind": "until_closed"}),
    ToxicRow("narrow",              "bandwidth",    {"rate": 100},                        GOOD,        1,        1,  capture_bytes=150_000),
    ToxicRow("narrow past the total", "bandwidth",  {"rate": 10},                         UNREACHABLE, 1,        1,  capture_bytes=150_000, options=(TOTAL,)),
]
# fmt: on


@pytest.mark.parametrize("row", TOXIC_ROWS, ids=lambda row: row.name)
def test_a_fault_of_the_network_ends_as_its_row_says(start_gateway: StartGateway, emulator: Emulator, row: ToxicRow) -> None:
    pcap_id = emulator.add(note="x" * row.capture_bytes)
    if row.fault is not None:
        emulator.fault(pcap_id, **row.fault)
    proxy = Toxiproxy(emulator.address)
    try:
        proxy.add_toxic(row.toxic, row.attributes)
        gateway = start_gateway(
            *PROTECTED, *row.options, upstream_url=f"http://{proxy.address}/client/v4"
        )
        began = time.monotonic()
        outcome = outcome_of(gateway, pcap_id, row.deadline)
        took = time.monotonic() - began
        check_sent(gateway, row.requests, row.requests - 1)
        gateway.end()
    finally:
        proxy.stop()
    check_end(outcome, pcap_id, row.end, NO)
    # The emulator answered each of them: it was the network that lost or delayed the answer.
    requests = emulator.requests(pcap_id)
    assert [request["status"] for request in requests] == [200] * row.requests
    assert row.at_least <= took <= SOON
