"""Whose credential goes upstream, what its rejection means, and that no secret gets out."""

from __future__ import annotations

from pathlib import Path

import pytest
from emulator import demo

from harness.calls import Failure, fail, get
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway


def bearer(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


def user(email: str, key: str) -> list[tuple[str, str]]:
    return [("x-auth-email", email), ("x-auth-key", key)]


def code_and_reason(failure: Failure) -> tuple[str, str]:
    return failure.code.name, failure.reason


# The gateway's own credential -------------------------------------------------------------------


def test_the_token_file_comes_before_the_environment(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(demo.READ_TOKEN)
    gateway = start_gateway(
        f"--api-token-file={file}",
        CLOUDFLARE_API_TOKEN=demo.TOKEN,
        CLOUDFLARE_EMAIL=demo.EMAIL,
        CLOUDFLARE_API_KEY=demo.KEY,
    )
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    assert emulator.headers(pcap_id)["authorization"] == f"Bearer {demo.READ_TOKEN}"


def test_the_environments_token_comes_before_email_and_key(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(
        CLOUDFLARE_API_TOKEN=demo.TOKEN,
        CLOUDFLARE_EMAIL=demo.EMAIL,
        CLOUDFLARE_API_KEY=demo.KEY,
    )
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    headers = emulator.headers(pcap_id)
    assert headers["authorization"] == f"Bearer {demo.TOKEN}"
    assert not {"x-auth-email", "x-auth-key"} & set(headers)


def test_email_and_key_will_do(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway(CLOUDFLARE_EMAIL=demo.EMAIL, CLOUDFLARE_API_KEY=demo.KEY)
    pcap_id = emulator.add()
    assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id
    headers = emulator.headers(pcap_id)
    assert (headers["x-auth-email"], headers["x-auth-key"]) == (demo.EMAIL, demo.KEY)
    assert "authorization" not in headers


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", "  {}\t\n\n"])
def test_white_space_around_a_token_in_a_file_is_dropped(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path, around: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes(around.format(demo.TOKEN).encode())
    gateway = start_gateway(f"--api-token-file={file}")
    assert get(gateway.channel, emulator.add())


def test_the_token_file_can_be_named_in_the_environment(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(demo.READ_TOKEN)
    gateway = start_gateway(
        PCAP_GATEWAY_API_TOKEN_FILE=str(file), CLOUDFLARE_API_TOKEN="not-this-one"
    )
    assert get(gateway.channel, emulator.add())


def test_callers_credentials_are_not_used_where_the_gateway_has_its_own(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    metadata = [*bearer("somebody-elses"), *user("a@example.com", "some-key")]
    get(gateway.channel, pcap_id, metadata=metadata)
    headers = emulator.headers(pcap_id)
    assert headers["authorization"] == f"Bearer {demo.TOKEN}"
    assert not {"x-auth-email", "x-auth-key"} & set(headers)


def test_a_rejected_credential_of_the_gateways_is_no_callers_fault(
    start_gateway: StartGateway,
) -> None:
    token = "nobody-knows-this-token"
    gateway = start_gateway(CLOUDFLARE_API_TOKEN=token)
    failure = fail(gateway.channel, demo.SIMPLE_ID)
    assert code_and_reason(failure) == ("INTERNAL", "UPSTREAM_CREDENTIALS_REJECTED")
    assert token not in failure.told()
    assert token not in gateway.process.output()


def test_an_account_that_the_gateways_token_has_no_rights_to_is_denied(gateway: Gateway) -> None:
    failure = fail(gateway.channel, demo.OTHER_ACCOUNTS_ID, account_id=demo.OTHER_ACCOUNT_ID)
    assert code_and_reason(failure) == ("PERMISSION_DENIED", "UPSTREAM_ACCOUNT_DENIED")
    assert "account" in failure.message


def test_a_token_of_the_gateways_without_the_right_to_captures_is_denied(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(CLOUDFLARE_API_TOKEN=demo.NO_RIGHTS_TOKEN)
    failure = fail(gateway.channel, demo.SIMPLE_ID)
    assert code_and_reason(failure) == ("PERMISSION_DENIED", "UPSTREAM_ACCOUNT_DENIED")
    # Nobody is woken for it: whoever names another account than the gateway's gets the same.
    assert gateway.end() == 0
    [line] = [line for line in gateway.log() if "UPSTREAM_ACCOUNT_DENIED" in str(line)]
    assert line["level"] == "warn"


# The callers' credentials -----------------------------------------------------------------------


def test_a_callers_token_is_what_goes_upstream(caller_gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    answer = get(caller_gateway.channel, pcap_id, metadata=bearer(demo.READ_TOKEN))
    assert answer.pcap.simple.id == pcap_id
    assert emulator.headers(pcap_id)["authorization"] == f"Bearer {demo.READ_TOKEN}"


def test_a_callers_email_and_key_are_what_goes_upstream(
    caller_gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    assert get(caller_gateway.channel, pcap_id, metadata=user(demo.EMAIL, demo.KEY))
    headers = emulator.headers(pcap_id)
    assert (headers["x-auth-email"], headers["x-auth-key"]) == (demo.EMAIL, demo.KEY)


def test_bearer_is_bearer_in_any_case(caller_gateway: Gateway, emulator: Emulator) -> None:
    metadata = [("authorization", f"bearer {demo.TOKEN}")]
    assert get(caller_gateway.channel, emulator.add(), metadata=metadata)


def test_with_callers_credentials_the_environments_are_not_used(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway("--credential=caller", CLOUDFLARE_API_TOKEN=demo.TOKEN)
    assert fail(gateway.channel, demo.SIMPLE_ID).reason == "MISSING_CREDENTIAL"


def test_401_and_403_are_the_callers_own(caller_gateway: Gateway) -> None:
    channel = caller_gateway.channel
    unknown = fail(channel, demo.SIMPLE_ID, metadata=bearer("nobody-knows-this-token"))
    assert code_and_reason(unknown) == ("UNAUTHENTICATED", "UPSTREAM_UNAUTHENTICATED")
    without_rights = fail(channel, demo.SIMPLE_ID, metadata=bearer(demo.NO_RIGHTS_TOKEN))
    assert code_and_reason(without_rights) == ("PERMISSION_DENIED", "UPSTREAM_PERMISSION_DENIED")
    wrong_key = fail(channel, demo.SIMPLE_ID, metadata=user(demo.EMAIL, "wrong-key"))
    assert code_and_reason(wrong_key) == ("UNAUTHENTICATED", "UPSTREAM_UNAUTHENTICATED")


@pytest.mark.parametrize(
    "metadata",
    [[], [("x-auth-email", demo.EMAIL)], [("x-auth-key", "some-key")], [("authorization", "")]],
    ids=["nothing", "email alone", "key alone", "empty"],
)
def test_a_missing_credential_is_told_before_anything_is_asked(
    caller_gateway: Gateway, emulator: Emulator, metadata: list[tuple[str, str]]
) -> None:
    pcap_id = emulator.add()
    failure = fail(caller_gateway.channel, pcap_id, metadata=[*metadata, ("x-request-id", pcap_id)])
    assert code_and_reason(failure) == ("UNAUTHENTICATED", "MISSING_CREDENTIAL")
    assert emulator.requests(pcap_id) == []
    # How to mend it is no secret: the log says it whole.
    caller_gateway.process.stderr.wait_for(pcap_id)
    [line] = [line for line in caller_gateway.log() if line.get("request_id") == pcap_id]
    assert line["message"] == failure.message and "Bearer TOKEN" in line["message"]


@pytest.mark.parametrize(
    "metadata",
    [
        [("authorization", "Basic dXNlcjpwYXNz")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer  ")],
        [("authorization", "Bearer " + "x" * 5000)],
        user("a@example.com", "x" * 5000),
    ],
    ids=["basic", "no token", "blank token", "long token", "long key"],
)
def test_a_credential_that_cannot_be_one_is_told_before_anything_is_asked(
    caller_gateway: Gateway, emulator: Emulator, metadata: list[tuple[str, str]]
) -> None:
    pcap_id = emulator.add()
    failure = fail(caller_gateway.channel, pcap_id, metadata=metadata)
    assert code_and_reason(failure) == ("UNAUTHENTICATED", "INVALID_CREDENTIAL")
    assert emulator.requests(pcap_id) == []
    assert "xxx" not in failure.told() and "dXNl" not in failure.told()


def test_two_callers_never_share_a_cached_answer(
    caller_gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    mine, theirs = bearer(demo.TOKEN), bearer(demo.SECOND_TOKEN)
    assert not get(caller_gateway.channel, pcap_id, metadata=mine).is_hit
    assert not get(caller_gateway.channel, pcap_id, metadata=theirs).is_hit
    assert not get(caller_gateway.channel, pcap_id, metadata=user(demo.EMAIL, demo.KEY)).is_hit
    assert get(caller_gateway.channel, pcap_id, metadata=mine).is_hit
    assert get(caller_gateway.channel, pcap_id, metadata=theirs).is_hit
    assert len(emulator.requests(pcap_id)) == 3


def test_what_one_caller_may_see_another_may_not_see_from_the_cache(
    caller_gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    get(caller_gateway.channel, pcap_id, metadata=bearer(demo.TOKEN))
    for token in (demo.OTHER_TOKEN, demo.NO_RIGHTS_TOKEN):
        failure = fail(caller_gateway.channel, pcap_id, metadata=bearer(token))
        assert failure.code.name == "PERMISSION_DENIED"


def test_a_404_of_one_caller_is_not_anothers(caller_gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.unknown_id()
    fail(caller_gateway.channel, pcap_id, metadata=bearer(demo.TOKEN))
    emulator.add_exactly(pcap_id, {"id": pcap_id, "type": "simple"})
    assert get(caller_gateway.channel, pcap_id, metadata=bearer(demo.SECOND_TOKEN))


def refuse(emulator: Emulator, status: int, code: int) -> str:
    """A capture that is answered with this error; returns its id."""
    pcap_id = emulator.unknown_id()
    error = {"code": code, "message": "Authentication error"}
    body = {"success": False, "errors": [error], "messages": [], "result": None}
    emulator.answer(pcap_id, body, status=status)
    return pcap_id


@pytest.mark.parametrize(
    "status, code", [(401, 10000), (200, 10000), (400, 6003)], ids=lambda value: str(value)
)
def test_a_rejected_credential_is_given_nothing_that_was_kept_for_it(
    caller_gateway: Gateway, emulator: Emulator, status: int, code: int
) -> None:
    channel, mine, theirs = caller_gateway.channel, bearer(demo.TOKEN), bearer(demo.SECOND_TOKEN)
    pcap_ids = [emulator.add() for _ in range(3)]
    for pcap_id in pcap_ids:
        get(channel, pcap_id, metadata=mine)
    get(channel, pcap_ids[0], metadata=theirs)
    fail(channel, refuse(emulator, status, code), metadata=mine)
    for pcap_id in pcap_ids:
        assert not get(channel, pcap_id, metadata=mine).is_hit
        # It works again, and so at once.
        assert get(channel, pcap_id, metadata=mine).is_hit
    assert get(channel, pcap_ids[0], metadata=theirs).is_hit


def test_a_revoked_token_is_given_nothing_though_cloudflare_is_away(
    caller_gateway: Gateway, emulator: Emulator
) -> None:
    channel, mine = caller_gateway.channel, bearer(demo.TOKEN)
    pcap_id = emulator.add()
    get(channel, pcap_id, metadata=mine)
    fail(channel, refuse(emulator, 401, 10000), metadata=mine)
    emulator.fault(pcap_id, "html", status=502)
    assert fail(channel, pcap_id, metadata=mine).reason == "UPSTREAM_UNAVAILABLE"
    only_kept = [*mine, ("cache-control", "only-if-cached")]
    assert fail(channel, pcap_id, metadata=only_kept).reason == "NOT_CACHED"


def test_a_403_takes_what_was_kept_of_that_account_and_nothing_else(
    caller_gateway: Gateway, emulator: Emulator
) -> None:
    emulator.add_principal(
        "both",
        token="emulator-token-for-two-accounts",
        rights={demo.ACCOUNT_ID: ["read"], demo.OTHER_ACCOUNT_ID: ["read"]},
    )
    channel, both = caller_gateway.channel, bearer("emulator-token-for-two-accounts")
    here, there = emulator.add(), emulator.add(demo.OTHER_ACCOUNT_ID)
    get(channel, here, metadata=both)
    get(channel, there, demo.OTHER_ACCOUNT_ID, metadata=both)
    fail(channel, refuse(emulator, 403, 10000), metadata=both)
    assert not get(channel, here, metadata=both).is_hit
    assert get(channel, there, demo.OTHER_ACCOUNT_ID, metadata=both).is_hit


def test_email_and_key_are_not_confused_with_each_other_or_a_token(
    caller_gateway: Gateway, emulator: Emulator
) -> None:
    # The same characters, cut at another place, are another credential.
    for email, key in (("ab@example.com", "c"), ("ab@example.co", "mc")):
        emulator.add_principal(email, email=email, key=key, rights={demo.ACCOUNT_ID: ["read"]})
    pcap_id = emulator.add()
    for email, key in (("ab@example.com", "c"), ("ab@example.co", "mc")):
        assert not get(caller_gateway.channel, pcap_id, metadata=user(email, key)).is_hit


# Secrets ----------------------------------------------------------------------------------------


def test_no_credential_is_ever_printed(start_gateway: StartGateway, emulator: Emulator) -> None:
    """Through success, failure of every kind, and the end of the process."""
    canary = "canary-token-" + "0123456789abcdef"
    emulator.add_principal("canary", token=canary, rights={demo.ACCOUNT_ID: ["read"]})
    gateway = start_gateway("--upstream-timeout=300ms", CLOUDFLARE_API_TOKEN=canary)
    get(gateway.channel, emulator.add())
    for fault in (
        {"kind": "html", "status": 502},
        {"kind": "reset_before"},
        {"kind": "truncate"},
        {"kind": "answer", "status": 401, "body": "{}"},
        {"kind": "answer", "status": 200, "body": "{"},
        {"hold": "never"},
    ):
        pcap_id = emulator.add()
        emulator.fault(pcap_id, **fault)
        assert canary not in fail(gateway.channel, pcap_id).told()
    assert gateway.end() == 0
    assert canary not in gateway.process.output()


def test_no_callers_credential_is_ever_printed(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    canary = "canary-token-" + "fedcba9876543210"
    gateway = start_gateway("--credential=caller")
    for metadata in (
        bearer(canary),
        [("authorization", canary)],
        [("authorization", f"Basic {canary}")],
        bearer(canary + " and more"),
        user(f"{canary}@example.com", canary),
        [("x-auth-key", canary)],
    ):
        assert canary not in fail(gateway.channel, emulator.add(), metadata=metadata).told()
    assert gateway.end() == 0
    assert canary not in gateway.process.output()


def test_a_credential_that_cloudflare_repeats_is_not_passed_on(
    gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    error = {"code": 1000, "message": f"who is {demo.TOKEN}?"}
    emulator.answer(pcap_id, {"success": False, "errors": [error], "result": None}, status=400)
    assert demo.TOKEN not in fail(gateway.channel, pcap_id).told()
