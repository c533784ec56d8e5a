"""No canary gets out: not the gateway's credentials, a bucket's keys, or Redis' password, in any
output, status, metadata, metric, Redis entry or core."""

from __future__ import annotations

import base64
import os
import re
import resource
import signal
import urllib.parse
from pathlib import Path
from typing import Any, Iterator

import grpc
import pytest
from emulator import demo

from harness.admin import fetch
from harness.calls import request_for
from harness.emulator import Emulator
from harness.gateway import BINARY, Gateway, StartGateway, environment
from harness.process import Process
from harness.redis import Redis
from harness.stubs import pcap_service_pb2_grpc

TOKEN = "canary-token-7d1f0a9be4c2"
EMAIL = "canary-mail-55c1@example.com"
KEY = "canarykey31d9fe07aa8842"
KEY_ID = "canaryaccesskeyid90215e"
BUCKET_SECRET = "canarybucketsecret4be6c0d1"
REDIS_PASSWORD = "canary-redis-password-8e21"
# Not the email: it names somebody, and opens nothing.
CANARIES = (TOKEN, EMAIL, KEY, KEY_ID, BUCKET_SECRET, REDIS_PASSWORD)
DESTINATION = f"r2://b?account-id=a&access-key-id={KEY_ID}&secret-access-key={BUCKET_SECRET}"

# Everything that an error answer may say, with every secret that its writer saw.
ECHO = f"headers: Authorization: Bearer {TOKEN}, X-Auth-Email: {EMAIL}, X-Auth-Key: {KEY}"

# The emulator's faults: `kind` and what it needs.
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "html", "status": 502},
    {"kind": "html", "status": 401},
    {"kind": "html", "status": 403},
    {"kind": "empty", "status": 500},
    {"kind": "reset_before"},
    {"kind": "reset_in_headers"},
    {"kind": "reset_within"},
    {"kind": "stall_in_headers"},
    {"kind": "stall_in_body"},
    {"kind": "truncate"},
    {"kind": "cut_chunk"},
    {"kind": "until_closed"},
    {"kind": "close_after"},
    {"kind": "interim"},
    {"kind": "header_bomb"},
    {"kind": "gzip"},
    {"kind": "wrong_length"},
    {"kind": "huge"},
    {"kind": "nested"},
    {"kind": "redirect"},
    {"hold": "never"},
)


def forms(text: bytes) -> list[bytes]:
    """The text, and what it says once percent or base64 is undone."""
    found = [text, urllib.parse.unquote_to_bytes(text)]
    for run in re.findall(rb"[A-Za-z0-9+/_-]{16,}", text):
        for start in range(4):  # a run may begin before what was encoded
            part = run[start:].translate(bytes.maketrans(b"-_", b"+/"))
            found.append(base64.b64decode(part[: len(part) // 4 * 4]))
    return found


def told(text: bytes) -> list[str]:
    return [c for c in CANARIES if any(c.encode().lower() in f.lower() for f in forms(text))]


def test_the_search_finds_what_it_looks_for() -> None:
    for canary in CANARIES:
        plain = f"some {canary} text".encode()
        for text in (plain, base64.b64encode(plain), urllib.parse.quote(plain, safe="").encode()):
            assert told(text) == [canary]
        assert told("".join(f"%{byte:02x}" for byte in canary.encode()).encode()) == [canary]


def call(gateway: Gateway, pcap_id: str, *metadata: tuple[str, str]) -> bytes:
    """Everything that the caller gets of a call: answer, status, details, metadata."""
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    heard: Any
    body = b""
    try:
        response, heard = stub.GetPcap.with_call(
            request_for(pcap_id), metadata=metadata, timeout=20
        )
        body = response.SerializeToString()
    except grpc.RpcError as error:
        heard = error
    parts = [body, str(heard.code()).encode(), (heard.details() or "").encode()]
    for key, value in (*(heard.initial_metadata() or ()), *(heard.trailing_metadata() or ())):
        parts += [key.encode(), value if isinstance(value, bytes) else value.encode()]
    return b"\n".join(parts)


def exercise(gateway: Gateway, emulator: Emulator, *metadata: tuple[str, str]) -> bytes:
    """A good answer, a bucket's keys in each place, echoes, and every fault; all that was told."""
    ids = [emulator.add(), emulator.add(type="full", destination_conf=DESTINATION)]
    ids.append(emulator.add(type="full", error_message=f"cannot write to {DESTINATION}"))
    ids.append(emulator.add(type="hologram", destination_conf=DESTINATION))
    for text in (ECHO, f"cannot write to {DESTINATION}"):
        for status in (200, 400, 401, 403, 404, 409, 429, 500):
            ids.append(emulator.add())
            error = {"code": 1000, "message": text, "documentation_url": f"https://x/?{text}"}
            body = {"success": False, "errors": [error, text], "messages": [text], "result": None}
            emulator.answer(ids[-1], body, status=status)
        for status in (200, 502):
            ids.append(emulator.add())
            emulator.answer(ids[-1], f"<html>{text}</html>", status=status)
    for fault in FAULTS:
        ids.append(emulator.add())
        emulator.fault(ids[-1], **fault)
    return b"\n".join(call(gateway, pcap_id, *metadata) for pcap_id in ids)


@pytest.fixture
def redis() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.stop()


def add_canaries(emulator: Emulator) -> None:
    rights = {demo.ACCOUNT_ID: ["read"]}
    emulator.add_principal("canary token", token=TOKEN, rights=rights)
    emulator.add_principal("canary user", email=EMAIL, key=KEY, rights=rights)


QUICK = "--upstream-timeout=300ms"



@pytest.mark.parametrize("whose", ["token", "token file", "email and key", "token of the caller"])
def test_nothing_is_told_whatever_happens(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path, whose: str
) -> None:
    add_canaries(emulator)
    options = [QUICK, "--admin-listen=127.0.0.1:0", "--stale-if-error=0s"]
    variables: dict[str, str] = {}
    metadata: list[tuple[str, str]] = []
    if whose == "token":
        variables["CLOUDFLARE_API_TOKEN"] = TOKEN
    elif whose == "token file":
        (tmp_path / "token").write_text(TOKEN + "\n")
        options.append(f"--api-token-file={tmp_path / 'token'}")
    elif whose == "email and key":
        variables.update(CLOUDFLARE_EMAIL=EMAIL, CLOUDFLARE_API_KEY=KEY)
    else:
        options.append("--credential=caller")
        metadata.append(("authorization", f"Bearer {TOKEN}"))
    gateway = start_gateway(*options, **variables)
    heard = exercise(gateway, emulator, *metadata)
    _, metrics = fetch(gateway, "/metrics")
    assert gateway.end() == 0
    assert told(heard) == []
    assert told(metrics.encode()) == []
    assert told(gateway.process.output().encode()) == []


def test_the_password_of_a_redis_that_is_down_is_not_told(start_gateway: StartGateway) -> None:
    # Port 1 is nobody's.
    gateway = start_gateway(
        f"--redis-url=redis://user:{REDIS_PASSWORD}@127.0.0.1:1", "--admin-listen=127.0.0.1:0"
    )
    heard = call(gateway, demo.SIMPLE_ID)
    _, metrics = fetch(gateway, "/metrics")
    assert gateway.end() == 0
    assert told(heard + metrics.encode() + gateway.process.output().encode()) == []


def test_redis_holds_no_token_and_no_bucket_secret(
    start_gateway: StartGateway, emulator: Emulator, redis: Redis
) -> None:
    add_canaries(emulator)
    gateway = start_gateway(
        QUICK, f"--redis-url={redis.url}", "--redis-timeout=10s", CLOUDFLARE_API_TOKEN=TOKEN
    )
    heard = exercise(gateway, emulator)
    listed = redis.cli("KEYS", "*")
    keys = [line for line in listed.split("\r\n") if line and line[0] not in "*$+"]
    assert keys, "nothing was shared"
    values = b"".join(redis.cli("GET", key).encode("utf-8", "replace") for key in keys)
    assert told(listed.encode()) == [] and told(values) == []
    redis.kill()
    heard += call(gateway, emulator.add())
    assert gateway.end() == 0
    assert told(heard + gateway.process.output().encode()) == []


@pytest.mark.parametrize(
    "option",
    [
        "--api-token-file=/no/such/file",
        f"--upstream-url=https://user:{TOKEN}@api.example.com",
        f"--upstream-proxy=http://user:{TOKEN}@256.0.0.1:bad",
        f"--redis-url=http://user:{REDIS_PASSWORD}@host",
        f"--redis-url=redis://:{REDIS_PASSWORD}@host:port/x",
        f"--api-token={TOKEN}",
        f"--credential={TOKEN}",
        f"{TOKEN}",
    ],
)
def test_a_start_that_fails_tells_no_secret(emulator: Emulator, option: str) -> None:
    process = Process(
        [BINARY, "--listen=127.0.0.1:0", "--admin-listen", "", option],
        environment(Path("/nonexistent"), CLOUDFLARE_EMAIL=EMAIL, CLOUDFLARE_API_KEY=KEY),
    )
    code = process.wait()
    assert code == 2 and told(process.output().encode()) == [], "a secret in the start's error"


@pytest.mark.parametrize("content", [f"{TOKEN}\n{TOKEN}", f"{TOKEN} x", f"{TOKEN}\0", f"ü{TOKEN}"])
def test_a_token_file_that_cannot_be_one_is_not_shown(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    process = Process(
        [BINARY, "--listen=127.0.0.1:0", "--admin-listen", "",
         f"--api-token-file={tmp_path / 'token'}"],
        environment(tmp_path),
    )  # fmt: skip
    assert process.wait() == 2
    assert told(process.output().encode()) == []


def test_an_abort_leaves_no_core(emulator: Emulator, tmp_path: Path) -> None:
    """Where the kernel would write one into the working directory it is looked for; where it pipes
    cores to a program only the limit can be read, which keeps Linux from running that."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    if most == 0 and os.geteuid() != 0:
        pytest.skip("cores are off for good here: there is nothing to turn off")
    command = f'ulimit -c unlimited && cd {tmp_path} && exec "$@"'
    process = Process(
        ["/bin/sh", "-c", command, "sh", BINARY, "--listen=127.0.0.1:0", "--admin-listen", "",
         f"--upstream-url={emulator.url}"],
        environment(tmp_path, CLOUDFLARE_API_TOKEN=TOKEN),
    )  # fmt: skip
    process.stdout.wait_for("listening on")
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert re.search(r"^Max core file size\s+1\s+1\s", limits, re.MULTILINE), limits
    process.send(signal.SIGABRT)
    assert process.wait() == -signal.SIGABRT
    assert list(tmp_path.iterdir()) == []
