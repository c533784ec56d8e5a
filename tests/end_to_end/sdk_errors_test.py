"""Where there is no capture, Cloudflare's SDKs and the gateway tell of the same failure.

As in sdk_differential_test.py: some hundred made-up failures, each difference explained
(sdks/explained_errors.py), and a failing seed is repeated with PCAP_GATEWAY_TEST_SEED=… . The table
of sdks/error_table.py says what each kind of failure is called on the three sides.
"""

from __future__ import annotations

from collections import Counter

import pytest
from cloudflare import Cloudflare
from emulator import demo
from google.rpc import error_details_pb2

from harness.calls import fail
from harness.details import check_details
from harness.emulator import Emulator
from harness.gateway import Gateway
from sdks import outcomes, page
from sdks.counts import Counts, print_counts
from sdks.error_table import ROWS, Row
from sdks.explained_errors import DIFFERENCES, differences, faults
from sdks.made_up import SEED
from sdks.made_up_errors import ErrorAnswer, ErrorMaker
from sdks.readers import ask_go, python_sdk
from sdks.rules import GO, PYTHON

MADE_UP = 400

# With this one each of the explanations is needed. docs/coming-from-an-sdk.md shows its counts.
FIXED_SEED = 1


@pytest.fixture
def sdk(emulator: Emulator, clean_environment: None) -> Cloudflare:
    return python_sdk(emulator.url)


@pytest.fixture
def elsewhere(emulator: Emulator) -> str:
    """Where redirects lead: to a capture that nobody asked for."""
    return f"{emulator.url}/accounts/{demo.ACCOUNT_ID}/pcaps/{demo.SIMPLE_ID}"


@pytest.mark.parametrize("seed", [SEED, FIXED_SEED], ids=["made up", "the same each time"])
def test_made_up_failures_are_told_alike(
    sdk: Cloudflare,
    gateway: Gateway,
    emulator: Emulator,
    elsewhere: str,
    seed: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    maker = ErrorMaker(seed, elsewhere)
    answers: dict[str, ErrorAnswer] = {}
    for _ in range(MADE_UP):
        answer = maker.answer()
        pcap_id = emulator.unknown_id()
        emulator.fault(pcap_id, **answer.fault())
        answers[pcap_id] = answer
    counts: Counts = {GO: Counter(), PYTHON: Counter()}
    unexplained = []
    for (pcap_id, answer), printed in zip(answers.items(), ask_go(emulator.url, answers)):
        failure = fail(gateway.channel, pcap_id)
        check_details(failure)
        told = outcomes.of_gateway(failure)
        found = [f"the gateway: {fault}" for fault in faults(answer, told)]
        said = {
            GO: outcomes.of_go(printed),
            PYTHON: outcomes.of_python(
                lambda: sdk.magic_transit.pcaps.get(pcap_id, account_id=demo.ACCOUNT_ID)
            ),
        }
        for name, outcome in said.items():
            found += [
                f"{name}: {one}" for one in differences(name, answer, outcome, told, counts[name])
            ]
        unexplained += [f"{one}\n    of {answer}" for one in found]
    with capsys.disabled():
        print_counts(f"{MADE_UP} failures, PCAP_GATEWAY_TEST_SEED={seed}", counts)
        print(f"{len(unexplained)} differences unexplained")
    assert not unexplained, "\n".join(unexplained[:20])
    if seed == FIXED_SEED:
        assert set(DIFFERENCES) == {name for one in counts.values() for name in one} - {"same"}
        reasons = {name: (why, better) for name, (better, why) in DIFFERENCES.items()}
        page.check("What differs in a failure", page.table(reasons, counts.values()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.cause)
def test_the_table_of_errors_holds(
    sdk: Cloudflare,
    gateway: Gateway,
    caller_gateway: Gateway,
    emulator: Emulator,
    elsewhere: str,
    row: Row,
) -> None:
    pcap_id = emulator.add()
    fault = dict(row.fault)
    gate = None
    if "hold" in fault:
        gate = emulator.hold(pcap_id)
    else:
        if fault.get("kind") == "redirect":
            fault["body"] = elsewhere
        emulator.fault(pcap_id, **fault)
    try:
        [printed] = ask_go(emulator.url, [pcap_id], row.deadline_seconds)
        in_go = outcomes.of_go(printed)
        in_python = outcomes.of_python(
            lambda: sdk.magic_transit.pcaps.get(
                pcap_id, account_id=demo.ACCOUNT_ID, timeout=row.deadline_seconds
            )
        )
        if row.by_caller:
            # Its own: one that was rejected is not asked with again for a while.
            credential = [("authorization", f"Bearer emulator-token-for-{row.code}")]
            failure = fail(caller_gateway.channel, pcap_id, metadata=credential)
        else:
            failure = fail(gateway.channel, pcap_id, timeout=row.deadline_seconds)
    finally:
        if gate is not None:
            emulator.release(gate)
    assert (in_go.type, in_python.type) == (row.go, row.python)
    assert failure.code.name == row.code
    if failure.status is None:
        # The client's own clock was faster than the gateway's answer.
        assert row.code == "DEADLINE_EXCEEDED"
        return
    assert failure.reason == row.reason
    for kind in (error_details_pb2.RetryInfo, error_details_pb2.Help, error_details_pb2.BadRequest):
        assert bool(failure.all(kind)) == (kind.DESCRIPTOR.name in row.details)
