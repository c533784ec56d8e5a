"""Starts that cannot be: each with the whole line that it says, and its exit code.

2: what was asked for can never work, a word, a value or a file's content. 1: the surroundings are
not ready, so a supervisor tries again.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.gateway import StartGateway
from options_test import run

# As tests/end_to_end/CMakeLists.txt builds it.
NAMES = os.environ.get("NAMES_LIBRARY", "")

HERE = "; `{}` comes from the command line"
BYTES = "must be a number of bytes, 0 or more, such as 67108864 or 64MiB"
ADDRESS = "must be HOST:PORT, an IPv6 host in brackets, the port from 0 to 65535"
DURATION = "must be a duration with its unit, such as 30s or 250ms"
COUNT = "must be a whole number from 0 to 1000000000"
NEEDS_TLS = (
    "callers on other machines need TLS: give --tls-cert-file and --tls-key-file, or say --insecure"
)
NO_URL = "must be a URL that begins with https://"
NO_QUERY = "must be a URL without query, fragment, spaces or control characters"
MISSING = "cannot be read: No such file or directory"
ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353"


class Row(NamedTuple):
    options: str  # one or more, with blanks between them
    code: int
    line: str  # after the option's name; without what HERE says of the value
    shown: str | None  # the value as the line shows it; None: it says nothing of it


ROWS = [
    Row("--listen=nonsense", 2, f"--listen: {ADDRESS}", "nonsense"),
    Row("--listen=127.0.0.1:99999", 2, f"--listen: {ADDRESS}", "127.0.0.1:99999"),
    Row("--listen=127.0.0.1:-1", 2, f"--listen: {ADDRESS}", "127.0.0.1:-1"),
    Row("--listen=", 2, f"--listen: {ADDRESS}", ""),
    Row("--listen=192.0.2.1:0", 2, f"--listen: {NEEDS_TLS}", "192.0.2.1:0"),
    Row("--upstream-url=nonsense", 2, f"--upstream-url: {NO_URL}", "nonsense"),
    Row("--upstream-url=ftp://127.0.0.1/client/v4", 2, f"--upstream-url: {NO_URL}", "ftp://127.0.0.1/client/v4"),
    Row("--upstream-url=file:///etc/passwd", 2, f"--upstream-url: {NO_URL}", "file:///etc/passwd"),
    Row("--upstream-url=http://api.cloudflare.com/client/v4", 2, "--upstream-url: would send the credential in clear over the network: use https, or --allow-http-upstream", "http://api.cloudflare.com/client/v4"),
    Row("--upstream-url=https://user:password@api.cloudflare.com/client/v4", 2, "--upstream-url: must not carry a user name or password", "https://REDACTED@api.cloudflare.com/client/v4"),
    Row("--upstream-url=https://", 2, f"--upstream-url: {NO_URL}", "https://"),
    Row("--upstream-url=", 2, f"--upstream-url: {NO_URL}", ""),
    Row("--upstream-url=https://api.cloudflare.com/client/v4?a=b", 2, f"--upstream-url: {NO_QUERY}", "https://api.cloudflare.com/client/v4?a=REDACTED"),
    Row("--upstream-url=https://api.cloudflare.com/client/v4#a", 2, f"--upstream-url: {NO_QUERY}", "https://api.cloudflare.com/client/v4#REDACTED"),
    Row("--upstream-ca-file=/does/not/exist", 1, f"--upstream-ca-file: {MISSING}", "/does/not/exist"),
    Row("--credential=both", 2, "--credential: must be `service` or `caller`", "both"),
    Row("--credential=", 2, "--credential: must be `service` or `caller`", ""),
    Row("--ready=never", 2, "--ready: must be `listening` or `credential`", "never"),
    Row("--ready=credential --credential=caller", 2, "--ready: with --credential=caller there is no credential to wait for", "credential"),
    Row("--api-token-file=/does/not/exist", 1, f"--api-token-file: {MISSING}", "/does/not/exist"),
    Row("--api-token-file=/", 2, "--api-token-file: is a directory", "/"),
    Row("--api-token-file=/dev/null", 2, "--api-token-file: cannot be used: the API token is empty", "/dev/null"),
    Row("--default-account-id=nonsense", 2, "--default-account-id: must be 32 lower-case hexadecimal digits", "nonsense"),
    Row("--default-account-id=023E105F4ECEF8AD9CA31A8372D0C353", 2, "--default-account-id: must be 32 lower-case hexadecimal digits", "023E105F4ECEF8AD9CA31A8372D0C353"),
    Row("--default-account-id=023e105f4ecef8ad9ca31a8372d0c3530", 2, "--default-account-id: must be 32 lower-case hexadecimal digits", "023e105f4ecef8ad9ca31a8372d0c3530"),
    Row("--cache-bytes=lots", 2, f"--cache-bytes: {BYTES}", "lots"),
    Row("--cache-bytes=-1", 2, f"--cache-bytes: {BYTES}", "-1"),
    Row("--cache-bytes=99999999999999999999", 2, "--cache-bytes: is more bytes than can be counted", "99999999999999999999"),
    Row("--cache-bytes=10XB", 2, f"--cache-bytes: {BYTES}", "10XB"),
    Row("--final-lifetime=-1s", 2, "--final-lifetime: must be from 0 to 720h", "-1s"),
    Row("--moving-lifetime=1h", 2, "--longest-moving-lifetime: must not be less than --moving-lifetime; `10s` is the default", None),
    Row("--stale-if-error=forever", 2, f"--stale-if-error: {DURATION}", "forever"),
    Row("--admin-listen=nonsense", 2, f"--admin-listen: {ADDRESS}", "nonsense"),
    Row("--channelz-listen=0.0.0.0:0", 2, "--channelz-listen: tells of callers, so it must be on loopback", "0.0.0.0:0"),
    Row("--upstream-timeout=30", 2, f"--upstream-timeout: {DURATION}", "30"),
    Row("--upstream-timeout=0s", 2, "--upstream-timeout: must be from 1ms to 24h", "0s"),
    Row("--upstream-timeout=-1s", 2, "--upstream-timeout: must be from 1ms to 24h", "-1s"),
    Row("--upstream-timeout=soon", 2, f"--upstream-timeout: {DURATION}", "soon"),
    Row("--upstream-connect-timeout=0s", 2, "--upstream-connect-timeout: must be from 1ms to 24h", "0s"),
    Row("--upstream-first-byte-timeout=1", 2, f"--upstream-first-byte-timeout: {DURATION}", "1"),
    Row("--upstream-limit=-1", 2, f"--upstream-limit: {COUNT}", "-1"),
    Row("--upstream-reserve=5000", 2, "--upstream-reserve: must be less than --upstream-limit", "5000"),
    Row("--upstream-retries=forever", 2, "--upstream-retries: must be a whole number from 0 to 10", "forever"),
    Row("--upstream-failures=-1", 2, f"--upstream-failures: {COUNT}", "-1"),
    Row("--reload-interval=0s", 2, "--reload-interval: must be from 1ms to 24h", "0s"),
    Row("--lame-duck=soon", 2, f"--lame-duck: {DURATION}", "soon"),
    Row("--lame-duck=-1s", 2, "--lame-duck: must be from 0 to 24h", "-1s"),
    Row("--drain-timeout=soon", 2, f"--drain-timeout: {DURATION}", "soon"),
    Row("--drain-timeout=-1s", 2, "--drain-timeout: must be from 0 to 24h", "-1s"),
    Row("--log-format=xml", 2, "--log-format: must be `auto`, `json` or `text`", "xml"),
    Row("--log-level=loud", 2, "--log-level: must be `debug`, `info`, `warn` or `error`", "loud"),
    Row("--log-hits=2", 2, "--log-hits: must be a number from 0 to 1, such as 0.01", "2"),
    Row("--log-file=/does/not/exist", 1, "--log-file: cannot be opened: No such file or directory", "/does/not/exist"),
    Row("--log-file=/", 2, "--log-file: cannot be opened: Is a directory", "/"),
    Row("--max-connections=many", 2, f"--max-connections: {COUNT}", "many"),
    Row("--max-connections=-1", 2, f"--max-connections: {COUNT}", "-1"),
    Row("--max-calls=1.5", 2, f"--max-calls: {COUNT}", "1.5"),
    Row("--config=/does/not/exist", 1, f"--config: {MISSING}", "/does/not/exist"),
    Row("--otlp-endpoint=collector:4318", 2, "--otlp-endpoint: must be a URL that begins with http:// or https://", "collector:4318"),
    Row("--otlp-endpoint=grpc://collector:4317", 2, "--otlp-endpoint: must be a URL that begins with http:// or https://", "grpc://collector:4317"),
    Row("--otlp-endpoint=http://user:password@collector:4318", 2, "--otlp-endpoint: must not carry a user name or password; OTEL_EXPORTER_OTLP_HEADERS does", "http://REDACTED@collector:4318"),
    Row("--otlp-traces-endpoint=http://collector/v1/traces?key=a", 2, f"--otlp-traces-endpoint: {NO_QUERY}", "http://collector/v1/traces?key=REDACTED"),
    Row("--otlp-traces-endpoint=http://collector:99999", 2, "--otlp-traces-endpoint: must be a URL with a host, and a port from 0 to 65535", "http://collector:99999"),
    Row("--otlp-endpoint=http://collector --traces-sampler=xray", 2, "--traces-sampler: must be `always_on`, `always_off` or `traceidratio`, or one of these after `parentbased_`", "xray"),
    Row("--otlp-endpoint=http://collector --traces-sampler=traceidratio --traces-sampler-arg=2", 2, "--traces-sampler-arg: must be a number from 0 to 1, such as 0.01", "2"),
    Row("--no-such-option=1", 2, "--no-such-option: there is no such option (see --help)", None),
    Row("stray", 2, "a stray argument: options begin with -- (see --help)", None),
    Row("--chekc", 2, "--chekc: there is no such option; did you mean --check? (see --help)", None),
    Row("--log-levle=debug", 2, "--log-levle: there is no such option; did you mean --log-level? (see --help)", None),
    Row("--listen", 2, "--listen: needs a value: --listen=VALUE", None),
    Row("--insecure=perhaps", 2, "--insecure: must be true or false", "perhaps"),
    Row("--check=maybe", 2, "--check: must stand alone, or with `online`: --check=online", None),
    Row("--redis-url=http://host", 2, "--redis-url: must be redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], the same with rediss:// for TLS, or unix:///PATH[?db=DATABASE]", "http://host"),
    Row("--redis-ca-file=/nowhere", 2, "--redis-ca-file: has no use without a --redis-url of rediss://", "/nowhere"),
    Row("--redis-cert-file=/nowhere", 2, "--redis-cert-file: has no use without a --redis-url of rediss://", "/nowhere"),
    Row("--redis-key-file=/nowhere", 2, "--redis-key-file: has no use without a --redis-url of rediss://", "/nowhere"),
    Row("--redis-url=redis://nowhere.invalid:1 --check", 1, "--redis-url: the name nowhere.invalid has no address", "redis://nowhere.invalid:1"),
    Row("--upstream-proxy=proxy", 2, "--upstream-proxy: must be a URL such as http://HOST:PORT or socks5h://HOST:PORT", "proxy"),
    Row("--tls-cert-file=/nowhere", 2, "--tls-key-file: a certificate and its key belong together", None),
    Row("--tls-key-file=/nowhere", 2, "--tls-cert-file: a certificate and its key belong together", None),
    Row("--tls-client-ca-file=/nowhere", 2, "--tls-client-ca-file: has no use without --tls-cert-file and --tls-key-file", "/nowhere"),
    Row("--tls-cert-file=/nowhere --tls-key-file=/nowhere", 1, "--tls-cert-file: cannot be read: No such file or directory (/nowhere); that comes from the command line", None),
    Row("--policy-file=/nowhere", 1, "--policy-file: cannot be read: No such file or directory (/nowhere); that comes from the command line", None),
    Row("--policy-file=/dev/zero", 2, "--policy-file: is not a regular file but a device (/dev/zero); that comes from the command line", None),
    Row("--listen=0.0.0.0:0", 2, f"--listen: {NEEDS_TLS}", "0.0.0.0:0"),
    Row("--listen=192.0.2.1:0 --insecure", 1, "--listen: cannot listen on 192.0.2.1:0: Cannot assign requested address", "192.0.2.1:0"),
    Row("--listen=nowhere.invalid:0 --insecure", 1, "--listen: cannot listen on nowhere.invalid:0: Name or service not known", "nowhere.invalid:0"),
    Row("--admin-listen=192.0.2.1:0", 1, "--admin-listen: cannot listen on 192.0.2.1:0: Cannot assign requested address", "192.0.2.1:0"),
    Row("--admin-listen=nowhere.invalid:0", 1, "--admin-listen: cannot listen on nowhere.invalid:0: Name or service not known", "nowhere.invalid:0"),
    Row("--check=online --credential=caller", 2, "--check: with --credential=caller there is no credential to ask Cloudflare about", None),
    Row("--max-streams=-1", 2, f"--max-streams: {COUNT}", "-1"),
    Row("--caller-hold=1200", 2, "--caller-hold: must be less than --upstream-limit", "1200"),
    Row("--first-message-timeout=0s", 2, "--first-message-timeout: must be from 1ms to 24h", "0s"),
    Row("--longest-moving-lifetime=1s", 2, "--longest-moving-lifetime: must not be less than --moving-lifetime", "1s"),
    Row("--api-token-file=not-a-path", 1, "--api-token-file: cannot be read: No such file or directory; the value comes from the command line", None),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.options)
def test_a_start_that_cannot_be_says_why_in_one_line(tmp_path: Path, row: Row) -> None:
    ended = run(tmp_path, *row.options.split(" "))
    shown = "" if row.shown is None else HERE.format(row.shown)
    assert (ended.stderr, ended.stdout) == (f"pcap-gateway: {row.line}{shown}\n", "")
    assert ended.returncode == row.code


def test_a_variable_and_a_line_of_a_file_are_named(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("# how much\ncache-bytes = lots\n")
    for ended, source in (
        (run(tmp_path, PCAP_GATEWAY_CACHE_BYTES="lots"), "PCAP_GATEWAY_CACHE_BYTES"),
        (run(tmp_path, f"--config={config}"), f"{config}, line 2"),
        (run(tmp_path, PCAP_GATEWAY_CONFIG=str(config)), f"{config}, line 2"),
    ):
        assert ended.stderr == f"pcap-gateway: --cache-bytes: {BYTES}; `lots` comes from {source}\n"
        assert ended.returncode == 2
    ended = run(tmp_path, SSL_CERT_FILE="/nowhere")
    expected = f"pcap-gateway: --upstream-ca-file: {MISSING}; `/nowhere` comes from SSL_CERT_FILE\n"
    assert (ended.stderr, ended.returncode) == (expected, 1)


def test_an_unknown_name_in_a_file_is_asked_about(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("\nlog-levle = debug\n")
    ended = run(tmp_path, f"--config={config}")
    assert ended.returncode == 2
    assert "line 2: there is no such option for a file: log-levle; did you mean --log-level?" in (
        ended.stderr
    )


def test_a_port_that_is_taken_may_be_free_later(tmp_path: Path, start_gateway: StartGateway) -> None:
    first = start_gateway("--admin-listen=127.0.0.1:0")
    for option, address in (("listen", first.address), ("admin-listen", first.admin_address())):
        ended = run(tmp_path, f"--{option}={address}")
        assert ended.stderr == (
            f"pcap-gateway: --{option}: cannot listen on {address}: Address already in use; "
            f"`{address}` comes from the command line\n"
        )
        assert ended.returncode == 1


@pytest.mark.parametrize("option", ["listen", "admin-listen"])
def test_a_port_that_is_taken_at_one_address_of_a_name_is_taken(
    tmp_path: Path, option: str
) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        address = f"localhost:{taken.getsockname()[1]}"
        ended = run(
            tmp_path,
            f"--{option}={address}",
            LD_PRELOAD=NAMES,
            NAMES_SEVERAL="localhost=127.0.0.1,127.0.0.2",
        )
    assert ended.stderr == (
        f"pcap-gateway: --{option}: cannot listen on {address}: Address already in use "
        f"(127.0.0.2); `{address}` comes from the command line\n"
    )
    assert ended.returncode == 1
