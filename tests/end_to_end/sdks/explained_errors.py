"""Every way in which an SDK and the gateway may differ on a failure, each with its reason.

As in `explained`: what is not one of these is a mistake of one of the two, and the page
docs/coming-from-an-sdk.md lists the same names.
"""

from __future__ import annotations

import email.utils
from collections import Counter
from typing import Any, Iterator

from sdks.made_up_errors import REDIRECTS, ErrorAnswer
from sdks.outcomes import Outcome, Told
from sdks.rules import GO, PYTHON

# Who keeps more, and what.
DIFFERENCES: dict[str, tuple[str, str]] = {
    "failure_as_capture": (
        "gateway",
        "what says that it failed, or holds no capture, is an empty capture or None, and no error",
    ),
    "redirect_followed": (
        "gateway",
        "the SDK goes where the answer points, and takes what is there for the capture",
    ),
    "status_not_told": (
        "gateway",
        "the SDK's error does not tell which status the answer had, nor whose answer it was",
    ),
    "error_words_lost": (
        "gateway",
        "an error that is plain text is not among the fields of the SDK's error",
    ),
    "half_a_body_read": (
        "gateway",
        "JSON that breaks off is read as far as it goes, and yields an error without code or words",
    ),
    "wait_as_header": (
        "gateway",
        "the SDK leaves Retry-After as text in the response; the gateway has RetryInfo",
    ),
    "wait_not_told": (
        "gateway",
        "a rate limit that does not say how long; the gateway's RetryInfo does",
    ),
    "page_in_the_text": ("gateway", "the text of the SDK's error is the whole page of HTML"),
    "later_errors_in_words": (
        "SDK",
        "of several errors the gateway has one code as metadata, and words of three",
    ),
    "words_shortened": ("SDK", "the gateway's message holds up to 200 bytes of Cloudflare's words"),
    "pointer_dropped": (
        "SDK",
        "`source.pointer` of an error has no place in the gateway's details",
    ),
    "wait_dropped": (
        "SDK",
        "Retry-After is passed on where waiting helps: with RESOURCE_EXHAUSTED and UNAVAILABLE",
    ),
}

_PYTHON_TYPES = {400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError",
                 404: "NotFoundError", 409: "ConflictError", 422: "UnprocessableEntityError",
                 429: "RateLimitError"}  # fmt: skip

# For the status, where the body is the envelope.
_VERDICTS = {
    401: ("INTERNAL", "UPSTREAM_CREDENTIALS_REJECTED"),
    403: ("PERMISSION_DENIED", "UPSTREAM_ACCOUNT_DENIED"),
    404: ("NOT_FOUND", "PCAP_NOT_FOUND"),
    408: ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE"),
    409: ("ABORTED", "UPSTREAM_CONFLICT"),
    425: ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE"),
    429: ("RESOURCE_EXHAUSTED", "RATE_LIMITED"),
}
_UNAVAILABLE = ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE")

# Codes that tell the status where `success` is false in a 2xx; 401 also in a 400.
_KNOWN_CODES = {10000: 401, 7003: 404, 971: 429}

# What Cloudflare's rate limit blocks for.
_BLOCK_SECONDS = 300.0


def _codes(errors: Any) -> list[int | None]:
    """Of the errors, in their order."""
    codes: list[int | None] = []
    for error in errors or []:
        code = error.get("code") if isinstance(error, dict) else None
        codes.append(None if code is None else int(code))
    return codes


def due(answer: ErrorAnswer) -> tuple[str, str]:
    """The gateway's code and reason, by the contract's table."""
    envelope = answer.envelope
    status = answer.status
    known = [_KNOWN_CODES[code] for code in _codes(answer.errors) if code in _KNOWN_CODES]
    if status == 200:
        if envelope is None or envelope.get("success", True):
            return "INTERNAL", "UPSTREAM_INVALID_RESPONSE"
        return _VERDICTS[known[0]] if known else ("INTERNAL", "UPSTREAM_ERROR")
    if not 400 <= status < 500:
        return _UNAVAILABLE
    # What is no envelope, a proxy said; a rate limit it may well tell of.
    is_envelope = envelope is not None and ("success" in envelope or "errors" in envelope)
    if not is_envelope and status != 429:
        return _UNAVAILABLE
    if status == 400 and 401 in known:
        status = 401
    return _VERDICTS.get(status, ("INVALID_ARGUMENT", "UPSTREAM_BAD_REQUEST"))


def wait_of(header: str | None) -> float | None:
    """Retry-After (RFC 9110) in seconds; None: it does not say. Dates made up here have passed."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    return 0.0


def faults(answer: ErrorAnswer, told: Told) -> Iterator[str]:
    """Where the gateway does not say what it has to."""
    wanted = due(answer)
    if (told.code, told.reason) != wanted:
        yield f"{told.code} {told.reason} instead of {wanted}"
    if told.status != answer.status:
        yield f"httpStatus {told.status} instead of {answer.status}"
    codes = _codes(answer.errors)
    if codes and told.upstream_code != codes[0]:
        yield f"upstreamCode {told.upstream_code} instead of {codes[0]}"
    after = wait_of(answer.headers.get("Retry-After"))
    if told.code == "RESOURCE_EXHAUSTED" and after is None:
        after = _BLOCK_SECONDS
    if told.code not in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"):
        after = None
    if told.wait_seconds != after:
        yield f"RetryInfo {told.wait_seconds} instead of {after}"
    sent = [error for error in answer.errors or [] if isinstance(error, dict)]
    urls = [error["documentation_url"] for error in sent if "documentation_url" in error]
    if told.links != urls[:1]:
        yield f"links {told.links} instead of {urls[:1]}"


def differences(
    sdk: str, answer: ErrorAnswer, said: Outcome, told: Told, counts: Counter[str]
) -> Iterator[str]:
    """Counts the explained ones by their names; yields the others, as text."""
    if said.status is None:
        yield from _without_status(answer, said, counts)
        return
    wanted = "*cloudflare.Error"
    if sdk == PYTHON:
        other = "InternalServerError" if answer.status >= 500 else "APIStatusError"
        wanted = _PYTHON_TYPES.get(answer.status, other)
    if said.type != wanted or said.status != told.status:
        yield f"{said.type} {said.status} instead of {wanted} {answer.status} ({told.status})"
    else:
        counts["same"] += 1
    yield from _errors(sdk, answer, said, told, counts)
    _wait(said, told, counts)
    if "<html>" in said.text:
        counts["page_in_the_text"] += 1


def _without_status(answer: ErrorAnswer, said: Outcome, counts: Counter[str]) -> Iterator[str]:
    if answer.status >= 400:
        yield f"{said.type or 'no error'} {said.text}, and not the status {answer.status}"
    elif said.type:
        counts["status_not_told"] += 1
    elif answer.status in REDIRECTS and "Location" in answer.headers:
        counts["redirect_followed"] += 1
    else:
        counts["failure_as_capture"] += 1


def _errors(
    sdk: str, answer: ErrorAnswer, said: Outcome, told: Told, counts: Counter[str]
) -> Iterator[str]:
    sent = answer.errors or []
    if (
        sdk == GO
        and answer.body.startswith("{")
        and answer.envelope is None
        and said.errors == [None]
    ):
        counts["half_a_body_read"] += 1
        return
    if len(said.errors) != len(sent):
        yield f"errors: the SDK has {said.errors} of {sent}"
        return
    for one, shown in zip(sent, said.errors):
        if isinstance(one, str):
            if shown is not None or one not in told.message:
                yield f"errors: the SDK has {shown}, the gateway {told.message!r} of {one!r}"
            counts["error_words_lost"] += 1
            continue
        wanted = {
            name: one[name] for name in ("code", "message", "documentation_url") if name in one
        }
        if isinstance(one.get("code"), str):
            wanted["code"] = int(one["code"])
        if "source" in one:
            wanted["pointer"] = one["source"]["pointer"]
            counts["pointer_dropped"] += 1
        if shown != wanted:
            yield f"errors: the SDK has {shown} instead of {wanted}"
        if len(one.get("message", "")) > 200:
            counts["words_shortened"] += 1
    if len(sent) > 1:
        counts["later_errors_in_words"] += 1


def _wait(said: Outcome, told: Told, counts: Counter[str]) -> None:
    """What the gateway says is held against the answer by `faults`."""
    if told.wait_seconds is None:
        if wait_of(said.retry_after) is not None:
            counts["wait_dropped"] += 1
    elif wait_of(said.retry_after) is None:
        counts["wait_not_told"] += 1
    else:
        counts["wait_as_header"] += 1
