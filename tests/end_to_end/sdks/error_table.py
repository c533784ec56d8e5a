"""What becomes of a failure: by cause, the error in each SDK, and the gateway's code and reason.

The table of docs/coming-from-an-sdk.md has the same rows.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from sdks.made_up_errors import HTML, JSON, PAGE, ErrorAnswer, envelope

_ERROR = [{"code": 1000, "message": "what Cloudflare says"}]
_MALFORMED = [
    {
        "code": 6003,
        "message": "Invalid request headers",
        "error_chain": [{"code": 6111, "message": "Invalid format for Authorization header"}],
    }
]
API = "*cloudflare.Error"

# "" in an SDK's column: the call ends without an error.
NONE = ""


@dataclass(frozen=True)
class Row:
    """`fault`: for Emulator.fault. `by_caller`: the credential is the caller's own."""

    cause: str
    fault: dict[str, Any]
    go: str
    python: str
    code: str
    reason: str
    details: tuple[str, ...] = ()
    by_caller: bool = False
    deadline_seconds: float = field(default=20.0)


def _answer(
    status: int, body: str | None = None, kind: str = JSON, **headers: str
) -> dict[str, Any]:
    text = envelope(_ERROR) if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ErrorAnswer(status, text, kind, named).fault()


_UNREADABLE = "UPSTREAM_INVALID_RESPONSE"
_REDIRECT = {"kind": "redirect", "status": 302, "body": "ELSEWHERE"}
_NOT_HTTP = {"kind": "raw", "base64": base64.b64encode(b"hello\r\n\r\n").decode()}

ROWS = (
    Row("400", _answer(400), API, "BadRequestError", "INVALID_ARGUMENT", "UPSTREAM_BAD_REQUEST"),
    Row(
        "401, the caller's credential",
        _answer(401),
        API,
        "AuthenticationError",
        "UNAUTHENTICATED",
        "UPSTREAM_UNAUTHENTICATED",
        by_caller=True,
    ),
    Row(
        "403, the caller's credential",
        _answer(403),
        API,
        "PermissionDeniedError",
        "PERMISSION_DENIED",
        "UPSTREAM_PERMISSION_DENIED",
        by_caller=True,
    ),
    Row(
        "401, the gateway's credential",
        _answer(401),
        API,
        "AuthenticationError",
        "INTERNAL",
        "UPSTREAM_CREDENTIALS_REJECTED",
    ),
    Row(
        "403, the gateway's credential",
        _answer(403),
        API,
        "PermissionDeniedError",
        "PERMISSION_DENIED",
        "UPSTREAM_ACCOUNT_DENIED",
    ),
    Row(
        "400, a malformed credential of the gateway's",
        _answer(400, envelope(_MALFORMED)),
        API,
        "BadRequestError",
        "INTERNAL",
        "UPSTREAM_CREDENTIALS_REJECTED",
    ),
    Row("404", _answer(404), API, "NotFoundError", "NOT_FOUND", "PCAP_NOT_FOUND"),
    Row("408", _answer(408), API, "APIStatusError", "UNAVAILABLE", "UPSTREAM_UNAVAILABLE"),
    Row("409", _answer(409), API, "ConflictError", "ABORTED", "UPSTREAM_CONFLICT"),
    Row(
        "422",
        _answer(422),
        API,
        "UnprocessableEntityError",
        "INVALID_ARGUMENT",
        "UPSTREAM_BAD_REQUEST",
    ),
    Row(
        "any other 4xx",
        _answer(405),
        API,
        "APIStatusError",
        "INVALID_ARGUMENT",
        "UPSTREAM_BAD_REQUEST",
    ),
    Row(
        "429",
        _answer(429, retry_after="17"),
        API,
        "RateLimitError",
        "RESOURCE_EXHAUSTED",
        "RATE_LIMITED",
        ("RetryInfo",),
    ),
    Row("5xx", _answer(503), API, "InternalServerError", "UNAVAILABLE", "UPSTREAM_UNAVAILABLE"),
    Row(
        "5xx with Retry-After",
        _answer(503, retry_after="17"),
        API,
        "InternalServerError",
        "UNAVAILABLE",
        "UPSTREAM_UNAVAILABLE",
        ("RetryInfo",),
    ),
    Row(
        "4xx without the envelope",
        _answer(404, HTML, PAGE),
        API,
        "NotFoundError",
        "UNAVAILABLE",
        "UPSTREAM_UNAVAILABLE",
    ),
    Row(
        "an error with a documentation_url",
        _answer(
            400,
            envelope([{**_ERROR[0], "documentation_url": "https://developers.cloudflare.com/x"}]),
        ),
        API,
        "BadRequestError",
        "INVALID_ARGUMENT",
        "UPSTREAM_BAD_REQUEST",
        ("Help",),
    ),
    Row("3xx to somewhere", _REDIRECT, NONE, NONE, "UNAVAILABLE", "UPSTREAM_UNAVAILABLE"),
    Row("200, `success: false`", _answer(200), NONE, NONE, "INTERNAL", "UPSTREAM_ERROR"),
    Row(
        "200, `success: false`, a rate limit's code",
        _answer(200, envelope([{"code": 971, "message": "throttle"}])),
        NONE,
        NONE,
        "RESOURCE_EXHAUSTED",
        "RATE_LIMITED",
        ("RetryInfo",),
    ),
    Row(
        "200, `result: null`",
        _answer(200, json.dumps({"success": True, "result": None})),
        NONE,
        NONE,
        "INTERNAL",
        _UNREADABLE,
    ),
    Row("200, not JSON", _answer(200, HTML), "error", "JSONDecodeError", "INTERNAL", _UNREADABLE),
    Row(
        "200, of another type",
        _answer(200, HTML, PAGE),
        "error",
        "AttributeError",
        "INTERNAL",
        _UNREADABLE,
    ),
    Row(
        "200, nested deeper than 32",
        {"kind": "nested", "depth": 100},
        NONE,
        NONE,
        "INTERNAL",
        _UNREADABLE,
    ),
    Row(
        "200, larger than 1 MiB",
        {"kind": "huge", "size": 2 << 20},
        NONE,
        NONE,
        "INTERNAL",
        "UPSTREAM_RESPONSE_TOO_LARGE",
    ),
    Row(
        "the connection is reset",
        {"kind": "reset_before"},
        "*url.Error",
        "APIConnectionError",
        "UNAVAILABLE",
        "UPSTREAM_UNREACHABLE",
    ),
    Row(
        "what answers does not speak HTTP",
        _NOT_HTTP,
        "*url.Error",
        "APIConnectionError",
        "UNAVAILABLE",
        "UPSTREAM_UNREACHABLE",
    ),
    Row(
        "the caller's deadline passes",
        {"hold": "FOR EVER"},
        "context.DeadlineExceeded",
        "APITimeoutError",
        "DEADLINE_EXCEEDED",
        "DEADLINE_EXCEEDED",
        deadline_seconds=1.0,
    ),
)
