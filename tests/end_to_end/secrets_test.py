"""No canary gets out: not the gateway's credentials, a bucket's keys, or Redis' password, in any
output, status, metadata, metric, Redis entry or core."""

from __future__ import annotations

import base64
import os
import re
import resource
import signal
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from emulator import demo
from emulator.faults import KINDS

from harness.admin import fetch
from harness.calls import request_for
from harness.canaries import (
    BUCKET_SECRET,
    CANARIES,
    DESTINATION,
    EMAIL,
    KEY,
    REDIS_PASSWORD,
    TOKEN,
    told,
)
from harness.emulator import Emulator
from harness.gateway import BINARY, Gateway, StartGateway, environment
from harness.process import Process
from harness.redis import Redis
from harness.stubs import pcap_service_pb2_grpc
from harness.tls import Authority

# Everything that an error answer may say, with every secret that its writer saw.
ECHO = f"headers: Authorization: Bearer {TOKEN}, X-Auth-Email: {EMAIL}, X-Auth-Key: {KEY}"

# Of every kind that the emulator has, and the code that the call ends with.
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("OK", {"kind": "normal"}),
    ("OK", {"kind": "delay", "seconds": 0.01}),
    ("UNAVAILABLE", {"kind": "answer", "status": 503, "body": ECHO}),
    ("UNAVAILABLE", {"kind": "raw", "base64": base64.b64encode(ECHO.encode()).decode()}),
    (
        "OK",
        {
            "kind": "header_bytes",
            "name": "cf-ray",
            "base64": base64.b64encode(TOKEN.encode() + b"\xff").decode(),
        },
    ),
    ("UNAVAILABLE", {"kind": "html", "status": 502, "body": ECHO}),
    ("UNAVAILABLE", {"kind": "empty", "status": 500}),
    ("UNAVAILABLE", {"kind": "reset_before"}),
    ("UNAVAILABLE", {"kind": "reset_in_headers"}),
    ("UNAVAILABLE", {"kind": "reset_within"}),
    ("UNAVAILABLE", {"kind": "stall_in_headers"}),
    ("UNAVAILABLE", {"kind": "stall_in_body"}),
    ("UNAVAILABLE", {"kind": "truncate"}),
    ("UNAVAILABLE", {"kind": "cut_chunk"}),
    ("OK", {"kind": "chunked"}),
    ("OK", {"kind": "until_closed"}),
    ("OK", {"kind": "close_after"}),
    ("OK", {"kind": "interim", "status": 103, "headers": {"Link": ECHO}}),
    ("INTERNAL", {"kind": "header_bomb", "size": 256 << 10}),
    ("INTERNAL", {"kind": "gzip", "size": 2 << 20}),
    ("UNAVAILABLE", {"kind": "wrong_length", "size": 9}),
    ("INTERNAL", {"kind": "wrong_length", "size": -9}),
    ("INTERNAL", {"kind": "huge", "size": 2 << 20}),
    ("UNAVAILABLE", {"kind": "drip", "seconds": 0.05}),
    ("UNAVAILABLE", {"kind": "hold_in_body", "hold": "never"}),
    ("INTERNAL", {"kind": "nested", "depth": 10_000}),
    ("UNAVAILABLE", {"kind": "redirect", "status": 302, "body": f"https://x.example/?{TOKEN}"}),
    ("UNAVAILABLE", {"kind": "normal", "hold": "never"}),
)
# Those that an answer's header may hold and the gateway reads, and one that it does not.
ECHO_HEADERS = {
    "cf-ray": TOKEN,
    "Retry-After": TOKEN,
    "Location": f"https://x.example/{TOKEN}?{BUCKET_SECRET}",
    "Cache-Control": f"max-age={TOKEN}",
    "Ratelimit": f'"{TOKEN}";r=1;t=1',
    "X-Auth-Key": KEY,
}
STATUSES = (200, 400, 401, 403, 404, 409, 429, 500)


def test_every_kind_of_fault_is_tried() -> None:
    assert {fault["kind"] for _, fault in FAULTS} == set(KINDS)


def test_the_search_finds_what_it_looks_for() -> None:
    for canary in CANARIES:
        plain = f"some {canary} text".encode()
        for text in (
            plain,
            plain.upper(),
            base64.b64encode(plain),
            base64.urlsafe_b64encode(b"x" + plain),
            urllib.parse.quote(plain, safe="").encode(),
            "".join(f"%{byte:02x}" for byte in canary.encode()).encode(),
            plain.hex().encode(),
            b"f" + plain.hex().upper().encode(),
        ):
            assert told(text) == [canary], text
        assert told(plain.replace(b"canary", b"cannery")) == []


def disguised(secret: str) -> list[str]:
    """Forms in which an echo may repeat it."""
    return [
        secret.upper(),
        f"%{ord(secret[0]):02x}{secret[1:]}",
        f"%25{ord(secret[0]):02X}{secret[1:]}",
        f"{secret[:5]}\\u{ord(secret[5]):04x}{secret[6:]}",
        f"&#{ord(secret[0])};{secret[1:]}",
        base64.b64encode(f"Authorization: Bearer {secret}".encode()).decode(),
        base64.urlsafe_b64encode(f"me:{secret}".encode()).decode(),
        secret.encode().hex(),
    ]


def call(gateway: Gateway, pcap_id: str, *metadata: tuple[str, str]) -> tuple[str, bytes]:
    """The code, and all that the caller gets of a call: answer, status, details, metadata."""
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
    return heard.code().name, b"\n".join(parts)


def exercise(
    gateway: Gateway, emulator: Emulator, credential: str, *metadata: tuple[str, str]
) -> bytes:
    """Good answers, a bucket's keys in each place, echoes, and every fault; all that was told.

    `credential` is the one that goes upstream: its echo stands alone, as nothing else tells that it
    is a secret.

    Each must have come about: the call ended as it has to, and the fault struck its request.
    """
    ids: dict[str, tuple[str | None, str | None]] = {}  # the code to end with, the fault to strike
    for fields in (
        {},
        {"type": "full", "destination_conf": DESTINATION},
        {"type": "full", "error_message": f"cannot write to {DESTINATION}"},
        {"type": "hologram", "destination_conf": DESTINATION},
    ):
        ids[emulator.add(**fields)] = ("OK", None)
    for form in disguised(credential):
        for fields in ({"colo_name": form}, {"error_message": f"who is {form}?"}, {form: [form]}):
            ids[emulator.add(type="full", **fields)] = ("OK", None)
        pcap_id = emulator.add()
        emulator.answer(pcap_id, {"title": form, "detail": f"{'x' * 190}{form}"}, status=403)
        ids[pcap_id] = ("UNAVAILABLE", "answer")
    # JSON itself can write any character as an escape.
    for status, code in ((200, "INTERNAL"), (403, None)):
        escaped = "".join(f"\\u{ord(character):04x}" for character in credential)
        pcap_id = emulator.add()
        body = f'{{"success":false,"errors":[{{"code":1,"message":"{"x" * 190}{escaped}"}}]}}'
        emulator.answer(pcap_id, body, status=status)
        ids[pcap_id] = (code, "answer")
    for text in (ECHO, f"who is {credential}?", f"cannot write to {DESTINATION}"):
        for status in STATUSES:
            pcap_id = emulator.add()
            error = {"code": 1000, "message": text, "documentation_url": f"https://x/?{text}"}
            body = {"success": False, "errors": [error, text], "messages": [text], "result": None}
            emulator.answer(pcap_id, body, status=status, headers=ECHO_HEADERS)
            ids[pcap_id] = (None, "answer")
        for status in (*STATUSES, 502):
            pcap_id = emulator.add()
            emulator.fault(pcap_id, "html", status=status, body=text, headers=ECHO_HEADERS)
            ids[pcap_id] = (None, "html")
    for expected, fault in FAULTS:
        pcap_id = emulator.add()
        emulator.fault(pcap_id, **fault)
        ids[pcap_id] = (expected, fault["kind"])
    heard, wrong = [], []
    for pcap_id, (code, kind) in ids.items():
        # Else a credential that was rejected is not asked with again for a while.
        assert call(gateway, emulator.add(), *metadata)[0] == "OK"
        ended, text_heard = call(gateway, pcap_id, *metadata)
        heard.append(text_heard)
        struck = [request["fault"] for request in emulator.requests(pcap_id)]
        as_it_has_to = ended == code if code is not None else ended != "OK"
        if not as_it_has_to or not struck or set(struck) != {kind}:
            wrong.append((code, kind, ended, struck))
    assert wrong == []
    return b"\n".join(heard)


def add_canaries(emulator: Emulator) -> None:
    rights = {demo.ACCOUNT_ID: ["read"]}
    emulator.add_principal("canary token", token=TOKEN, rights=rights)
    emulator.add_principal("canary user", email=EMAIL, key=KEY, rights=rights)


QUICK = "--upstream-timeout=300ms"
# All that the log has to say.
LOUD = ("--log-level=debug", "--log-hits=1")


def check_log(gateway: Gateway, *expected: str) -> None:
    """Of a gateway that has ended: its log has these texts, and no canary, in its JSON neither."""
    text = gateway.process.stderr.text()
    for part in expected:
        assert part in text, f"the log does not say {part!r}"
    assert told(text) == []
    if "--log-format=text" not in gateway.options:
        values = [str(value) for line in gateway.log() for value in line.values()]
        assert told("\n".join(values)) == []


@pytest.mark.parametrize(
    ("whose", "form"),
    [
        ("token", "json"),
        ("token", "text"),
        ("token file", "json"),
        ("email and key", "json"),
        ("email and key", "text"),
        ("token of the caller", "json"),
        ("token of the caller", "text"),
    ],
)
def test_nothing_is_told_whatever_happens(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path, whose: str, form: str
) -> None:
    add_canaries(emulator)
    options = [QUICK, "--admin-listen=127.0.0.1:0", "--stale-if-error=0s"]
    options += [*LOUD, f"--log-format={form}"]
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
    credential = KEY if whose == "email and key" else TOKEN
    heard = exercise(gateway, emulator, credential, *metadata)
    # It comes back to who sent it, and goes nowhere else.
    confused = emulator.add()
    assert credential.encode() in call(
        gateway, confused, *metadata, ("x-request-id", f"<{credential}>")
    )[1]
    for disguise in disguised(credential):
        missing = emulator.unknown_id()
        call(gateway, missing, *metadata, ("x-request-id", disguise))
        assert told(emulator.headers(missing)["x-request-id"]) == []
        for page in ("/", "/status.json"):
            _, shown = fetch(gateway, page)
            assert "PCAP_NOT_FOUND" in shown and told(shown) == [], disguise
    _, metrics = fetch(gateway, "/metrics")
    command_line = Path(f"/proc/{gateway.process.pid}/cmdline").read_bytes()
    assert QUICK.encode() in command_line and told(command_line) == []
    assert gateway.end() == 0
    assert told(heard) == []
    assert told(metrics.encode()) == []
    assert told(gateway.process.output().encode()) == []
    check_log(gateway, "DEBUG" if form == "text" else '"level":"debug"', confused, "<REDACTED>")


def test_the_password_of_a_redis_that_is_down_is_not_told(start_gateway: StartGateway) -> None:
    # Port 1 is nobody's.
    gateway = start_gateway(
        f"--redis-url=redis://user:{REDIS_PASSWORD}@127.0.0.1:1",
        "--admin-listen=127.0.0.1:0",
        f"--upstream-proxy=http://user:{KEY}@127.0.0.1:1",
        *LOUD,
    )
    _, heard = call(gateway, demo.SIMPLE_ID)
    _, metrics = fetch(gateway, "/metrics")
    assert gateway.end() == 0
    assert told(heard + metrics.encode() + gateway.process.output().encode()) == []
    check_log(gateway, "redis://REDACTED@127.0.0.1:1", "http://REDACTED@127.0.0.1:1")


def test_a_password_that_redis_refuses_is_not_told(
    start_gateway: StartGateway, redis: Redis
) -> None:
    redis.cli("CONFIG", "SET", "requirepass", "another")
    url = redis.url.replace("unix://", f"unix://:{REDIS_PASSWORD}@")
    gateway = start_gateway(f"--redis-url={url}", "--admin-listen=127.0.0.1:0", *LOUD)
    code, heard = call(gateway, demo.SIMPLE_ID)
    assert code == "OK"
    gateway.process.stderr.wait_for("WRONGPASS")
    _, metrics = fetch(gateway, "/metrics")
    assert gateway.end() == 0
    assert told(heard + metrics.encode() + gateway.process.output().encode()) == []
    check_log(gateway, "unix://REDACTED@/")


@pytest.mark.parametrize("how", ["refused", "untrusted"])
def test_an_upstream_that_cannot_be_reached_makes_nothing_told(
    start_gateway: StartGateway, tmp_path: Path, how: str
) -> None:
    url, server = "http://127.0.0.1:1", None  # port 1 is nobody's
    if how == "untrusted":
        certificate, key = Authority(tmp_path).certificate("localhost")
        server = Emulator("--tls-cert", certificate, "--tls-key", key)
        url = server.url.replace("127.0.0.1", "localhost")
    try:
        gateway = start_gateway(*LOUD, upstream_url=url, CLOUDFLARE_API_TOKEN=TOKEN)
        code, heard = call(gateway, demo.SIMPLE_ID)
        assert code == "UNAVAILABLE" and b"UPSTREAM_UNREACHABLE" in heard
        assert (b"certificate" in heard) == (how == "untrusted")
        assert gateway.end() == 0
        assert told(heard + gateway.process.output().encode()) == []
    finally:
        if server is not None:
            server.stop()


def test_a_drain_that_ends_waiting_calls_tells_nothing(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    add_canaries(emulator)
    gateway = start_gateway("--drain-timeout=100ms", CLOUDFLARE_API_TOKEN=TOKEN)
    pcap_id = emulator.add()
    emulator.hold(pcap_id)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, gateway, pcap_id)
        emulator.wait(pcap_id)
        assert emulator.headers(pcap_id)["authorization"] == f"Bearer {TOKEN}"
        gateway.process.send(signal.SIGTERM)
        code, heard = waiting.result(20)
    assert code == "UNAVAILABLE"
    assert gateway.process.wait() == 0
    assert told(heard + gateway.process.output().encode()) == []


def test_redis_holds_no_token_and_no_bucket_secret(
    start_gateway: StartGateway, emulator: Emulator, redis: Redis
) -> None:
    add_canaries(emulator)
    gateway = start_gateway(
        QUICK, f"--redis-url={redis.url}", "--redis-timeout=10s", CLOUDFLARE_API_TOKEN=TOKEN
    )
    heard = exercise(gateway, emulator, TOKEN)
    listed = redis.cli("KEYS", "*")
    keys = [line for line in listed.split("\r\n") if line and line[0] not in "*$+"]
    assert keys, "nothing was shared"
    # GET and not DUMP, which packs long values so that a text in them is not found.
    assert {redis.cli("TYPE", key).split("\r\n")[0] for key in keys} == {"+string"}
    values = "".join(redis.cli("GET", key) for key in keys)
    assert "secret-access-key=REDACTED" in values, "the capture with the keys is not among them"
    assert told(listed) == [] and told(values) == []
    redis.kill()
    code, after = call(gateway, emulator.add())
    assert code == "OK"
    heard += after
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
        f"--api-token-file={TOKEN}",
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
    # A file that is not there may come to be.
    assert process.wait() == (1 if option.startswith("--api-token-file") else 2)
    assert told(process.output().encode()) == [], "a secret in the start's error"


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
    # WNOWAIT: looked at, and left for wait().
    died = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert died is not None and died.si_code == os.CLD_KILLED, "not CLD_DUMPED"
    assert process.wait() == -signal.SIGABRT
    assert list(tmp_path.iterdir()) == []
