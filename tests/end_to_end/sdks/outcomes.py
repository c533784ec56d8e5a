"""How a call for what is no capture ended: for a user of an SDK, and for one of the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from cloudflare import APIStatusError
from google.rpc.error_details_pb2 import ErrorInfo, Help, RetryInfo

from harness.calls import Failure


@dataclass(frozen=True)
class Outcome:
    """`type`: the error's, as users write it; "": there is no error, although there is no capture.

    `errors`: of each entry of Cloudflare's list what the SDK shows in fields: code, message,
    documentation_url, pointer; an entry that is no ErrorData is None.
    """

    type: str
    status: int | None = None
    errors: list[dict[str, Any] | None] = field(default_factory=list)
    retry_after: str | None = None
    text: str = ""


def of_go(said: Mapping[str, Any]) -> Outcome:
    """`said`: as tests/cloudflare_go/reader prints it."""
    if "error" not in said:
        assert "panic" not in said, said
        return Outcome("")
    error = said["error"]
    if "status" not in error:
        return Outcome(_go_type(error["type"]), text=error["text"])
    entries = [_go_entry(entry) for entry in error["errors"]]
    return Outcome(
        "*cloudflare.Error", error["status"], entries, error["retryAfter"] or None, error["text"]
    )


def _go_type(printed: str) -> str:
    """`printed`: by %T."""
    if printed == "context.deadlineExceededError":
        return "context.DeadlineExceeded"
    # Made by errors.New or fmt.Errorf: nothing to tell it by.
    return "error" if printed.startswith(("*errors.", "*fmt.")) else printed


def _go_entry(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    fields = entry["fields"]
    if all(told["state"] == "missing" for told in fields.values()):
        return None
    shown = {name: told["value"] for name, told in fields.items() if told["state"] == "valid"}
    if "code" in shown:
        shown["code"] = int(shown["code"])
    if "source" in shown:
        shown["pointer"] = shown.pop("source")["fields"]["pointer"]["value"]
    return shown


def of_python(ask: Callable[[], Any]) -> Outcome:
    """`ask`: the call."""
    try:
        ask()
    except APIStatusError as error:
        entries = [_python_entry(entry) for entry in error.errors or []]
        after = error.response.headers.get("retry-after")
        return Outcome(type(error).__name__, error.status_code, entries, after, str(error))
    except Exception as error:  # whatever it is, users meet it
        return Outcome(type(error).__name__, text=str(error))
    return Outcome("")


def _python_entry(entry: Any) -> dict[str, Any] | None:
    if isinstance(entry, str):
        return None
    shown = entry.to_dict(warnings=False)
    if "source" in shown:
        shown["pointer"] = shown.pop("source")["pointer"]
    return dict(shown)


@dataclass(frozen=True)
class Told:
    """What the gateway says."""

    code: str
    reason: str
    status: int | None
    upstream_code: int | None
    message: str
    links: list[str]
    wait_seconds: float | None


def of_gateway(failure: Failure) -> Told:
    info = failure.only(ErrorInfo)
    waits = failure.all(RetryInfo)
    links = [link.url for help in failure.all(Help) for link in help.links]
    status, code = info.metadata.get("httpStatus"), info.metadata.get("upstreamCode")
    return Told(
        code=failure.code.name,
        reason=failure.reason,
        status=None if status is None else int(status),
        upstream_code=None if code is None else int(code),
        message=failure.message,
        links=links,
        wait_seconds=waits[0].retry_delay.ToTimedelta().total_seconds() if waits else None,
    )
