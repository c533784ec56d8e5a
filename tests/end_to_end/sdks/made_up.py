"""Answers to GET …/pcaps/{pcap_id} as Cloudflare might send them some day, good and odd."""

from __future__ import annotations

import json
import os
import random
import secrets
from typing import Any

from emulator import demo

# A failing run is repeated with PCAP_GATEWAY_TEST_SEED=… .
SEED = int(os.environ.get("PCAP_GATEWAY_TEST_SEED", secrets.randbelow(10**9)))

Fields = dict[str, Any]

# What is exact in a double, so what a JSON number of google.protobuf.Struct can carry.
EXACT = 2**53

STATUSES = ("unknown", "success", "pending", "running", "conversion_pending", "conversion_running",
            "complete", "failed")  # fmt: skip
SYSTEMS = ("magic-transit",)
FORMS = ("simple", "full")

ONLY_SIMPLE = ("offset_time",)
ONLY_FULL = ("byte_limit", "colo_name", "destination_conf", "error_message", "packets_captured",
             "stop_requested")  # fmt: skip

UNICODE = 'a ü 漢 🦈 \u200e \t \\ " <b>'

DESTINATIONS = (
    demo.DESTINATION_CONF,
    "s3://bucket/dir?region=us-east-1",
    "gs://bucket/dir",
    "r2://bucket?secret-access-key=a&region=b&account-id=c&other=d",
    "",
)

# Texts in a time's place that are no RFC 3339, or none that a Timestamp has a place for.
ODD_TIMES = ("", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z",
             "2026-01-02T03:04:05+0200", "2026-02-30T03:04:05Z", "2026-01-02T03:04:60Z",
             "2026-01-02T24:00:00Z", "2026-01-02T03:04:05.1234567891Z", "2026-01-02T03:04Z",
             "1767323045", "0000-01-01T00:00:00Z", "2026-01-02T03:04:05,5Z")  # fmt: skip

# Neither numbers as documented nor nothing.
ODD_NUMBERS: tuple[Any, ...] = (
    "300",
    "",
    "1e3",
    "1.5",
    "many",
    True,
    False,
    [300],
    {"value": 300},
    [],
    -1,
    1.5,
)


class Maker:
    """The same seed makes the same answers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def answer(self) -> tuple[Fields, str]:
        """A capture, and the envelope around it as it goes over the wire."""
        capture = self.capture()
        envelope: Fields = {
            "success": True,
            "errors": [],
            "messages": self._messages(),
            "result": capture,
        }
        fate = self.random.random()
        if fate < 0.1:
            envelope["errors"] = None
        elif fate < 0.2:
            del envelope["errors"]
        if self.random.random() < 0.1:
            envelope["result_info"] = {"page": 1}
        if envelope["messages"] is None and self.random.random() < 0.5:
            del envelope["messages"]
        return capture, json.dumps(envelope)

    def capture(self) -> Fields:
        pick, chance = self.random.choice, self.random.random
        kind = pick(FORMS)
        fields: Fields = {
            "id": f"{self.random.getrandbits(128):032x}",
            "type": kind,
            "status": pick(STATUSES + STATUSES + ("teleporting", "", "SUCCESS")),
            "system": pick(["magic-transit", "magic-transit", "magic-transit", "magic-carpet"]),
            "submitted": self._time(),
            "time_limit": pick([1, 300, 0, 0.5, 86400, 12.345678, 1e-9]),
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
        for name in list(fields):
            fate = chance()
            if name == "type":
                # Mostly told, as the documentation promises.
                if fate < 0.08:
                    del fields[name]
                elif fate < 0.1:
                    fields[name] = pick([None, "SIMPLE", "sampled", 7])
            elif fate < 0.15:
                del fields[name]
            elif fate < 0.25:
                fields[name] = None
        if chance() < 0.3:
            name = pick(["sampling", "future_field", "ünicode", "CamelCase", "with.dot", "a b"])
            fields[name] = self._anything(pick([1, 2, 3, 12]))
        if chance() < 0.1:
            # The other form's.
            name = pick(ONLY_FULL if kind == "simple" else ONLY_SIMPLE)
            fields[name] = self._time() if name.endswith(("time", "requested")) else pick([1, "x"])
        if chance() < 0.4:
            # An answer about another capture is none to the question.
            odd = [name for name in fields if name not in ("type", "id")]
            name = pick([*odd, "filter_v1"])
            fields[name] = self._odd(name)
        return fields

    def _messages(self) -> Any:
        pick = self.random.choice
        return pick(
            [
                [],
                [],
                [],
                None,
                [{"code": 1000, "message": UNICODE}],
                [
                    {"code": 1001, "message": "two", "documentation_url": "https://a.b/c"},
                    {"code": 1002},
                ],
                [{"code": 1003, "message": "here", "source": {"pointer": "/result/id"}}],
                ["only words"],
            ]
        )

    def _time(self) -> str:
        pick = self.random.choice
        day = f"20{pick(range(20, 30))}-{pick(range(1, 13)):02}-{pick(range(1, 29)):02}"
        time = f"{pick(range(24)):02}:{pick(range(60)):02}:{pick(range(60)):02}"
        fraction = pick(["", "", ".5", ".123456", ".123456789", ".000000001"])
        told: str = f"{day}T{time}{fraction}{pick(['Z', 'Z', '+02:00', '-11:30'])}"
        return told.lower() if self.random.random() < 0.05 else told

    def _filter(self) -> Fields:
        pick = self.random.choice
        every = {
            "source_address": pick(["1.2.3.4", "2001:db8::1", "", "10.0.0.0/8", None, 7]),
            "destination_address": pick(["5.6.7.8", "::"]),
            "source_port": pick([0, 80, 65535, 65536, -1, 1.5, "80", 2**32, True]),
            "destination_port": pick([0, 443, None, [80]]),
            "protocol": pick([0, 6, 17, 255, 2**60, "tcp"]),
            "vlan": pick([7, "seven", [1, 2]]),
        }
        names = self.random.sample(list(every), self.random.randrange(len(every)))
        return {name: every[name] for name in names}

    def _odd(self, name: str) -> Any:
        """A value of another type than documented, or out of its range."""
        pick = self.random.choice
        if name == "time_limit":
            return pick([*ODD_NUMBERS, 1e-10, 315_576_000_001, 1e300])
        if name == "byte_limit":
            return pick([*ODD_NUMBERS, EXACT + 1, 2**63, 10**25, 1e300])
        if name == "packets_captured":
            return pick([*ODD_NUMBERS, 2**63, 10**25, -(2**63)])
        if name == "destination_conf":  # texts inside are redacted; destination_secrets_test.py
            return pick([7, 1.25, [], {}, True])
        if name in ("submitted", "offset_time", "stop_requested"):
            return pick([*ODD_TIMES, *ODD_TIMES, 7, 1.25, True, [], {}])
        if name == "filter_v1":
            return pick([7, "text", [], [{"protocol": 6}], True])
        return pick([7, 1.25, True, [], {}, ["text"], {"value": "text"}])

    def _anything(self, depth: int) -> Any:
        pick = self.random.choice
        if depth == 0 or (depth < 10 and self.random.random() < 0.4):
            numbers = [0, -1, 0.25, 1.0, 2**53, 2**53 + 1, -(2**63), 10**25, 1e300]
            return pick([None, True, False, "", UNICODE, *numbers])
        if self.random.random() < 0.5:
            return [self._anything(depth - 1) for _ in range(self.random.randrange(1, 3))]
        return {f"k{i}": self._anything(depth - 1) for i in range(self.random.randrange(1, 3))}
