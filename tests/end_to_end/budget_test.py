"""Cloudflare's rate limit: whatever the demand, it is not broken and it is made use of, no caller
takes it all, and who is refused is told when to come again.

Ten minutes at a multiple of what is allowed, with the real rule, against the real program.
libfaketime lets its clock go faster, and the emulator's own clock keeps pace. tests/history plays more
of this in simulated time.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from emulator import demo
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

from harness import faketime
from harness.admin import fetch, metrics_of
from harness.calls import Failure, answer_of, fail, get, request_for
from harness.emulator import Emulator, capture_of
from harness.gateway import StartGateway
from harness.identities import Authority
from harness.stubs import pcap_service_pb2_grpc

# All times but those of asyncio and `time` are in the seconds of the gateway's and the emulator's
# clocks.
SPEED = 20
LIMIT = 1200
WINDOW = 300.0
DEMAND = 600.0
ALLOWED_PER_SECOND = LIMIT / WINDOW
# A place is kept for five seconds. Who is held up for longer, by a busy machine, did not come when
# told.
PUNCTUAL = 3.0


@dataclass
class Tally:
    calls: int = 0
    served: int = 0
    refused: int = 0
    came_back: int = 0  # to a place that was kept
    late: int = 0  # came back, and not in time
    broken: int = 0  # came back in time, and was refused again
    wrong: list[str] = field(default_factory=list)


class Callers:
    def __init__(
        self,
        stub: pcap_service_pb2_grpc.PcapServiceStub,
        seed: int,
        demand: int,
        come_back: bool,
    ) -> None:
        self._stub = stub
        self._calls_per_second = demand * ALLOWED_PER_SECOND
        self._come_back = come_back
        self._random = random.Random(seed)
        self._began = time.monotonic()
        self.tally = Tally()

    async def come(self, ids: list[str]) -> None:
        """One after the other, evenly on the whole, each with a capture of its own."""
        callers = []
        at = 0.0
        for pcap_id in ids:
            at += self._random.expovariate(self._calls_per_second)
            if at > DEMAND:
                break
            await self._sleep_until(at)
            callers.append(asyncio.create_task(self._call(pcap_id)))
        await asyncio.gather(*callers)

    def _now(self) -> float:
        return (time.monotonic() - self._began) * SPEED

    async def _sleep_until(self, then: float) -> None:
        await asyncio.sleep(max(0.0, then - self._now()) / SPEED)

    async def _call(self, pcap_id: str) -> None:
        refusal = await self._ask(pcap_id)
        if refusal is None:
            return
        self.tally.refused += 1
        retry_after, place_kept = refusal
        due = self._now() + retry_after
        if not self._come_back or not place_kept or due > DEMAND - PUNCTUAL:
            return  # or it is beyond the end of this test
        await self._sleep_until(due)
        again = await self._ask(pcap_id)
        self.tally.came_back += 1
        if self._now() > due + PUNCTUAL:
            self.tally.late += 1
        elif again is not None:
            self.tally.broken += 1

    async def _ask(self, pcap_id: str) -> tuple[float, bool] | None:
        """The seconds of the refusal's RetryInfo, and whether a place is kept until then; None: it
        was no refusal."""
        self.tally.calls += 1
        try:
            answer = await answer_of(self._stub.GetPcap(request_for(pcap_id), timeout=300))
        except Failure as failure:
            if failure.status is None or failure.reason != "RATE_LIMITED":
                self.tally.wrong.append(str(failure))
                return None
            wait = float(failure.only(RetryInfo).retry_delay.ToTimedelta().total_seconds())
            if wait > WINDOW:
                self.tally.wrong.append(f"told to come again in {wait} s")
            return wait, failure.only(ErrorInfo).metadata["place"] == "kept"
        self.tally.served += 1
        if answer.pcap.simple.id != pcap_id:
            self.tally.wrong.append(str(answer))
        return None


def most_within(window: float, times: list[float]) -> int:
    """How many of them lie within any stretch of that length."""
    most, within = 0, deque[float]()
    for at in sorted(times):
        within.append(at)
        while within[0] <= at - window:
            within.popleft()
        most = max(most, len(within))
    return most


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("demand", "come_back"),
    [
        pytest.param(2, False, id="twice, by callers who never come back"),
        pytest.param(10, True, id="ten times, by callers who come back when told"),
    ],
)
def test_ten_minutes_of_more_than_the_allowed_demand_stay_within_the_limit(
    demand: int, come_back: bool, start_gateway: StartGateway, tmp_path: Path
) -> None:
    ids = [secrets.token_hex(16) for _ in range(int(DEMAND * demand * ALLOWED_PER_SECOND * 1.1))]
    captures = tmp_path / "captures.json"
    captures.write_text(
        json.dumps(
            [
                {"account_id": demo.ACCOUNT_ID, "pcap_id": pcap_id, "capture": capture_of(pcap_id)}
                for pcap_id in ids
            ]
        )
    )
    seed = secrets.randbits(32)

    async def come(address: str) -> Tally:
        async with grpc.aio.insecure_channel(address) as channel:
            callers = Callers(
                pcap_service_pb2_grpc.PcapServiceStub(channel), seed, demand, come_back
            )
            await callers.come(ids)
            return callers.tally

    emulator = Emulator("--rate-limit", "--captures", captures, speed=SPEED)
    try:
        gateway = start_gateway(
            "--upstream-limit=1200",
            "--upstream-retries=2",
            "--upstream-failures=20",
            # The machine is as slow as ever, and they are short by the fast clock.
            "--upstream-timeout=300s",
            "--upstream-connect-timeout=200s",
            "--upstream-first-byte-timeout=200s",
            upstream_url=emulator.url,
            LD_PRELOAD=faketime.library(),
            FAKETIME=f"+0 x{SPEED}",
        )
        tally = asyncio.run(come(gateway.address))
        gateway.end()
        requests = emulator.requests()
    finally:
        emulator.stop()
    most = most_within(WINDOW, [request["at"] for request in requests])
    blocks = sum(request["status"] == 429 for request in requests)
    print(
        f"budget: seed {seed}, {len(requests)} requests, at most {most} in any five minutes, "
        f"{blocks} refused by the rule; {tally}"
    )
    assert blocks == 0
    assert most <= LIMIT
    assert tally.wrong == []
    assert tally.broken <= (tally.came_back - tally.late) * 5 // 100
    # It was that much of a demand, the limit was made use of to the end, and places were put to the
    # test.
    assert tally.refused > (demand - 1) * LIMIT * 3 // 2
    began = min(request["at"] for request in requests)
    for window in range(int(DEMAND // WINDOW)):
        begin = began + window * WINDOW
        used = sum(begin <= request["at"] < begin + WINDOW for request in requests)
        assert used >= LIMIT * 93 // 100, f"window {window}"
    if come_back:
        # Of a loaded machine many come late by the fast clock; those who came in time are enough to tell.
        assert tally.came_back - tally.late > LIMIT // 12


def test_one_greedy_caller_leaves_a_part_for_the_others(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    authority = Authority()
    certificate, key = authority.server().write(tmp_path, "server")
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority.pem)
    gateway = start_gateway(
        f"--tls-cert-file={certificate}",
        f"--tls-key-file={key}",
        f"--tls-client-ca-file={trusted}",
        "--admin-listen=127.0.0.1:0",
        "--upstream-limit=100",
    )
    greedy, modest = "spiffe://example.com/greedy", "spiffe://example.com/modest"
    served, refusals = 0, []
    with authority.channel(gateway.address, authority.issue(greedy)) as channel:
        for _ in range(150):
            # One each: a question that has a place and comes again is not asked once more.
            pcap_id = emulator.add()
            try:
                get(channel, pcap_id)
                served += 1
            except Failure as failure:
                refusals.append(failure)
    assert served == 95
    for refusal in refusals:
        assert refusal.reason == "RATE_LIMITED"
        assert refusal.only(ErrorInfo).metadata["limit"] in ("caller", "credential")
        assert 0 < refusal.only(RetryInfo).retry_delay.ToTimedelta().total_seconds() <= WINDOW
    with authority.channel(gateway.address, authority.issue(modest)) as channel:
        for _ in range(5):
            get(channel, emulator.add())
    told = metrics_of(gateway)
    spent = "pcap_gateway_upstream_budget_caller_spent"
    assert told[f'{spent}{{credential="service",caller="{greedy}"}}'] == 95
    assert told[f'{spent}{{credential="service",caller="{modest}"}}'] == 5
    # And what each has had of the whole, in counters that last.
    series = "pcap_gateway_caller"
    assert told[f'{series}_calls_total{{principal="{greedy}"}}'] == 150
    assert told[f'{series}_upstream_requests_total{{principal="{greedy}"}}'] == 95
    assert told[f'{series}_failures_total{{by="caller",principal="{greedy}"}}'] == 55
    assert told[f'{series}_failures_total{{by="service",principal="{greedy}"}}'] == 0
    assert told[f'{series}_calls_total{{principal="{modest}"}}'] == 5
    assert told[f'{series}_calls_total{{principal="none"}}'] == 0
    _, page = fetch(gateway, "/status.json")
    [budget] = json.loads(page)["budgets"]
    assert {"caller": greedy, "spent": 95, "asked": 150} in budget["callers"]


def test_a_header_that_locks_out_for_a_year_does_so_for_five_minutes(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--upstream-limit=1200")
    pcap_id = emulator.add()
    envelope = {"success": True, "errors": [], "messages": [], "result": capture_of(pcap_id)}
    emulator.answer(pcap_id, envelope, headers={"Ratelimit": '"default";r=0;t=31622400'})
    get(gateway.channel, pcap_id)
    error = fail(gateway.channel, emulator.add())
    assert error.reason == "RATE_LIMITED"
    wait = error.only(RetryInfo).retry_delay.ToTimedelta().total_seconds()
    assert 290 < wait <= 305


def test_the_address_has_a_pace_of_its_own(start_gateway: StartGateway, emulator: Emulator) -> None:
    """Credentials that Cloudflare does not know count there, too."""
    gateway = start_gateway("--credential=caller", "--upstream-address-limit=20")
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    before = len(emulator.requests())
    began = time.monotonic()
    calls = [
        stub.GetPcap.future(
            request_for(secrets.token_hex(16)),
            timeout=60,
            metadata=[("authorization", f"Bearer {secrets.token_hex(20)}")],
        )
        for _ in range(60)
    ]
    for call in calls:
        call.exception()
    # Twenty at once, twenty a second later, and twenty after another one.
    assert time.monotonic() - began >= 2
    assert len(emulator.requests()) - before == 60
