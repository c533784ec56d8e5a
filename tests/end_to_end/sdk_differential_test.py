"""Cloudflare's SDKs for Go and Python and the gateway read the same captures to the same values.

All three are asked for every demo capture and for more than a thousand made-up ones. What the
gateway gives is held against what the API reference promises; what an SDK gives is held against the
gateway, and each difference has to be one that is explained (sdks/explained.py). A failing seed is
repeated with PCAP_GATEWAY_TEST_SEED=… .
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from cloudflare import Cloudflare
from emulator import demo

from harness.calls import get
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from sdks import page, readings
from sdks.counts import Counts, print_counts
from sdks.documented import faults
from sdks.explained import ALL, differences
from sdks.made_up import SEED, Fields, Maker
from sdks.readers import ask_go, python_sdk
from sdks.rules import GO, PYTHON

MADE_UP = 1000

# What docs/coming-from-an-sdk.md shows the counts of.
FIXED_SEED = 1

DEMO = [demo.SIMPLE_ID, demo.FULL_ID, demo.RUNNING_ID, demo.PENDING_ID, demo.FAILED_ID, demo.ODD_ID]


@pytest.fixture
def sdk(emulator: Emulator, clean_environment: None) -> Cloudflare:
    return python_sdk(emulator.url)


def compare(
    sdk: Cloudflare, gateway: Gateway, emulator: Emulator, captures: dict[str, Fields]
) -> tuple[Counts, list[str]]:
    """`captures`: by the id that they are asked for with. The second: what is not explained."""
    counts: Counts = {GO: Counter(), PYTHON: Counter()}
    unexplained = []
    for (pcap_id, capture), printed in zip(captures.items(), ask_go(emulator.url, captures)):
        given = readings.of_gateway(get(gateway.channel, pcap_id).response)
        found = [f"the gateway: {fault}" for fault in faults(capture, given)]
        assert "capture" in printed, printed
        said = {
            GO: readings.of_go(printed["capture"]),
            PYTHON: readings.of_python(
                sdk.magic_transit.pcaps.get(pcap_id, account_id=demo.ACCOUNT_ID)
            ),
        }
        for name, reading in said.items():
            found += differences(name, capture, reading, given, counts[name])
        unexplained += [f"{one}\n    of {json.dumps(capture)}" for one in found]
    return counts, unexplained


@pytest.mark.parametrize(
    "pcap_id", DEMO, ids=["simple", "full", "running", "pending", "failed", "odd"]
)
def test_the_demo_captures_are_read_alike(
    sdk: Cloudflare, gateway: Gateway, emulator: Emulator, pcap_id: str
) -> None:
    raw = sdk.magic_transit.pcaps.with_raw_response.get(pcap_id, account_id=demo.ACCOUNT_ID)
    capture = json.loads(raw.text())["result"]
    _, unexplained = compare(sdk, gateway, emulator, {pcap_id: capture})
    assert not unexplained


@pytest.mark.parametrize("seed", [SEED, FIXED_SEED], ids=["made up", "the same each time"])
def test_made_up_captures_are_read_alike(
    sdk: Cloudflare,
    gateway: Gateway,
    emulator: Emulator,
    seed: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    maker = Maker(seed)
    captures = {}
    for _ in range(MADE_UP):
        capture, body = maker.answer()
        pcap_id = capture.get("id") or emulator.unknown_id()
        emulator.answer(pcap_id, body)
        captures[pcap_id] = capture
    counts, unexplained = compare(sdk, gateway, emulator, captures)
    with capsys.disabled():
        print_counts(f"{MADE_UP} captures, PCAP_GATEWAY_TEST_SEED={seed}", counts)
        print(f"{len(unexplained)} differences unexplained")
    assert not unexplained, "\n".join(unexplained[:20])
    if seed == FIXED_SEED:
        reasons = {name: (one.why, one.better) for name, one in ALL.items()}
        page.check("What differs in a capture", page.table(reasons, counts.values()))


@pytest.mark.parametrize("name", ALL)
def test_each_explained_difference_is_there(
    sdk: Cloudflare, gateway: Gateway, emulator: Emulator, name: str
) -> None:
    pcap_id = ALL[name].example.get("id") or emulator.unknown_id()
    said = [{"code": 1000, "message": "hello"}]
    body: Fields = {"success": True, "errors": [], "messages": said, "result": ALL[name].example}
    emulator.answer(pcap_id, body)
    counts, unexplained = compare(sdk, gateway, emulator, {pcap_id: ALL[name].example})
    assert not unexplained
    shown_by = {sdk for sdk, counted in counts.items() if counted[name]}
    assert shown_by == set(ALL[name].sdks)


def test_messages_of_the_envelope_come_through_the_gateway(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.unknown_id()
    messages: list[Any] = [
        {
            "code": 1001,
            "message": "two",
            "documentation_url": "https://a.b/c",
            "source": {"pointer": "/id"},
        },
        "only words",
    ]
    emulator.answer(pcap_id, {"success": True, "messages": messages, "result": {"type": "simple"}})
    first, second = get(gateway.channel, pcap_id).response.messages
    assert (first.code, first.message, first.source_pointer) == (1001, "two", "/id")
    assert (first.documentation_url, second.message) == ("https://a.b/c", "only words")


def test_where_secrets_are_revealed_the_destination_is_read_alike_too(
    sdk: Cloudflare, start_gateway: StartGateway
) -> None:
    gateway = start_gateway("--reveal-destination-secrets")
    full = get(gateway.channel, demo.FULL_ID).pcap.full
    model = sdk.magic_transit.pcaps.get(demo.FULL_ID, account_id=demo.ACCOUNT_ID)
    assert full.destination_conf == model.to_dict()["destination_conf"]
