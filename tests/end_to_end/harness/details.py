"""What holds for the details of every failure, whatever the failure is."""

from __future__ import annotations

from emulator import demo
from google.rpc.error_details_pb2 import ErrorInfo, RequestInfo

from harness.calls import Failure

MOST_MESSAGE_BYTES = 1024
MOST_STATUS_BYTES = 3072


def check_details(failure: Failure) -> None:
    status = failure.status
    assert status is not None, failure
    info = failure.only(ErrorInfo)
    assert info.domain == "pcap.v1"
    assert info.reason and info.reason == info.reason.upper()
    assert status.code == failure.code.value[0]
    assert status.message == failure.message and status.message
    assert len(status.message.encode()) <= MOST_MESSAGE_BYTES
    assert status.ByteSize() <= MOST_STATUS_BYTES
    types = [packed.type_url for packed in status.details]
    assert len(set(types)) == len(types), types
    request_info = failure.only(RequestInfo)
    assert request_info.request_id == failure.metadata["x-request-id"]
    told = failure.told()
    assert "<" not in told and "doctype" not in told.lower(), "HTML in the status"
    assert not [secret for secret in demo.SECRETS if secret in told], "a secret in the status"
