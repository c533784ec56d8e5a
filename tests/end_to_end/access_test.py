"""Who may call: TLS, certificates, the policy, and all of it changing while the gateway runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import hpack
import pytest
from emulator import demo
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from harness.admin import metrics_of
from harness.calls import DEADLINE_SECONDS, Failure, get, request_for
from harness.details import check_details
from harness.emulator import Emulator
from harness.faketime import MovedClock
from harness.gateway import BINARY, Gateway, StartGateway, environment
from harness.identities import Authority, Identity, replace
from harness.process import Process
from harness.raw_http2 import (
    DATA,
    END_STREAM,
    HEADERS,
    PREFACE,
    call_fields,
    frame,
    headers,
    message,
    settings,
)
from harness.stubs import REPOSITORY

READER = "spiffe://example.com/team/reader"
NETWORK = "spiffe://example.com/team/network"
OTHER_ACCOUNT = demo.OTHER_ACCOUNT_ID
BOTH_ACCOUNTS_TOKEN = "token-that-may-read-both-accounts-------"

POLICY: dict[str, Any] = {
    "name": "pcap",
    "deny_rules": [
        {"name": "no jobs", "request": {"headers": [{"key": "x-job", "values": ["batch-*"]}]}}
    ],
    "allow_rules": [
        {
            "name": "teams",
            "source": {"principals": ["spiffe://example.com/team/*"]},
            "request": {"paths": ["/pcap.v1.PcapService/*"]},
        },
        {"name": "health", "request": {"paths": ["/grpc.health.v1.Health/Check"]}},
    ],
    "account_rules": [
        {"name": "network", "principals": [NETWORK], "accounts": ["*"]},
        {"name": "reader", "principals": [READER], "accounts": [demo.ACCOUNT_ID]},
    ],
}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def stranger() -> Authority:
    return Authority("another authority")


class Files:
    """What the gateway reads, each of which a test may replace."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        self.certificate, self.key = authority.server().write(folder, "server")
        self.authorities = folder / "ca.pem"
        self.authorities.write_bytes(authority.pem)
        self.policy = folder / "policy.json"
        self.set_policy(POLICY)
        self.token = folder / "token"
        self.token.write_text(demo.TOKEN)

    def set_policy(self, policy: Any) -> None:
        replace(self.policy, policy if isinstance(policy, str) else json.dumps(policy))

    @property
    def tls(self) -> list[str]:
        return [f"--tls-cert-file={self.certificate}", f"--tls-key-file={self.key}"]

    @property
    def all(self) -> list[str]:
        return [
            *self.tls,
            f"--tls-client-ca-file={self.authorities}",
            f"--policy-file={self.policy}",
            f"--api-token-file={self.token}",
        ]


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> Files:
    return Files(tmp_path, authority)


@pytest.fixture(scope="module")
def guarded(
    emulator: Emulator, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """All of it on, for tests that change nothing."""
    files = Files(tmp_path_factory.mktemp("guarded"), authority)
    rights = {demo.ACCOUNT_ID: ["read"], OTHER_ACCOUNT: ["read"]}
    emulator.add_principal("both", token=BOTH_ACCOUNTS_TOKEN, rights=rights)
    files.token.write_text(BOTH_ACCOUNTS_TOKEN)
    options = [f"--upstream-url={emulator.url}", "--admin-listen", "", "--lame-duck=0s"]
    gateway = Gateway([*options, *files.all], environment(files.folder))
    yield gateway
    assert gateway.end() == 0, gateway.process.output()
    gateway.check_output()


def refused(channel: grpc.Channel, pcap_id: str, **more: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        get(channel, pcap_id, **more)
    return caught.value


def denied(failure: Failure) -> str:
    """Its reason."""
    assert failure.code is grpc.StatusCode.PERMISSION_DENIED, failure
    check_details(failure)
    reason: str = failure.only(ErrorInfo).reason
    return reason


# --- who connects


def test_without_a_certificate_there_is_no_connection(
    guarded: Gateway, authority: Authority, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    assert refused(authority.channel(guarded.address), pcap_id).code is grpc.StatusCode.UNAVAILABLE
    plaintext = refused(grpc.insecure_channel(guarded.address), pcap_id)
    assert plaintext.code is grpc.StatusCode.UNAVAILABLE
    assert emulator.requests(pcap_id) == []


@pytest.mark.parametrize("who", ["stranger", "self-made", "expired"])
def test_a_certificate_that_nobody_trusted_vouches_for_is_no_use(
    guarded: Gateway, authority: Authority, stranger: Authority, emulator: Emulator, who: str
) -> None:
    caller = {
        "stranger": lambda: stranger.issue(READER),
        "self-made": lambda: Authority(READER).issue(READER),
        "expired": lambda: authority.issue(READER, valid_for=timedelta(minutes=-1)),
    }[who]()
    pcap_id = emulator.add()
    failure = refused(authority.channel(guarded.address, caller), pcap_id)
    assert failure.code is grpc.StatusCode.UNAVAILABLE
    assert emulator.requests(pcap_id) == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(guarded: Gateway) -> None:
    host, port = guarded.address.rsplit(":", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(connection)


# --- who calls


def test_the_right_certificate_with_the_right_account_is_answered(
    guarded: Gateway, authority: Authority, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    channel = authority.channel(guarded.address, authority.issue(READER))
    assert get(channel, pcap_id).pcap.simple.id == pcap_id
    guarded.process.stderr.wait_for(pcap_id)
    (line,) = [line for line in guarded.log() if line.get("pcap_id") == pcap_id]
    assert line["principal"] == READER


def test_the_right_certificate_with_a_wrong_account_is_refused(
    guarded: Gateway, authority: Authority, emulator: Emulator
) -> None:
    pcap_id = emulator.add(account_id=OTHER_ACCOUNT)
    channel = authority.channel(guarded.address, authority.issue(READER))
    failure = refused(channel, pcap_id, account_id=OTHER_ACCOUNT)
    assert denied(failure) == "ACCOUNT_NOT_PERMITTED"
    assert emulator.requests(pcap_id) == []
    # Who has the account gets it, and what is kept for the one is still not the other's.
    network = authority.channel(guarded.address, authority.issue(NETWORK))
    assert get(network, pcap_id, account_id=OTHER_ACCOUNT).pcap.simple.id == pcap_id
    assert denied(refused(channel, pcap_id, account_id=OTHER_ACCOUNT)) == "ACCOUNT_NOT_PERMITTED"


@pytest.mark.parametrize(
    "names",
    [
        {"uris": ["spiffe://example.com/other"]},
        # Where there are URI names, nothing else counts.
        {"uris": ["spiffe://example.com/other"], "dns_names": ["spiffe"], "common_name": READER},
        {"uris": [], "dns_names": ["reader.example.com"]},
        {"uris": [], "common_name": READER},
    ],
)
def test_another_caller_is_refused_and_learns_nothing(
    guarded: Gateway, authority: Authority, names: dict[str, Any]
) -> None:
    uris = names.pop("uris")
    channel = authority.channel(guarded.address, authority.issue(*uris, **names))
    for pcap_id in (demo.FULL_ID, "nonsense"):
        assert denied(refused(channel, pcap_id)) == "CALLER_NOT_PERMITTED"


def test_a_deny_rule_wins(guarded: Gateway, authority: Authority, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    channel = authority.channel(guarded.address, authority.issue(READER))
    failure = refused(channel, pcap_id, metadata=[("x-job", "batch-7")])
    assert denied(failure) == "CALLER_NOT_PERMITTED"
    assert get(channel, pcap_id, metadata=[("x-job", "people")]).pcap.simple.id == pcap_id


def test_health_and_reflection_are_calls_like_others(
    guarded: Gateway, authority: Authority
) -> None:
    channel = authority.channel(guarded.address, authority.issue("spiffe://example.com/probe"))
    health = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest()
    assert health.Check(request, timeout=20).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as watch:
        next(iter(health.Watch(request, timeout=20)))
    assert watch.value.code() is grpc.StatusCode.PERMISSION_DENIED
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as listing:
        next(iter(reflection.ServerReflectionInfo(iter([question]), timeout=20)))
    assert listing.value.code() is grpc.StatusCode.PERMISSION_DENIED


# --- changes


# Each method, and who of the page's policy may call it beside "all teams".
METHODS = {
    "PcapService/GetPcap": None,
    "PcapService/ListPcaps": None,
    "PcapService/WatchPcaps": None,
    "PcapOwnershipService/ListOwnerships": None,
    "PcapService/CreatePcap": "operators",
    "PcapService/StopPcap": "operators",
    "PcapService/DownloadPcap": "investigators",
    "PcapOwnershipService/CreateOwnership": "platform",
    "PcapOwnershipService/ValidateOwnership": "platform",
    "PcapOwnershipService/DeleteOwnership": "platform",
}


def test_the_pages_policy_says_who_may_do_what(
    start_gateway: StartGateway, files: Files, authority: Authority, emulator: Emulator
) -> None:
    page = (REPOSITORY / "docs" / "access.md").read_text()
    section = page.split("## Who may only read")[1].split("\n## ")[0]
    block = "\n".join(line for line in section.splitlines() if line.startswith("    "))
    files.set_policy(block)
    gateway = start_gateway(*files.all, "--allow=write,download")
    before = len(emulator.requests())
    for team in ("readers", "operators", "investigators", "platform"):
        identity = authority.issue(f"spiffe://example.com/team/{team}")
        with authority.channel(gateway.address, identity) as channel:
            for method, only in METHODS.items():
                # A request without ids: whoever may call is told what is wrong with it.
                call = channel.unary_stream(f"/pcap.v1.{method}")(b"", timeout=DEADLINE_SECONDS)
                with pytest.raises(grpc.RpcError) as caught:
                    list(call)
                may = only is None or only == team
                wanted = "INVALID_ARGUMENT" if may else "PERMISSION_DENIED"
                assert caught.value.code().name == wanted, (team, method)
    assert len(emulator.requests()) == before


def reload(gateway: Gateway, expected: str) -> None:
    """Tells it to look, and waits until it has told what it found."""
    gateway.process.send(signal.SIGHUP)
    gateway.process.stderr.wait_for(expected)


def test_a_new_policy_holds_without_a_restart(
    start_gateway: StartGateway, files: Files, authority: Authority, emulator: Emulator
) -> None:
    gateway = start_gateway(*files.all)
    pcap_id = emulator.add()
    channel = authority.channel(gateway.address, authority.issue(READER))
    assert get(channel, pcap_id).pcap.simple.id == pcap_id
    files.set_policy({**POLICY, "account_rules": POLICY["account_rules"][:1]})
    reload(gateway, "--policy-file: reloaded")
    # The same connection, and an answer that is kept.
    assert denied(refused(channel, pcap_id)) == "ACCOUNT_NOT_PERMITTED"


def test_changes_are_noticed_without_a_signal(
    start_gateway: StartGateway, files: Files, authority: Authority
) -> None:
    gateway = start_gateway(*files.all, "--reload-interval=50ms")
    files.set_policy({"name": "none", "allow_rules": [{"name": "n", "request": {"paths": ["/"]}}]})
    gateway.process.stderr.wait_for("--policy-file: reloaded")
    channel = authority.channel(gateway.address, authority.issue(READER))
    assert denied(refused(channel, demo.FULL_ID)) == "CALLER_NOT_PERMITTED"


BROKEN_POLICIES = {
    "empty": ("", "not JSON"),
    "half written": (json.dumps(POLICY)[:-40], "not JSON"),
    "unknown key": ({**POLICY, "allow_rule": []}, "unknown key `allow_rule`"),
    "unknown key in a rule": (
        {**POLICY, "allow_rules": [{"name": "x", "requests": {}}]},
        "unknown key `requests`",
    ),
    "no allow rules": ({"name": "x"}, "no allow_rules"),
    "a key twice": ('{"name": "a", "name": "b", "allow_rules": [{"name": "c"}]}', "twice"),
    "not a policy": ("[]", "not an object"),
}


@pytest.mark.parametrize("case", BROKEN_POLICIES)
def test_a_broken_new_policy_keeps_the_old_one(
    start_gateway: StartGateway, files: Files, authority: Authority, case: str
) -> None:
    policy, why = BROKEN_POLICIES[case]
    gateway = start_gateway(*files.all)
    files.set_policy(policy)
    reload(gateway, f"--policy-file: the new file is of no use, the old one is kept: .*{why}")
    outsider = authority.channel(gateway.address, authority.issue("spiffe://example.com/x"))
    assert denied(refused(outsider, demo.FULL_ID)) == "CALLER_NOT_PERMITTED"
    reader = authority.channel(gateway.address, authority.issue(READER))
    assert get(reader, demo.FULL_ID).pcap.full.id == demo.FULL_ID


def test_a_policy_that_is_gone_keeps_the_old_one(
    start_gateway: StartGateway, files: Files, authority: Authority
) -> None:
    gateway = start_gateway(*files.all)
    files.policy.unlink()
    reload(gateway, "--policy-file: .* the old one is kept: cannot be read")
    outsider = authority.channel(gateway.address, authority.issue("spiffe://example.com/x"))
    assert denied(refused(outsider, demo.FULL_ID)) == "CALLER_NOT_PERMITTED"


def served_certificate(address: str) -> str:
    host, port = address.rsplit(":", 1)
    return ssl.get_server_certificate((host, int(port)), timeout=20)


def await_certificate(address: str, chain: bytes) -> None:
    """gRPC itself looks once a second."""
    deadline = threading.Event()
    timer = threading.Timer(20, deadline.set)
    timer.start()
    while served_certificate(address).strip() != chain.decode().strip():
        assert not deadline.is_set(), "the new certificate is not served"
    timer.cancel()


def test_a_new_certificate_is_served_and_no_call_fails(
    start_gateway: StartGateway, files: Files, authority: Authority, emulator: Emulator
) -> None:
    gateway = start_gateway(*files.tls)
    pcap_id = emulator.add()
    ending = threading.Event()
    failures: list[Failure] = []
    calls = [0] * 4

    def call_on(number: int) -> None:
        while not ending.is_set():
            # A connection of its own each: the handshake is what may fail.
            with authority.channel(gateway.address) as channel:
                try:
                    get(channel, pcap_id)
                    calls[number] += 1
                except Failure as failure:
                    failures.append(failure)

    callers = [threading.Thread(target=call_on, args=(number,)) for number in range(len(calls))]
    for caller in callers:
        caller.start()
    for _ in range(3):
        fresh = authority.server()
        fresh.write(files.folder, "server")
        gateway.process.send(signal.SIGHUP)
        await_certificate(gateway.address, fresh.chain)
    ending.set()
    for caller in callers:
        caller.join()
    assert failures == [] and min(calls) > 0


def test_a_certificate_swapped_with_its_directory_is_noticed(
    start_gateway: StartGateway, tmp_path: Path, authority: Authority
) -> None:
    """As Kubernetes updates the files of a Secret: by one symbolic link."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    authority.server().write(tmp_path / "one", "server")
    second = authority.server()
    second.write(tmp_path / "two", "server")
    link = tmp_path / "data"
    link.symlink_to("one")
    gateway = start_gateway(
        f"--tls-cert-file={link}/server.cert.pem", f"--tls-key-file={link}/server.key.pem"
    )
    (tmp_path / "fresh").symlink_to("two")
    os.replace(tmp_path / "fresh", link)
    reload(gateway, "--tls-cert-file: reloaded")
    await_certificate(gateway.address, second.chain)


def broken_identities(authority: Authority) -> dict[str, tuple[bytes, bytes, str]]:
    good, other = authority.server(), authority.server()
    expired = authority.server(timedelta(minutes=-1))
    encrypted = authority.issue(dns_names=["localhost"], password=b"secret")
    return {
        "key of another": (good.chain, other.key, "the private key is not the certificate's"),
        "expired": (expired.chain, expired.key, "the certificate expired on 20"),
        "half a certificate": (good.chain[:300], good.key, "certificate file holds"),
        "half a key": (good.chain, good.key[:100], "holds no private key"),
        "empty": (b"", b"", "holds no certificate"),
        "encrypted": (encrypted.chain, encrypted.key, "the private key is encrypted"),
        "swapped": (good.key, good.chain, "holds no certificate"),
    }


BROKEN_IDENTITIES = [
    "key of another",
    "expired",
    "half a certificate",
    "half a key",
    "empty",
    "encrypted",
    "swapped",
]


@pytest.mark.parametrize("case", BROKEN_IDENTITIES)
def test_a_broken_new_certificate_keeps_the_old_one(
    start_gateway: StartGateway, files: Files, authority: Authority, case: str
) -> None:
    chain, key, why = broken_identities(authority)[case]
    gateway = start_gateway(*files.tls, "--admin-listen=127.0.0.1:0")
    before = served_certificate(gateway.address)
    Identity(chain, key).write(files.folder, "server")
    reload(gateway, f"the new file is of no use, the old one is kept: .*{why}")
    assert served_certificate(gateway.address) == before
    assert get(authority.channel(gateway.address), demo.FULL_ID).pcap.full.id == demo.FULL_ID
    reloads = metrics_of(gateway)
    assert reloads['pcap_gateway_reloads_total{file="tls-cert-file",result="failed"}'] == 1
    # And a good one after it is taken again.
    good = authority.server()
    good.write(files.folder, "server")
    reload(gateway, "--tls-cert-file: reloaded")
    await_certificate(gateway.address, good.chain)


def test_files_may_begin_with_a_byte_order_mark(
    start_gateway: StartGateway, files: Files, authority: Authority
) -> None:
    def mark(*paths: Path) -> None:
        for path in paths:
            replace(path, b"\xef\xbb\xbf" + path.read_bytes())

    config = files.folder / "gateway.conf"
    config.write_text("default-account-id = " + demo.ACCOUNT_ID + "\n")
    mark(files.certificate, files.key, files.authorities, files.policy, files.token, config)
    gateway = start_gateway(*files.all, f"--config={config}")

    def ask() -> None:
        channel = authority.channel(gateway.address, authority.issue(READER))
        assert get(channel, demo.FULL_ID, account_id="").pcap.full.id == demo.FULL_ID

    ask()
    # And the next ones.
    renewed = authority.server()
    renewed.write(files.folder, "server")
    mark(files.certificate, files.key)
    reload(gateway, "--tls-cert-file: reloaded")
    await_certificate(gateway.address, renewed.chain)
    ask()


def test_a_new_authority_lets_its_callers_in(
    start_gateway: StartGateway, files: Files, authority: Authority, stranger: Authority
) -> None:
    gateway = start_gateway(*files.all)
    newcomer = authority.channel(gateway.address, stranger.issue(READER))
    assert refused(newcomer, demo.FULL_ID).code is grpc.StatusCode.UNAVAILABLE
    replace(files.authorities, authority.pem + stranger.pem)
    reload(gateway, "--tls-client-ca-file: reloaded")
    deadline = threading.Event()
    timer = threading.Timer(20, deadline.set)
    timer.start()
    while not deadline.is_set():
        with authority.channel(gateway.address, stranger.issue(READER)) as channel:
            try:
                assert get(channel, demo.FULL_ID).pcap.full.id == demo.FULL_ID
                break
            except Failure as failure:
                assert failure.code is grpc.StatusCode.UNAVAILABLE
    assert not deadline.is_set(), "the new authority is not trusted"
    timer.cancel()
    old = authority.channel(gateway.address, authority.issue(READER))
    assert get(old, demo.FULL_ID).pcap.full.id == demo.FULL_ID


def test_a_new_token_is_used_and_a_broken_one_is_not(
    start_gateway: StartGateway, files: Files, emulator: Emulator
) -> None:
    gateway = start_gateway(f"--api-token-file={files.token}")
    first, second, third = (emulator.add() for _ in range(3))
    get(gateway.channel, first)
    replace(files.token, "two\nlines")
    reload(gateway, "--api-token-file: the new file is of no use, the old one is kept: ")
    get(gateway.channel, second)
    replace(files.token, "another-token-0123456789abcdef\n")
    reload(gateway, "--api-token-file: reloaded")
    with pytest.raises(Failure) as caught:
        get(gateway.channel, third)
    assert caught.value.only(ErrorInfo).reason == "UPSTREAM_CREDENTIALS_REJECTED"
    sent = [emulator.headers(pcap_id)["authorization"] for pcap_id in (first, second, third)]
    assert sent[0] == sent[1] == f"Bearer {demo.TOKEN}"
    assert sent[2] == "Bearer another-token-0123456789abcdef"
    assert "another-token" not in gateway.process.output()
    assert "two" not in gateway.process.stderr.text()


# --- certificates that end


def gateway_with(files: Files, emulator: Emulator, clock: MovedClock) -> Gateway:
    variables = environment(files.folder, **clock.variables)
    options = [f"--upstream-url={emulator.url}", "--admin-listen", "", "--lame-duck=0s"]
    return Gateway([*options, *files.all], variables)


def status_over(tls: ssl.SSLSocket) -> str:
    """The grpc-status of a GetPcap on a new connection, HTTP/2 by hand."""
    fields = [(n, "https" if n == ":scheme" else v) for n, v in call_fields()]
    body = message(request_for(demo.FULL_ID).SerializeToString())
    call = headers(1, fields) + frame(DATA, END_STREAM, 1, body)
    tls.sendall(PREFACE + settings() + call)
    decoder, unread = hpack.Decoder(), b""
    while received := tls.recv(65536):
        unread += received
        while len(unread) >= 9 and len(unread) >= 9 + (size := int.from_bytes(unread[:3], "big")):
            kind, payload, unread = unread[3], unread[9 : 9 + size], unread[9 + size :]
            if kind != HEADERS:
                continue
            for name, value in decoder.decode(payload):
                if name == "grpc-status":
                    return str(value)
    raise AssertionError("the connection was closed")


def test_a_resumed_session_does_not_outlive_its_certificate(
    files: Files, authority: Authority, emulator: Emulator
) -> None:
    clock = MovedClock(files.folder / "clock")
    gateway = gateway_with(files, emulator, clock)
    try:
        chain, key = authority.issue(READER, valid_for=timedelta(minutes=5)).write(
            files.folder, "caller"
        )
        context = ssl.create_default_context(cadata=authority.pem.decode())
        context.load_cert_chain(chain, key)
        context.set_alpn_protocols(["h2"])
        host, port = gateway.address.rsplit(":", 1)
        session = None
        for now, reused, status in (("+0", False, "0"), ("+1m", True, "0"), ("+6m", True, "16")):
            clock.move(now)
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                with context.wrap_socket(
                    connection, server_hostname="localhost", session=session
                ) as tls:
                    assert tls.session_reused == reused, now
                    assert status_over(tls) == status, now
                    session = tls.session
    finally:
        gateway.end()


def test_a_certificate_that_ends_is_refused_on_its_connection(
    files: Files, authority: Authority, emulator: Emulator
) -> None:
    clock = MovedClock(files.folder / "clock")
    gateway = gateway_with(files, emulator, clock)
    try:
        caller = authority.issue(READER, valid_for=timedelta(minutes=5))
        longer = authority.issue(READER, valid_for=timedelta(hours=3))
        with authority.channel(gateway.address, caller) as channel, authority.channel(
            gateway.address, longer
        ) as other:
            get(channel, demo.FULL_ID)
            get(other, demo.FULL_ID)
            clock.move("+6m")
            failure = refused(channel, demo.FULL_ID)
            assert failure.code is grpc.StatusCode.UNAUTHENTICATED
            check_details(failure)
            assert failure.only(ErrorInfo).reason == "CERTIFICATE_EXPIRED"
            assert get(other, demo.FULL_ID).pcap.full.id == demo.FULL_ID
    finally:
        gateway.end()


# --- starts that must not be


def ends_with(options: list[str], home: Path) -> tuple[int, str]:
    variables = environment(home, CLOUDFLARE_API_TOKEN=demo.TOKEN)
    process = Process([BINARY, "--listen=127.0.0.1:0", *options], variables)
    code = process.wait()
    return code, process.stderr.text()


@pytest.mark.parametrize("case", BROKEN_IDENTITIES)
def test_a_broken_certificate_stops_the_start(
    files: Files, authority: Authority, case: str
) -> None:
    chain, key, why = broken_identities(authority)[case]
    Identity(chain, key).write(files.folder, "server")
    code, line = ends_with(files.tls, files.folder)
    assert code == 2 and line.count("\n") == 1 and "--tls-cert-file" in line and why in line


@pytest.mark.parametrize("case", BROKEN_POLICIES)
def test_a_broken_policy_stops_the_start(files: Files, case: str) -> None:
    policy, why = BROKEN_POLICIES[case]
    files.set_policy(policy)
    code, line = ends_with([f"--policy-file={files.policy}"], files.folder)
    assert code == 2 and line.count("\n") == 1 and "--policy-file: " in line and why in line


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--listen=0.0.0.0:0"], "--listen: callers on other machines need TLS"),
        (["--listen=[::]:0"], "--listen: callers on other machines need TLS"),
        (["--tls-cert-file=/nowhere"], "--tls-key-file"),
        (["--tls-key-file=/nowhere"], "--tls-cert-file"),
        (["--tls-client-ca-file=/nowhere"], "--tls-client-ca-file: has no use without"),
        (["--policy-file=/dev/zero"], "--policy-file: is not a regular file but a device"),
    ],
)
def test_what_would_be_open_or_cannot_work_stops_the_start(
    tmp_path: Path, options: list[str], why: str
) -> None:
    code, line = ends_with(options, tmp_path)
    assert code == 2 and line.count("\n") == 1 and why in line


def test_an_authority_that_is_none_stops_the_start(files: Files) -> None:
    files.authorities.write_text("nobody")
    options = [*files.tls, f"--tls-client-ca-file={files.authorities}"]
    code, line = ends_with(options, files.folder)
    assert code == 2 and "--tls-client-ca-file: holds no certificate" in line


def everywhere(options: list[str]) -> Callable[[StartGateway], Gateway]:
    return lambda start: start("--listen=0.0.0.0:0", *options)


def test_other_machines_may_connect_when_it_is_said_or_by_tls(
    start_gateway: StartGateway, files: Files, authority: Authority
) -> None:
    open_gateway = everywhere(["--insecure"])(start_gateway)
    port = open_gateway.address.rsplit(":", 1)[1]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert get(channel, demo.FULL_ID).pcap.full.id == demo.FULL_ID
    tls_gateway = everywhere(files.tls)(start_gateway)
    port = tls_gateway.address.rsplit(":", 1)[1]
    with authority.channel(f"127.0.0.1:{port}") as channel:
        assert get(channel, demo.FULL_ID).pcap.full.id == demo.FULL_ID


def test_the_certificates_end_is_a_metric(
    start_gateway: StartGateway, files: Files, authority: Authority
) -> None:
    fresh = authority.server(timedelta(minutes=30))
    fresh.write(files.folder, "server")
    gateway = start_gateway(*files.all, "--admin-listen=127.0.0.1:0")
    figures = metrics_of(gateway)
    for name in ("tls-cert-file", "tls-client-ca-file", "policy-file", "api-token-file"):
        for result in ("ok", "failed"):
            assert figures[f'pcap_gateway_reloads_total{{file="{name}",result="{result}"}}'] == 0
    left = figures["pcap_gateway_certificate_expiry_timestamp_seconds"]
    longer = authority.server()
    longer.write(files.folder, "server")
    reload(gateway, "--tls-cert-file: reloaded")
    later = metrics_of(gateway)["pcap_gateway_certificate_expiry_timestamp_seconds"]
    assert 25 * 60 <= later - left <= 35 * 60
