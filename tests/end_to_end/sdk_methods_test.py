"""Each method of Cloudflare's SDKs for packet captures works on the emulator, and reads what it says."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Callable, Iterator

import httpx
import pytest
from emulator import demo

from harness.emulator import START, Emulator
from sdks import methods
from sdks.readings import Place, Reading, plain, same

PCAPS = f"/client/v4/accounts/{demo.ACCOUNT_ID}/pcaps"
R2 = "r2://new?account-id=0123456789abcdef"

# In whole seconds: cloudflare-go cuts off the fraction.
OFFSET = START.replace(microsecond=0) - timedelta(hours=1)
SIMPLE: dict[str, Any] = {
    "type": "simple",
    "system": "magic-transit",
    "time_limit": 60,
    "packet_limit": 2,
    "filter_v1": demo.FILTER,
    "offset_time": OFFSET.isoformat(),
}
FULL: dict[str, Any] = {
    "type": "full",
    "system": "magic-transit",
    "time_limit": 86_400,
    "packet_limit": 10_000,
    "byte_limit": 1_000_000_000,
    "colo_name": "ORD",
    "destination_conf": f"{R2}&access-key-id=a&secret-access-key=b",
    "filter_v1": demo.FILTER,
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """One of its own for each test: they move its time."""
    emulator = Emulator()
    yield emulator
    emulator.stop()


SDKS = pytest.mark.parametrize(
    "kind", [methods.Go, methods.Python, methods.AsyncPython], ids=["go", "python", "async python"]
)


class Life:
    """Does things by the SDK's methods, and holds what they give against what the emulator says."""

    def __init__(self, emulator: Emulator, sdk: methods.Methods) -> None:
        self._emulator = emulator
        self._sdk = sdk

    def do(self, operation: str, id: str | None = None, **fields: Any) -> Any:
        """By every method there is for it; each sends one request."""
        results = []
        for method in self._sdk.operations[operation]:
            before = sum(self._emulator.counts().values())
            results.append(self._sdk.call(operation, method, id, fields))
            assert sum(self._emulator.counts().values()) == before + 1
        assert all(result == results[0] for result in results)
        return results[0]

    def ask(self, path: str = "") -> httpx.Response:
        """`path`: what follows that of the account's captures."""
        answer = httpx.get(
            self._emulator.url.removesuffix("/client/v4") + PCAPS + path,
            headers={"Authorization": f"Bearer {demo.TOKEN}"},
            trust_env=False,
        )
        assert answer.status_code == 200
        return answer

    def check(self, read: Reading, pcap_id: str | None = None) -> dict[str, Any]:
        """Returns the capture's JSON."""
        pcap_id = pcap_id or read.at("id").value
        said: dict[str, Any] = self.ask(f"/{pcap_id}").json()["result"]
        check(read, said)
        return said

    def check_buckets(self) -> list[dict[str, Any]]:
        """Returns the buckets' JSON."""
        said: list[dict[str, Any]] = self.ask("/ownership").json()["result"]
        assert self.do("list buckets") == said
        return said

    def check_list(self) -> list[str]:
        """Returns the captures' ids."""
        said = self.ask().json()["result"]
        listed = self.do("list")
        assert len(listed) == len(said)
        for read, told in zip(listed, said):
            # What is odd is read in ways that sdk_differential_test.py explains.
            if told["id"] != demo.ODD_ID:
                check(read, told)
        return [told["id"] for told in said]


def check(read: Reading, said: dict[str, Any]) -> None:
    """All that was said was read, into the fields that are there for it, and nothing else."""
    wanted: dict[str, Any] = {}
    for name, value in said.items():
        if name in ("offset_time", "stop_requested"):
            value = datetime.fromisoformat(value)
        if name == "filter_v1":
            wanted |= {f"{name}.{inner}": plain(told) for inner, told in value.items()}
            value = {}
        wanted[name] = plain(value)
    there = {name: one for name, one in read.fields.items() if one.place is not Place.ABSENT}
    assert {one.place for one in there.values()} == {Place.TYPED}
    assert read.form == said["type"]
    assert set(there) == set(wanted)
    assert all(same(there[name].value, wanted[name]) for name in wanted)


@SDKS
def test_no_method_is_forgotten(
    emulator: Emulator, kind: Callable[[str], methods.Methods], clean_environment: None
) -> None:
    sdk = kind(emulator.url)
    known = {name for names in sdk.operations.values() for name in names}
    assert sdk.there_are() == known


@SDKS
def test_each_method_does_its_part_of_a_captures_life(
    emulator: Emulator, kind: Callable[[str], methods.Methods], clean_environment: None
) -> None:
    life = Life(emulator, kind(emulator.url))

    # A bucket for a full capture.
    added = life.do("add bucket", destination_conf=FULL["destination_conf"])
    assert life.check_buckets()[0] == added
    validated = life.do(
        "validate bucket",
        destination_conf=R2,
        ownership_challenge=emulator.challenge(added["id"]),
    )
    assert validated == added
    emulator.advance(300)
    bucket = life.check_buckets()[0]
    assert (bucket["id"], bucket["status"]) == (added["id"], "success")

    # The full capture, after the demo's own.
    assert life.do("stop", demo.RUNNING_ID) is None
    full = life.check(life.do("create", **FULL))
    [sent] = emulator.requests(method="POST", path="/pcaps")
    assert json.loads(sent["body"]) == FULL
    statuses = [full["status"]]
    for seconds in (2, 10):
        emulator.advance(seconds)
        statuses.append(life.check(life.do("get", full["id"]))["status"])
    assert life.do("stop", full["id"]) is None
    for seconds in (0, 2, 3):
        emulator.advance(seconds)
        statuses.append(life.check(life.do("get", full["id"]))["status"])
    assert statuses == [
        *("pending", "running", "running"),
        *("conversion_pending", "conversion_running", "complete"),
    ]

    # A simple one, and its packets.
    simple = life.check(life.do("create", **SIMPLE))
    assert datetime.fromisoformat(simple["offset_time"]) == OFFSET
    emulator.advance(1)
    file = life.do("download", simple["id"])
    assert file == life.ask(f"/{simple['id']}/download").content and len(file) == 24 + 2 * 56
    assert life.check_list()[:2] == [simple["id"], full["id"]]
    for pcap_id in (demo.SIMPLE_ID, demo.FULL_ID, demo.FAILED_ID):
        life.check(life.do("get", pcap_id))

    # And the end.
    assert life.do("delete bucket", added["id"]) is None
    assert added["id"] not in {one["id"] for one in life.check_buckets()}
    assert emulator.counts(path=f"/ownership/{added['id']}") == {
        ("DELETE", f"{PCAPS}/ownership/{added['id']}"): 1
    }
