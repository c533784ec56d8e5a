"""Gets packet captures from a pcap-gateway, and prints what came of each."""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pcap.v1 import pcap_pb2, pcap_service_pb2, pcap_service_pb2_grpc

DEADLINE_SECONDS = 10.0

# Whoever is told to come again sooner than that may as well wait.
LONGEST_WAIT_SECONDS = 5.0


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


def report(client: Client, account_id: str, pcap_id: str) -> bool:
    """Prints what came of it; whether that is an answer."""
    try:
        pcap, cache_status = client.get_patiently(account_id, pcap_id)
    except Failure as failure:
        if failure.code is grpc.StatusCode.NOT_FOUND and failure.reason == "PCAP_NOT_FOUND":
            print(f"{pcap_id}: there is no such capture")
            return True
        if failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED and failure.retry_after is not None:
            seconds = math.ceil(failure.retry_after * 10) / 10
            print(f"{pcap_id}: not now, come again in {seconds:g} s")
            return False
        reason = f" ({failure.reason})" if failure.reason else ""
        print(f"{pcap_id}: {failure.code.name}{reason}: {failure.message}")
        return False
    print(f"{pcap_id}: {described(pcap)}")
    if cache_status:
        print(f"    cache-status: {cache_status}")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("--tls-ca", metavar="FILE", type=Path, help="whom to trust (default: plaintext)")
    parser.add_argument("target", metavar="TARGET", help="HOST:PORT of the gateway")
    parser.add_argument("account_id", metavar="ACCOUNT_ID")
    parser.add_argument("pcap_ids", metavar="PCAP_ID", nargs="+")
    arguments = parser.parse_args()
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
        answered = [report(client, arguments.account_id, pcap_id) for pcap_id in arguments.pcap_ids]
    return 0 if all(answered) else 1


if __name__ == "__main__":
    sys.exit(main())
