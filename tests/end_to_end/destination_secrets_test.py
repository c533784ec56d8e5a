"""destination_conf can hold the keys to a bucket: they stay here unless the operator wants it."""

from __future__ import annotations

import pytest
from emulator import demo

from harness.calls import fail, get
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway

KEY_ID, SECRET = demo.DESTINATION_ACCESS_KEY_ID, demo.DESTINATION_SECRET_ACCESS_KEY


def destination(gateway: Gateway, pcap_id: str) -> str:
    conf: str = get(gateway.channel, pcap_id).pcap.full.destination_conf
    return conf


def test_secrets_are_redacted_by_default(gateway: Gateway) -> None:
    assert destination(gateway, demo.FULL_ID) == (
        f"r2://captures?account-id={demo.ACCOUNT_ID}"
        "&access-key-id=REDACTED&secret-access-key=REDACTED"
    )


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        ("s3://bucket/dir?region=us-east-1", "s3://bucket/dir?region=us-east-1"),
        ("gs://bucket/dir", "gs://bucket/dir"),
        ("r2://bucket?", "r2://bucket?"),
        ("", ""),
        (
            "r2://bucket?secret-access-key=s&account-id=a&new-kind-of-secret=n",
            "r2://bucket?secret-access-key=REDACTED&account-id=a&new-kind-of-secret=REDACTED",
        ),
        ("r2://bucket?SECRET-ACCESS-KEY=s", "r2://bucket?SECRET-ACCESS-KEY=REDACTED"),
    ],
)
def test_all_but_region_and_account_id_is_redacted(
    gateway: Gateway, emulator: Emulator, sent: str, given: str
) -> None:
    assert destination(gateway, emulator.add(type="full", destination_conf=sent)) == given


@pytest.mark.parametrize(
    "sent",
    [
        f"r2://bucket?account-id=a;secret-access-key={SECRET}",
        f"r2://bucket?secret-access-key={SECRET}?region=b",
        f"r2://bucket?region=us#secret-access-key={SECRET}",
        f"r2://bucket#?secret-access-key={SECRET}",
        f"r2://bucket?{SECRET}",
        f"r2://user:{SECRET}@bucket?region=b",
        f"?secret-access-key={SECRET}",
        f"secret-access-key={SECRET}",
    ],
)
def test_a_destination_of_odd_shape_gives_nothing_away(
    gateway: Gateway, emulator: Emulator, sent: str
) -> None:
    pcap_id = emulator.add(type="full", destination_conf=sent)
    assert SECRET not in str(get(gateway.channel, pcap_id).response)


def test_a_destination_of_another_type_gives_nothing_away(
    gateway: Gateway, emulator: Emulator
) -> None:
    for odd in ([demo.DESTINATION_CONF], {"url": demo.DESTINATION_CONF}):
        pcap_id = emulator.add(type="full", destination_conf=odd)
        assert SECRET not in str(get(gateway.channel, pcap_id).response)


def test_a_destination_in_extra_fields_gives_nothing_away(
    gateway: Gateway, emulator: Emulator
) -> None:
    # Where no form can be told, or in a simple capture, which has no such field.
    for form in ("hologram", "simple"):
        pcap_id = emulator.add(type=form, destination_conf=demo.DESTINATION_CONF)
        assert SECRET not in str(get(gateway.channel, pcap_id).response)


def test_a_destination_that_cloudflare_repeats_in_a_text_is_redacted(
    gateway: Gateway, emulator: Emulator
) -> None:
    text = f"cannot write to {demo.DESTINATION_CONF}: access denied"

    failed = emulator.add(type="full", status="failed", error_message=text)
    error_message = get(gateway.channel, failed).pcap.full.error_message
    assert SECRET not in error_message and "access denied" in error_message

    refused = emulator.add()
    body = {"success": False, "errors": [{"code": 1000, "message": text}], "result": None}
    emulator.answer(refused, body, status=400)
    failure = fail(gateway.channel, refused)
    assert SECRET not in failure.told() and KEY_ID not in failure.told()

    noted = emulator.unknown_id()
    messages = [{"code": 1000, "message": text}, text]
    emulator.answer(
        noted, {"success": True, "messages": messages, "result": {"id": noted, "type": "full"}}
    )
    assert SECRET not in str(get(gateway.channel, noted).response)


def test_secrets_are_revealed_where_the_operator_asks_for_it(start_gateway: StartGateway) -> None:
    gateway = start_gateway("--reveal-destination-secrets")
    assert destination(gateway, demo.FULL_ID) == demo.DESTINATION_CONF


def test_revealing_is_for_answers_not_for_errors(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--reveal-destination-secrets")
    pcap_id = emulator.add()
    text = f"cannot write to {demo.DESTINATION_CONF}"
    body = {"success": False, "errors": [{"code": 1000, "message": text}], "result": None}
    emulator.answer(pcap_id, body, status=400)
    assert SECRET not in fail(gateway.channel, pcap_id).told()
    # start_gateway looks through the output for the secret when the gateway has ended.
