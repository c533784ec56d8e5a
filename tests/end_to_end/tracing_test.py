"""What a caller sends so that its call can be found again, and what comes back."""

from __future__ import annotations

import pytest

from harness.calls import get
from harness.emulator import Emulator
from harness.gateway import Gateway

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_request_id_goes_upstream_and_comes_back(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    answer = get(gateway.channel, pcap_id, metadata=[("x-request-id", "order-66.a_b")])
    assert answer.metadata["x-request-id"] == "order-66.a_b"
    assert emulator.headers(pcap_id)["x-request-id"] == "order-66.a_b"


def test_a_call_without_a_request_id_gets_one(gateway: Gateway, emulator: Emulator) -> None:
    ids = []
    for _ in range(2):
        pcap_id = emulator.add()
        ids.append(get(gateway.channel, pcap_id).metadata["x-request-id"])
        # Which nobody but this gateway knows.
        assert "x-request-id" not in emulator.headers(pcap_id)
    assert ids[0] != ids[1]


@pytest.mark.parametrize("request_id", ["two words", "x" * 5000, " "])
def test_a_malformed_request_id_goes_nowhere(
    gateway: Gateway, emulator: Emulator, request_id: str
) -> None:
    pcap_id = emulator.add()
    answer = get(gateway.channel, pcap_id, metadata=[("x-request-id", request_id)])
    assert answer.metadata["x-request-id"] != request_id
    assert emulator.headers(pcap_id).get("x-request-id") != request_id


def test_traceparent_and_tracestate_go_upstream(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    get(
        gateway.channel,
        pcap_id,
        metadata=[("traceparent", TRACEPARENT), ("tracestate", "congo=t61rcWkgMzE,a=1")],
    )
    headers = emulator.headers(pcap_id)
    assert headers["traceparent"] == TRACEPARENT
    assert headers["tracestate"] == "congo=t61rcWkgMzE,a=1"


@pytest.mark.parametrize(
    "traceparent",
    [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e4736",
        "anything",
    ],
)
def test_an_invalid_traceparent_goes_nowhere_and_takes_tracestate_along(
    gateway: Gateway, emulator: Emulator, traceparent: str
) -> None:
    pcap_id = emulator.add()
    get(
        gateway.channel,
        pcap_id,
        metadata=[("traceparent", traceparent), ("tracestate", "congo=t61rcWkgMzE")],
    )
    headers = emulator.headers(pcap_id)
    assert "traceparent" not in headers
    assert "tracestate" not in headers


def test_metadata_that_is_nobodys_business_stays_here(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    get(
        gateway.channel,
        pcap_id,
        metadata=[("cookie", "a=b"), ("x-forwarded-for", "10.0.0.1"), ("x-custom", "1")],
    )
    headers = emulator.headers(pcap_id)
    assert not {"cookie", "x-forwarded-for", "x-custom"} & set(headers)
