"""The API itself: /client/v4/accounts/{account_id}/pcaps…, as Cloudflare documents it."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import ipaddress
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Awaitable, Callable

from aiohttp import web

from emulator import envelope
from emulator.captures import Captures, LivingCapture
from emulator.clock import Clock
from emulator.credentials import READ, WRITE, Credentials
from emulator.download import Download
from emulator.faults import Faults
from emulator.ledger import Entry, Ledger, State
from emulator.ownership import Ownership, Ownerships, bucket_of
from emulator.rate_rule import RateRule
from emulator.refusal import Refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# One sampled capture a minute (documentation, "Packet capture limits").
BETWEEN_SIMPLE = timedelta(minutes=1)
# The longest that a full capture may run (API schema, and a page of April 2026; other pages say 300
# seconds, as for simple ones).
MOST_FULL_SECONDS = 86_400
# How far back a sampled capture may look (API reference, `offset_time`).
MOST_OFFSET = timedelta(hours=24)


@dataclass
class World:
    """All that the emulator knows."""

    clock: Clock
    captures: Captures
    ownerships: Ownerships
    credentials: Credentials
    rate_rule: RateRule
    faults: Faults
    ledger: Ledger


def api(world: World) -> web.Application:
    app = web.Application(middlewares=[_noted(world), _refusable, _limited(world), _faulty(world)])
    app.on_response_prepare.append(_add_headers(world))
    pcaps = _Pcaps(world)
    path = "/accounts/{account_id}/pcaps"
    app.router.add_get(path, pcaps.list, allow_head=False)
    app.router.add_post(path, pcaps.create)
    ownerships = _Ownerships(world)
    app.router.add_get(path + "/ownership", ownerships.list, allow_head=False)
    app.router.add_post(path + "/ownership", ownerships.create)
    app.router.add_post(path + "/ownership/validate", ownerships.validate)
    app.router.add_delete(path + "/ownership/{ownership_id}", ownerships.delete)
    app.router.add_get(path + "/{pcap_id}", pcaps.get, allow_head=False)
    app.router.add_put(path + "/{pcap_id}/stop", pcaps.stop)
    app.router.add_get(path + "/{pcap_id}/download", pcaps.download, allow_head=False)
    tokens = _Tokens(world)
    app.router.add_get("/user/tokens/verify", tokens.verify, allow_head=False)
    app.router.add_get("/accounts/{account_id}/tokens/verify", tokens.verify, allow_head=False)
    app.router.add_get("/user", tokens.user, allow_head=False)
    app.router.add_route("*", "/{anything:.*}", _no_route)
    return app


async def _no_route(request: web.Request) -> web.StreamResponse:
    # Also for a known path asked with another method. ASSUMED: so does Cloudflare.
    raise Refusal(404, 7000, "No route for that URI")


# What every request goes through, from the outside in -------------------------------------------


def _noted(world: World) -> Any:
    """Notes the request, and how it ended, in the ledger."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            body = (await request.read()).decode(errors="replace")
        except (asyncio.CancelledError, ConnectionError):
            entry = await world.ledger.arrive(request, world.clock.now())
            await world.ledger.end(entry, State.ABORTED)
            raise
        # Only now: whoever waits for its arrival may rely on a fault's `done` being done.
        entry = await world.ledger.arrive(request, world.clock.now(), body)
        request["entry"] = entry
        try:
            response = await handler(request)
            if isinstance(response, Download):
                await response.send(request, entry)
        except (asyncio.CancelledError, ConnectionError):
            await world.ledger.end(entry, State.ABORTED)
            raise
        await world.ledger.end(entry, State.ANSWERED, response.status)
        return response

    return middleware


@web.middleware
async def _refusable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns refusals into answers."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return envelope.failure(refusal)


def _limited(world: World) -> Any:
    """Counts against the rate rule."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        world.rate_rule.count(_credential_of(request), world.clock.now())
        return await handler(request)

    return middleware


def _faulty(world: World) -> Any:
    """Lets a fault interfere, where there is one for this request."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        entry: Entry = request["entry"]
        fault = world.faults.take(entry)
        if fault is None:
            return await handler(request)
        # What a fault spoils may be a refusal, too.
        normal = functools.partial(_refusable, request, handler)
        return await world.faults.answer(fault, request, entry, normal)

    return middleware


def _add_headers(world: World) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What every answer of Cloudflare's carries."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        number = request["entry"].number
        # ASSUMED: the data center's code; no real one is called EMU.
        response.headers.setdefault("cf-ray", f"{number:016x}-EMU")
        response.headers["Server"] = "cloudflare"
        limits = world.rate_rule.headers(_credential_of(request), world.clock.now())
        for name, value in limits.items():
            response.headers.setdefault(name, value)

    return add


def _credential_of(request: web.Request) -> str:
    """Tells credentials apart without being one."""
    headers = request.headers
    parts = [headers.get(name, "") for name in ("Authorization", "X-Auth-Email", "X-Auth-Key")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


# The operations ---------------------------------------------------------------------------------


class _Tokens:
    """What Cloudflare says of a credential itself: "Verify Token", "User Details"."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def verify(self, request: web.Request) -> web.StreamResponse:
        principal = self._world.credentials.authenticate(request.headers)
        if principal.token is None or principal.account != request.match_info.get("account_id"):
            # ASSUMED: status. Code and text as quoted in public reports.
            raise Refusal(401, 1000, "Invalid API Token")
        token_id = hashlib.md5(principal.token.encode()).hexdigest()
        return envelope.success({"id": token_id, "status": principal.status})

    async def user(self, request: web.Request) -> web.StreamResponse:
        principal = self._world.credentials.authenticate(request.headers)
        if principal.email is None:
            raise Refusal(403, 9109, "Unauthorized to access requested resource")
        return envelope.success({"email": principal.email})


class _OfAccounts:
    """What the operations on an account's things have in common."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _now(self) -> datetime:
        return self._world.clock.now()

    def _authorise(self, request: web.Request, right: str) -> str:
        """Returns the account that the request is about."""
        account_id = request.match_info["account_id"]
        principal = self._world.credentials.authenticate(request.headers)
        if not re.fullmatch("[0-9a-f]{32}", account_id):
            # ASSUMED: code and text, as seen for other objects.
            raise Refusal(404, 7003, "Could not route to it; is the object identifier invalid?")
        if not principal.may(right, account_id):
            # Code and text as quoted in many public reports; the status there is 403.
            raise Refusal(403, 10000, "Authentication error")
        return account_id


class _Ownerships(_OfAccounts):
    async def list(self, request: web.Request) -> web.StreamResponse:
        account_id = self._authorise(request, READ)
        ownerships = self._world.ownerships.of_account(account_id)
        # ASSUMED: an empty list where there is none; the SDKs' types allow for null.
        return envelope.success([ownership.to_json(self._now()) for ownership in ownerships])

    async def create(self, request: web.Request) -> web.StreamResponse:
        account_id = self._authorise(request, WRITE)
        destination_conf = _destination(await _json_of(request))
        if self._world.ownerships.find_bucket(account_id, destination_conf) is not None:
            # ASSUMED: that a bucket is added once; status and code.
            raise Refusal(409, 1010, "the bucket has been added already")
        ownership = Ownership(account_id, destination_conf, self._now())
        self._world.ownerships.add(ownership)
        return envelope.success(ownership.to_json(self._now()))

    async def validate(self, request: web.Request) -> web.StreamResponse:
        account_id = self._authorise(request, WRITE)
        body = await _json_of(request)
        # Documented: what the file says, although the schema speaks of the file's name.
        proof = _text(body, "ownership_challenge")
        ownership = self._world.ownerships.find_bucket(account_id, _destination(body))
        if ownership is None:
            # ASSUMED: status and code.
            raise Refusal(404, 1011, "the bucket has not been added")
        ownership.validate(proof, self._now())
        return envelope.success(ownership.to_json(self._now()))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        account_id = self._authorise(request, WRITE)
        ownership = self._world.ownerships.find(account_id, request.match_info["ownership_id"])
        if ownership is None:
            # ASSUMED: code and text.
            raise Refusal(404, 1012, "bucket not found")
        self._world.ownerships.remove(ownership)
        # ASSUMED: no body. The API reference names no result, and the SDKs expect none.
        return web.Response(status=204)


class _Pcaps(_OfAccounts):
    async def get(self, request: web.Request) -> web.StreamResponse:
        account_id = self._authorise(request, READ)
        capture = self._find(account_id, request)
        return envelope.success(capture.to_json(self._now()))

    async def list(self, request: web.Request) -> web.StreamResponse:
        account_id = self._authorise(request, READ)
        captures = self._world.captures.of_account(account_id)
        return envelope.success([capture.to_json(self._now()) for capture in captures])

    async def create(self, request: web.Request) -> web.StreamResponse:
        account_id = self._authorise(request, WRITE)
        now = self._now()
        capture = _capture_from(await _json_of(request), account_id, now)
        if capture.kind == "simple":
            self._check_last_simple(account_id, now)
            self._world.captures.note_simple(account_id, now)
        elif self._world.captures.active_full(account_id, now) is not None:
            # ASSUMED: status and code. The rule is documented, the answer to breaking it is not.
            raise Refusal(409, 1009, "another full packet capture is pending or running")
        if capture.destination_conf is not None:
            capture.failure = self._lacks_bucket(account_id, capture.destination_conf)
        self._world.captures.add(capture)
        return envelope.success(capture.to_json(now))

    async def stop(self, request: web.Request) -> web.StreamResponse:
        account_id = self._authorise(request, WRITE)
        capture = self._find(account_id, request)
        if not capture.is_full:
            # ASSUMED: status and code; documented is only that stopping is for full captures.
            raise Refusal(400, 1004, "only full packet captures can be stopped")
        capture.stop(self._now())
        # ASSUMED: no body. The API reference names no result, and the SDKs expect none.
        return web.Response(status=204)

    async def download(self, request: web.Request) -> web.StreamResponse:
        account_id = self._authorise(request, READ)
        capture = self._find(account_id, request)
        fields = capture.to_json(self._now())
        if fields.get("type") != "simple":
            # ASSUMED: status and code; documented is that full captures lie in the bucket.
            raise Refusal(400, 1005, "full packet captures cannot be downloaded here")
        if fields.get("status") != "success":
            # ASSUMED: status and code.
            raise Refusal(404, 1006, "the packet capture is not ready")
        return Download(capture.file())

    def _lacks_bucket(self, account_id: str, destination_conf: str) -> str | None:
        """Why a full capture cannot be written there. Documented: "the capture failed […] verify
        your ownership information"."""
        ownership = self._world.ownerships.find_bucket(account_id, destination_conf)
        if ownership is not None and ownership.status_at(self._now()) == "success":
            return None
        # ASSUMED: the text.
        return f"the ownership of {bucket_of(destination_conf)} is not validated"

    def _find(self, account_id: str, request: web.Request) -> Any:
        capture = self._world.captures.find(account_id, request.match_info["pcap_id"])
        if capture is None:
            # ASSUMED: code and text.
            raise Refusal(404, 1002, "packet capture not found")
        return capture

    def _check_last_simple(self, account_id: str, now: datetime) -> None:
        last = self._world.captures.last_simple(account_id)
        if last is not None and now - last < BETWEEN_SIMPLE:
            # ASSUMED: status, code, and that it says how long to wait.
            left = int((last + BETWEEN_SIMPLE - now).total_seconds()) + 1
            raise Refusal(
                429,
                1008,
                "only one sampled packet capture can be requested per minute",
                retry_after_seconds=left,
            )


# Creation: what the API reference demands of each field ------------------------------------------


async def _json_of(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _bad("", "must be a JSON object")
    return body


def _bad(field: str, rule: str) -> Refusal:
    """`field`: NAME or filter_v1.NAME; "": the whole body."""
    # ASSUMED: the code, and that `source` points into the body.
    pointer = "/" + field.replace(".", "/") if field else None
    return Refusal(400, 1001, f"{field or 'the body'} {rule}", pointer=pointer)


def _capture_from(body: dict[str, Any], account_id: str, now: datetime) -> LivingCapture:
    if body.get("system") != "magic-transit":
        raise _bad("system", "must be magic-transit")
    kind = body.get("type")
    if kind == "simple":
        return LivingCapture(
            id=secrets.token_hex(16),
            account_id=account_id,
            created=now,
            kind="simple",
            time_limit=_number(body, "time_limit", 1, 300),
            packet_limit=_number(body, "packet_limit", 1, 10_000),
            filter_v1=_filter(body),
            offset_time=_offset_time(body, now),
        )
    if kind == "full":
        return LivingCapture(
            id=secrets.token_hex(16),
            account_id=account_id,
            created=now,
            kind="full",
            time_limit=_number(body, "time_limit", 1, MOST_FULL_SECONDS),
            packet_limit=_number(body, "packet_limit", 1, 10_000, required=False),
            byte_limit=_number(body, "byte_limit", 1, 1_000_000_000, required=False),
            filter_v1=_filter(body),
            colo_name=_text(body, "colo_name"),
            destination_conf=_destination(body),
        )
    raise _bad("type", "must be simple or full")


def _number(
    body: dict[str, Any], name: str, least: float, most: float, required: bool = True
) -> Any:
    value = body.get(name)
    if value is None and not required:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _bad(name, "must be a number")
    if not least <= value <= most:
        raise _bad(name, f"must be between {least} and {most}")
    return value


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _bad(name, "is required")
    return value


def _destination(body: dict[str, Any]) -> str:
    value = _text(body, "destination_conf")
    if not re.match("(s3|gs|r2)://[^/?#]", value):
        raise _bad("destination_conf", "must be s3://BUCKET…, gs://BUCKET… or r2://BUCKET…")
    return value


def _filter(body: dict[str, Any]) -> dict[str, Any]:
    value = body.get("filter_v1", {})
    if not isinstance(value, dict):
        raise _bad("filter_v1", "must be an object")
    # ASSUMED: that each field is checked; documented are their names and types.
    for name, given in value.items():
        field = f"filter_v1.{name}"
        match name:
            case "source_address" | "destination_address":
                _check_address(field, given)
            case "source_port" | "destination_port":
                _number({field: given}, field, 0, 65_535)
            case "protocol":
                _number({field: given}, field, 0, 255)
            case _:
                raise _bad("filter_v1", f"has no field {name!r:.100}")
    return value


def _check_address(field: str, given: Any) -> None:
    try:
        if not isinstance(given, str):
            raise ValueError
        ipaddress.ip_address(given)
    except ValueError:
        raise _bad(field, "must be an IP address") from None


def _offset_time(body: dict[str, Any], now: datetime) -> str | None:
    value = body.get("offset_time")
    if value is None:
        return None
    try:
        when = datetime.fromisoformat(value)
        within = now - MOST_OFFSET <= when <= now
    except (TypeError, ValueError):  # no text, no time, or one without a time zone
        raise _bad("offset_time", "must be an RFC 3339 time") from None
    if not within:
        raise _bad("offset_time", "must be within the last 24 hours")
    return str(value)
