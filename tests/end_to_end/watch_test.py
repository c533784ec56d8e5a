"""WatchPcaps: what becomes of captures, for one list an interval however many watch."""

from __future__ import annotations

import json
import secrets
import signal
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from harness.admin import fetch, metric, wait_for_metric, wait_for_redis, wait_until_metric
from harness.calls import Failure
from harness.emulator import Emulator, capture_of
from harness.gateway import LONG_FRESH, Gateway, StartGateway
from harness.redis import Redis
from harness.stubs import pcap_pb2, pcap_service_pb2, pcap_service_pb2_grpc

ADMIN = "--admin-listen=127.0.0.1:0"
# Of a list in which something moves; and of one that is quiet, but that takes both.
QUICK = "--moving-lifetime=300ms"
# A list a minute: what is told earlier has another cause.
SELDOM = LONG_FRESH
SUCCESS, RUNNING = pcap_pb2.PCAP_STATUS_SUCCESS, pcap_pb2.PCAP_STATUS_RUNNING


class Account:
    """One of its own at the emulator, with a token for it."""

    def __init__(self, emulator: Emulator) -> None:
        self.id = secrets.token_hex(16)
        self.token = f"watch-{secrets.token_hex(16)}"
        self._emulator = emulator
        rights = {self.id: ["read", "write"]}
        emulator.add_principal(self.token, token=self.token, rights=rights)

    def add(self, **fields: Any) -> str:
        return self._emulator.add(self.id, **fields)

    def change(self, pcap_id: str, **fields: Any) -> None:
        self._emulator.add_exactly(pcap_id, capture_of(pcap_id, **fields), self.id)

    def path(self, pcap_id: str = "") -> str:
        path = f"/accounts/{self.id}/pcaps"
        return f"{path}/{pcap_id}" if pcap_id else path

    def lists(self) -> int:
        return sum(self._emulator.counts(method="GET", path=self.path()).values())

    def gets(self, pcap_id: str) -> int:
        return len(self._emulator.requests(pcap_id, method="GET"))

    def wait_for_lists(self, count: int) -> None:
        self._emulator.wait(state="answered", count=count, method="GET", path=self.path())


@pytest.fixture
def account(emulator: Emulator) -> Account:
    return Account(emulator)


@pytest.fixture
def start(start_gateway: StartGateway, account: Account) -> StartGateway:
    def start_with(*options: str, **more: Any) -> Gateway:
        quick = () if set(options) & set(SELDOM) else (QUICK,)
        return start_gateway(ADMIN, *quick, *options, CLOUDFLARE_API_TOKEN=account.token, **more)

    return start_with


def form_of(pcap: Any) -> Any:
    return getattr(pcap, pcap.WhichOneof("form"))


class Watch:
    """One call. What it is told is read as the test asks for it."""

    def __init__(
        self,
        gateway: Gateway,
        account_id: str,
        *pcap_ids: str,
        timeout: float = 60,
        metadata: Any = (),
        channel: Any = None,
    ) -> None:
        request = pcap_service_pb2.WatchPcapsRequest(account_id=account_id, pcap_ids=pcap_ids)
        stub = pcap_service_pb2_grpc.PcapServiceStub(channel or gateway.channel)
        self.call = stub.WatchPcaps(request, timeout=timeout, metadata=metadata)

    def next(self) -> tuple[str, int]:
        """Id and status of the next capture."""
        try:
            told = form_of(next(self.call).pcap)
        except grpc.RpcError as error:
            raise Failure(error) from None
        return told.id, told.status

    def next_of(self, count: int) -> dict[str, int]:
        told = [self.next() for _ in range(count)]
        assert len(dict(told)) == count, f"one was told twice: {told}"
        return dict(told)

    def end(self) -> list[tuple[str, int]]:
        """What is still told until it ends with OK."""
        return [(form_of(told.pcap).id, form_of(told.pcap).status) for told in self.call]

    def failure(self) -> Failure:
        with pytest.raises(Failure) as failure:
            while True:
                self.next()
        return failure.value


def wait_for_watchers(gateway: Gateway, count: int) -> None:
    wait_for_metric(gateway, "pcap_gateway_watch_watchers", count)


def test_each_capture_is_told_first_then_each_change_and_the_end(
    start: StartGateway, account: Account
) -> None:
    gateway = start()
    one, other = account.add(status="running"), account.add(status="pending")
    account.add(status="running")
    watch = Watch(gateway, account.id, one, other)
    assert watch.next_of(2) == {one: RUNNING, other: pcap_pb2.PCAP_STATUS_PENDING}
    account.change(one, status="success")
    assert watch.next() == (one, SUCCESS)
    account.change(other, status="running")
    assert watch.next() == (other, RUNNING)
    account.change(other, status="failed")
    assert watch.end() == [(other, pcap_pb2.PCAP_STATUS_FAILED)]
    [line] = [line for line in gateway_log(gateway) if line.get("method", "").endswith("WatchPcaps")]
    assert (line["code"], line["messages"], line["account_id"]) == ("OK", 5, account.id)
    assert line["upstream_requests"] > 0


def gateway_log(gateway: Gateway) -> list[dict[str, Any]]:
    gateway.process.stderr.wait_for("WatchPcaps")
    return gateway.log()


def test_without_ids_the_account_is_followed_new_captures_too(
    start: StartGateway, account: Account
) -> None:
    gateway = start()
    old = account.add()
    watch = Watch(gateway, account.id)
    assert watch.next() == (old, SUCCESS)
    # A list without a moving capture is quiet for longer.
    new = account.add(status="running")
    assert watch.next() == (new, RUNNING)
    account.change(new, status="success")
    assert watch.next() == (new, SUCCESS)
    assert watch.call.is_active()
    watch.call.cancel()
    wait_for_watchers(gateway, 0)


def test_a_list_that_is_kept_is_told_at_once(start: StartGateway, account: Account) -> None:
    gateway = start(*SELDOM)
    pcap_id = account.add(status="running")
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    stub.ListPcaps(pcap_service_pb2.ListPcapsRequest(account_id=account.id))
    for watched in ((), (pcap_id,)):
        watch = Watch(gateway, account.id, *watched)
        assert watch.next() == (pcap_id, RUNNING)
    assert account.lists() == 1


def test_captures_that_are_kept_as_final_are_told_without_a_request(
    start: StartGateway, account: Account
) -> None:
    gateway = start()
    pcap_id = account.add()
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    stub.GetPcap(pcap_service_pb2.GetPcapRequest(account_id=account.id, pcap_id=pcap_id))
    assert Watch(gateway, account.id, pcap_id).end() == [(pcap_id, SUCCESS)]
    assert (account.lists(), account.gets(pcap_id)) == (0, 1)


def test_what_the_list_no_longer_has_is_asked_for_by_itself(
    start: StartGateway, account: Account
) -> None:
    gateway = start()
    pcap_id = account.add(status="running")
    watch, all_of_it = Watch(gateway, account.id, pcap_id), Watch(gateway, account.id)
    assert watch.next() == all_of_it.next() == (pcap_id, RUNNING)
    newer = {account.add() for _ in range(50)}
    assert {all_of_it.next()[0] for _ in range(50)} == newer
    account.change(pcap_id, status="success")
    assert watch.end() == [(pcap_id, SUCCESS)]
    assert all_of_it.next() == (pcap_id, SUCCESS)
    assert account.gets(pcap_id) > 0


def test_an_id_that_cloudflare_does_not_know_ends_it(start: StartGateway, account: Account) -> None:
    gateway = start()
    known, unknown = account.add(status="running"), secrets.token_hex(16)
    failure = Watch(gateway, account.id, known, unknown).failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "PCAP_NOT_FOUND")
    assert unknown in failure.message
    assert failure.only(error_details_pb2.ErrorInfo).metadata["pcapId"] == unknown


@pytest.mark.parametrize(
    ("ids", "field", "says"),
    [
        (["0" * 31], "pcap_ids[0]", "32 lower-case"),
        (["a" * 32, "A" * 32], "pcap_ids[1]", "32 lower-case"),
        (["a" * 32, ""], "pcap_ids[1]", "32 lower-case"),
        (["a" * 32, "../" + "b" * 29], "pcap_ids[1]", "32 lower-case"),
        (["a" * 32, "b" * 32, "a" * 32], "pcap_ids[2]", "same id as pcap_ids[0]"),
        ([f"{n:032x}" for n in range(51)], "pcap_ids", "at most 50 ids; it has 51"),
        (["x"] * 1000, "pcap_ids", "at most 50 ids; it has 1000"),
    ],
)
def test_ids_that_cannot_be_watched_spend_no_request(
    start: StartGateway, account: Account, ids: list[str], field: str, says: str
) -> None:
    gateway = start()
    failure = Watch(gateway, account.id, *ids).failure()
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
    )
    [violation] = failure.only(error_details_pb2.BadRequest).field_violations
    assert violation.field == field
    assert says in violation.description
    assert account.lists() == 0


def test_only_if_cached_asks_nothing(start: StartGateway, account: Account) -> None:
    gateway = start()
    metadata = (("cache-control", "only-if-cached"),)
    failure = Watch(gateway, account.id, metadata=metadata).failure()
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "NOT_CACHED",
    )
    assert account.lists() == 0


def test_replicas_ask_once_for_all_their_watchers(
    start: StartGateway, account: Account, redis: Redis, emulator: Emulator
) -> None:
    sharing = (f"--redis-url={redis.url}", "--redis-timeout=10s", "--moving-lifetime=2s")
    gateways = [start(*sharing, "--max-streams-per-connection=0") for _ in range(2)]
    for gateway in gateways:
        wait_for_redis(gateway, True)
    pcap_id = account.add(status="running")
    watches = [
        Watch(gateway, account.id, *named)
        for gateway in gateways
        for named in [(), (pcap_id,)] * 20
    ]
    for watch in watches:
        assert watch.next() == (pcap_id, RUNNING)
    # Each list is two seconds younger than the one before, less what chance takes off.
    account.wait_for_lists(4)
    listed = [request["at"] for request in emulator.requests(method="GET", path=account.path())]
    account.change(pcap_id, status="success")
    for watch in watches:
        assert watch.next() == (pcap_id, SUCCESS)
    asked = sum(metric(gateway, "pcap_gateway_watch_lists_total") for gateway in gateways)
    assert asked >= 2 * (len(listed) - 1)
    saved = sum(metric(gateway, "pcap_gateway_redis_hits_total") for gateway in gateways)
    assert saved >= len(listed) - 1
    assert account.lists() <= len(listed) + 2
    assert account.gets(pcap_id) == 0


def test_a_write_is_seen_at_once_and_nothing_from_before_it(
    start: StartGateway, account: Account
) -> None:
    # Without the write, the next list would come in a minute.
    gateway = start("--allow=write", *SELDOM)
    pcap_id = account.add(type="full", status="running")
    watch = Watch(gateway, account.id, pcap_id)
    assert watch.next() == (pcap_id, RUNNING)
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    stub.StopPcap(pcap_service_pb2.StopPcapRequest(account_id=account.id, pcap_id=pcap_id))
    stopping = (pcap_id, pcap_pb2.PCAP_STATUS_CONVERSION_PENDING)
    assert Watch(gateway, account.id).next() == stopping
    assert watch.next() == stopping


def test_an_outage_is_waited_out_in_silence(
    start: StartGateway, account: Account, emulator: Emulator
) -> None:
    gateway = start()
    pcap_id = account.add(status="running")
    watch = Watch(gateway, account.id, pcap_id)
    assert watch.next() == (pcap_id, RUNNING)
    path = account.path()
    for kind, settings in (("reset_before", {}), ("answer", {"status": 503, "body": "down"})):
        emulator.fault(None, kind, path=path, **settings)
        failed = metric(gateway, "pcap_gateway_watch_lists_failed_total")
        wait_until_metric(
            gateway, "pcap_gateway_watch_lists_failed_total", lambda now: now > failed
        )
        # Who comes meanwhile is told what is known.
        assert Watch(gateway, account.id, pcap_id).next() == (pcap_id, RUNNING)
        emulator.clear_faults()
    account.change(pcap_id, status="success")
    assert watch.end() == [(pcap_id, SUCCESS)]


def test_a_spent_budget_leaves_the_streams_open(start: StartGateway, account: Account) -> None:
    pcap_id = account.add(status="running")
    # In five minutes.
    gateway = start("--upstream-limit=3")
    watch = Watch(gateway, account.id, pcap_id)
    assert watch.next() == (pcap_id, RUNNING)
    wait_until_metric(
        gateway, "pcap_gateway_watch_lists_failed_total", lambda failed: failed >= 2
    )
    assert account.lists() <= 3
    account.change(pcap_id, status="success")
    assert watch.call.is_active()
    late = Watch(gateway, account.id, pcap_id)
    assert late.next() == (pcap_id, RUNNING)


def test_a_rejected_credential_ends_it(
    start: StartGateway, account: Account, emulator: Emulator
) -> None:
    gateway = start()
    pcap_id = account.add(status="running")
    watch = Watch(gateway, account.id)
    assert watch.next() == (pcap_id, RUNNING)
    emulator.add_principal(account.token, token="another-" + secrets.token_hex(16), rights={})
    emulator.answer(
        None,
        {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]},
        status=401,
        path=account.path(),
    )
    failure = watch.failure()
    emulator.clear_faults()
    assert failure.reason == "UPSTREAM_CREDENTIALS_REJECTED"


def test_callers_credentials_watch_apart(
    start_gateway: StartGateway, account: Account, emulator: Emulator
) -> None:
    gateway = start_gateway(ADMIN, QUICK, "--credential=caller")
    pcap_id = account.add(status="running")
    mine = (("authorization", f"Bearer {account.token}"),)
    theirs = (("authorization", f"Bearer stranger-{secrets.token_hex(16)}"),)
    watch = Watch(gateway, account.id, metadata=mine)
    assert watch.next() == (pcap_id, RUNNING)
    assert Watch(gateway, account.id, metadata=theirs).failure().reason == (
        "UPSTREAM_UNAUTHENTICATED"
    )
    account.change(pcap_id, status="success")
    assert watch.next() == (pcap_id, SUCCESS)


def test_a_drain_sends_the_watchers_elsewhere(start: StartGateway, account: Account) -> None:
    gateway = start()
    pcap_id = account.add(status="running")
    watches = [Watch(gateway, account.id), Watch(gateway, account.id, pcap_id)]
    for watch in watches:
        assert watch.next() == (pcap_id, RUNNING)
    gateway.process.send(signal.SIGTERM)
    for watch in watches:
        failure = watch.failure()
        assert (failure.code, failure.reason) == (
            grpc.StatusCode.UNAVAILABLE,
            "SHUTTING_DOWN",
        )


def test_a_cancel_and_a_deadline_end_it_at_once(start: StartGateway, account: Account) -> None:
    gateway = start(*SELDOM)
    pcap_id = account.add(status="running")
    cancelled = Watch(gateway, account.id, pcap_id)
    late = Watch(gateway, account.id, pcap_id, timeout=2)
    assert cancelled.next() == late.next() == (pcap_id, RUNNING)
    cancelled.call.cancel()
    failure = late.failure()
    assert (failure.code, failure.reason) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
    )
    wait_for_watchers(gateway, 0)
    assert metric(gateway, "pcap_gateway_watch_rounds") == 0
    wait_for_metric(gateway, "pcap_gateway_streams_open", 0)


def test_who_has_nothing_to_read_stays(start: StartGateway, account: Account) -> None:
    gateway = start("--stream-idle-timeout=1s")
    pcap_id = account.add(status="running")
    watch = Watch(gateway, account.id)
    assert watch.next() == (pcap_id, RUNNING)
    # A second is over when six lists have come.
    account.wait_for_lists(account.lists() + 6)
    account.change(pcap_id, status="success")
    assert watch.next() == (pcap_id, SUCCESS)


def test_a_slow_reader_gets_the_latest(start: StartGateway, account: Account) -> None:
    gateway = start()
    # A window of 64 KiB, which a message fills.
    channel = grpc.insecure_channel(
        gateway.address,
        [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1024)],
    )
    long_text = "x" * 200_000
    pcap_id = account.add(status="running", type="full", error_message=long_text)
    slow = Watch(gateway, account.id, channel=channel)
    quick = Watch(gateway, account.id)
    for packets in range(1, 11):
        assert quick.next() == (pcap_id, RUNNING)
        account.change(
            pcap_id,
            status="running",
            type="full",
            error_message=long_text,
            packets_captured=packets,
        )
    assert quick.next() == (pcap_id, RUNNING)
    seen = []
    while not seen or seen[-1] < 10:
        seen.append(next(slow.call).pcap.full.packets_captured)
    assert seen == sorted(set(seen))
    assert len(seen) < 10, seen
    channel.close()


def test_the_status_page_tells_who_watches_what(start: StartGateway, account: Account) -> None:
    gateway = start()
    pcap_id = account.add(status="running")
    watches = [Watch(gateway, account.id) for _ in range(3)]
    for watch in watches:
        assert watch.next() == (pcap_id, RUNNING)
    told = json.loads(fetch(gateway, "/status.json")[1])["watched"]
    assert told == [{"caller": "ipv4:127.0.0.1", "account": account.id, "watchers": 3}]
    assert account.id in fetch(gateway, "/")[1]


def test_max_streams_bounds_those_who_watch(start: StartGateway, account: Account) -> None:
    gateway = start("--max-streams=4")
    pcap_id = account.add(status="running")
    kept = []
    with pytest.raises(Failure) as failure:
        while True:
            kept.append(watch := Watch(gateway, account.id))
            assert watch.next() == (pcap_id, RUNNING)
    assert failure.value.reason == "TOO_MANY_STREAMS"
    assert "--max-streams" in failure.value.message
