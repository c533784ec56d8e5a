"""Towards Cloudflare: TLS that is verified, HTTP/2 over it, and nothing from the environment."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from pathlib import Path
from typing import Callable, Iterator

import grpc
import pytest
from emulator import demo

from harness.admin import fetch
from harness.calls import DEADLINE_SECONDS, Answer, answer_of, fail, get, request_for
from harness.connect_proxy import ConnectProxy
from harness.emulator import Emulator
from harness.gateway import StartGateway
from harness.stubs import pcap_service_pb2, pcap_service_pb2_grpc
from harness.tls import Authority, Nginx, self_signed_with_openssl

StartEmulator = Callable[[Path, Path], Emulator]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def start_tls_emulator() -> Iterator[StartEmulator]:
    """start(certificate, key): one that serves https."""
    emulators: list[Emulator] = []

    def start(certificate: Path, key: Path) -> Emulator:
        emulators.append(Emulator("--tls-cert", certificate, "--tls-key", key))
        return emulators[-1]

    yield start
    for emulator in emulators:
        emulator.stop()


def by_name(emulator: Emulator) -> str:
    """Its URL with a name for a host."""
    return emulator.url.replace("127.0.0.1", "localhost")


def check_untrusted(
    start_gateway: StartGateway, url: str, words: str, *options: str, **more: str
) -> None:
    """`words`: OpenSSL's, which callers and operators are told."""
    gateway = start_gateway("--admin-listen=127.0.0.1:0", *options, upstream_url=url, **more)
    failure = fail(gateway.channel, demo.SIMPLE_ID)
    assert (failure.code.name, failure.reason) == ("UNAVAILABLE", "UPSTREAM_UNREACHABLE")
    assert words in failure.message
    assert not {"localhost", "127.0.0.1"} & set(re.findall(r"[\w.]+", failure.told()))
    [error] = json.loads(fetch(gateway, "/status.json")[1])["errors"]
    assert gateway.end() == 0
    host, port = url.removeprefix("https://").split("/")[0].split(":")
    [line] = [line for line in gateway.log() if "reason" in line]
    for told in (line["upstream_failure"], error["detail"]):
        assert re.match(rf"{host} port {port}, directly, at (::1, )?127.0.0.1: ", told), told
        assert words in told


def check_trusted(start_gateway: StartGateway, url: str, *options: str, **more: str) -> None:
    gateway = start_gateway(*options, upstream_url=url, **more)
    assert get(gateway.channel, demo.SIMPLE_ID).pcap.simple.id == demo.SIMPLE_ID


def test_an_authority_that_nobody_trusts_is_unavailable(
    start_gateway: StartGateway, start_tls_emulator: StartEmulator, authority: Authority
) -> None:
    emulator = start_tls_emulator(*authority.certificate("localhost"))
    check_untrusted(start_gateway, by_name(emulator), "unable to get local issuer certificate")


def test_a_certificate_that_signs_itself_is_unavailable(
    start_gateway: StartGateway, start_tls_emulator: StartEmulator, tmp_path: Path
) -> None:
    emulator = start_tls_emulator(*self_signed_with_openssl(tmp_path, "localhost"))
    check_untrusted(start_gateway, by_name(emulator), "self-signed certificate")


def test_a_certificate_for_another_host_is_unavailable(
    start_gateway: StartGateway, start_tls_emulator: StartEmulator, authority: Authority
) -> None:
    emulator = start_tls_emulator(*authority.certificate("api.cloudflare.com"))
    check_untrusted(
        start_gateway,
        by_name(emulator),
        "no alternative certificate subject name matches target host",  # libcurl 8: hostname
        f"--upstream-ca-file={authority.file}",
    )


def test_a_name_in_the_certificate_is_no_address(
    start_gateway: StartGateway, start_tls_emulator: StartEmulator, authority: Authority
) -> None:
    emulator = start_tls_emulator(*authority.certificate("localhost"))
    check_untrusted(
        start_gateway, emulator.url, "no alternative", f"--upstream-ca-file={authority.file}"
    )


def test_the_ca_option_makes_an_authority_trusted(
    start_gateway: StartGateway, start_tls_emulator: StartEmulator, authority: Authority
) -> None:
    emulator = start_tls_emulator(*authority.certificate("localhost"))
    check_trusted(start_gateway, by_name(emulator), f"--upstream-ca-file={authority.file}")


def test_the_authorities_may_begin_with_a_byte_order_mark(
    start_gateway: StartGateway, start_tls_emulator: StartEmulator, authority: Authority, tmp_path: Path
) -> None:
    emulator = start_tls_emulator(*authority.certificate("localhost"))
    marked = tmp_path / "marked.pem"
    marked.write_bytes(b"\xef\xbb\xbf" + authority.file.read_bytes())
    check_trusted(start_gateway, by_name(emulator), f"--upstream-ca-file={marked}")


def test_ssl_cert_file_makes_an_authority_trusted(
    start_gateway: StartGateway, start_tls_emulator: StartEmulator, authority: Authority
) -> None:
    emulator = start_tls_emulator(*authority.certificate("localhost"))
    check_trusted(start_gateway, by_name(emulator), SSL_CERT_FILE=str(authority.file))


def test_the_ca_option_is_instead_of_the_systems_authorities(
    start_gateway: StartGateway,
    start_tls_emulator: StartEmulator,
    authority: Authority,
    tmp_path: Path,
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    emulator = start_tls_emulator(*authority.certificate("localhost"))
    check_untrusted(
        start_gateway,
        by_name(emulator),
        "unable to get local issuer certificate",
        f"--upstream-ca-file={Authority(other).file}",
        SSL_CERT_FILE=str(authority.file),
    )


def test_plain_http_where_tls_is_expected_is_unavailable(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    check_untrusted(
        start_gateway, emulator.url.replace("http:", "https:"), "wrong version number"
    )


def test_50_captures_at_once_go_over_one_http2_connection(
    start_gateway: StartGateway, emulator: Emulator, authority: Authority, tmp_path: Path
) -> None:
    upstream = emulator.url.split("/")[2]
    nginx = Nginx(tmp_path, upstream, *authority.certificate("localhost"))
    try:
        gateway = start_gateway(f"--upstream-ca-file={authority.file}", upstream_url=nginx.url)
        ids = [emulator.add() for _ in range(50)]
        gate = emulator.hold(ids[0])

        async def test() -> list[Answer]:
            async with grpc.aio.insecure_channel(gateway.address) as channel:
                stub = pcap_service_pb2_grpc.PcapServiceStub(channel)
                calls = [stub.GetPcap(request_for(pcap_id), timeout=30) for pcap_id in ids]
                # The first one is held, and yet the others are answered: they share no queue.
                others = await asyncio.gather(*map(answer_of, calls[1:]))
                emulator.release(gate)
                return [await answer_of(calls[0]), *others]

        answers = asyncio.run(asyncio.wait_for(test(), 50))
        assert [answer.pcap.simple.id for answer in answers] == ids
        assert gateway.end() == 0
    finally:
        nginx.stop()
    requests = nginx.requests()
    assert len(requests) == len(ids)
    assert {protocol for protocol, _, _ in requests} == {"HTTP/2.0"}
    assert len({connection for _, connection, _ in requests}) == 1


def test_proxies_of_the_environment_are_not_used(
    start_gateway: StartGateway,
    start_tls_emulator: StartEmulator,
    emulator: Emulator,
    authority: Authority,
) -> None:
    with socket.socket() as dead:  # bound and not listening: refuses
        dead.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{dead.getsockname()[1]}"
        names = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        variables = {name: proxy for name in names}
        check_trusted(start_gateway, emulator.url, **variables)
        with_tls = start_tls_emulator(*authority.certificate("localhost"))
        option = f"--upstream-ca-file={authority.file}"
        check_trusted(start_gateway, by_name(with_tls), option, **variables)


def test_netrc_of_the_environment_is_not_used(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    # tmp_path is the gateway's HOME.
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc-user password netrc-password\n")
    (tmp_path / ".curlrc").write_text('header = "X-Curlrc: used"\n')
    pcap_id = emulator.add()
    get(start_gateway().channel, pcap_id)
    headers = emulator.headers(pcap_id)
    assert headers["authorization"] == f"Bearer {demo.TOKEN}"
    assert "x-curlrc" not in headers


PACKETS = 20_000


def check_download(start_gateway: StartGateway, emulator: Emulator, *options: str) -> None:
    """The whole file comes, and it is the one that Cloudflare has."""
    gateway = start_gateway("--allow=download", *options, upstream_url=by_name(emulator))
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    request = pcap_service_pb2.DownloadPcapRequest(
        account_id=demo.ACCOUNT_ID, pcap_id=emulator.add(packets=PACKETS)
    )
    messages = list(stub.DownloadPcap(request, timeout=DEADLINE_SECONDS))
    data = b"".join(message.data for message in messages)
    assert data[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
    assert len(data) == messages[0].total_bytes == 24 + 56 * PACKETS
    [asked] = emulator.requests(request.pcap_id)
    assert asked["state"] == "answered" and asked["path"].endswith("/download")


def test_packets_come_over_tls(
    start_gateway: StartGateway, start_tls_emulator: StartEmulator, authority: Authority
) -> None:
    emulator = start_tls_emulator(*authority.certificate("localhost"))
    check_download(start_gateway, emulator, f"--upstream-ca-file={authority.file}")


def test_packets_come_through_a_proxy(
    start_gateway: StartGateway, start_tls_emulator: StartEmulator, authority: Authority
) -> None:
    emulator = start_tls_emulator(*authority.certificate("localhost"))
    proxy = ConnectProxy()
    try:
        check_download(
            start_gateway,
            emulator,
            f"--upstream-ca-file={authority.file}",
            f"--upstream-proxy=http://{proxy.address}",
        )
    finally:
        proxy.stop()
    assert proxy.targets == [f"localhost:{emulator.url.split(':')[2].split('/')[0]}"]
