"""Outages: while the upstream dies and comes back, callers get data or are told to come again."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import threading
from collections import Counter
from pathlib import Path

import grpc
import pytest
from emulator import demo
from google.rpc.error_details_pb2 import RetryInfo

from harness.calls import Answer, Failure, answer_of, request_for
from harness.emulator import Emulator, capture_of
from harness.gateway import Gateway, StartGateway
from harness.process import PATIENCE_SECONDS
from harness.stubs import pcap_service_pb2_grpc

CALLS = 10_000
OUTAGES = 5
BETWEEN = CALLS // (2 * OUTAGES)  # calls while it is up, and while it is down
AT_ONCE = 32
WELL_KNOWN = 200  # captures that were answered before the first outage
NEW_EVERY = 20  # one call in so many is for a capture that nobody has asked for

# Kept for an instant only, so that nearly every call has to ask; and for an hour if that fails.
OPTIONS = (
    "--final-lifetime=20ms",
    "--moving-lifetime=20ms",
    "--longest-moving-lifetime=20ms",
    "--stale-while-revalidate=0s",
    "--stale-if-error=1h",
    "--upstream-limit=1000000",
    "--upstream-retries=2",
    "--upstream-failures=20",
)


class Callers:
    """Call without a pause until they are told to stop, and count how the calls end.

    In a thread of their own: the test's thread starts the processes, which end with it.
    """

    def __init__(self, gateway: Gateway, well_known: list[str], new: list[str], seed: int) -> None:
        self._gateway = gateway
        self._well_known = well_known
        self._new = iter(new)
        self._random = random.Random(seed)
        self._changed = threading.Condition()
        self._stopping = False
        self.done = 0
        # "data", "stale" (data too), and codes with their reasons.
        self.ends: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_for(self, more: int) -> None:
        """Until so many more calls have ended."""
        with self._changed:
            until = self.done + more
            came = self._changed.wait_for(
                lambda: self.done >= until or self._failed is not None, PATIENCE_SECONDS
            )
        assert came and self._failed is None, f"{self.done} instead of {until}: {self._failed}"

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive() and self._failed is None, self._failed

    def _run(self) -> None:
        try:
            asyncio.run(self._call_all())
        except BaseException as error:
            with self._changed:
                self._failed = error
                self._changed.notify_all()

    async def _call_all(self) -> None:
        async with grpc.aio.insecure_channel(self._gateway.address) as channel:
            stub = pcap_service_pb2_grpc.PcapServiceStub(channel)
            await asyncio.gather(*[self._call_on_and_on(stub) for _ in range(AT_ONCE)])

    async def _call_on_and_on(self, stub: pcap_service_pb2_grpc.PcapServiceStub) -> None:
        while not self._stopping:
            pcap_id = self._random.choice(self._well_known)
            if self._random.randrange(NEW_EVERY) == 0:
                pcap_id = next(self._new, pcap_id)
            outcome: Answer | Failure
            try:
                outcome = await answer_of(stub.GetPcap(request_for(pcap_id), timeout=20))
            except Failure as failure:
                outcome = failure
            self._note(pcap_id, outcome)

    def _note(self, pcap_id: str, outcome: Answer | Failure) -> None:
        if isinstance(outcome, Answer):
            pcap = outcome.pcap.simple
            right = pcap.id == pcap_id
            right &= outcome.pcap.extra_fields["note"] == note_for(pcap_id)
            end = "stale" if "ttl=-" in outcome.cache_status else "data"
        else:
            end = f"{outcome.code.name} {outcome.reason if outcome.status else outcome.message}"
            right = outcome.code is grpc.StatusCode.UNAVAILABLE and outcome.status is not None
            if outcome.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
                right = len(outcome.all(RetryInfo)) == 1
        with self._changed:
            self.done += 1
            self.ends[end] += 1
            if not right:
                self.wrong.append(f"{pcap_id}: {outcome!r}")
            self._changed.notify_all()


def note_for(pcap_id: str) -> str:
    """What the capture says that no other says."""
    return f"this is {pcap_id} " * 20


@pytest.mark.timeout(240)
def test_an_upstream_that_is_killed_and_restarted_costs_no_call_its_answer(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    ids = [secrets.token_hex(16) for _ in range(10_000)]
    captures = tmp_path / "captures.json"
    captures.write_text(
        json.dumps(
            [
                {
                    "account_id": demo.ACCOUNT_ID,
                    "pcap_id": pcap_id,
                    "capture": capture_of(pcap_id, note=note_for(pcap_id)),
                }
                for pcap_id in ids
            ]
        )
    )

    def start_emulator(*options: str) -> Emulator:
        # No answer, not even the first, says that little is left: that would be another reason not
        # to ask.
        return Emulator("--captures", captures, f"--rate-limit={10**6}", *options)

    upstream = start_emulator()
    gateway = start_gateway(*OPTIONS, upstream_url=upstream.url)
    seed = secrets.randbits(32)
    well_known, new = ids[:WELL_KNOWN], ids[WELL_KNOWN:]
    warm = Callers(gateway, well_known, [], seed)
    warm.start()
    for pcap_id in well_known:
        upstream.wait(pcap_id, "answered")
    warm.stop()

    callers = Callers(gateway, well_known, new, seed)
    callers.start()
    try:
        for _ in range(OUTAGES):
            callers.wait_for(BETWEEN)
            upstream.kill()
            callers.wait_for(BETWEEN)
            upstream = start_emulator("--listen", upstream.address)
            # The circuit breaker lets the gateway ask anew after a while; the callers go on.
            upstream.wait(None, "answered", count=100)
        callers.stop()
        gateway.end()
    finally:
        upstream.stop()
    print(f"outage: seed {seed}, {callers.done} calls, {OUTAGES} outages: {dict(callers.ends)}")
    assert callers.done >= CALLS
    assert callers.wrong == []
    # It was an outage for the callers, too, and the gateway asked again after it.
    assert callers.ends["stale"] > CALLS // 10
    assert sum(n for end, n in callers.ends.items() if end.startswith("UNAVAILABLE")) > 0
