"""What each SDK is known to make of a value, and rules that hold a difference against it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from fractions import Fraction
from typing import Any

from sdks.documented import (
    DOCUMENTED,
    ENUMS,
    NUMBERS,
    TEXTS,
    TIMES,
    instant,
    is_documented,
    meaning,
)
from sdks.made_up import ONLY_FULL, ONLY_SIMPLE, Fields
from sdks.readings import Instant, Place, Value, plain, same

GO, PYTHON = "cloudflare-go", "cloudflare-python"

MISSING = object()

# Go's zero time, year 1.
_YEAR_1 = Instant(-62_135_596_800 * 10**9)


@dataclass(frozen=True)
class Case:
    """One field of one answer."""

    sdk: str
    name: str
    sent: Any  # MISSING: it was not
    said: Value  # by the SDK
    given: Value  # by the gateway
    said_form: str | None
    given_form: str | None

    @property
    def forms_differ(self) -> bool:
        return self.said_form != self.given_form

    @property
    def no_form(self) -> bool:
        return self.given_form is None

    @property
    def is_honest(self) -> bool:
        """The SDK says what was sent, be it as it came or in the field's own type."""
        if self.sent is MISSING or self.said.place in (Place.ABSENT, Place.NULL):
            return False
        honest = meaning(self.name, self.sent), plain(self.sent)
        return any(same(self.said.value, value) for value in honest)


# What the SDKs make of values ---------------------------------------------------------------------


def _go_text(sent: Any) -> str | None:
    if isinstance(sent, bool):
        return "true" if sent else "false"
    return str(sent) if isinstance(sent, (int, float)) else None


def _go_count(sent: Any) -> Fraction | None:
    """gjson's Int(), for packets_captured."""
    if isinstance(sent, str):
        digits = sent.removeprefix("-")
        whole = int(sent) if digits.isascii() and digits.isdigit() else 0
        return Fraction(whole) if _is_number(sent) else None
    if isinstance(sent, (bool, float)):
        return Fraction(int(sent))
    # Beyond int64 it wraps around.
    return Fraction((sent + 2**63) % 2**64 - 2**63) if isinstance(sent, int) else None


def _double(sent: Any) -> Fraction | None:
    """A number, digits, or a boolean, as a double."""
    if isinstance(sent, str) and not _is_number(sent):
        return None
    return Fraction(repr(float(sent))) if isinstance(sent, (int, float, str)) else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _seconds_since_1970(sent: Any) -> Instant | None:
    if not isinstance(sent, (int, float)):
        return None
    return plain(datetime.fromtimestamp(sent, timezone.utc))  # type: ignore[no-any-return]


def changed(sdk: str, name: str, sent: Any) -> Any:
    """What the SDK's typed field holds of a JSON value that is not of the field's type."""
    if sdk == GO and (name in TEXTS or name in ENUMS or name == "submitted"):
        return _go_text(sent)
    if sdk == GO and name == "packets_captured":
        return _go_count(sent)
    if name in NUMBERS:
        return _double(sent)
    if sdk == PYTHON and name in TIMES:
        return _seconds_since_1970(sent)
    return None


# Texts that are no RFC 3339 time, and what an SDK takes them for.
_SECOND = 1_767_323_045 * 10**9  # 2026-01-02T03:04:05Z
_GUESSED: dict[str, dict[str, Any]] = {
    GO: {
        "2026-01-02": Instant(_SECOND - 11_045 * 10**9),
        "2026-01-02T03:04:05": Instant(_SECOND),
        "2026-01-02 03:04:05Z": Instant(_SECOND),
        "2026-01-02T03:04:05+0200": Instant(_SECOND - 7200 * 10**9),
        "2026-01-02T03:04:05.1234567891Z": Instant(_SECOND + 123_456_789),
        "2026-01-02T03:04:05,5Z": Instant(_SECOND + 5 * 10**8),
        "0000-01-01T00:00:00Z": Instant(-62_167_219_200 * 10**9),
    },
    PYTHON: {
        "2026-01-02": "2026-01-02T00:00:00 in no zone",
        "2026-01-02T03:04:05": "2026-01-02T03:04:05 in no zone",
        "2026-01-02 03:04:05Z": Instant(_SECOND),
        "2026-01-02T03:04:05+0200": Instant(_SECOND - 7200 * 10**9),
        "2026-01-02T03:04:05.1234567891Z": Instant(_SECOND + 123_456_000),
        "2026-01-02T03:04Z": Instant(_SECOND - 5 * 10**9),
        "1767323045": Instant(_SECOND),
        "2026-01-02T03:04:05,5Z": Instant(_SECOND + 5 * 10**8),
    },
}


def is_zero(said: Value) -> bool:
    """Whether its typed field shows Go's zero value."""
    shown = said.shown
    return same(shown, _YEAR_1) or same(shown, Fraction(0)) or shown in ("", {})


# The rules ----------------------------------------------------------------------------------------


def null(case: Case) -> bool:
    return case.sent is None and case.said.place is Place.NULL


def spoilt(case: Case) -> bool:
    """The typed field of a value that did not fit holds its JSON, or zero."""
    if not case.is_honest:
        return False
    if case.name in TEXTS | set(ENUMS) | {"submitted"}:
        is_json = isinstance(case.said.shown, str) and isinstance(case.sent, (list, dict))
        return is_json and same(plain(json.loads(case.said.shown)), plain(case.sent))
    return is_zero(case.said)


def lower_case(case: Case) -> bool:
    return (
        case.sdk == GO
        and case.name in TIMES
        and case.said.place is Place.RAW
        and is_documented(case.name, case.sent)
        and case.sent != case.sent.upper()
        and is_zero(case.said)
    )


def converted(case: Case) -> bool:
    if case.said.place is not Place.TYPED or is_documented(case.name, case.sent):
        return False
    if (
        isinstance(case.sent, (int, float))
        and not isinstance(case.sent, bool)
        and case.name in NUMBERS
    ):
        return False
    return same(case.said.value, changed(case.sdk, case.name, case.sent))


def number_changed(case: Case) -> bool:
    is_number = isinstance(case.sent, (int, float)) and not isinstance(case.sent, bool)
    return (
        is_number
        and case.name in NUMBERS
        and case.said.place is Place.TYPED
        and same(case.said.value, changed(case.sdk, case.name, case.sent))
        and not same(case.said.value, plain(case.sent))
    )


def guessed(case: Case) -> bool:
    guess = _GUESSED[case.sdk].get(case.sent) if isinstance(case.sent, str) else None
    return guess is not None and case.name in TIMES and case.said == Value(Place.TYPED, guess)


def micros(case: Case) -> bool:
    when = instant(case.sent)
    return (
        case.sdk == PYTHON
        and when is not None
        and case.said == Value(Place.TYPED, Instant(when.nanos // 1000 * 1000))
        and when.nanos % 1000 != 0
    )


def emptied(case: Case) -> bool:
    return (
        case.sdk == GO
        and case.name == "filter_v1"
        and not isinstance(case.sent, dict)
        and case.said == Value(Place.TYPED, {})
    )


def concluded(case: Case) -> bool:
    return (
        case.name == "type"
        and not is_documented("type", case.sent)
        and case.said.place in (Place.ABSENT, Place.NULL)
        and case.given.place is Place.TYPED
    )


def redacted(case: Case) -> bool:
    return (
        case.name == "destination_conf" and case.is_honest and "REDACTED" in str(case.given.value)
    )


def digits(case: Case) -> bool:
    """That the text is the number's is for documented.faults to say."""
    return case.is_honest and case.said.place is Place.RAW and case.given.place is Place.RAW


def moved(case: Case) -> bool:
    swapped = {case.said.place, case.given.place} == {Place.TYPED, Place.RAW}
    return case.forms_differ and case.is_honest and swapped and is_documented(case.name, case.sent)


def as_text(case: Case) -> bool:
    is_text = isinstance(case.sent, str)
    return case.name == "submitted" and is_text and case.said == Value(Place.TYPED, case.sent)


def unknown_text(case: Case) -> bool:
    return (
        case.name in ENUMS
        and isinstance(case.sent, str)
        and case.said == Value(Place.TYPED, case.sent)
    )


def without_form(case: Case) -> bool:
    return case.no_form and case.is_honest and case.said.place is Place.TYPED


def out_of_range(case: Case) -> bool:
    is_number = isinstance(case.sent, (int, float)) and not isinstance(case.sent, bool)
    return is_number and case.name in NUMBERS and case.is_honest and case.said.place is Place.TYPED


def unchecked(case: Case) -> bool:
    """Also a list in the filter's place: cloudflare-python makes filters of what is inside."""
    if (
        case.sdk != PYTHON
        or case.said.place is not Place.TYPED
        or is_documented(case.name, case.sent)
    ):
        return False
    return case.is_honest or (case.name == "filter_v1" and isinstance(case.sent, list))


def misleads(sdk: str, sent: Fields, form: str) -> bool:
    """Whether an SDK has a reason for taking the other form.

    It chooses the struct that fits best, the simple one where both fit as well: so where there is
    anything that neither has, where there is something of the other form, and where there is
    nothing of its own.
    """
    own, other = (ONLY_SIMPLE, ONLY_FULL) if form == "simple" else (ONLY_FULL, ONLY_SIMPLE)
    if not any(sent.get(name) is not None for name in own) or any(name in sent for name in other):
        return True
    return any(_fits_neither(sdk, name, value) for name, value in sent.items())


def _fits_neither(sdk: str, name: str, value: Any) -> bool:
    if name.startswith("filter_v1.") and sdk == GO:
        return False
    if name not in DOCUMENTED:
        return not name.startswith("filter_v1.")
    if value is None:
        return False
    if not is_documented(name, value):
        return True
    if sdk == GO and name in ("offset_time", "stop_requested") and value != value.upper():
        return True
    # Whole, but not once it was a double and an int64 again.
    return sdk == GO and name == "packets_captured" and float(value) >= 2**63
