"""Redis over TLS: whom the gateway trusts, whom it shows itself to, and what it says where that fails.

hiredis has TLS from Debian 13 on. A gateway that was built without it refuses rediss:// in one line,
and the rest has nothing to test.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from harness.admin import metric, wait_for_redis
from harness.build import VERSION
from harness.calls import get
from harness.emulator import Emulator
from harness.gateway import BINARY, StartGateway, environment
from harness.redis import Redis, free_port
from harness.tls import Authority

ADMIN = "--admin-listen=127.0.0.1:0"
PATIENT = "--redis-timeout=10s"
HAS_TLS = "Redis over TLS (rediss://): yes" in VERSION
needs_tls = pytest.mark.skipif(not HAS_TLS, reason="this build's hiredis has no TLS")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def redis(authority: Authority) -> Iterator[Redis]:
    """With TLS, for the name localhost alone."""
    server = serve(authority)
    yield server
    server.stop()


def serve(authority: Authority, *settings: str, name: str = "localhost") -> Redis:
    certificate, key = authority.certificate(name)
    return Redis(
        *("--tls-port", str(free_port()), "--tls-ca-cert-file", str(authority.file)),
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
        *(settings or ("--tls-auth-clients", "no")),
    )


def url_of(redis: Redis, host: str = "localhost") -> str:
    port = redis.cli("CONFIG", "GET", "tls-port").split()[-2]
    return f"--redis-url=rediss://{host}:{port}"


def test_the_version_says_whether_there_is_tls() -> None:
    assert "\nRedis over TLS (rediss://): " in VERSION


@pytest.mark.skipif(HAS_TLS, reason="this build has TLS")
def test_without_it_one_line_says_so(tmp_path: Path) -> None:
    ended = subprocess.run(
        [BINARY, "--redis-url=rediss://me:canary@redis"],
        env=environment(tmp_path, CLOUDFLARE_API_TOKEN="t"),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "rediss:// (TLS) is not supported by this build" in ended.stderr
    assert "canary" not in ended.stderr


@needs_tls
def test_what_one_gateway_has_asked_for_the_other_has_over_tls(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator, authority: Authority
) -> None:
    options = (url_of(redis), f"--redis-ca-file={authority.file}", ADMIN, PATIENT)
    one, other = (start_gateway(*options) for _ in range(2))
    for gateway in (one, other):
        wait_for_redis(gateway, True)
    # Where localhost is ::1 first, one connection was refused before.
    before = metric(other, "pcap_gateway_redis_failures_total")
    # Longer than a TLS record.
    pcap_id = emulator.add(type="full", error_message="x" * 50_000)
    first = get(one.channel, pcap_id)
    shared = get(other.channel, pcap_id)
    assert shared.cache_status.endswith("detail=shared")
    assert shared.response == first.response
    assert metric(other, "pcap_gateway_redis_failures_total") == before


@needs_tls
def test_a_redis_that_is_restarted_is_found_again(
    start_gateway: StartGateway, redis: Redis, authority: Authority
) -> None:
    gateway = start_gateway(
        url_of(redis), f"--redis-ca-file={authority.file}", ADMIN, PATIENT
    )
    wait_for_redis(gateway, True)
    redis.kill()
    wait_for_redis(gateway, False)
    redis.start()
    wait_for_redis(gateway, True)


@needs_tls
@pytest.mark.parametrize(
    "host, trusts, why",
    [
        ("localhost", False, "its certificate is not trusted: .*certificate"),
        ("127.0.0.1", True, "its certificate is not trusted: IP address mismatch"),
    ],
)
def test_a_redis_that_is_not_the_one_is_down(
    start_gateway: StartGateway,
    redis: Redis,
    emulator: Emulator,
    authority: Authority,
    host: str,
    trusts: bool,
    why: str,
) -> None:
    trust = [f"--redis-ca-file={authority.file}"] if trusts else []
    gateway = start_gateway(url_of(redis, host), *trust, ADMIN, PATIENT)
    gateway.process.stderr.wait_for(f"Redis is down: {why}")
    get(gateway.channel, emulator.add())
    assert metric(gateway, "pcap_gateway_redis_up") == 0


@needs_tls
def test_tls_to_a_plaintext_port_says_so(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    server = Redis(port=free_port())
    try:
        gateway = start_gateway(f"--redis-url=rediss://localhost:{server.port}", ADMIN, PATIENT)
        # It waits for the rest of a command, or where a byte of the handshake ends a line, objects.
        gateway.process.stderr.wait_for(
            r"Redis is down: (it does not answer to TLS; does it want redis:// instead of rediss://\?"
            "|TLS fails: wrong version number)"
        )
    finally:
        server.stop()


@needs_tls
def test_a_redis_that_wants_a_certificate_gets_one_and_a_new_one_from_the_next_connection_on(
    start_gateway: StartGateway, authority: Authority, tmp_path: Path
) -> None:
    redis = serve(authority, "--tls-auth-clients", "yes")
    try:
        trust = f"--redis-ca-file={authority.file}"
        without = start_gateway(url_of(redis), trust, ADMIN, PATIENT)
        without.process.stderr.wait_for(r"Redis is down: TLS fails: .*certificate required")
        certificate, key = authority.certificate("gateway")
        shown = (f"--redis-cert-file={certificate}", f"--redis-key-file={key}")
        gateway = start_gateway(url_of(redis), trust, *shown, ADMIN, PATIENT)
        wait_for_redis(gateway, True)
        # Spoilt: the connection stands, the next one is refused here.
        good = key.read_bytes()
        key.write_text("canary")
        redis.kill()
        redis.start()
        gateway.process.stderr.wait_for(rf"Redis is down: {key}: ")
        key.write_bytes(good)
        wait_for_redis(gateway, True)
        assert "canary" not in gateway.process.output()
    finally:
        redis.stop()


@needs_tls
def test_files_that_cannot_work_stop_the_start(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.certificate("gateway")
    _, other_key = authority.certificate("other")
    spoilt = tmp_path / "spoilt"
    spoilt.write_text("canary")
    rows = [
        ((f"--redis-ca-file={spoilt}",), f"--redis-ca-file: {spoilt}: "),
        ((f"--redis-cert-file={certificate}",), "--redis-key-file: "),
        ((f"--redis-key-file={key}",), "--redis-cert-file: "),
        ((f"--redis-cert-file={spoilt}", f"--redis-key-file={key}"), "--redis-cert-file: "),
        (
            (f"--redis-cert-file={certificate}", f"--redis-key-file={other_key}"),
            f"--redis-key-file: {other_key}: is not the key of the certificate in {certificate}",
        ),
        ((f"--redis-ca-file={tmp_path}",), f"--redis-ca-file: {tmp_path}: is not a regular file"),
        (
            (f"--redis-cert-file={certificate}", f"--redis-key-file={spoilt}"),
            f"--redis-key-file: {spoilt}: holds no private key in PEM form",
        ),
    ]
    for options, said in rows:
        ended = subprocess.run(
            [BINARY, "--redis-url=rediss://redis", *options],
            env=environment(tmp_path, CLOUDFLARE_API_TOKEN="t"),
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 2, options
        assert said in ended.stderr and ended.stderr.count("\n") == 1, ended.stderr
        assert "canary" not in ended.stderr


@needs_tls
def test_a_file_that_is_not_there_yet_is_worth_another_try(tmp_path: Path) -> None:
    ended = subprocess.run(
        [BINARY, "--redis-url=rediss://redis", f"--redis-ca-file={tmp_path / 'later'}"],
        env=environment(tmp_path, CLOUDFLARE_API_TOKEN="t"),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert f"--redis-ca-file: {tmp_path / 'later'}: cannot be read" in ended.stderr


@needs_tls
def test_a_byte_order_mark_before_a_certificate_or_key_is_skipped(
    start_gateway: StartGateway, authority: Authority
) -> None:
    certificate, key = authority.certificate("gateway")
    redis = serve(authority, "--tls-auth-clients", "yes")
    try:
        for file in (certificate, key, authority.file):
            file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
        gateway = start_gateway(
            url_of(redis),
            f"--redis-ca-file={authority.file}",
            f"--redis-cert-file={certificate}",
            f"--redis-key-file={key}",
            ADMIN,
            PATIENT,
        )
        wait_for_redis(gateway, True)
    finally:
        redis.stop()
