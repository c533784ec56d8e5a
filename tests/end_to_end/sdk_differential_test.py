"""Cloudflare's own SDK and the gateway read the same captures to the same values.

Both are asked for every demo capture and for some hundred made-up ones. What the SDK gives is
brought into the gateway's terms by the tables COERCED and EXPLAINED; whatever then differs is a
mistake of one of the two. A failing seed is repeated with PCAP_GATEWAY_TEST_SEED=… .
"""

from __future__ import annotations

import json
import os
import random
import re
import secrets
from datetime import datetime, timezone
from fractions import Fraction
from typing import Any, Callable

import httpx
import pytest
from cloudflare import Cloudflare
from emulator import demo
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from harness.calls import get
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.stubs import pcap_pb2

MADE_UP = 300
SEED = int(os.environ.get("PCAP_GATEWAY_TEST_SEED", secrets.randbelow(10**9)))

Fields = dict[str, Any]

# What is exact in a double, so what a JSON number of google.protobuf.Struct can carry.
EXACT = 2**53


@pytest.fixture
def sdk(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Cloudflare:
    for name in ("CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_USER_SERVICE_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Cloudflare(
        api_token=demo.TOKEN,
        base_url=emulator.url,
        max_retries=0,
        http_client=httpx.Client(trust_env=False),
    )


# What the gateway says, as fields of JSON ---------------------------------------------------------


def from_gateway(pcap: pcap_pb2.Pcap) -> Fields:
    """Typed fields and extra_fields together, under their JSON names."""
    fields: Fields = {}
    form = pcap.WhichOneof("form")
    if form is not None:
        fields["type"] = form
        for descriptor, value in getattr(pcap, form).ListFields():
            fields[descriptor.name] = _plain(descriptor.name, value)
    filter_v1: Fields = {}
    for name, value in MessageToDict(pcap.extra_fields).items():
        assert name not in fields or name == "type", f"{name} is typed and extra"
        if name.startswith("filter_v1."):
            filter_v1[name.removeprefix("filter_v1.")] = value
        else:
            fields[name] = value
    if filter_v1:
        fields["filter_v1"] = {**fields.get("filter_v1", {}), **filter_v1}
    return fields


def _plain(name: str, value: Any) -> Any:
    if name == "status":
        return pcap_pb2.PcapStatus.Name(value).removeprefix("PCAP_STATUS_").lower()
    if name == "system":
        text = pcap_pb2.PcapSystem.Name(value).removeprefix("PCAP_SYSTEM_")
        return text.lower().replace("_", "-")
    if name == "time_limit":
        return value.seconds + Fraction(value.nanos, 10**9)
    if isinstance(value, Timestamp):
        return value.seconds * 10**9 + value.nanos
    if isinstance(value, pcap_pb2.PcapFilter):
        return {descriptor.name: field for descriptor, field in value.ListFields()}
    return value


# What the SDK says, in the gateway's terms --------------------------------------------------------


def from_sdk(fields: Fields, sent: Fields) -> Fields:
    """`fields`: the SDK's model as a dict; `sent`: the JSON that it was made of."""
    explained = _uncoerced(fields, sent)
    explained = {name: value for name, value in explained.items() if value is not None}
    for name, (explain, _) in EXPLAINED.items():
        if name in explained:
            explained[name] = explain(explained[name])
    if isinstance(explained.get("filter_v1"), dict):
        explained["filter_v1"] = {
            name: _beyond_exact(value)
            for name, value in explained["filter_v1"].items()
            if value is not None
        }
    typed_whole = {"byte_limit", "packets_captured"}
    for name in set(explained) - set(EXPLAINED) - typed_whole:
        explained[name] = _beyond_exact(explained[name])
    if "type" not in explained:
        form = _form_of(explained)
        if form is not None:
            explained["type"] = form
    return explained


def _uncoerced(said: Fields, sent: Fields) -> Fields:
    """Takes back what the SDK made of a value, as far as COERCED explains it."""
    taken_back = {}
    for name, value in said.items():
        coerce, _ = COERCED.get(name, (None, ""))
        if isinstance(value, dict) and isinstance(sent[name], dict):
            taken_back[name] = _uncoerced(value, sent[name])
        elif coerce is not None and coerce(sent[name]) == value:
            taken_back[name] = sent[name]
        else:
            taken_back[name] = value
    return taken_back


def _as_float(sent: Any) -> float | None:
    try:
        return float(sent)
    except (TypeError, ValueError):
        return None


def _as_datetime(sent: Any) -> datetime | None:
    if isinstance(sent, bool) or not isinstance(sent, (int, float)):
        return None
    return datetime.fromtimestamp(sent, timezone.utc)


def _form_of(fields: Fields) -> str | None:
    """The form that fields tell where `type` does not."""
    full = {"byte_limit", "colo_name", "destination_conf", "error_message", "packets_captured",
            "stop_requested"}  # fmt: skip
    if full & set(fields):
        return None if "offset_time" in fields else "full"
    return "simple" if "offset_time" in fields else None


def _beyond_exact(value: Any) -> Any:
    """A whole number that a double cannot carry is a decimal string in extra_fields."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) > EXACT:
        return str(value)
    if isinstance(value, dict):
        return {name: _beyond_exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_beyond_exact(inner) for inner in value]
    return value


def _instant(value: Any) -> Any:
    """Nanoseconds since 1970; what is no RFC 3339 time is left as it is."""
    if isinstance(value, datetime):
        return int(value.astimezone(timezone.utc).timestamp() * 1_000_000) * 1000
    if not isinstance(value, str):
        return value
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", value
    )
    if found is None:
        return value
    day, time, fraction, zone = found.groups()
    try:
        whole = datetime.fromisoformat(f"{day}T{time}{zone.upper().replace('Z', '+00:00')}")
    except ValueError:
        return value
    return int(whole.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0"))


def _seconds(value: Any) -> Any:
    """To the nanosecond, as a Duration has it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return Fraction(round(Fraction(value) * 10**9), 10**9)


def _redacted(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    base, mark, query = value.partition("?")
    kept = ("region", "account-id")
    pairs = [pair.partition("=") for pair in query.split("&")]
    return (
        base
        + mark
        + "&".join(
            name + sign + (inner if name in kept or not sign else "REDACTED")
            for name, sign, inner in pairs
        )
    )


_NUMBER = (_as_float, "the SDK takes digits for a number, and rounds a whole one to a double")
_TIME = (_as_datetime, "the SDK takes a number for seconds since 1970; the API promises RFC 3339")

# What the SDK makes of a value that is not of the documented type. The gateway never guesses: such
# a value goes into extra_fields as it came.
COERCED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "time_limit": _NUMBER,
    "byte_limit": _NUMBER,
    "packets_captured": _NUMBER,
    "source_port": _NUMBER,
    "destination_port": _NUMBER,
    "protocol": _NUMBER,
    "offset_time": _TIME,
    "stop_requested": _TIME,
}

# Each other difference that is meant to be, and why.
EXPLAINED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "submitted": (_instant, "the SDK keeps the text, the gateway has a Timestamp"),
    "offset_time": (_instant, "the SDK has a datetime, the gateway a Timestamp"),
    "stop_requested": (_instant, "the SDK has a datetime or the text, the gateway a Timestamp"),
    "time_limit": (_seconds, "the SDK has a float, the gateway a Duration"),
    "destination_conf": (_redacted, "the gateway does not give bucket secrets away"),
}


# Captures as Cloudflare might send them ---------------------------------------------------------

UNICODE = 'a ü 漢 🦈 \u200e \t \\ " <b>'


class Maker:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def capture(self) -> Fields:
        pick = self._random.choice
        kind = pick(["simple", "full"])
        fields: Fields = {
            "id": pick([f"{self._random.getrandbits(128):032x}", "", "not an id"]),
            "type": kind,
            "status": pick(list(STATUSES) + ["teleporting", ""]),
            "system": pick(["magic-transit", "magic-transit", "magic-carpet"]),
            "submitted": self._time(),
            "time_limit": pick([1, 300, 0, 0.5, 86400, 12.345678]),
            "filter_v1": self._filter(),
        }
        if kind == "simple":
            fields["offset_time"] = self._time()
        else:
            fields |= {
                "byte_limit": pick([0, 1, 1_000_000_000, EXACT]),
                "colo_name": pick(["ord02", "ORD", "", UNICODE]),
                "destination_conf": pick(DESTINATIONS),
                "error_message": pick(["", "no space", UNICODE]),
                "packets_captured": pick([0, 1, 2**31, EXACT + 1, 2**63 - 1]),
                "stop_requested": self._time(),
            }
        # Any of them may be absent or null; a type that is not told is for the gateway's own tests.
        for name in list(fields):
            fate = self._random.random()
            if name != "type" and fate < 0.15:
                del fields[name]
            elif name != "type" and fate < 0.25:
                fields[name] = None
        if self._random.random() < 0.3:
            fields[pick(["sampling", "future_field", "ünicode", "CamelCase"])] = self._anything(3)
        if self._random.random() < 0.3:
            name = pick([name for name in fields if name not in ("type", "filter_v1")])
            fields[name] = self._odd(name)
        return fields

    def _time(self) -> str:
        pick = self._random.choice
        day = f"20{pick(range(20, 30))}-{pick(range(1, 13)):02}-{pick(range(1, 29)):02}"
        time = f"{pick(range(24)):02}:{pick(range(60)):02}:{pick(range(60)):02}"
        return f"{day}T{time}{pick(['', '.5', '.123456'])}{pick(['Z', '+02:00', '-11:30'])}"

    def _filter(self) -> Fields:
        pick = self._random.choice
        every = {
            "source_address": pick(["1.2.3.4", "2001:db8::1", "", "10.0.0.0/8"]),
            "destination_address": pick(["5.6.7.8", "::"]),
            "source_port": pick([0, 80, 65535, 65536, -1, 1.5, "80"]),
            "destination_port": pick([0, 443, None]),
            "protocol": pick([0, 6, 17, 255, 2**60]),
            "vlan": pick([7, "seven", [1, 2]]),
        }
        names = self._random.sample(list(every), self._random.randrange(len(every)))
        return {name: every[name] for name in names}

    def _odd(self, name: str) -> Any:
        """A value of another type than documented."""
        pick = self._random.choice
        if name in ("time_limit", "byte_limit", "packets_captured"):
            return pick(["300", "", [300], {"value": 300}])
        if name == "destination_conf":  # texts inside are redacted; destination_secrets_test.py
            return pick([7, 1.25, [], {}])
        return pick([7, 1.25, [], {}, ["text"], {"value": "text"}])

    def _anything(self, depth: int) -> Any:
        pick = self._random.choice
        if depth == 0 or self._random.random() < 0.4:
            numbers = [0, -1, 0.25, 2**53, 2**53 + 1, -(2**63), 10**25]
            return pick([None, True, False, "", UNICODE, *numbers])
        if self._random.random() < 0.5:
            return [self._anything(depth - 1) for _ in range(self._random.randrange(4))]
        return {f"k{i}": self._anything(depth - 1) for i in range(self._random.randrange(4))}


STATUSES = ("unknown", "success", "pending", "running", "conversion_pending", "conversion_running",
            "complete", "failed")  # fmt: skip

DESTINATIONS = (
    demo.DESTINATION_CONF,
    "s3://bucket/dir?region=us-east-1",
    "gs://bucket/dir",
    "r2://bucket?secret-access-key=a&region=b&account-id=c&other=d",
    "",
)


# The tests --------------------------------------------------------------------------------------


def sent(sdk: Cloudflare, pcap_id: str) -> Fields:
    """The capture's JSON as it comes over the wire."""
    response = sdk.magic_transit.pcaps.with_raw_response.get(pcap_id, account_id=demo.ACCOUNT_ID)
    fields: Fields = json.loads(response.text())["result"]
    return fields


def difference(sdk: Cloudflare, gateway: Gateway, pcap_id: str) -> str | None:
    """None: both say the same."""
    model = sdk.magic_transit.pcaps.get(pcap_id, account_id=demo.ACCOUNT_ID)
    expected = from_sdk(model.to_dict(warnings=False), sent(sdk, pcap_id))
    given = from_gateway(get(gateway.channel, pcap_id).pcap)
    if expected == given:
        return None
    names = sorted(set(expected) | set(given))
    return "; ".join(
        f"{name}: the SDK says {expected.get(name)!r}, the gateway {given.get(name)!r}"
        for name in names
        if expected.get(name) != given.get(name)
    )


@pytest.mark.parametrize(
    "pcap_id",
    [demo.SIMPLE_ID, demo.FULL_ID, demo.RUNNING_ID, demo.PENDING_ID, demo.FAILED_ID, demo.ODD_ID],
    ids=["simple", "full", "running", "pending", "failed", "odd"],
)
def test_the_demo_captures_are_read_alike(sdk: Cloudflare, gateway: Gateway, pcap_id: str) -> None:
    assert difference(sdk, gateway, pcap_id) is None


def test_made_up_captures_are_read_alike(
    sdk: Cloudflare, gateway: Gateway, emulator: Emulator
) -> None:
    maker = Maker(SEED)
    differences = []
    for number in range(MADE_UP):
        capture = maker.capture()
        pcap_id = emulator.unknown_id()
        emulator.add_exactly(pcap_id, capture)
        if (told := difference(sdk, gateway, pcap_id)) is not None:
            differences.append(f"{number}: {told}\n    of {capture}")
    print(f"PCAP_GATEWAY_TEST_SEED={SEED}")
    assert not differences, (
        f"{len(differences)} of {MADE_UP} differ (PCAP_GATEWAY_TEST_SEED={SEED}):\n"
        + "\n".join(differences[:20])
    )


def test_where_secrets_are_revealed_the_destination_is_read_alike_too(
    sdk: Cloudflare, start_gateway: StartGateway
) -> None:
    gateway = start_gateway("--reveal-destination-secrets")
    full = get(gateway.channel, demo.FULL_ID).pcap.full
    model = sdk.magic_transit.pcaps.get(demo.FULL_ID, account_id=demo.ACCOUNT_ID)
    assert full.destination_conf == model.to_dict()["destination_conf"]
