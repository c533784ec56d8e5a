"""Cloudflare's rate limit: whatever the demand, it is not broken, and who is refused is told when to
come again.

Ten minutes at ten times what is allowed, with the real rule, against the real program. libfaketime
lets its clock go faster, and the emulator's own clock keeps pace.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from emulator import demo
from google.rpc.error_details_pb2 import RetryInfo

from harness.calls import Failure, answer_of, request_for
from harness.emulator import Emulator, capture_of
from harness.gateway import StartGateway
from harness.stubs import pcap_service_pb2_grpc

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

# All times but those of asyncio and `time` are in the seconds of the gateway's and the emulator's
# clocks.
SPEED = 20
LIMIT = 1200
WINDOW = 300.0
DEMAND = 600.0
CALLS_PER_SECOND = 10 * LIMIT / WINDOW
# A place that was promised is kept for ten seconds. Who is held up for longer, by a busy machine,
# did not come when told.
PUNCTUAL = 8.0


@dataclass
class Tally:
    calls: int = 0
    served: int = 0
    refused: int = 0
    came_back: int = 0
    late: int = 0  # came back, and not in time
    broken: int = 0  # came back in time, and was refused again
    wrong: list[str] = field(default_factory=list)


class Callers:
    def __init__(self, stub: pcap_service_pb2_grpc.PcapServiceStub, seed: int) -> None:
        self._stub = stub
        self._random = random.Random(seed)
        self._began = time.monotonic()
        self.tally = Tally()

    async def come(self, ids: list[str]) -> None:
        """One after the other, evenly on the whole, each with a capture of its own."""
        callers = []
        at = 0.0
        for pcap_id in ids:
            at += self._random.expovariate(CALLS_PER_SECOND)
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
        retry_after = await self._ask(pcap_id)
        if retry_after is None:
            return
        self.tally.refused += 1
        due = self._now() + retry_after
        if due > DEMAND - PUNCTUAL:
            return  # beyond the end of this test
        await self._sleep_until(due)
        again = await self._ask(pcap_id)
        self.tally.came_back += 1
        if self._now() > due + PUNCTUAL:
            self.tally.late += 1
        elif again is not None:
            self.tally.broken += 1

    async def _ask(self, pcap_id: str) -> float | None:
        """The seconds of the refusal's RetryInfo; None: it was no refusal."""
        self.tally.calls += 1
        try:
            answer = await answer_of(self._stub.GetPcap(request_for(pcap_id), timeout=300))
        except Failure as failure:
            if failure.status is None or failure.reason != "RATE_LIMITED":
                self.tally.wrong.append(str(failure))
                return None
            retry_info = failure.only(RetryInfo)
            return float(retry_info.retry_delay.ToTimedelta().total_seconds())
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
def test_ten_minutes_at_ten_times_the_allowed_demand(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    assert FAKETIME is not None, "install libfaketime"
    ids = [secrets.token_hex(16) for _ in range(int(DEMAND * CALLS_PER_SECOND * 1.1))]
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
            callers = Callers(pcap_service_pb2_grpc.PcapServiceStub(channel), seed)
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
            LD_PRELOAD=str(FAKETIME),
            # AddressSanitizer, where it is there, wants to be loaded first; it need not.
            ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
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
    assert tally.broken == 0
    # It was that much of a demand, the limit was made use of, and promises were put to the test.
    assert tally.refused > 5 * LIMIT
    assert len(requests) > LIMIT * 3 // 2
    assert tally.came_back - tally.late > LIMIT // 2
