"""The emulator behaves as Cloudflare documents it: seen through Cloudflare's own SDK."""

from __future__ import annotations

import io
import json
import socket
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator

import cloudflare
import emulator as package
import httpx
import pytest
from cloudflare import Cloudflare
from emulator import demo, listening

from harness.emulator import START, Emulator, capture_of

ACCOUNT = demo.ACCOUNT_ID
FULL = {
    "account_id": ACCOUNT,
    "type": "full",
    "system": "magic-transit",
    "time_limit": 100,
    "colo_name": "ord02",
    "destination_conf": demo.BUCKET,
}
SIMPLE = {
    "account_id": ACCOUNT,
    "type": "simple",
    "system": "magic-transit",
    "time_limit": 300,
    "packet_limit": 10_000,
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """One of its own for each test: they move its time."""
    emulator = Emulator()
    yield emulator
    emulator.stop()


def client(emulator: Emulator, token: str = demo.TOKEN) -> Cloudflare:
    # No environment: the tester may have a real credential there.
    return Cloudflare(
        api_token=token,
        base_url=emulator.url,
        max_retries=0,
        http_client=httpx.Client(trust_env=False),
    )


@pytest.fixture
def sdk(emulator: Emulator) -> Cloudflare:
    """Its own credential variables unset."""
    return client(emulator)


@pytest.fixture(autouse=True)
def no_credentials_of_the_testers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_USER_SERVICE_KEY"):
        monkeypatch.delenv(name, raising=False)


def create(sdk: Cloudflare, **fields: Any) -> Any:
    """Untyped, as many of the fields that tests send are not what the SDK's types allow."""
    return sdk.magic_transit.pcaps.create(**fields)


def status(sdk: Cloudflare, pcap_id: str) -> str | None:
    return sdk.magic_transit.pcaps.get(pcap_id, account_id=ACCOUNT).status


def refusal(error: cloudflare.APIStatusError) -> tuple[int, int]:
    """HTTP status and Cloudflare's code."""
    body = error.response.json()
    assert body["success"] is False and body["result"] is None
    return error.status_code, body["errors"][0]["code"]


def pointer(error: cloudflare.APIStatusError) -> str:
    """To the field that is wrong."""
    told: str = error.response.json()["errors"][0]["source"]["pointer"]
    return told


def raw(emulator: Emulator, method: str, path: str = "", **sent: Any) -> httpx.Response:
    """`path`: what follows that of the account's captures."""
    return httpx.request(
        method,
        f"{emulator.url}/accounts/{ACCOUNT}/pcaps{path}",
        headers={"Authorization": f"Bearer {demo.TOKEN}"},
        trust_env=False,
        **sent,
    )


def test_every_demo_capture_is_there(sdk: Cloudflare) -> None:
    statuses = {
        demo.SIMPLE_ID: "success",
        demo.FULL_ID: "complete",
        demo.RUNNING_ID: "running",
        demo.PENDING_ID: "pending",
        demo.FAILED_ID: "failed",
        demo.ODD_ID: "teleporting",
    }
    assert {pcap_id: status(sdk, pcap_id) for pcap_id in statuses} == statuses
    listed = {pcap.id for pcap in sdk.magic_transit.pcaps.list(account_id=ACCOUNT)}
    assert listed == set(statuses)


def test_a_simple_capture_is_pending_and_then_a_success(
    sdk: Cloudflare, emulator: Emulator
) -> None:
    created = create(sdk, **SIMPLE)
    assert created.status == "pending" and created.id
    emulator.advance(1)
    assert status(sdk, created.id) == "success"


def test_a_full_capture_goes_through_its_statuses(sdk: Cloudflare, emulator: Emulator) -> None:
    emulator.advance(400)  # until the demo's running one is over
    created = create(sdk, **FULL)
    assert created.id
    seen = [created.status]
    for seconds in (2, 100, 2, 3):
        emulator.advance(seconds)
        seen.append(status(sdk, created.id))
    assert seen == ["pending", "running", "conversion_pending", "conversion_running", "complete"]


def test_stopping_ends_the_capture_and_keeps_what_it_has(
    sdk: Cloudflare, emulator: Emulator
) -> None:
    sdk.magic_transit.pcaps.stop(demo.RUNNING_ID, account_id=ACCOUNT)
    stopped = sdk.magic_transit.pcaps.get(demo.RUNNING_ID, account_id=ACCOUNT)
    assert stopped.status == "conversion_pending"
    assert stopped.to_dict()["stop_requested"] == START
    emulator.advance(10)
    done = sdk.magic_transit.pcaps.get(demo.RUNNING_ID, account_id=ACCOUNT).to_dict()
    assert (done["status"], done["packets_captured"]) == ("complete", 2800)


def test_only_full_captures_can_be_stopped(sdk: Cloudflare) -> None:
    for simple in (demo.SIMPLE_ID, demo.PENDING_ID):
        with pytest.raises(cloudflare.BadRequestError):
            sdk.magic_transit.pcaps.stop(simple, account_id=ACCOUNT)
    with pytest.raises(cloudflare.NotFoundError):
        sdk.magic_transit.pcaps.stop("0" * 32, account_id=ACCOUNT)


def test_stopping_is_answered_without_a_body(emulator: Emulator) -> None:
    answer = raw(emulator, "PUT", f"/{demo.RUNNING_ID}/stop")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_full_capture_that_a_test_made_up_can_be_stopped_once(
    sdk: Cloudflare, emulator: Emulator
) -> None:
    pcap_id = emulator.add(type="full", status="running")
    for _ in range(2):
        sdk.magic_transit.pcaps.stop(pcap_id, account_id=ACCOUNT)
        stopped = sdk.magic_transit.pcaps.get(pcap_id, account_id=ACCOUNT).to_dict()
        assert (stopped["status"], stopped["stop_requested"]) == ("conversion_pending", START)
        emulator.advance(1)


@pytest.mark.parametrize(
    ("limit", "seconds", "packets"),
    [({"packet_limit": 500}, 5, 500), ({"byte_limit": 300_000}, 3, 300)],
    ids=["packets", "bytes"],
)
def test_a_full_capture_is_over_when_its_limit_is_reached(
    sdk: Cloudflare, emulator: Emulator, limit: dict[str, int], seconds: int, packets: int
) -> None:
    emulator.advance(400)
    created = create(sdk, **FULL, **limit)
    emulator.advance(2 + seconds - 0.001)
    assert status(sdk, created.id) == "running"
    emulator.advance(0.001)
    done = sdk.magic_transit.pcaps.get(created.id, account_id=ACCOUNT).to_dict()
    assert (done["status"], done["packets_captured"]) == ("conversion_pending", packets)


def packets_of(file: bytes) -> list[tuple[datetime, bytes]]:
    """When each was seen, and its bytes from the IP header on."""
    data = io.BytesIO(file)
    magic, major, minor, *_, link_type = struct.unpack("<IHHiIII", data.read(24))
    assert (magic, major, minor, link_type) == (0xA1B2C3D4, 2, 4, 101)
    packets = []
    while header := data.read(16):
        seconds, microseconds, length, original = struct.unpack("<IIII", header)
        packet = data.read(length)
        assert length == original == len(packet)
        when = datetime.fromtimestamp(seconds, timezone.utc) + timedelta(microseconds=microseconds)
        packets.append((when, packet))
    return packets


def sums_up(data: bytes) -> bool:
    """A checksum within it is right (RFC 1071)."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    return total % 0xFFFF == 0


def download(sdk: Cloudflare, pcap_id: str) -> bytes:
    return sdk.magic_transit.pcaps.download.get(pcap_id, account_id=ACCOUNT).read()


@pytest.mark.parametrize("protocol", [None, 1, 6, 17, 47], ids=str)
def test_a_download_has_packets_that_fit_the_filter(
    sdk: Cloudflare, emulator: Emulator, protocol: int | None
) -> None:
    asked = {**demo.FILTER, "protocol": protocol}
    if protocol is None:
        del asked["protocol"]
    created = create(sdk, **SIMPLE, filter_v1=asked)
    emulator.advance(1)
    packets = packets_of(download(sdk, created.id))
    assert [when for when, _ in packets] == [
        START - timedelta(milliseconds=before) for before in (3, 2, 1)
    ]
    for _, packet in packets:
        length, of = struct.unpack(">2xH5xB", packet[:10])
        assert (packet[0], length, of) == (0x45, len(packet), protocol or 6)
        assert packet[12:20] == bytes([1, 2, 3, 4, 5, 6, 7, 8]) and sums_up(packet[:20])
        if of in (6, 17):
            assert struct.unpack(">HH", packet[20:24]) == (123, 80)
            assert sums_up(packet[12:] + struct.pack(">HH", of, length - 20))
        if of == 1:
            assert sums_up(packet[20:])


def test_a_download_has_packets_of_version_6(sdk: Cloudflare, emulator: Emulator) -> None:
    created = create(sdk, **SIMPLE, filter_v1={"source_address": "2001:db8::7", "protocol": 17})
    emulator.advance(1)
    for _, packet in packets_of(download(sdk, created.id)):
        length, of = struct.unpack(">I", packet[:4]) + struct.unpack(">HB", packet[4:7])[1:]
        assert (length >> 28, of) == (6, 17)
        assert packet[8:24] == socket.inet_pton(socket.AF_INET6, "2001:db8::7")
        assert sums_up(packet[8:] + struct.pack(">HH", 17, len(packet) - 40))


@pytest.mark.parametrize(
    ("fields", "packets"),
    [
        ({"packet_limit": 2}, 2),
        # Nothing can be from the one and to the other.
        ({"filter_v1": {"source_address": "1.2.3.4", "destination_address": "::1"}}, 0),
    ],
    ids=str,
)
def test_a_download_has_as_many_packets_as_there_can_be(
    sdk: Cloudflare, emulator: Emulator, fields: dict[str, Any], packets: int
) -> None:
    created = create(sdk, **{**SIMPLE, **fields})
    emulator.advance(1)
    assert len(packets_of(download(sdk, created.id))) == packets


def test_a_download_looks_back_from_its_offset_time(sdk: Cloudflare, emulator: Emulator) -> None:
    offset = START - timedelta(hours=3)
    created = create(sdk, **SIMPLE, offset_time=offset)
    emulator.advance(1)
    assert packets_of(download(sdk, created.id))[-1][0] == offset - timedelta(milliseconds=1)


def test_a_download_can_be_large_and_tells_its_length(sdk: Cloudflare, emulator: Emulator) -> None:
    pcap_id = emulator.add(packets=100_000, filter_v1={"protocol": "none that there is"})
    answer = raw(emulator, "GET", f"/{pcap_id}/download")
    assert answer.headers["content-type"] == "application/vnd.tcpdump.pcap"
    assert int(answer.headers["content-length"]) == len(answer.content) == 24 + 56 * 100_000
    assert len(packets_of(answer.content)) == 100_000
    [entry] = emulator.requests(pcap_id)
    assert entry["body_bytes_sent"] == len(answer.content)


def test_a_download_that_the_client_breaks_off_is_noted(emulator: Emulator) -> None:
    pcap_id = emulator.add(packets=1_000_000)
    with httpx.stream(
        "GET",
        f"{emulator.url}/accounts/{ACCOUNT}/pcaps/{pcap_id}/download",
        headers={"Authorization": f"Bearer {demo.TOKEN}"},
        trust_env=False,
    ) as answer:
        next(answer.iter_raw())
    emulator.wait(pcap_id, state="aborted")


@pytest.mark.parametrize(
    "destination",
    ["s3://nobodys", demo.NEW_BUCKET, "gs://captures/failed", "r2://nobodys?secret-access-key=key"],
)
def test_a_full_capture_fails_whose_bucket_is_not_validated(
    sdk: Cloudflare, emulator: Emulator, destination: str
) -> None:
    emulator.advance(400)
    created = create(sdk, **{**FULL, "destination_conf": destination})
    assert created.status == "pending"
    emulator.advance(2)
    failed = sdk.magic_transit.pcaps.get(created.id, account_id=ACCOUNT).to_dict()
    assert (failed["status"], failed["packets_captured"]) == ("failed", 0)
    name = destination.partition("?")[0].removesuffix("/here").removesuffix("/failed")
    assert failed["error_message"] == f"the ownership of {name} is not validated"
    assert create(sdk, **FULL)  # it is over


def buckets(sdk: Cloudflare) -> list[Any]:
    return [one.to_dict() for one in sdk.magic_transit.pcaps.ownership.get(account_id=ACCOUNT)]


def test_every_demo_bucket_is_there(emulator: Emulator, sdk: Cloudflare) -> None:
    assert [(one["id"], one["status"], one["destination_conf"]) for one in buckets(sdk)] == [
        (demo.NEW_OWNERSHIP_ID, "pending", demo.NEW_BUCKET),
        (demo.FAILED_OWNERSHIP_ID, "failed", "gs://captures"),
        (demo.OWNERSHIP_ID, "success", demo.BUCKET),
        (demo.R2_OWNERSHIP_ID, "success", demo.DESTINATION_CONF),
    ]
    assert [bool(one["validated"]) for one in buckets(sdk)] == [False, False, True, True]
    other = client(emulator, demo.OTHER_TOKEN).magic_transit.pcaps.ownership
    assert list(other.get(account_id=demo.OTHER_ACCOUNT_ID)) == []


def test_a_bucket_is_validated_late_by_what_its_file_says(
    sdk: Cloudflare, emulator: Emulator
) -> None:
    secret = "r2://new?account-id=a&access-key-id=b&secret-access-key=c"
    added = sdk.magic_transit.pcaps.ownership.create(account_id=ACCOUNT, destination_conf=secret)
    assert (added.status, added.validated, added.destination_conf) == ("pending", "", secret)
    assert added.filename == f"ownership-challenge-{added.id}.txt"
    emulator.advance(600)  # by itself nothing happens
    assert buckets(sdk)[0] == added.to_dict()
    asked = sdk.magic_transit.pcaps.ownership.validate(
        account_id=ACCOUNT,
        destination_conf="r2://new?account-id=a",
        ownership_challenge=emulator.challenge(added.id),
    )
    assert asked == added
    emulator.advance(299)
    assert buckets(sdk)[0]["status"] == "pending"
    emulator.advance(1)
    validated = buckets(sdk)[0]
    assert validated["status"] == "success"
    assert datetime.fromisoformat(validated["validated"]) == START + timedelta(seconds=900)
    created = create(sdk, **{**FULL, "destination_conf": secret})
    emulator.advance(2)
    assert status(sdk, created.id) == "running"


def test_a_bucket_of_a_wrong_proof_has_failed_until_the_right_one_comes(
    sdk: Cloudflare, emulator: Emulator
) -> None:
    def validate(proof: str) -> str:
        sdk.magic_transit.pcaps.ownership.validate(
            account_id=ACCOUNT, destination_conf=demo.NEW_BUCKET, ownership_challenge=proof
        )
        emulator.advance(300)
        told: str = buckets(sdk)[0]["status"]
        return told

    name = buckets(sdk)[0]["filename"]
    told = [validate(proof) for proof in (name, demo.OWNERSHIP_CHALLENGE, name)]
    assert told == ["failed", "success", "success"]


def test_a_bucket_can_be_deleted_and_added_again(sdk: Cloudflare, emulator: Emulator) -> None:
    ownership = sdk.magic_transit.pcaps.ownership
    with pytest.raises(cloudflare.ConflictError):
        ownership.create(account_id=ACCOUNT, destination_conf=demo.BUCKET)
    answer = raw(emulator, "DELETE", f"/ownership/{demo.OWNERSHIP_ID}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert demo.OWNERSHIP_ID not in {one["id"] for one in buckets(sdk)}
    with pytest.raises(cloudflare.NotFoundError):
        ownership.delete(demo.OWNERSHIP_ID, account_id=ACCOUNT)
    again = ownership.create(account_id=ACCOUNT, destination_conf=demo.BUCKET)
    assert (again.status, buckets(sdk)[0]["id"]) == ("pending", again.id)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("", {}, "destination_conf"),
        ("", {"destination_conf": "ftp://bucket"}, "destination_conf"),
        ("", {"destination_conf": 7}, "destination_conf"),
        ("/validate", {"destination_conf": demo.NEW_BUCKET}, "ownership_challenge"),
        ("/validate", {"ownership_challenge": "x"}, "destination_conf"),
    ],
    ids=str,
)
def test_what_a_bucket_needs_is_checked(
    emulator: Emulator, path: str, body: dict[str, Any], field: str
) -> None:
    answer = raw(emulator, "POST", f"/ownership{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["source"]["pointer"] == f"/{field}"


def test_a_bucket_that_was_not_added_cannot_be_validated(sdk: Cloudflare) -> None:
    with pytest.raises(cloudflare.NotFoundError):
        sdk.magic_transit.pcaps.ownership.validate(
            account_id=ACCOUNT, destination_conf="s3://nobodys", ownership_challenge="x"
        )


@pytest.mark.parametrize("packets", [3, 20_000])
@pytest.mark.parametrize("kind", ["truncate", "reset_within", "reset_before", "cut_chunk"])
def test_a_download_can_break_off(emulator: Emulator, kind: str, packets: int) -> None:
    pcap_id = emulator.add(packets=packets)
    emulator.fault(pcap_id, kind, path="/download")
    with pytest.raises(httpx.TransportError):
        raw(emulator, "GET", f"/{pcap_id}/download")
    assert raw(emulator, "GET", f"/{pcap_id}").status_code == 200


def test_a_download_can_be_larger_than_announced(emulator: Emulator) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "wrong_length", size=-100)
    host, port = emulator.address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        path = f"/client/v4/accounts/{ACCOUNT}/pcaps/{pcap_id}/download"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {demo.TOKEN}\r\n\r\n"
        connection.sendall(head.encode())
        with connection.makefile("rb") as answer:
            told, _, body = answer.read().partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: 92" in told and len(body) == 24 + 3 * 56


@pytest.mark.parametrize("kind", ["chunked", "until_closed"])
def test_a_download_need_not_tell_its_length(emulator: Emulator, kind: str) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, kind)
    answer = raw(emulator, "GET", f"/{pcap_id}/download")
    assert "content-length" not in answer.headers
    assert answer.headers["content-type"] == "application/vnd.tcpdump.pcap"
    assert len(packets_of(answer.content)) == 3


def test_a_download_can_be_html(emulator: Emulator) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "html", path="/download")
    answer = raw(emulator, "GET", f"/{pcap_id}/download")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")


def test_a_download_can_be_slow(emulator: Emulator) -> None:
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "drip", size=60, seconds=0.001)
    answer = raw(emulator, "GET", f"/{pcap_id}/download")
    assert len(packets_of(answer.content)) == 3
    assert emulator.requests(pcap_id)[0]["body_bytes_sent"] == 24 + 3 * 56


def test_a_download_can_be_held_in_the_middle(emulator: Emulator) -> None:
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id, kind="hold_in_body")
    with httpx.stream(
        "GET",
        f"{emulator.url}/accounts/{ACCOUNT}/pcaps/{pcap_id}/download",
        headers={"Authorization": f"Bearer {demo.TOKEN}"},
        trust_env=False,
    ) as answer:
        pieces = answer.iter_raw()
        first = next(pieces)
        assert len(first) == (24 + 3 * 56) // 2
        emulator.release(gate)
        assert len(packets_of(first + b"".join(pieces))) == 3


@pytest.mark.parametrize("pcap_id", [demo.FULL_ID, demo.PENDING_ID])
def test_what_is_full_or_not_done_cannot_be_downloaded(sdk: Cloudflare, pcap_id: str) -> None:
    with pytest.raises(cloudflare.APIStatusError):
        sdk.magic_transit.pcaps.download.get(pcap_id, account_id=ACCOUNT)


def test_a_second_simple_capture_within_a_minute_is_refused(
    sdk: Cloudflare, emulator: Emulator
) -> None:
    create(sdk, **SIMPLE)
    emulator.advance(59)
    with pytest.raises(cloudflare.RateLimitError) as error:
        create(sdk, **SIMPLE)
    assert 1 <= int(error.value.response.headers["retry-after"]) <= 2
    emulator.advance(1)
    assert create(sdk, **SIMPLE)


def test_a_second_full_capture_is_refused_while_one_runs(sdk: Cloudflare) -> None:
    with pytest.raises(cloudflare.ConflictError):  # the demo's is running
        create(sdk, **FULL)
    sdk.magic_transit.pcaps.stop(demo.RUNNING_ID, account_id=ACCOUNT)
    assert create(sdk, **FULL)


def test_a_listing_has_the_newest_50_captures(sdk: Cloudflare, emulator: Emulator) -> None:
    added = [emulator.add() for _ in range(60)]
    listed = [pcap.id for pcap in sdk.magic_transit.pcaps.list(account_id=ACCOUNT)]
    assert listed == added[:-51:-1]


def test_a_capture_that_changes_keeps_its_place_in_a_listing(
    sdk: Cloudflare, emulator: Emulator
) -> None:
    added = [emulator.add(status="pending") for _ in range(3)]
    emulator.advance(1)
    emulator.add_exactly(added[1], capture_of(added[1], status="success"))
    listed = list(sdk.magic_transit.pcaps.list(account_id=ACCOUNT))[:3]
    assert [(pcap.id, pcap.status) for pcap in listed] == [
        (added[2], "pending"),
        (added[1], "success"),
        (added[0], "pending"),
    ]


def test_a_new_capture_is_the_first_of_a_listing(sdk: Cloudflare, emulator: Emulator) -> None:
    emulator.add()
    created = create(sdk, **SIMPLE, filter_v1=demo.FILTER)
    [first, *_] = sdk.magic_transit.pcaps.list(account_id=ACCOUNT)
    assert first.to_dict() == created.to_dict()
    assert created.to_dict()["filter_v1"] == demo.FILTER


@pytest.mark.parametrize(
    "change",
    [
        {"time_limit": 0},
        {"time_limit": 301},
        {"time_limit": "60"},
        {"packet_limit": 0},
        {"packet_limit": 10_001},
        {"packet_limit": None},
        {"type": "half"},
        {"system": "magic-carpet"},
        {"filter_v1": []},
        {"filter_v1": {"source_address": "nowhere"}},
        {"filter_v1": {"destination_address": 1}},
        {"filter_v1": {"source_port": 65_536}},
        {"filter_v1": {"destination_port": "80"}},
        {"filter_v1": {"protocol": 256}},
        {"filter_v1": {"vlan": 7}},
        {"offset_time": "yesterday"},
        {"offset_time": (START - timedelta(hours=25)).isoformat()},
        {"offset_time": (START + timedelta(hours=1)).isoformat()},
    ],
    ids=str,
)
def test_the_documented_ranges_of_a_simple_capture_are_held(
    sdk: Cloudflare, change: dict[str, object]
) -> None:
    with pytest.raises(cloudflare.BadRequestError) as error:
        create(sdk, **{**SIMPLE, **change})
    assert pointer(error.value).startswith(f"/{next(iter(change))}")


@pytest.mark.parametrize(
    "change",
    [
        {"byte_limit": 0},
        {"byte_limit": 1_000_000_001},
        {"colo_name": ""},
        {"destination_conf": ""},
        {"destination_conf": "ftp://bucket"},
        {"destination_conf": "s3://"},
        {"time_limit": 0},
        {"time_limit": 86_401},
    ],
    ids=str,
)
def test_the_documented_ranges_of_a_full_capture_are_held(
    sdk: Cloudflare, change: dict[str, object]
) -> None:
    with pytest.raises(cloudflare.BadRequestError) as error:
        create(sdk, **{**FULL, **change})
    assert pointer(error.value) == f"/{next(iter(change))}"


def test_a_full_capture_may_run_for_a_day(sdk: Cloudflare, emulator: Emulator) -> None:
    emulator.advance(400)
    assert create(sdk, **{**FULL, "time_limit": 86_400}).time_limit == 86_400


def test_an_offset_time_within_24_hours_is_kept(sdk: Cloudflare) -> None:
    when = START - timedelta(hours=23)
    created = create(sdk, **SIMPLE, offset_time=when)
    assert created.to_dict()["offset_time"] == when


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000], ids=lambda body: body[:2])
def test_a_body_that_is_no_json_object_is_refused(emulator: Emulator, body: bytes) -> None:
    answer = raw(emulator, "POST", content=body)
    assert answer.status_code == 400 and answer.json()["success"] is False


def test_credentials_are_checked(emulator: Emulator) -> None:
    def ask(token: str, account_id: str = ACCOUNT) -> tuple[int, int]:
        with pytest.raises(cloudflare.APIStatusError) as error:
            client(emulator, token).magic_transit.pcaps.get(demo.SIMPLE_ID, account_id=account_id)
        return refusal(error.value)

    assert ask("nobody-knows-this-token")[0] == 401
    assert ask(demo.NO_RIGHTS_TOKEN) == (403, 10000)
    assert ask(demo.OTHER_TOKEN) == (403, 10000)
    assert ask(demo.TOKEN, demo.OTHER_ACCOUNT_ID) == (403, 10000)


def test_a_reader_may_read_and_not_write(emulator: Emulator) -> None:
    reader = client(emulator, demo.READ_TOKEN)
    assert status(reader, demo.SIMPLE_ID) == "success"
    with pytest.raises(cloudflare.PermissionDeniedError):
        create(reader, **SIMPLE)
    with pytest.raises(cloudflare.PermissionDeniedError):
        reader.magic_transit.pcaps.stop(demo.RUNNING_ID, account_id=ACCOUNT)
    assert download(reader, demo.SIMPLE_ID) and buckets(reader)
    ownership = reader.magic_transit.pcaps.ownership
    with pytest.raises(cloudflare.PermissionDeniedError):
        ownership.create(account_id=ACCOUNT, destination_conf="s3://new")
    with pytest.raises(cloudflare.PermissionDeniedError):
        ownership.validate(
            account_id=ACCOUNT, destination_conf=demo.BUCKET, ownership_challenge="x"
        )
    with pytest.raises(cloudflare.PermissionDeniedError):
        ownership.delete(demo.OWNERSHIP_ID, account_id=ACCOUNT)


def test_email_and_key_are_a_credential_too(emulator: Emulator) -> None:
    user = Cloudflare(
        api_email=demo.EMAIL,
        api_key=demo.KEY,
        base_url=emulator.url,
        max_retries=0,
        http_client=httpx.Client(trust_env=False),
    )
    assert status(user, demo.SIMPLE_ID) == "success"


def test_what_is_not_there_is_a_404_with_an_envelope(sdk: Cloudflare) -> None:
    with pytest.raises(cloudflare.NotFoundError) as error:
        sdk.magic_transit.pcaps.get("0" * 32, account_id=ACCOUNT)
    assert refusal(error.value)[0] == 404
    with pytest.raises(cloudflare.NotFoundError):
        sdk.get("/no/such/path", cast_to=object)


def test_every_answer_has_a_ray_and_the_limits(emulator: Emulator) -> None:
    rays = set()
    for path in (f"/accounts/{ACCOUNT}/pcaps", "/no/such/path"):
        headers = httpx.get(emulator.url + path, trust_env=False).headers
        rays.add(headers["cf-ray"])
        assert headers["ratelimit"].startswith('"default";r=')
        assert headers["ratelimit-policy"] == '"default";q=1200;w=300'
        assert "retry-after" not in headers
    assert len(rays) == 2


def test_the_rate_rule_blocks_for_its_time(sdk: Cloudflare, emulator: Emulator) -> None:
    emulator.set_rate_limit(requests=3, window_seconds=300, block_seconds=300)
    for _ in range(3):
        status(sdk, demo.SIMPLE_ID)
    for advance, left in ((0, 300), (299, 1)):
        emulator.advance(advance)
        with pytest.raises(cloudflare.RateLimitError) as error:
            status(sdk, demo.SIMPLE_ID)
        assert error.value.response.headers["retry-after"] == str(left)
    assert status(client(emulator, demo.SECOND_TOKEN), demo.SIMPLE_ID)  # another's budget
    emulator.advance(1)
    assert status(sdk, demo.SIMPLE_ID)


def test_the_demo_can_be_printed_for_a_shell_without_anything_installed() -> None:
    program = Path(package.__file__).with_name("main.py")
    # -S: no installed packages, so no aiohttp.
    ended = subprocess.run(
        [sys.executable, "-S", program, "--print-demo"], capture_output=True, text=True, timeout=20
    )
    assert ended.returncode == 0, ended.stderr
    shell = ended.stdout + '\nprintf %s "$ACCOUNT_ID $FULL_ID $SIMPLE_ID $TOKEN"'
    printed = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=20)
    assert printed.stdout.split() == [ACCOUNT, demo.FULL_ID, demo.SIMPLE_ID, demo.TOKEN]


def test_faults_that_it_does_not_know_are_refused(emulator: Emulator) -> None:
    for wrong in (
        {"kind": "meteor"},
        {"kind": "html", "statsu": 502},
        {"kind": "hold_in_body"},
    ):
        with pytest.raises(AssertionError, match="400"):
            emulator.fault(None, **wrong)


def test_a_question_of_a_name_it_does_not_know_is_refused(emulator: Emulator) -> None:
    with pytest.raises(AssertionError, match="400"):
        emulator.counts(mehtod="POST")


def test_what_came_is_counted_by_method_and_path(sdk: Cloudflare, emulator: Emulator) -> None:
    pcaps = f"/client/v4/accounts/{ACCOUNT}/pcaps"
    created = create(sdk, **SIMPLE)
    for _ in range(2):
        sdk.magic_transit.pcaps.list(account_id=ACCOUNT)
    sdk.magic_transit.pcaps.stop(demo.RUNNING_ID, account_id=ACCOUNT)
    status(sdk, created.id)
    stop = f"{pcaps}/{demo.RUNNING_ID}/stop"
    assert emulator.counts() == {
        ("POST", pcaps): 1,
        ("GET", pcaps): 2,
        ("PUT", stop): 1,
        ("GET", f"{pcaps}/{created.id}"): 1,
    }
    assert emulator.counts(path="/stop") == {("PUT", stop): 1}
    assert emulator.counts(method="GET", path="/pcaps") == {("GET", pcaps): 2}
    [sent] = emulator.requests(method="POST")
    assert json.loads(sent["body"]) == {k: v for k, v in SIMPLE.items() if k != "account_id"}
    emulator.wait(state="answered", method="GET", path="/pcaps", count=2)


def test_a_request_that_never_came_to_its_end_is_noted(emulator: Emulator) -> None:
    host, port = emulator.address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /client/v4/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    emulator.wait(state="aborted", method="POST", path="/x")
    assert emulator.requests()[0]["body"] is None


def test_a_fault_strikes_the_method_and_the_path_it_names(
    sdk: Cloudflare, emulator: Emulator
) -> None:
    emulator.fault(method="POST", path="/pcaps", kind="html", status=502)
    with pytest.raises(cloudflare.InternalServerError):
        create(sdk, **SIMPLE)
    assert list(sdk.magic_transit.pcaps.list(account_id=ACCOUNT))
    sdk.magic_transit.pcaps.stop(demo.RUNNING_ID, account_id=ACCOUNT)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_within"},
        {"kind": "reset_in_headers"},
        {"kind": "truncate"},
        {"kind": "cut_chunk"},
        {"kind": "reset_before", "done": True},
        {"kind": "html", "status": 502, "done": True},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_creation_can_be_done_and_its_answer_be_lost(
    sdk: Cloudflare, emulator: Emulator, fault: dict[str, Any]
) -> None:
    before = {pcap.id for pcap in sdk.magic_transit.pcaps.list(account_id=ACCOUNT)}
    emulator.fault(method="POST", path="/pcaps", times=1, **fault)
    with pytest.raises(cloudflare.APIError):
        create(sdk, **SIMPLE)
    after = {pcap.id for pcap in sdk.magic_transit.pcaps.list(account_id=ACCOUNT)}
    assert len(after - before) == 1
    with pytest.raises(cloudflare.RateLimitError):  # it counts
        create(sdk, **SIMPLE)


def test_a_creation_can_be_done_while_its_answer_is_held(
    sdk: Cloudflare, emulator: Emulator
) -> None:
    gate = emulator.hold(method="POST", path="/pcaps", done=True)
    with ThreadPoolExecutor() as thread:
        waiting = thread.submit(create, sdk, **SIMPLE)
        emulator.wait(method="POST")
        [first, *_] = client(emulator).magic_transit.pcaps.list(account_id=ACCOUNT)
        assert not waiting.done()
        emulator.release(gate)
        assert waiting.result().id == first.id


def test_a_refusal_can_be_spoilt_too(sdk: Cloudflare, emulator: Emulator) -> None:
    emulator.fault("0" * 32, "close_after")
    with pytest.raises(cloudflare.NotFoundError) as error:
        status(sdk, "0" * 32)
    assert refusal(error.value)[0] == 404


@pytest.mark.parametrize("kind", ["truncate", "reset_within"])
def test_an_answer_without_a_body_can_be_cut_off(
    sdk: Cloudflare, emulator: Emulator, kind: str
) -> None:
    emulator.fault(demo.RUNNING_ID, kind, method="PUT")
    with pytest.raises(cloudflare.APIConnectionError):
        sdk.magic_transit.pcaps.stop(demo.RUNNING_ID, account_id=ACCOUNT)
    assert status(sdk, demo.RUNNING_ID) == "conversion_pending"


def test_it_listens_on_every_address_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that this machine has: 192.0.2.1 is of no machine."""
    hosts = ["127.0.0.1", "127.0.0.2", "192.0.2.1"]
    named = socket.getaddrinfo

    def several(host: str, port: int, **hints: Any) -> list[Any]:
        assert host == "several.test"
        return [found for one in hosts for found in named(one, port, **hints)]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    sockets = listening.listening_sockets("several.test:0")
    monkeypatch.undo()
    port = sockets[0].getsockname()[1]
    assert [one.getsockname() for one in sockets] == [(host, port) for host in hosts[:2]]
    for one in sockets:
        one.close()
