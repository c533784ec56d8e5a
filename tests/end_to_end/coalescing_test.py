"""Equal calls in flight share one request to Cloudflare, and nobody's end is another's."""

from __future__ import annotations

import asyncio
from typing import Any, Coroutine, Sequence, TypeVar

import grpc
import pytest
from emulator import demo

from harness.admin import wait_for_waiting_calls
from harness.calls import DEADLINE_SECONDS, Answer, Failure, Metadata, answer_of, get, request_for
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.stubs import pcap_service_pb2_grpc

CALLERS = 200

T = TypeVar("T")
Call = Any  # grpc.aio.UnaryUnaryCall: its type names no methods that tests use


def run(test: Coroutine[Any, Any, T]) -> T:
    """A test that hangs fails."""
    return asyncio.run(asyncio.wait_for(test, 50))


class Callers:
    """Many callers with a connection of their own, beside each other."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __aenter__(self) -> Callers:
        # Not the global pool of connections: nobody else's calls are on this one.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.aio.insecure_channel(self._gateway.address, options=options)
        self._stub = pcap_service_pb2_grpc.PcapServiceStub(self._channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close(None)

    def start(
        self,
        pcap_id: str,
        timeout: float = DEADLINE_SECONDS,
        max_age: float | None = None,
        metadata: Metadata = (),
    ) -> Call:
        return self._stub.GetPcap(
            request_for(pcap_id, max_age=max_age), timeout=timeout, metadata=tuple(metadata)
        )

    async def waiting(self, count: int) -> None:
        """Until the gateway holds this many calls without an answer."""
        await asyncio.to_thread(wait_for_waiting_calls, self._gateway, count)


async def answers_of(calls: Sequence[Call]) -> list[Answer]:
    return list(await asyncio.gather(*map(answer_of, calls)))


def test_200_equal_calls_on_a_cold_cache_cause_one_request(
    watched: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)

    async def test() -> list[Answer]:
        async with Callers(watched) as callers:
            calls = [callers.start(pcap_id) for _ in range(CALLERS)]
            await callers.waiting(CALLERS)
            emulator.release(gate)
            return await answers_of(calls)

    answers = run(test())
    assert all(answer.pcap.simple.id == pcap_id for answer in answers)
    assert len(emulator.requests(pcap_id)) == 1
    collapsed = [answer for answer in answers if "; collapsed" in answer.cache_status]
    assert len(collapsed) == CALLERS - 1
    assert not any(answer.is_hit for answer in answers)


def test_with_the_first_caller_cancelled_the_other_199_get_the_answer(
    watched: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)

    async def test() -> list[Answer]:
        async with Callers(watched) as callers:
            first = callers.start(pcap_id)
            await asyncio.to_thread(emulator.wait, pcap_id)  # the request is the first one's
            others = [callers.start(pcap_id) for _ in range(CALLERS - 1)]
            await callers.waiting(CALLERS)
            first.cancel()
            await callers.waiting(CALLERS - 1)
            emulator.release(gate)
            return await answers_of(others)

    answers = run(test())
    assert len(answers) == CALLERS - 1
    assert all(answer.pcap.simple.id == pcap_id for answer in answers)
    [request] = emulator.requests(pcap_id)
    assert request["state"] == "answered"


def test_a_callers_deadline_ends_only_its_own_wait(watched: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)

    async def test() -> None:
        async with Callers(watched) as callers:
            hasty = callers.start(pcap_id, timeout=0.3)
            patient = callers.start(pcap_id)
            with pytest.raises(Failure) as failure:
                await answer_of(hasty)
            assert failure.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
            emulator.release(gate)
            assert (await answer_of(patient)).pcap.simple.id == pcap_id

    run(test())
    assert len(emulator.requests(pcap_id)) == 1


def test_what_all_have_left_ends_by_itself_and_is_kept(
    watched: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)

    async def test() -> None:
        async with Callers(watched) as callers:
            calls = [callers.start(pcap_id) for _ in range(3)]
            await asyncio.to_thread(emulator.wait, pcap_id)
            await callers.waiting(3)
            for call in calls:
                call.cancel()
            await callers.waiting(0)

    run(test())
    emulator.release(gate)
    emulator.wait(pcap_id, "answered")
    assert get(watched.channel, pcap_id).pcap.simple.id == pcap_id
    assert get(watched.channel, pcap_id).is_hit
    [request] = emulator.requests(pcap_id)
    assert request["state"] == "answered"


def test_callers_less_patient_than_cloudflare_cost_one_request_together(
    watched: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)
    for _ in range(3):
        with pytest.raises(Failure) as failure:
            get(watched.channel, pcap_id, timeout=0.3)
        assert failure.value.code == grpc.StatusCode.DEADLINE_EXCEEDED

    async def test() -> Answer:
        async with Callers(watched) as callers:
            patient = callers.start(pcap_id)
            await callers.waiting(1)
            emulator.release(gate)
            return await answer_of(patient)

    assert "; collapsed" in run(test()).cache_status
    assert get(watched.channel, pcap_id, timeout=0.3).is_hit
    assert len(emulator.requests(pcap_id)) == 1


def test_all_waiters_share_a_failure_and_the_next_caller_asks_anew(
    watched: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id, kind="html", status=502, times=1)

    async def test() -> list[Failure]:
        async with Callers(watched) as callers:
            calls = [callers.start(pcap_id) for _ in range(20)]
            await callers.waiting(20)
            emulator.release(gate)
            ended = await asyncio.gather(*map(answer_of, calls), return_exceptions=True)
            return [failure for failure in ended if isinstance(failure, Failure)]

    failures = run(test())
    assert [failure.reason for failure in failures] == ["UPSTREAM_UNAVAILABLE"] * 20
    assert len(emulator.requests(pcap_id)) == 1
    assert get(watched.channel, pcap_id).pcap.simple.id == pcap_id


def test_a_caller_who_asks_for_now_gets_no_answer_that_was_asked_for_before(
    watched: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(status="running", time_limit=1)
    gate = emulator.hold(pcap_id, times=1)

    async def test() -> tuple[Answer, Answer]:
        async with Callers(watched) as callers:
            early = callers.start(pcap_id)
            await asyncio.to_thread(emulator.wait, pcap_id)
            now = callers.start(pcap_id, max_age=0)
            await callers.waiting(2)
            emulator.release(gate)
            return await answer_of(early), await answer_of(now)

    early, now = run(test())
    assert len(emulator.requests(pcap_id)) == 2
    assert early.metadata["cf-ray"] != now.metadata["cf-ray"]


def test_many_who_ask_for_now_at_once_share_requests(watched: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id, times=1)

    async def test() -> list[Answer]:
        async with Callers(watched) as callers:
            first = callers.start(pcap_id, max_age=0)
            await asyncio.to_thread(emulator.wait, pcap_id)
            others = [callers.start(pcap_id, max_age=0) for _ in range(50)]
            await callers.waiting(51)
            emulator.release(gate)
            return await answers_of([first, *others])

    assert len(run(test())) == 51
    # The first one's, and one for all who came while it was under way.
    assert len(emulator.requests(pcap_id)) == 2


def test_calls_for_different_captures_do_not_wait_for_each_other(
    watched: Gateway, emulator: Emulator
) -> None:
    held, free = emulator.add(), emulator.add()
    gate = emulator.hold(held)

    async def test() -> None:
        async with Callers(watched) as callers:
            waiting = callers.start(held)
            await asyncio.to_thread(emulator.wait, held)
            assert (await answer_of(callers.start(free))).pcap.simple.id == free
            emulator.release(gate)
            assert (await answer_of(waiting)).pcap.simple.id == held

    run(test())


def test_callers_with_different_credentials_do_not_share_a_request(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--credential=caller", "--admin-listen=127.0.0.1:0")
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)

    async def test() -> list[Answer]:
        async with Callers(gateway) as callers:
            calls = [
                callers.start(pcap_id, metadata=[("authorization", f"Bearer {token}")])
                for token in (demo.TOKEN, demo.SECOND_TOKEN)
                for _ in range(10)
            ]
            await callers.waiting(20)
            await asyncio.to_thread(emulator.wait, pcap_id, "arrived", 2)
            emulator.release(gate)
            return await answers_of(calls)

    assert len(run(test())) == 20
    seen = {dict(r["headers"])["Authorization"] for r in emulator.requests(pcap_id)}
    assert seen == {f"Bearer {demo.TOKEN}", f"Bearer {demo.SECOND_TOKEN}"}
    assert len(emulator.requests(pcap_id)) == 2
