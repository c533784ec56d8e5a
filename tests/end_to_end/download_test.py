"""DownloadPcap: the packets of a capture, streamed, with bounded memory however slow the reader."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any, Iterator

import grpc
import pytest
from emulator import demo
from google.rpc import error_details_pb2

from harness.admin import metric
from harness.calls import DEADLINE_SECONDS, Failure
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.stubs import pcap_service_pb2, pcap_service_pb2_grpc

ALLOWED = ("--allow=download", "--admin-listen=127.0.0.1:0")
# Of 56 bytes: more than sockets and HTTP/2's windows between two programs hold.
MANY_PACKETS = 1_000_000
MOST_MESSAGE_BYTES = 64 << 10


@pytest.fixture
def downloading(start_gateway: StartGateway) -> Gateway:
    return start_gateway(*ALLOWED)


def start(gateway: Gateway, pcap_id: str, timeout: float = DEADLINE_SECONDS) -> Any:
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    request = pcap_service_pb2.DownloadPcapRequest(account_id=demo.ACCOUNT_ID, pcap_id=pcap_id)
    return stub.DownloadPcap(request, timeout=timeout)


def messages_of(call: Any) -> Iterator[pcap_service_pb2.DownloadPcapResponse]:
    """Raises Failure."""
    try:
        yield from call
    except grpc.RpcError as error:
        raise Failure(error) from None


def download(gateway: Gateway, pcap_id: str, **how: Any) -> bytes:
    return b"".join(message.data for message in messages_of(start(gateway, pcap_id, **how)))


def fail(gateway: Gateway, pcap_id: str, **how: Any) -> Failure:
    with pytest.raises(Failure) as failure:
        download(gateway, pcap_id, **how)
    return failure.value


def resident_kib(gateway: Gateway) -> int:
    for line in Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def size_of(packets: int) -> int:
    return 24 + 56 * packets


def test_a_file_comes_as_cloudflare_has_it(downloading: Gateway, emulator: Emulator) -> None:
    for packets in (0, 3, 1170, 5000):
        pcap_id = emulator.add(packets=packets)
        messages = list(messages_of(start(downloading, pcap_id)))
        data = b"".join(message.data for message in messages)
        assert data[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
        assert len(data) == size_of(packets)
        assert all(0 < len(message.data) <= MOST_MESSAGE_BYTES for message in messages)
        assert messages[0].total_bytes == len(data)
        assert not any(message.HasField("total_bytes") for message in messages[1:])
    [request] = emulator.requests(pcap_id)
    accept = {name.lower(): value for name, value in request["headers"]}["accept"]
    assert accept.startswith("application/vnd.tcpdump.pcap")


def test_a_file_of_no_told_length_comes_whole(downloading: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add(packets=5000)
    emulator.fault(pcap_id, "chunked")
    messages = list(messages_of(start(downloading, pcap_id)))
    assert sum(len(message.data) for message in messages) == size_of(5000)
    assert not messages[0].HasField("total_bytes")


def test_what_is_downloaded_is_not_kept(downloading: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    assert download(downloading, pcap_id) == download(downloading, pcap_id)
    assert len(emulator.requests(pcap_id)) == 2


def test_several_at_once_do_not_mix(downloading: Gateway, emulator: Emulator) -> None:
    ids = {emulator.add(packets=1000 * n): size_of(1000 * n) for n in range(1, 6)}
    sizes: dict[str, int] = {}

    def run(pcap_id: str) -> None:
        sizes[pcap_id] = len(download(downloading, pcap_id))

    threads = [threading.Thread(target=run, args=(pcap_id,)) for pcap_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == ids


def test_a_download_has_to_be_allowed(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    failure = fail(gateway, pcap_id)
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "METHOD_DISABLED",
    )
    assert "--allow=download" in failure.message
    assert emulator.requests(pcap_id) == []


def test_a_malformed_id_spends_no_request(downloading: Gateway) -> None:
    failure = fail(downloading, "../../secrets")
    assert failure.reason == "INVALID_REQUEST"
    [violation] = failure.only(error_details_pb2.BadRequest).field_violations
    assert violation.field == "pcap_id"


def test_a_slow_reader_costs_no_memory_and_gets_all(
    downloading: Gateway, emulator: Emulator
) -> None:
    download(downloading, emulator.add(packets=10_000))
    before = resident_kib(downloading)
    # AddressSanitizer keeps what is freed for a while.
    most = before + (16 << 10) if not downloading.is_sanitized() else 1 << 30
    pcap_id = emulator.add(packets=MANY_PACKETS)
    call = start(downloading, pcap_id, timeout=120)
    messages = messages_of(call)
    first = next(messages)
    # Nothing more is read until another whole download has passed by.
    download(downloading, emulator.add(packets=100_000))
    [request] = emulator.requests(pcap_id)
    assert request["body_bytes_sent"] < size_of(MANY_PACKETS) // 2
    assert resident_kib(downloading) < most
    rest = sum(len(message.data) for message in messages)
    assert len(first.data) + rest == size_of(MANY_PACKETS)
    assert resident_kib(downloading) < most


def test_who_cancels_ends_the_transfer_at_once(downloading: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add(packets=MANY_PACKETS)
    call = start(downloading, pcap_id)
    next(messages_of(call))
    call.cancel()
    emulator.wait(pcap_id, state="aborted")


def test_the_deadline_ends_the_transfer_at_once(downloading: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add(packets=MANY_PACKETS)
    call = start(downloading, pcap_id, timeout=1)
    next(messages_of(call))
    emulator.wait(pcap_id, state="aborted")
    assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_who_does_not_read_is_ended(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway(*ALLOWED, "--stream-idle-timeout=100ms")
    pcap_id = emulator.add(packets=MANY_PACKETS)
    call = start(gateway, pcap_id)
    messages = messages_of(call)
    next(messages)
    emulator.wait(pcap_id, state="aborted")
    with pytest.raises(Failure) as failure:
        list(messages)
    assert failure.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "--stream-idle-timeout" in failure.value.message


def test_a_drain_ends_downloads(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway(*ALLOWED, "--lame-duck=0s")
    pcap_id = emulator.add(packets=MANY_PACKETS)
    messages = messages_of(start(gateway, pcap_id))
    next(messages)
    gateway.process.send(signal.SIGTERM)
    with pytest.raises(Failure) as failure:
        list(messages)
    assert failure.value.code is grpc.StatusCode.UNAVAILABLE
    assert failure.value.reason == "SHUTTING_DOWN"
    emulator.wait(pcap_id, state="aborted")


@pytest.mark.parametrize("kind", ["truncate", "reset_within"])
def test_a_file_that_is_cut_off_is_data_loss(
    start_gateway: StartGateway, emulator: Emulator, kind: str
) -> None:
    gateway = start_gateway(*ALLOWED, "--upstream-retries=2")
    pcap_id = emulator.add(packets=5000)
    emulator.fault(pcap_id, kind)
    failure = fail(gateway, pcap_id)
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.DATA_LOSS,
        "DOWNLOAD_INCOMPLETE",
    )
    assert len(emulator.requests(pcap_id)) == 1


def test_what_fails_before_its_first_byte_is_repeated(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*ALLOWED, "--upstream-retries=1")
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "html", status=503, times=1)
    assert len(download(gateway, pcap_id)) == size_of(3)


@pytest.mark.parametrize("body", ["", "<html>", '{"success":true,"errors":[],"result":{}}', "x\n"])
def test_what_is_no_capture_file_is_an_invalid_answer(
    downloading: Gateway, emulator: Emulator, body: str
) -> None:
    pcap_id = emulator.add()
    emulator.answer(pcap_id, body)
    failure = fail(downloading, pcap_id)
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.INTERNAL,
        "UPSTREAM_INVALID_RESPONSE",
    )


@pytest.mark.parametrize("kind", ["normal", "chunked"])
def test_a_file_that_is_too_large_is_refused(
    start_gateway: StartGateway, emulator: Emulator, kind: str
) -> None:
    gateway = start_gateway(*ALLOWED, "--most-download-bytes=100000")
    pcap_id = emulator.add(packets=5000)
    emulator.fault(pcap_id, kind)
    failure = fail(gateway, pcap_id)
    assert failure.reason == "UPSTREAM_RESPONSE_TOO_LARGE"
    assert "--most-download-bytes" in failure.message


def test_a_full_capture_lies_in_its_bucket(downloading: Gateway, emulator: Emulator) -> None:
    bucket = "r2://pcaps/here?account-id=1&access-key-id=AKIACANARY&secret-access-key=s3cr3t"
    pcap_id = emulator.add(type="full", status="complete", destination_conf=bucket)
    failure = fail(downloading, pcap_id)
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "PCAP_IN_BUCKET",
    )
    assert "r2://pcaps/here" in failure.message
    assert "AKIACANARY" not in failure.told() and "s3cr3t" not in failure.told()


@pytest.mark.parametrize("status", ["pending", "running", "conversion_pending", "failed"])
def test_a_capture_that_is_not_ready_says_so(
    downloading: Gateway, emulator: Emulator, status: str
) -> None:
    failure = fail(downloading, emulator.add(status=status))
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "PCAP_NOT_READY",
    )
    assert failure.only(error_details_pb2.ErrorInfo).metadata["status"] == status


def test_an_unknown_capture_is_not_found(downloading: Gateway, emulator: Emulator) -> None:
    failure = fail(downloading, emulator.unknown_id())
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "PCAP_NOT_FOUND")


def test_one_download_more_than_may_be_is_refused(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway(*ALLOWED, "--max-downloads=1")
    first = start(gateway, emulator.add(packets=MANY_PACKETS))
    next(messages_of(first))
    assert metric(gateway, "pcap_gateway_streams_open") == 1
    failure = fail(gateway, emulator.add())
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_STREAMS",
    )
    assert "--max-downloads" in failure.message
    first.cancel()


def test_its_line_in_the_log_tells_messages_and_bytes(
    downloading: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(packets=5000)
    download(downloading, pcap_id)
    downloading.process.stderr.wait_for(r'"method":"/pcap.v1.PcapService/DownloadPcap"')
    [line] = [line for line in downloading.log() if line.get("pcap_id") == pcap_id]
    assert line["messages"] >= 5
    assert line["bytes"] > size_of(5000)
