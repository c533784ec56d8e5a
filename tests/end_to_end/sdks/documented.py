"""What the API reference and contract promise for a field, apart from any reader: is this value as
documented, what does it mean, and where does the gateway have to put it?"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

from sdks.made_up import EXACT, FORMS, ONLY_FULL, ONLY_SIMPLE, STATUSES, SYSTEMS, Fields
from sdks.readings import Instant, Place, Reading, Value, plain, same

TEXTS = {"id", "colo_name", "destination_conf", "error_message", "filter_v1.source_address",
         "filter_v1.destination_address"}  # fmt: skip
TIMES = {"submitted", "offset_time", "stop_requested"}
PORTS = {"filter_v1.source_port", "filter_v1.destination_port", "filter_v1.protocol"}
COUNTS = {"byte_limit", "packets_captured"}
NUMBERS = PORTS | COUNTS | {"time_limit"}
ENUMS = {"status": STATUSES, "system": SYSTEMS, "type": FORMS}
DOCUMENTED = {*TEXTS, *TIMES, *NUMBERS, *ENUMS, "filter_v1"}
SHARED = {"id", "filter_v1", "status", "submitted", "system", "time_limit", "type"}

# google/protobuf/duration.proto.
_MOST_SECONDS = 315_576_000_000

_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
    r"(?:[Zz]|([+-])(\d\d):([0-5]\d))",
    re.ASCII,
)


def instant(text: Any) -> Instant | None:
    """None: not an RFC 3339 time, or none that a Timestamp can hold."""
    found = _RFC_3339.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    *whole_numbers, fraction, sign, hours, minutes = found.groups(default="0")
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    try:
        # By its parts: fromisoformat reads ISO 8601, of which each Python knows more, as 24:00:00.
        whole = datetime(*map(int, whole_numbers), tzinfo=timezone(offset))
    except ValueError:
        return None
    nanos = int(fraction.ljust(9, "0"))
    return Instant(int(whole.timestamp()) * 10**9 + nanos, round(offset.total_seconds()))


def is_documented(name: str, sent: Any) -> bool:
    """Whether the value fits the field's type in the proto."""
    if name in TEXTS:
        return isinstance(sent, str)
    if name in TIMES:
        return instant(sent) is not None
    if name in ENUMS:
        return isinstance(sent, str) and sent in ENUMS[name]
    if name == "filter_v1":
        return isinstance(sent, dict)
    if name not in NUMBERS or isinstance(sent, bool) or not isinstance(sent, (int, float)):
        return False
    number = Fraction(repr(sent))
    if name == "time_limit":
        return (number * 10**9).denominator == 1 and abs(number) <= _MOST_SECONDS
    least, most = (0, 2**32 - 1) if name in PORTS else (-(2**63), 2**63 - 1)
    return number.denominator == 1 and least <= number <= most


def form_of(capture: Fields) -> str | None:
    """The form that `type` tells, or else the fields do."""
    if is_documented("type", capture.get("type")):
        return str(capture["type"])
    simple, full = (
        any(capture.get(name) is not None for name in names) for names in (ONLY_SIMPLE, ONLY_FULL)
    )
    return None if simple == full else "simple" if simple else "full"


def meaning(name: str, sent: Any) -> Any:
    """Of a value as documented, in a Reading's terms; of any other: as it came."""
    when = instant(sent) if name in TIMES else None
    return plain(sent) if when is None else when


def by_name(capture: Fields) -> Fields:
    """The fields and those of the filter, as a Reading names them."""
    fields = dict(capture)
    if isinstance(capture.get("filter_v1"), dict):
        fields["filter_v1"] = {}
        fields |= {f"filter_v1.{name}": value for name, value in capture["filter_v1"].items()}
    return fields


def beyond_exact(value: Any) -> Any:
    """A number that a double cannot carry is text in extra_fields, as it came."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) > EXACT:
        return json.dumps(value)
    if isinstance(value, dict):
        return {name: beyond_exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [beyond_exact(inner) for inner in value]
    return value


def redacted(value: Any) -> Any:
    """Of a destination that is made as documented."""
    if not isinstance(value, str):
        return value
    base, mark, query = value.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    kept = ("region", "account-id")
    shown = [
        name + sign + (inner if name in kept or not sign else "REDACTED")
        for name, sign, inner in pairs
    ]
    return base + mark + "&".join(shown)


def due(capture: Fields) -> Reading:
    """What the gateway has to make of it."""
    form = form_of(capture)
    names = SHARED | set(ONLY_SIMPLE if form == "simple" else ONLY_FULL if form == "full" else ())
    fields: dict[str, Value] = {}
    for name, sent in by_name(capture).items():
        if sent is None and not (form is None and name.startswith("filter_v1.")):
            continue
        known = name in names or name.startswith("filter_v1.")
        if form is not None and known and is_documented(name, sent):
            value = meaning(name, redacted(sent) if name == "destination_conf" else sent)
            fields[name] = Value(Place.TYPED, value)
        else:
            value = redacted(sent) if name == "destination_conf" else sent
            fields[name] = Value(Place.RAW, plain(beyond_exact(value)))
    if form is not None and "type" not in fields:
        fields["type"] = Value(Place.TYPED, form)
    return Reading(form, fields)


def faults(capture: Fields, given: Reading) -> list[str]:
    """Where the gateway's reading is not what it has to be."""
    wanted = due(capture)
    found = []
    if wanted.form != given.form:
        found.append(f"form: {given.form} instead of {wanted.form}")
    for name in sorted({*wanted.fields, *given.fields}):
        want, have = wanted.at(name), given.at(name)
        if want.place != have.place or not same(want.value, have.value):
            found.append(f"{name}: {have} instead of {want}")
    return found
