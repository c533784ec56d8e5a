"""GetPcap as a caller sees it: an Answer, or a Failure with its details decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Sequence, TypeVar

import grpc
from emulator import demo
from google.protobuf import text_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from harness.stubs import pcap_pb2, pcap_service_pb2, pcap_service_pb2_grpc

# Long enough for a machine that is busy with other tests; a call that hangs fails its test.
DEADLINE_SECONDS = 20.0

# What a failure may carry.
DETAILS: tuple[type[Message], ...] = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.RetryInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.Help,
    error_details_pb2.RequestInfo,
)

Metadata = Sequence[tuple[str, str]]
Detail = TypeVar("Detail", bound=Message)


@dataclass
class Answer:
    response: pcap_service_pb2.GetPcapResponse
    metadata: dict[str, str]

    @property
    def pcap(self) -> pcap_pb2.Pcap:
        return self.response.pcap

    @property
    def cache_status(self) -> str:
        return self.metadata["cache-status"]

    @property
    def is_hit(self) -> bool:
        return self.cache_status.startswith("pcap-gateway; hit")


class Failure(Exception):
    """A call that ended with another status than OK."""

    def __init__(self, error: Any) -> None:
        """`error`: as grpc raises it, sync or async."""
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details() or ""
        self.metadata = _texts(error.initial_metadata(), error.trailing_metadata())
        self.status = _status_of(error)
        super().__init__(f"{self.code.name}: {self.message}")

    @property
    def reason(self) -> str:
        reason: str = self.only(error_details_pb2.ErrorInfo).reason
        return reason

    def told(self) -> str:
        """Everything that the caller is told, as text."""
        assert self.status is not None, f"no google.rpc.Status: {self}"
        details = []
        for packed in self.status.details:
            [kind] = [k for k in DETAILS if packed.Is(k.DESCRIPTOR)]  # no others are known
            details += [text_format.MessageToString(d, as_utf8=True) for d in self.all(kind)]
        return "\n".join([self.message, self.status.message, *details, str(self.metadata)])

    def all(self, kind: type[Detail]) -> list[Detail]:
        """The details of this type."""
        assert self.status is not None, f"no google.rpc.Status: {self}"
        found = []
        for packed in self.status.details:
            if packed.Is(kind.DESCRIPTOR):
                detail = kind()
                packed.Unpack(detail)
                found.append(detail)
        return found

    def only(self, kind: type[Detail]) -> Detail:
        """The one detail of this type."""
        found = self.all(kind)
        assert len(found) == 1, f"{len(found)} of {kind.DESCRIPTOR.name}: {self.status}"
        return found[0]


def answer_to(method: Any, request: Message, timeout: float = DEADLINE_SECONDS) -> Any:
    """`method`: of any stub; one answer. Raises Failure."""
    try:
        return method(request, timeout=timeout)
    except grpc.RpcError as error:
        raise Failure(error) from None


def _status_of(error: Any) -> status_pb2.Status | None:
    """None: the status came without details, or from this side's own library."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return status_pb2.Status.FromString(value)
    return None


def _texts(*several: Iterable[tuple[str, Any]] | None) -> dict[str, str]:
    return {
        key: value
        for metadata in several
        for key, value in metadata or ()
        if not key.endswith("-bin")
    }


def request_for(
    pcap_id: str, account_id: str = demo.ACCOUNT_ID, max_age: float | None = None
) -> pcap_service_pb2.GetPcapRequest:
    """`max_age` in seconds."""
    request = pcap_service_pb2.GetPcapRequest(account_id=account_id, pcap_id=pcap_id)
    if max_age is not None:
        nanos = round(max_age * 1e9)
        request.max_age.CopyFrom(Duration(seconds=nanos // 10**9, nanos=nanos % 10**9))
    return request


def get(
    channel: grpc.Channel,
    pcap_id: str,
    account_id: str = demo.ACCOUNT_ID,
    max_age: float | None = None,
    metadata: Metadata = (),
    timeout: float = DEADLINE_SECONDS,
) -> Answer:
    """Raises Failure."""
    stub = pcap_service_pb2_grpc.PcapServiceStub(channel)
    try:
        response, call = stub.GetPcap.with_call(
            request_for(pcap_id, account_id, max_age), metadata=tuple(metadata), timeout=timeout
        )
    except grpc.RpcError as error:
        raise Failure(error) from None
    return Answer(response, _texts(call.initial_metadata(), call.trailing_metadata()))


def fail(channel: grpc.Channel, pcap_id: str, **how: Any) -> Failure:
    """The Failure of a call that must not succeed."""
    try:
        answer = get(channel, pcap_id, **how)
    except Failure as failure:
        return failure
    raise AssertionError(f"the call succeeded: {answer}")


async def answer_of(call: grpc.aio.UnaryUnaryCall[Any, Any]) -> Answer:
    """Of a call that was started with grpc.aio. Raises Failure."""
    try:
        response = await call
    except grpc.aio.AioRpcError as error:
        raise Failure(error) from None
    return Answer(response, _texts(await call.initial_metadata(), await call.trailing_metadata()))
