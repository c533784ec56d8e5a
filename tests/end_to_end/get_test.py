"""A caller asks for a capture and gets it typed."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from emulator import demo
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from harness.calls import fail, get
from harness.emulator import START, Emulator
from harness.gateway import Gateway
from harness.stubs import pcap_pb2

DEMO_FILTER = pcap_pb2.PcapFilter(
    source_address="1.2.3.4",
    source_port=123,
    destination_address="5.6.7.8",
    destination_port=80,
    protocol=6,
)


def at(when: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(when.astimezone(timezone.utc).replace(tzinfo=None))
    return timestamp


def extra_fields(pcap: pcap_pb2.Pcap) -> dict[str, Any]:
    fields: dict[str, Any] = MessageToDict(pcap.extra_fields)
    return fields


def test_a_full_capture_comes_with_every_field(gateway: Gateway) -> None:
    pcap = get(gateway.channel, demo.FULL_ID).pcap
    assert pcap == pcap_pb2.Pcap(
        full=pcap_pb2.FullPcap(
            id=demo.FULL_ID,
            byte_limit=100_000_000,
            colo_name="ord02",
            destination_conf=f"r2://captures?account-id={demo.ACCOUNT_ID}"
            "&access-key-id=REDACTED&secret-access-key=REDACTED",
            filter_v1=DEMO_FILTER,
            packets_captured=12_000,
            status=pcap_pb2.PCAP_STATUS_COMPLETE,
            submitted=at(START - timedelta(hours=2)),
            system=pcap_pb2.PCAP_SYSTEM_MAGIC_TRANSIT,
            time_limit=Duration(seconds=120),
        )
    )


def test_a_simple_capture_comes_with_every_field(gateway: Gateway) -> None:
    pcap = get(gateway.channel, demo.SIMPLE_ID).pcap
    assert pcap == pcap_pb2.Pcap(
        simple=pcap_pb2.SimplePcap(
            id=demo.SIMPLE_ID,
            filter_v1=DEMO_FILTER,
            offset_time=at(START - timedelta(hours=1)),
            status=pcap_pb2.PCAP_STATUS_SUCCESS,
            submitted=at(START - timedelta(minutes=30)),
            system=pcap_pb2.PCAP_SYSTEM_MAGIC_TRANSIT,
            time_limit=Duration(seconds=300),
        )
    )


def test_a_running_capture_says_so(gateway: Gateway) -> None:
    full = get(gateway.channel, demo.RUNNING_ID).pcap.full
    assert full.status == pcap_pb2.PCAP_STATUS_RUNNING
    assert full.destination_conf == "s3://captures/running?region=us-east-1"
    assert full.HasField("filter_v1") and full.filter_v1 == pcap_pb2.PcapFilter()


def test_a_pending_capture_says_so(gateway: Gateway) -> None:
    simple = get(gateway.channel, demo.PENDING_ID).pcap.simple
    assert simple.status == pcap_pb2.PCAP_STATUS_PENDING
    assert not simple.HasField("offset_time")


def test_a_failed_capture_says_why(gateway: Gateway) -> None:
    full = get(gateway.channel, demo.FAILED_ID).pcap.full
    assert full.status == pcap_pb2.PCAP_STATUS_FAILED
    assert full.error_message == "the bucket could not be written to"
    assert full.packets_captured == 0 and full.HasField("packets_captured")
    assert not full.HasField("byte_limit") and not full.HasField("filter_v1")


def test_nothing_of_an_odd_capture_is_lost(gateway: Gateway) -> None:
    pcap = get(gateway.channel, demo.ODD_ID).pcap
    # It names no type; byte_limit is a full capture's alone.
    assert pcap.full == pcap_pb2.FullPcap(
        id=demo.ODD_ID,
        byte_limit=9007199254740993,
        colo_name="",
        filter_v1=pcap_pb2.PcapFilter(),
    )
    assert extra_fields(pcap) == {
        "status": "teleporting",
        "system": "magic-carpet",
        "submitted": "2020-13-45",
        "time_limit": "300",
        "packets_captured": 1.5,
        "filter_v1.destination_port": 4294967296,
        "filter_v1.protocol": -1,
        "filter_v1.vlan": 7,
        "sampling": {"rate": 0.25, "tags": ["a", None, True]},
        "huge": "123456789012345678901234567890",
    }


def test_an_empty_account_means_the_default_account(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    assert get(gateway.channel, pcap_id, account_id="").pcap.simple.id == pcap_id
    assert f"/accounts/{demo.ACCOUNT_ID}/" in emulator.requests(pcap_id)[0]["path"]


def test_the_default_account_and_its_name_share_one_cached_answer(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id, account_id="")
    assert get(gateway.channel, pcap_id, account_id=demo.ACCOUNT_ID).is_hit


def test_an_empty_account_without_a_default_is_refused(caller_gateway: Gateway) -> None:
    failure = fail(
        caller_gateway.channel,
        demo.SIMPLE_ID,
        account_id="",
        metadata=[("authorization", f"Bearer {demo.TOKEN}")],
    )
    assert failure.reason == "INVALID_REQUEST"


def test_the_request_upstream_is_the_documented_one(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    [request] = emulator.requests(pcap_id)
    assert request["method"] == "GET"
    assert request["path"] == f"/client/v4/accounts/{demo.ACCOUNT_ID}/pcaps/{pcap_id}"
    headers = emulator.headers(pcap_id)
    assert headers["authorization"] == f"Bearer {demo.TOKEN}"
    assert "application/json" in headers["accept"]
    assert headers["user-agent"].startswith("pcap-gateway/")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("unknown", pcap_pb2.PCAP_STATUS_UNKNOWN),
        ("success", pcap_pb2.PCAP_STATUS_SUCCESS),
        ("pending", pcap_pb2.PCAP_STATUS_PENDING),
        ("running", pcap_pb2.PCAP_STATUS_RUNNING),
        ("conversion_pending", pcap_pb2.PCAP_STATUS_CONVERSION_PENDING),
        ("conversion_running", pcap_pb2.PCAP_STATUS_CONVERSION_RUNNING),
        ("complete", pcap_pb2.PCAP_STATUS_COMPLETE),
        ("failed", pcap_pb2.PCAP_STATUS_FAILED),
    ],
)
def test_each_documented_status_has_its_enum_value(
    gateway: Gateway, emulator: Emulator, text: str, status: int
) -> None:
    assert get(gateway.channel, emulator.add(status=text)).pcap.simple.status == status


def test_absent_null_empty_and_zero_are_told_apart(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.unknown_id()
    emulator.add_exactly(
        pcap_id,
        {"type": "full", "colo_name": "", "byte_limit": 0, "destination_conf": None},
    )
    pcap = get(gateway.channel, pcap_id).pcap
    full = pcap.full
    assert full.HasField("colo_name") and full.colo_name == ""
    assert full.HasField("byte_limit") and full.byte_limit == 0
    for absent in ("id", "destination_conf", "error_message", "packets_captured", "submitted"):
        assert not full.HasField(absent), absent
    assert not pcap.HasField("extra_fields")


def test_a_capture_that_could_be_either_form_is_all_extra_fields(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(type="hologram", filter_v1={"source_port": 7})
    pcap = get(gateway.channel, pcap_id).pcap
    assert pcap.WhichOneof("form") is None
    extra = extra_fields(pcap)
    assert extra["type"] == "hologram"
    assert extra["id"] == pcap_id
    assert extra["status"] == "success"
    assert extra["time_limit"] == 60


def test_without_a_type_offset_time_means_a_simple_capture(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(type=None, offset_time="2026-01-01T00:00:00Z")
    assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_limit", True),
        ("status", 7),
        ("submitted", 1767323045),
        ("submitted", "2026-02-30T00:00:00Z"),
        ("submitted", "0000-01-01T00:00:00Z"),  # a Timestamp begins with the year 1
        ("offset_time", ""),
        ("filter_v1", []),
        ("filter_v1", "all"),
        ("vlan", {"a": [{}, [], None]}),
    ],
)
def test_one_odd_field_is_kept_aside_and_costs_no_other(
    gateway: Gateway, emulator: Emulator, field: str, value: Any
) -> None:
    pcap_id = emulator.add(**{field: value})
    pcap = get(gateway.channel, pcap_id).pcap
    assert extra_fields(pcap) == {field: value}
    assert pcap.simple.id == pcap_id
    assert not any(f.name == field for f, _ in pcap.simple.ListFields())


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("9007199254740993", "9007199254740993"),
        ("-123456789012345678901234567890", "-123456789012345678901234567890"),
        ("1e300", "1e300"),
    ],
)
def test_a_whole_number_that_no_double_holds_is_kept_as_text(
    gateway: Gateway, emulator: Emulator, number: str, text: str
) -> None:
    pcap_id = emulator.unknown_id()
    emulator.answer(
        pcap_id,
        '{"success":true,"errors":[],"messages":[],"result":{"type":"simple","count":%s}}' % number,
    )
    assert extra_fields(get(gateway.channel, pcap_id).pcap) == {"count": text}


def test_fractions_of_seconds_are_kept(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add(submitted="2026-01-02T03:04:05.123456789+02:00", time_limit=1.5)
    simple = get(gateway.channel, pcap_id).pcap.simple
    assert (simple.submitted.seconds, simple.submitted.nanos) == (1767315845, 123456789)
    assert math.isclose(simple.time_limit.ToTimedelta().total_seconds(), 1.5)


def test_the_envelopes_messages_come_along(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.unknown_id()
    emulator.answer(
        pcap_id,
        {
            "success": True,
            "errors": None,
            "messages": [
                {
                    "code": 1000,
                    "message": "be aware",
                    "documentation_url": "https://developers.cloudflare.com/x",
                    "source": {"pointer": "/a/b"},
                },
                "just text",
                {"code": 1001, "message": "no url"},
            ],
            "result": {"id": pcap_id, "type": "simple"},
        },
    )
    first, second, third = get(gateway.channel, pcap_id).response.messages
    assert (first.code, first.message) == (1000, "be aware")
    assert first.documentation_url == "https://developers.cloudflare.com/x"
    assert first.source_pointer == "/a/b"
    assert second.message == "just text" and not second.HasField("code")
    assert third.code == 1001 and not third.HasField("documentation_url")
