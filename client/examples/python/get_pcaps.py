"""Gets packet captures from a pcap-gateway, and prints what came of each; or makes one, waits until it
is ready, and downloads its packets."""

from __future__ import annotations

import argparse
import math
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pcap.v1 import pcap_pb2, pcap_service_pb2, pcap_service_pb2_grpc

DEADLINE_SECONDS = 10.0

# Whoever is told to come again sooner than that may as well wait.
LONGEST_WAIT_SECONDS = 5.0

# From a capture's beginning to its last packet.
CAPTURE_SECONDS = 120.0


class Failure(Exception):
    """What google.rpc.Status in the trailing metadata says of a failed call."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details() or ""
        self.reason = ""  # of ErrorInfo; empty: the server says none
        self.retry_after: float | None = None  # seconds, of RetryInfo
        try:
            status = rpc_status.from_call(error)
        except ValueError:  # details that contradict the status; a proxy's work
            status = None
        for detail in status.details if status else ():
            info = error_details_pb2.ErrorInfo()
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                self.reason = info.reason
            elif detail.Unpack(retry):
                self.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
        super().__init__(self.message)


def status_name(status: int) -> str:
    """An enum of proto3 is open: tomorrow's server may send a number that has no name here."""
    known = status in pcap_pb2.PcapStatus.values()
    return pcap_pb2.PcapStatus.Name(status) if known else f"PCAP_STATUS {status}"


def described(pcap: pcap_pb2.Pcap) -> str:
    form = pcap.WhichOneof("form")
    if form is None:
        return "a form that this program does not know"
    capture = getattr(pcap, form)
    parts = [form, status_name(capture.status)]
    if capture.HasField("submitted"):
        parts.append(f"submitted {capture.submitted.ToDatetime():%Y-%m-%dT%H:%M:%SZ}")
    if form == "full" and capture.HasField("packets_captured"):
        parts.append(f"{capture.packets_captured} packets captured")
    return ", ".join(parts)


def is_ready(pcap: pcap_pb2.Pcap) -> bool:
    """Whether its packets are there. The form that a capture does not have has no status."""
    return (
        pcap.simple.status == pcap_pb2.PCAP_STATUS_SUCCESS
        or pcap.full.status == pcap_pb2.PCAP_STATUS_COMPLETE
    )


class Client:
    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = pcap_service_pb2_grpc.PcapServiceStub(channel)

    def get(self, account_id: str, pcap_id: str) -> tuple[pcap_pb2.Pcap, str]:
        """A capture, and how the gateway came by it (`cache-status`, RFC 9211)."""
        request = pcap_service_pb2.GetPcapRequest(account_id=account_id, pcap_id=pcap_id)
        try:
            response, call = self._stub.GetPcap.with_call(request, timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            raise Failure(error) from None
        metadata = dict(call.initial_metadata())
        return response.pcap, metadata.get("cache-status", "")

    def get_patiently(self, account_id: str, pcap_id: str) -> tuple[pcap_pb2.Pcap, str]:
        """The same, once more if the gateway says that a short wait will do."""
        try:
            return self.get(account_id, pcap_id)
        except Failure as failure:
            if failure.code is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            if failure.retry_after is None or failure.retry_after > LONGEST_WAIT_SECONDS:
                raise
            time.sleep(failure.retry_after)
        return self.get(account_id, pcap_id)

    def create(self, account_id: str) -> pcap_pb2.Pcap:
        """Ten seconds of sampled TCP packets. Not to be tried again under another request_id: with the
        same one there is no second capture, however often it is asked for."""
        request = pcap_service_pb2.CreatePcapRequest(account_id=account_id, request_id=str(uuid.uuid4()))
        request.simple.time_limit.seconds = 10
        request.simple.packet_limit = 1000
        request.simple.filter_v1.protocol = 6
        try:
            return self._stub.CreatePcap(request, timeout=DEADLINE_SECONDS).pcap
        except grpc.RpcError as error:
            raise Failure(error) from None

    def watch(self, account_id: str, pcap_id: str, until: float) -> Iterator[pcap_pb2.Pcap]:
        """Each change, up to the last; goes on where a replica of the gateway ends."""
        request = pcap_service_pb2.WatchPcapsRequest(account_id=account_id, pcap_ids=[pcap_id])
        while True:
            try:
                for message in self._stub.WatchPcaps(request, timeout=until - time.monotonic()):
                    yield message.pcap
                return
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > until - 1:
                    raise Failure(error) from None
            time.sleep(1)

    def download(self, account_id: str, pcap_id: str, file: Path, until: float) -> int:
        """The packets into `file`, which is there once it is whole; how many bytes that is."""
        request = pcap_service_pb2.DownloadPcapRequest(account_id=account_id, pcap_id=pcap_id)
        part = file.with_name(file.name + ".part")
        try:
            with part.open("wb") as to:
                for message in self._stub.DownloadPcap(request, timeout=until - time.monotonic()):
                    to.write(message.data)
            return part.replace(file).stat().st_size
        except grpc.RpcError as error:
            raise Failure(error) from None
        finally:
            part.unlink(missing_ok=True)


def capture(client: Client, account_id: str, file: Path) -> bool:
    """Makes a capture, and prints what comes of it; whether its packets are in `file`."""
    until = time.monotonic() + CAPTURE_SECONDS
    subject = "capture"
    try:
        pcap = client.create(account_id)
        subject = pcap.simple.id
        told = ""
        for pcap in client.watch(account_id, subject, until):
            if told != described(pcap):  # the first one after a break may be known
                told = described(pcap)
                print(f"{subject}: {told}", flush=True)
        if not is_ready(pcap):
            return False
        size = client.download(account_id, subject, file, until)
    except Failure as failure:
        print(f"{subject}: {explained(failure)}")
        return False
    except OSError as error:  # of the file
        print(f"{subject}: {error}")
        return False
    print(f"{subject}: {size} bytes in {file}")
    return True


def explained(failure: Failure) -> str:
    if failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED and failure.retry_after is not None:
        return f"not now, come again in {math.ceil(failure.retry_after * 10) / 10:g} s"
    reason = f" ({failure.reason})" if failure.reason else ""
    return f"{failure.code.name}{reason}: {failure.message}"


def report(client: Client, account_id: str, pcap_id: str) -> bool:
    """Prints what came of it; whether that is an answer."""
    try:
        pcap, cache_status = client.get_patiently(account_id, pcap_id)
    except Failure as failure:
        if failure.code is grpc.StatusCode.NOT_FOUND and failure.reason == "PCAP_NOT_FOUND":
            print(f"{pcap_id}: there is no such capture")
            return True
        print(f"{pcap_id}: {explained(failure)}")
        return False
    print(f"{pcap_id}: {described(pcap)}")
    if cache_status:
        print(f"    cache-status: {cache_status}")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("--tls-ca", metavar="FILE", type=Path, help="whom to trust (default: plaintext)")
    parser.add_argument("--capture", metavar="FILE", type=Path, help="make one, and put its packets there")
    parser.add_argument("target", metavar="TARGET", help="HOST:PORT of the gateway")
    parser.add_argument("account_id", metavar="ACCOUNT_ID")
    parser.add_argument("pcap_ids", metavar="PCAP_ID", nargs="*")
    arguments = parser.parse_args()
    if bool(arguments.pcap_ids) == (arguments.capture is not None):
        parser.error("either PCAP_ID... or --capture FILE")
    if arguments.tls_ca is None:
        channel = grpc.insecure_channel(arguments.target)
    else:
        try:
            roots = arguments.tls_ca.read_bytes()
        except OSError as error:
            parser.error(f"--tls-ca: {error}")
        channel = grpc.secure_channel(arguments.target, grpc.ssl_channel_credentials(roots))
    with channel:
        client = Client(channel)
        if arguments.capture is not None:
            return 0 if capture(client, arguments.account_id, arguments.capture) else 1
        answered = [report(client, arguments.account_id, pcap_id) for pcap_id in arguments.pcap_ids]
    return 0 if all(answered) else 1


if __name__ == "__main__":
    sys.exit(main())
