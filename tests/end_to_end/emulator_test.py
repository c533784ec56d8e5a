"""The emulator behaves as Cloudflare documents it: seen through Cloudflare's own SDK."""

from __future__ import annotations

import io
import socket
import struct
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Iterator

import cloudflare
import emulator as package
import httpx
import pytest
from cloudflare import Cloudflare
from emulator import demo, listening

from harness.emulator import START, Emulator

ACCOUNT = demo.ACCOUNT_ID
FULL = {
    "account_id": ACCOUNT,
    "type": "full",
    "system": "magic-transit",
    "time_limit": 100,
    "colo_name": "ord02",
    "destination_conf": "s3://bucket?region=b",
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
    with pytest.raises(cloudflare.BadRequestError):
        sdk.magic_transit.pcaps.stop(demo.SIMPLE_ID, account_id=ACCOUNT)


def test_a_download_is_a_pcap_file(sdk: Cloudflare) -> None:
    answer = sdk.magic_transit.pcaps.download.get(demo.SIMPLE_ID, account_id=ACCOUNT)
    data = io.BytesIO(answer.read())
    magic, *_, link_type = struct.unpack("<IHHiIII", data.read(24))
    assert (magic, link_type) == (0xA1B2C3D4, 101)
    packets = 0
    while header := data.read(16):
        _, _, length, original = struct.unpack("<IIII", header)
        assert length == original and len(data.read(length)) == length
        packets += 1
    assert packets == 3


@pytest.mark.parametrize("pcap_id", [demo.FULL_ID, demo.PENDING_ID])
def test_what_is_full_or_not_done_cannot_be_downloaded(sdk: Cloudflare, pcap_id: str) -> None:
    with pytest.raises(cloudflare.APIStatusError):
        sdk.magic_transit.pcaps.download.get(pcap_id, account_id=ACCOUNT)


def test_one_simple_capture_a_minute(sdk: Cloudflare, emulator: Emulator) -> None:
    create(sdk, **SIMPLE)
    emulator.advance(59)
    with pytest.raises(cloudflare.RateLimitError) as error:
        create(sdk, **SIMPLE)
    assert 1 <= int(error.value.response.headers["retry-after"]) <= 2
    emulator.advance(1)
    assert create(sdk, **SIMPLE)


def test_one_full_capture_at_a_time(sdk: Cloudflare) -> None:
    with pytest.raises(cloudflare.ConflictError):  # the demo's is running
        create(sdk, **FULL)
    sdk.magic_transit.pcaps.stop(demo.RUNNING_ID, account_id=ACCOUNT)
    assert create(sdk, **FULL)


def test_a_listing_has_50_captures_at_most(sdk: Cloudflare, emulator: Emulator) -> None:
    added = [emulator.add() for _ in range(60)]
    listed = [pcap.id for pcap in sdk.magic_transit.pcaps.list(account_id=ACCOUNT)]
    assert len(listed) == 50 and set(listed) <= set(added)


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
        {"offset_time": "yesterday"},
        {"offset_time": (START - timedelta(hours=25)).isoformat()},
        {"offset_time": (START + timedelta(hours=1)).isoformat()},
    ],
    ids=str,
)
def test_the_documented_ranges_of_a_simple_capture_are_held(
    sdk: Cloudflare, change: dict[str, object]
) -> None:
    with pytest.raises(cloudflare.BadRequestError):
        create(sdk, **{**SIMPLE, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"byte_limit": 0},
        {"byte_limit": 1_000_000_001},
        {"colo_name": ""},
        {"destination_conf": ""},
        {"time_limit": 0},
    ],
    ids=str,
)
def test_the_documented_ranges_of_a_full_capture_are_held(
    sdk: Cloudflare, change: dict[str, object]
) -> None:
    with pytest.raises(cloudflare.BadRequestError):
        create(sdk, **{**FULL, **change})


def test_an_offset_time_within_24_hours_is_kept(sdk: Cloudflare) -> None:
    when = START - timedelta(hours=23)
    created = create(sdk, **SIMPLE, offset_time=when)
    assert created.to_dict()["offset_time"] == when


def test_a_body_that_is_no_json_is_refused(emulator: Emulator) -> None:
    answer = httpx.post(
        f"{emulator.url}/accounts/{ACCOUNT}/pcaps",
        content=b"{",
        headers={"Authorization": f"Bearer {demo.TOKEN}"},
        trust_env=False,
    )
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
    for wrong in ({"kind": "meteor"}, {"kind": "html", "statsu": 502}):
        with pytest.raises(AssertionError, match="400"):
            emulator.fault(None, **wrong)


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
