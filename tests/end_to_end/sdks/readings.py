"""What each reader makes of an answer, in one set of terms.

Numbers are Fractions (of the shortest decimal that stands for a double), times Instants, all else
is as JSON has it. A field of the filter is called `filter_v1.NAME`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from fractions import Fraction
from typing import Any, Mapping

from cloudflare import BaseModel
from cloudflare.types.magic_transit import PCAP
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from harness.stubs import pcap_pb2, pcap_service_pb2


class Place(Enum):
    TYPED = "in the field that is there for it"
    RAW = "beside the typed fields, as it came"
    NULL = "null"
    ABSENT = "absent"


@dataclass(frozen=True)
class Instant:
    nanos: int  # since 1970
    offset: int = field(default=0, compare=False)  # seconds ahead of UTC


@dataclass(frozen=True)
class Value:
    place: Place
    value: Any = None
    # What a typed field shows although the value is not there, or did not fit; only cloudflare-go.
    shown: Any = None


ABSENT = Value(Place.ABSENT)


@dataclass
class Reading:
    """`form`: "simple", "full" or None. `messages`: those of the envelope; None: not kept."""

    form: str | None
    fields: dict[str, Value]
    messages: list[Any] | None = None

    def at(self, name: str) -> Value:
        return self.fields.get(name, ABSENT)


def plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, float):
        return Fraction(repr(value)) if abs(value) < float("inf") else str(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        offset = value.utcoffset()
        if offset is None:
            return f"{value.isoformat()} in no zone"
        since = value - datetime.fromtimestamp(0, value.tzinfo)
        micros = (since.days * 86400 + since.seconds) * 10**6 + since.microseconds
        return Instant(micros * 1000, round(offset.total_seconds()))
    return value


def same(one: Any, other: Any) -> bool:
    """Unlike ==, tells True from 1."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


# The gateway --------------------------------------------------------------------------------------


def of_gateway(response: pcap_service_pb2.GetPcapResponse) -> Reading:
    pcap = response.pcap
    form = pcap.WhichOneof("form")
    fields: dict[str, Value] = {}
    if form is not None:
        fields["type"] = Value(Place.TYPED, form)
        for descriptor, value in getattr(pcap, form).ListFields():
            name = descriptor.name
            if isinstance(value, pcap_pb2.PcapFilter):
                fields[name] = Value(Place.TYPED, {})
                for inner, port in value.ListFields():
                    fields[f"{name}.{inner.name}"] = Value(Place.TYPED, plain(port))
            else:
                fields[name] = Value(Place.TYPED, _plain(name, value))
    for name, value in MessageToDict(pcap.extra_fields).items():
        assert name not in fields or name == "type", f"{name} is typed and extra"
        _put_raw(fields, name, value)
    return Reading(form, fields, [MessageToDict(message) for message in response.messages])


def _plain(name: str, value: Any) -> Any:
    if name == "status":
        return pcap_pb2.PcapStatus.Name(value).removeprefix("PCAP_STATUS_").lower()
    if name == "system":
        text = pcap_pb2.PcapSystem.Name(value).removeprefix("PCAP_SYSTEM_")
        return text.lower().replace("_", "-")
    if name == "time_limit":
        return value.seconds + Fraction(value.nanos, 10**9)
    if isinstance(value, Timestamp):
        return Instant(value.seconds * 10**9 + value.nanos)
    return plain(value)


def _put_raw(fields: dict[str, Value], name: str, value: Any) -> None:
    """A whole filter is taken apart, as it is where it is typed."""
    if name == "filter_v1" and isinstance(value, dict):
        fields[name] = Value(Place.RAW, {})
        for inner, port in value.items():
            fields[f"{name}.{inner}"] = Value(Place.RAW, plain(port))
    else:
        fields[name] = Value(Place.RAW, plain(value))


# cloudflare-python --------------------------------------------------------------------------------


def of_python(model: Any) -> Reading:
    """`model`: what `client.magic_transit.pcaps.get` returns."""
    assert isinstance(model, BaseModel), model
    fields: dict[str, Value] = {}
    _add_python(fields, "", model)
    return Reading("simple" if isinstance(model, PCAP) else "full", fields)


def _add_python(fields: dict[str, Value], prefix: str, model: BaseModel) -> None:
    extra = model.model_extra or {}
    for name in {*model.model_fields_set, *extra}:
        value = extra[name] if name in extra else getattr(model, name)
        if value is None:
            fields[prefix + name] = Value(Place.NULL)
        elif isinstance(value, BaseModel):
            fields[name] = Value(Place.TYPED, {})
            _add_python(fields, f"{name}.", value)
        elif name in extra:
            _put_raw(fields, prefix + name, value)
        else:
            fields[prefix + name] = Value(Place.TYPED, plain(value))


# cloudflare-go ------------------------------------------------------------------------------------

_NUMBERS = {"byte_limit", "packets_captured", "time_limit", "source_port", "destination_port",
            "protocol"}  # fmt: skip


def of_go(capture: Mapping[str, Any]) -> Reading:
    """`capture`: as tests/cloudflare_go/reader prints it."""
    fields: dict[str, Value] = {}
    _add_go(fields, "", capture["read"])
    union = capture["union"]
    form = "full" if union.endswith("Full") else "simple" if union == "PCAP" else None
    return Reading(form, fields)


def _add_go(fields: dict[str, Value], prefix: str, read: Mapping[str, Any]) -> None:
    for name, told in read["fields"].items():
        shown = _shown(name, told["value"])
        match told["state"]:
            case "valid":
                fields[prefix + name] = Value(Place.TYPED, shown)
                if isinstance(told["value"], dict) and "fields" in told["value"]:
                    _add_go(fields, f"{name}.", told["value"])
            case "invalid":
                raw = plain(json.loads(told["raw"]))
                fields[prefix + name] = Value(Place.RAW, raw, shown)
            case "null":
                fields[prefix + name] = Value(Place.NULL, None, shown)
            case _:
                fields[prefix + name] = Value(Place.ABSENT, None, shown)
    for name, raw in read["extra"].items():
        value = json.loads(raw)
        if value is None:
            fields[prefix + name] = Value(Place.NULL)
        else:
            _put_raw(fields, prefix + name, value)


def _shown(name: str, value: Any) -> Any:
    """A typed field's value."""
    if isinstance(value, dict) and "seconds" in value:
        return Instant(int(value["seconds"]) * 10**9 + value["nanos"], value["offset"])
    if isinstance(value, dict):
        return {}
    if name in _NUMBERS:
        return Fraction(value) if "Inf" not in value and "NaN" not in value else value
    return value
