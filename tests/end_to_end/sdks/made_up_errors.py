"""Answers that are no capture, as Cloudflare or something on the way to it might send them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from sdks.made_up import UNICODE, Fields

# The contract's own, and others.
STATUSES = (400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504)
OTHER_STATUSES = (402, 405, 406, 408, 410, 413, 414, 415, 418, 423, 425, 451, 499, 501, 505, 507,
                  520, 521, 522, 523, 524, 525, 526, 530)  # fmt: skip
REDIRECTS = (301, 302, 303, 307, 308)

HTML = (
    "<!DOCTYPE html><html><head><title>Worker threw exception</title></head>"
    "<body><h1>Error</h1></body></html>"
)

JSON, PAGE, TEXT = "application/json", "text/html", "text/plain"


@dataclass(frozen=True)
class ErrorAnswer:
    """`errors`: what the body's `errors` holds, where the body is an envelope."""

    status: int
    body: str
    content_type: str
    headers: dict[str, str]
    errors: Any = None

    def fault(self) -> dict[str, Any]:
        """For Emulator.fault."""
        headers = {"Content-Type": self.content_type, **self.headers}
        return {"kind": "answer", "status": self.status, "body": self.body, "headers": headers}

    @property
    def envelope(self) -> Fields | None:
        """None: the body is no JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def envelope(errors: Any, **more: Any) -> str:
    return json.dumps({"success": False, "errors": errors, "messages": [], "result": None, **more})


class ErrorMaker:
    """The same seed makes the same answers. `elsewhere`: where redirects lead."""

    def __init__(self, seed: int, elsewhere: str) -> None:
        self.random = random.Random(seed)
        self._elsewhere = elsewhere

    def answer(self) -> ErrorAnswer:
        fate = self.random.random()
        if fate < 0.6:
            return self._with_body(self.random.choice(STATUSES))
        if fate < 0.75:
            return self._with_body(self.random.choice(OTHER_STATUSES))
        return self._redirect() if fate < 0.85 else self._no_capture()

    def _with_body(self, status: int) -> ErrorAnswer:
        pick = self.random.choice
        headers = self._retry_after() if status in (429, 503) or self.random.random() < 0.1 else {}
        if self.random.random() < 0.65:
            errors = self._errors()
            return ErrorAnswer(status, envelope(errors), JSON, headers, errors)
        body, kind = pick(
            [
                (HTML, PAGE),
                ("", PAGE),
                ("", JSON),
                ('{"success":false,"errors":[{"co', JSON),
                (f"error code: {status}", TEXT),
                (HTML, JSON),
            ]
        )
        return ErrorAnswer(status, body, kind, headers)

    def _redirect(self) -> ErrorAnswer:
        status = self.random.choice([*REDIRECTS, 300])
        headers = {"Location": self._elsewhere} if self.random.random() < 0.7 else {}
        errors = [{"code": 1000, "message": "moved"}]
        if self.random.random() < 0.5:
            return ErrorAnswer(status, envelope(errors), JSON, headers, errors)
        return ErrorAnswer(status, HTML, PAGE, headers)

    def _no_capture(self) -> ErrorAnswer:
        """With 2xx."""
        errors = self._errors()
        body, kind = self.random.choice(
            [
                (envelope(errors), JSON),
                (envelope(errors), JSON),
                (envelope(errors, result={}), JSON),
                (envelope([], success=True), JSON),
                (envelope([], success=True, result=[]), JSON),
                (envelope([], success=True, result="gone"), JSON),
                ("{}", JSON),
                ("null", JSON),
                ("[]", JSON),
                ("", JSON),
                ("{", JSON),
                ('{"success":true,"result":{}} and more', JSON),
                (HTML, PAGE),
                (HTML, JSON),
                ("fine", TEXT),
            ]
        )
        told = errors if kind == JSON and '"success": false' in body else None
        return ErrorAnswer(200, body, kind, {}, told)

    def _errors(self) -> Any:
        pick = self.random.choice
        return pick(
            [
                [self._error()],
                [self._error()],
                [self._error()],
                [self._error(), self._error()],
                [self._error() for _ in range(4)],
                [],
                None,
                ["it broke"],
                [{"message": "without a code"}],
                [{"code": 1005}],
            ]
        )

    def _error(self) -> Fields:
        pick = self.random.choice
        # 10000, 7003 and 971 are codes that the gateway knows where the status says nothing.
        error: Fields = {"code": pick([1000, 1002, 4242, "1003", 10000, 7003, 971])}
        error["message"] = pick(["what Cloudflare says", UNICODE, "x" * 300, ""])
        if self.random.random() < 0.3:
            error["documentation_url"] = "https://developers.cloudflare.com/errors/1000"
        if self.random.random() < 0.3:
            error["source"] = {"pointer": "/pcap_id"}
        return error

    def _retry_after(self) -> dict[str, str]:
        value = self.random.choice(
            [None, "0", "17", "300", "soon", "-5", "1.5", "Fri, 02 Jan 2026 03:04:05 GMT"]
        )
        return {} if value is None else {"Retry-After": value}
