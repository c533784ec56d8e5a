"""Every way in which an SDK and the gateway may differ on a capture, each with its reason.

A difference has to fit one of DIFFERENCES exactly: a rule that explains a changed value works out
what the SDK makes of the JSON, and compares. What fits none is a mistake of one of the two. The page
docs/coming-from-an-sdk.md lists the same names.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Callable, Iterator

from sdks import rules
from sdks.documented import TIMES, by_name, instant
from sdks.made_up import Fields
from sdks.readings import Place, Reading, same
from sdks.rules import GO, MISSING, PYTHON, Case

BOTH = (GO, PYTHON)

_DAY = "2026-01-02"
_TIME = _DAY + "T03:04:05Z"


@dataclass(frozen=True)
class Difference:
    """`better`: who keeps more. `example`: a capture, which shows it with these SDKs."""

    sdks: tuple[str, ...]
    better: str
    why: str
    example: Fields
    fits: Callable[[Case], bool] = lambda case: False


# Of one field's value. In this order: the first that fits counts.
DIFFERENCES: dict[str, Difference] = {
    "null_told_apart": Difference(
        BOTH,
        "SDK",
        "null and a field that was not sent are two things; to the gateway both are absent",
        {"type": "simple", "status": None},
        rules.null,
    ),
    "filter_emptied": Difference(
        (GO,),
        "gateway",
        "a filter that is no object becomes an empty one, which stands for all packets",
        {"type": "simple", "filter_v1": "tcp"},
        rules.emptied,
    ),
    "text_for_a_time": Difference(
        BOTH,
        "gateway",
        "`submitted` is text that you parse; the gateway has a Timestamp",
        {"type": "simple", "submitted": _TIME},
        rules.as_text,
    ),
    "lower_case_time_refused": Difference(
        (GO,),
        "gateway",
        "RFC 3339 allows `t` and `z`; the typed field is left at year 1",
        {"type": "simple", "status": "teleporting", "offset_time": _TIME.lower()},
        rules.lower_case,
    ),
    "nanoseconds_cut": Difference(
        (PYTHON,),
        "gateway",
        "a datetime has microseconds, a Timestamp nanoseconds",
        {"type": "simple", "offset_time": _DAY + "T03:04:05.123456789Z"},
        rules.micros,
    ),
    "time_guessed": Difference(
        BOTH,
        "gateway",
        "what is no RFC 3339 time is taken for one",
        {"type": "simple", "offset_time": _DAY + "T03:04:05,5Z"},
        rules.guessed,
    ),
    "value_converted": Difference(
        BOTH,
        "gateway",
        "a value of another JSON type is converted; the gateway keeps it as it came",
        {"type": "simple", "time_limit": "300"},
        rules.converted,
    ),
    "number_changed": Difference(
        BOTH,
        "gateway",
        "a number is rounded to a double, cut to a whole one, or wraps around",
        {"type": "full", "byte_limit": 9007199254740993},
        rules.number_changed,
    ),
    "secret_shown": Difference(
        BOTH,
        "gateway",
        "the bucket's keys are shown; the gateway says REDACTED",
        {"type": "full", "destination_conf": "r2://b?secret-access-key=s"},
        rules.redacted,
    ),
    "form_concluded": Difference(
        BOTH,
        "gateway",
        "there is no `type`; the gateway concludes it from the fields",
        {"byte_limit": 1},
        rules.concluded,
    ),
    "typed_without_form": Difference(
        BOTH,
        "SDK",
        "nothing tells the form; the SDK's fields are typed, the gateway's in extra_fields",
        {"id": "0123456789abcdef0123456789abcdef"},
        rules.without_form,
    ),
    "field_moved": Difference(
        BOTH,
        "gateway",
        "the capture was taken for the other form, so its own fields are raw JSON beside it",
        {"type": "full", "status": "teleporting", "byte_limit": 1},
        rules.moved,
    ),
    "unknown_text_typed": Difference(
        BOTH,
        "neither",
        "an enum's field holds any text; the gateway says UNSPECIFIED, with the text beside",
        {"type": "simple", "status": "teleporting"},
        rules.unknown_text,
    ),
    "out_of_range_taken": Difference(
        BOTH,
        "gateway",
        "a number that the field cannot mean (port -1, half a byte) is typed all the same",
        {"type": "full", "byte_limit": 1.5},
        rules.out_of_range,
    ),
    "value_unchecked": Difference(
        (PYTHON,),
        "gateway",
        "a typed field holds a value of another type",
        {"type": "simple", "status": ["x"]},
        rules.unchecked,
    ),
    "digits_as_text": Difference(
        BOTH,
        "neither",
        "a number in extra_fields that a double cannot hold is its decimal text there",
        {"type": "simple", "new": 9007199254740993},
        rules.digits,
    ),
}

# Of more than a value.
BESIDE: dict[str, Difference] = {
    "form_misread": Difference(
        BOTH,
        "gateway",
        "the SDK takes the form that fits best, and does not look at `type`",
        {"type": "full", "status": "teleporting", "byte_limit": 1},
    ),
    "form_made_up": Difference(
        BOTH,
        "gateway",
        "nothing tells the form; the SDK names one, the gateway none",
        {"id": "0123456789abcdef0123456789abcdef"},
    ),
    "zero_for_absent": Difference(
        (GO,),
        "gateway",
        'a field that was not sent reads as zero, "" or year 1',
        {"type": "simple"},
    ),
    "typed_field_spoilt": Difference(
        (GO,),
        "gateway",
        "a value that does not fit leaves its JSON, or zero, in the typed field",
        {"type": "simple", "status": ["x"]},
    ),
    "offset_dropped": Difference(
        BOTH,
        "SDK",
        "a time keeps the offset in which it was told; the gateway's Timestamp is UTC",
        {"type": "simple", "submitted": _DAY + "T03:04:05+02:00"},
    ),
    "messages_dropped": Difference(
        BOTH,
        "gateway",
        "the messages of Cloudflare's answer have no place in what the SDK returns",
        {"type": "simple"},
    ),
}

ALL = {**DIFFERENCES, **BESIDE}


def differences(
    sdk: str, capture: Fields, said: Reading, given: Reading, counts: Counter[str]
) -> Iterator[str]:
    """Counts the explained ones by their names, and what is alike; yields the others, as text."""
    sent = by_name(capture)
    if said.form != given.form:
        if given.form is None:
            counts["form_made_up"] += 1
        elif rules.misleads(sdk, sent, given.form):
            counts["form_misread"] += 1
        else:
            yield f"form: {sdk} says {said.form}, the gateway {given.form}"
    if given.messages and said.messages is None:
        counts["messages_dropped"] += 1
    for name in sorted({*said.fields, *given.fields}):
        case = Case(
            sdk, name, sent.get(name, MISSING), said.at(name), given.at(name), said.form, given.form
        )
        yield from _of_field(case, counts)


def _of_field(case: Case, counts: Counter[str]) -> Iterator[str]:
    said, given = case.said, case.given
    if said.shown is not None:
        absent = said.place in (Place.ABSENT, Place.NULL)
        counts["zero_for_absent" if absent else "typed_field_spoilt"] += 1
        if not (rules.is_zero(said) if absent else rules.spoilt(case)):
            yield f"{case.name}: sent {case.sent!r}, and yet {case.sdk} shows {said.shown!r}"
    told = instant(case.sent) if case.name in TIMES and given.place is Place.TYPED else None
    if told is not None and told.offset != 0:
        counts["offset_dropped"] += 1
    if said.place is given.place and same(said.value, given.value):
        counts["same"] += said.place is not Place.ABSENT
        return
    name = next((name for name, one in DIFFERENCES.items() if one.fits(case)), None)
    if name is None or case.sdk not in DIFFERENCES[name].sdks:
        yield f"{case.name} of {case.sent!r}: {case.sdk} says {said}, the gateway {given}; {name}?"
    else:
        counts[name] += 1
