"""Buckets through the gateway: named, proven, listed, taken away. What is written is sent once, nobody
sees the world before it afterwards, and no bucket's key gets out."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from emulator import demo
from google.rpc import error_details_pb2

from harness.admin import fetch, wait_for_redis
from harness.calls import Failure, answer_to
from harness.canaries import BUCKET_SECRET, DESTINATION, KEY_ID, told
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.redis import Redis
from harness.stubs import pcap_ownership_service_pb2 as pb
from harness.stubs import pcap_ownership_service_pb2_grpc

OWNERSHIP = f"/client/v4/accounts/{demo.ACCOUNT_ID}/pcaps/ownership"
WRITES = ("--allow=write", "--admin-listen=127.0.0.1:0")
VALIDATION_SECONDS = 301
BUCKET = "s3://another-bucket/here?region=us-east-1"


@pytest.fixture
def writing(start_gateway: StartGateway) -> Gateway:
    return start_gateway(*WRITES)


def call(gateway: Gateway, method: str, request: Any) -> Any:
    stub = pcap_ownership_service_pb2_grpc.PcapOwnershipServiceStub(gateway.channel)
    return answer_to(getattr(stub, method), request)


def fail(gateway: Gateway, method: str, request: Any) -> Failure:
    with pytest.raises(Failure) as failure:
        call(gateway, method, request)
    return failure.value


def listed(gateway: Gateway, now: bool = False) -> dict[str, pb.Ownership]:
    request = pb.ListOwnershipsRequest(account_id=demo.ACCOUNT_ID)
    if now:
        request.max_age.FromSeconds(0)
    return {one.id: one for one in call(gateway, "ListOwnerships", request).ownerships}


def everything_in(redis: Redis) -> str:
    names = [name for name in redis.cli("KEYS", "*").split("\r\n") if name[:1] not in ("", "*", "$")]
    assert names, "nothing was shared"
    return "".join(name + redis.cli("GET", name) for name in names)


def create(bucket: str = BUCKET) -> pb.CreateOwnershipRequest:
    return pb.CreateOwnershipRequest(account_id=demo.ACCOUNT_ID, destination_conf=bucket)


def validate(challenge: str, bucket: str = BUCKET) -> pb.ValidateOwnershipRequest:
    return pb.ValidateOwnershipRequest(
        account_id=demo.ACCOUNT_ID, destination_conf=bucket, ownership_challenge=challenge
    )


def delete(ownership_id: str) -> pb.DeleteOwnershipRequest:
    return pb.DeleteOwnershipRequest(account_id=demo.ACCOUNT_ID, ownership_id=ownership_id)


REQUESTS = {
    "CreateOwnership": create(),
    "ValidateOwnership": validate("proof"),
    "DeleteOwnership": delete(demo.OWNERSHIP_ID),
}
WRITE_METHODS = pytest.mark.parametrize("method", REQUESTS)


def test_a_list_has_the_accounts_buckets_and_is_kept(gateway: Gateway, emulator: Emulator) -> None:
    buckets = listed(gateway, now=True)
    one = buckets[demo.OWNERSHIP_ID]
    assert (one.destination_conf, one.status) == (demo.BUCKET, pb.OWNERSHIP_STATUS_SUCCESS)
    assert one.filename and one.HasField("submitted") and one.HasField("validated")
    assert not one.HasField("extra_fields")
    new = buckets[demo.NEW_OWNERSHIP_ID]
    assert new.status == pb.OWNERSHIP_STATUS_PENDING
    assert not new.HasField("validated") and not new.HasField("extra_fields")
    assert buckets[demo.FAILED_OWNERSHIP_ID].status == pb.OWNERSHIP_STATUS_FAILED
    before = len(emulator.requests())
    assert listed(gateway) == buckets
    assert len(emulator.requests()) == before


def test_a_bucket_is_created_proven_and_deleted(writing: Gateway, emulator: Emulator) -> None:
    known = listed(writing)
    created = call(writing, "CreateOwnership", create()).ownership
    assert (created.destination_conf, created.status) == (BUCKET, pb.OWNERSHIP_STATUS_PENDING)
    assert created.id not in known
    # Whoever reads after a write sees it.
    assert listed(writing)[created.id] == created
    proof = emulator.challenge(created.id)
    assert call(writing, "ValidateOwnership", validate(proof)).ownership.status == (
        pb.OWNERSHIP_STATUS_PENDING
    )
    assert listed(writing)[created.id].status == pb.OWNERSHIP_STATUS_PENDING
    emulator.advance(VALIDATION_SECONDS)
    proven = listed(writing, now=True)[created.id]
    assert proven.status == pb.OWNERSHIP_STATUS_SUCCESS and proven.HasField("validated")
    call(writing, "DeleteOwnership", delete(created.id))
    assert created.id not in listed(writing)
    # The second time there is none.
    failure = fail(writing, "DeleteOwnership", delete(created.id))
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "OWNERSHIP_NOT_FOUND")
    assert [
        (entry["method"], entry["path"].removeprefix(OWNERSHIP))
        for entry in emulator.requests()
        if entry["method"] != "GET" and entry["path"].startswith(OWNERSHIP)
    ][-4:] == [("POST", ""), ("POST", "/validate"), ("DELETE", f"/{created.id}")] + [
        ("DELETE", f"/{created.id}")
    ]


def test_a_wrong_proof_fails_late(writing: Gateway, emulator: Emulator) -> None:
    created = call(writing, "CreateOwnership", create("gs://wrong-proof")).ownership
    wrong = validate("not-what-the-file-says", "gs://wrong-proof")
    assert call(writing, "ValidateOwnership", wrong).ownership.status == (
        pb.OWNERSHIP_STATUS_PENDING
    )
    emulator.advance(VALIDATION_SECONDS)
    assert listed(writing, now=True)[created.id].status == pb.OWNERSHIP_STATUS_FAILED
    call(writing, "DeleteOwnership", delete(created.id))


def test_what_cloudflare_refuses_is_told(writing: Gateway, emulator: Emulator) -> None:
    before = len(emulator.requests())
    failure = fail(writing, "CreateOwnership", create(demo.BUCKET))
    assert (failure.code, failure.reason) == (grpc.StatusCode.ABORTED, "UPSTREAM_CONFLICT")
    failure = fail(writing, "ValidateOwnership", validate("proof", "s3://nobodys"))
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "OWNERSHIP_NOT_FOUND")
    assert len(emulator.requests()) == before + 2


@WRITE_METHODS
def test_writes_are_off_unless_allowed(gateway: Gateway, emulator: Emulator, method: str) -> None:
    before = len(emulator.requests())
    failure = fail(gateway, method, REQUESTS[method])
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "METHOD_DISABLED",
    )
    assert len(emulator.requests()) == before


BAD = {
    "account_id": ("ListOwnerships", pb.ListOwnershipsRequest(account_id="odd")),
    "max_age": ("ListOwnerships", pb.ListOwnershipsRequest(account_id=demo.ACCOUNT_ID)),
    "no bucket": ("CreateOwnership", create("")),
    "no scheme": ("CreateOwnership", create("captures")),
    "another scheme": ("CreateOwnership", create(f"https://b.example/?key={BUCKET_SECRET}")),
    "no name": ("CreateOwnership", create(f"r2://?secret-access-key={BUCKET_SECRET}")),
    "a space": ("CreateOwnership", create(f"{DESTINATION} ")),
    "too long": ("CreateOwnership", create("s3://" + "b" * 2044)),
    "no proof": ("ValidateOwnership", validate("")),
    "two lines": ("ValidateOwnership", validate("proof\n")),
    "a long proof": ("ValidateOwnership", validate("p" * 4097)),
    "validate what": ("ValidateOwnership", validate("proof", "captures")),
    "no id": ("DeleteOwnership", delete("")),
    "capitals": ("DeleteOwnership", delete(demo.OWNERSHIP_ID.upper())),
    "a path": ("DeleteOwnership", delete("../" + demo.OWNERSHIP_ID)),
}
BAD["max_age"][1].max_age.FromSeconds(-1)
FIELDS = {"ListOwnerships": "", "CreateOwnership": "destination_conf"}
FIELDS |= {"ValidateOwnership": "ownership_challenge", "DeleteOwnership": "ownership_id"}


@pytest.mark.parametrize("what", BAD)
def test_what_is_malformed_spends_no_request(
    writing: Gateway, emulator: Emulator, what: str
) -> None:
    before = len(emulator.requests())
    method, request = BAD[what]
    failure = fail(writing, method, request)
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
    [violation] = failure.only(error_details_pb2.BadRequest).field_violations
    wanted = FIELDS[method] or what
    assert violation.field == ("destination_conf" if what == "validate what" else wanted)
    assert told(str(failure)) == [] and told(str(violation)) == []
    assert len(emulator.requests()) == before


@WRITE_METHODS
@pytest.mark.parametrize(
    "fault",
    [{"kind": "reset_before", "done": True}, {"kind": "html", "status": 502}],
    ids=lambda fault: fault["kind"],
)
def test_a_write_is_sent_once_and_its_unknown_end_is_told(
    writing: Gateway, emulator: Emulator, method: str, fault: dict[str, Any]
) -> None:
    settings = {name: value for name, value in fault.items() if name != "kind"}
    before = len(emulator.requests())
    verb = "DELETE" if method == "DeleteOwnership" else "POST"
    emulator.fault(None, fault["kind"], method=verb, times=5, **settings)
    request = {
        "CreateOwnership": create(f"s3://{emulator.unknown_id()}"),
        "ValidateOwnership": validate("proof", demo.NEW_BUCKET),
        "DeleteOwnership": delete(demo.FAILED_OWNERSHIP_ID),
    }[method]
    failure = fail(writing, method, request)
    emulator.clear_faults()
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNKNOWN, "OUTCOME_UNKNOWN")
    assert "list" in failure.message
    assert len(emulator.requests()) == before + 1


def test_no_replica_sees_the_world_before_a_write(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    one, other = (
        start_gateway(*WRITES, f"--redis-url={redis.url}", "--redis-timeout=10s") for _ in range(2)
    )
    for gateway in (one, other):
        wait_for_redis(gateway, True)
    for writer, reader in ((one, other), (other, one)):
        known = listed(reader)
        created = call(writer, "CreateOwnership", create()).ownership
        assert created.id not in known and created.id in listed(reader)
        call(writer, "DeleteOwnership", delete(created.id))
        assert created.id not in listed(reader)


def test_a_buckets_keys_are_nowhere(
    start_gateway: StartGateway, redis: Redis, emulator: Emulator
) -> None:
    """Neither what is sent nor what comes back, also where Cloudflare's refusal repeats it."""
    gateway = start_gateway(
        *WRITES, "--log-hits=1", f"--redis-url={redis.url}", "--redis-timeout=10s"
    )
    wait_for_redis(gateway, True)
    bucket = DESTINATION.replace("r2://b", "r2://secret-bucket")
    assert KEY_ID in bucket
    created = call(gateway, "CreateOwnership", create(bucket)).ownership
    assert "access-key-id=REDACTED&secret-access-key=REDACTED" in created.destination_conf
    proof = emulator.challenge(created.id)
    answers = [created, call(gateway, "ValidateOwnership", validate(proof, bucket)), listed(gateway)]
    said = {"success": False, "errors": [{"code": 1001, "message": f"bad: {bucket}"}]}
    failures = []
    for method in ("CreateOwnership", "ValidateOwnership"):
        emulator.answer(None, said, 400, method="POST", times=1)
        request = create(bucket) if method == "CreateOwnership" else validate(proof, bucket)
        failures.append(fail(gateway, method, request))
    answers.append(call(gateway, "DeleteOwnership", delete(created.id)))
    assert all(failure.reason == "UPSTREAM_BAD_REQUEST" for failure in failures)
    line = json.loads(gateway.process.stderr.wait_for(r'.*"method":"[^"]*/DeleteOwnership".*')[0])
    assert line["ownership_id"] == created.id and "pcap_id" not in line
    shown = {
        "answers": str(answers),
        "errors": "".join(str(failure) for failure in failures),
        "log": gateway.process.output(),
        "metrics": fetch(gateway, "/metrics")[1],
        "status": fetch(gateway, "/status.json")[1],
        "redis": everything_in(redis),
    }
    for where, text in shown.items():
        assert told(text) == [], where
        if where != "answers":
            assert proof not in text, where
