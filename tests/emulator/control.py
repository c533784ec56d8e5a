"""The tests' own door: /__control/…, which Cloudflare has nothing like.

POST   faults      a fault (see faults.py)          DELETE faults    no more faults, gates open
POST   release     {"gate": …}
GET    requests    what came, each with its body and how it ended
                                                    DELETE requests  forget them
GET    counts      how many came: [{"method": …, "path": …, "count": …}], by method and path
GET    wait        ?state=arrived|answered|aborted&count=N&timeout=SECONDS
POST   clock       {"advance_seconds": …}           GET clock
POST   captures    {"account_id": …, "pcap_id": …, "capture": {JSON as GET shall give it}}; again
                   with the same ids: it says something else from now on. With "packets": N, a
                   download has so many (of 56 bytes each if they are TCP over IPv4)
GET    challenges  what lies in the buckets, by the ownership's id: {"…": "the proof"}
POST   principals  {"name": …, "token": … | "email": …, "key": …, "rights": {account: ["read"]}}
POST   rate_limit  {"requests": …, "window_seconds": …, "block_seconds": …}, or null for none

`requests`, `counts` and `wait` are about all requests, or about those of ?pcap_id=…, &method=… and
&path=… (how the path ends without its query: "/pcaps", "/stop", "/pcaps/ownership/validate").
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from aiohttp import web

from emulator.api import World
from emulator.captures import PACKETS, FixedCapture
from emulator.credentials import Principal
from emulator.faults import Fault
from emulator.ledger import State, Which
from emulator.rate_rule import RateLimit, RateRule
from emulator.times import format_time

_MOST_PATIENCE_SECONDS = 60.0


def control(world: World) -> web.Application:
    app = web.Application()
    door = _Door(world)
    app.router.add_post("/faults", door.add_fault)
    app.router.add_delete("/faults", door.clear_faults)
    app.router.add_post("/release", door.release)
    app.router.add_get("/requests", door.requests)
    app.router.add_delete("/requests", door.clear_requests)
    app.router.add_get("/counts", door.counts)
    app.router.add_get("/wait", door.wait)
    app.router.add_get("/clock", door.time)
    app.router.add_post("/clock", door.advance)
    app.router.add_post("/captures", door.add_capture)
    app.router.add_get("/challenges", door.challenges)
    app.router.add_post("/principals", door.add_principal)
    app.router.add_post("/rate_limit", door.set_rate_limit)
    return app


def _which(query: dict[str, str]) -> Which:
    """Refuses what it does not know: a misspelt question would be about all requests."""
    try:
        return Which(**query)
    except TypeError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


class _Door:
    def __init__(self, world: World) -> None:
        self._world = world

    async def add_fault(self, request: web.Request) -> web.Response:
        try:
            fault = Fault.from_json(await request.json())
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        self._world.faults.add(fault)
        return web.json_response(asdict(fault))

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._world.faults.clear()
        return web.json_response({})

    async def release(self, request: web.Request) -> web.Response:
        self._world.faults.release((await request.json())["gate"])
        return web.json_response({})

    async def requests(self, request: web.Request) -> web.Response:
        entries = self._world.ledger.entries(_which(dict(request.query)))
        return web.json_response([entry.to_json() for entry in entries])

    async def counts(self, request: web.Request) -> web.Response:
        entries = self._world.ledger.entries(_which(dict(request.query)))
        counts = Counter((entry.method, entry.path) for entry in entries)
        return web.json_response(
            [{"method": m, "path": path, "count": count} for (m, path), count in counts.items()]
        )

    async def clear_requests(self, _request: web.Request) -> web.Response:
        self._world.ledger.clear()
        return web.json_response({})

    async def wait(self, request: web.Request) -> web.Response:
        """Answers as soon as so many are in that state; `came_true` is false if not in time."""
        query = dict(request.query)
        count = int(query.pop("count", "1"))
        state = State(query.pop("state", "arrived"))
        timeout = min(float(query.pop("timeout", "10")), _MOST_PATIENCE_SECONDS)
        which = _which(query)
        ledger = self._world.ledger
        came_true = await ledger.wait_for(lambda: ledger.count(which, state) >= count, timeout)
        return web.json_response({"came_true": came_true, "count": ledger.count(which, state)})

    async def time(self, _request: web.Request) -> web.Response:
        return web.json_response({"now": format_time(self._world.clock.now())})

    async def advance(self, request: web.Request) -> web.Response:
        seconds = (await request.json())["advance_seconds"]
        self._world.clock.advance(timedelta(seconds=seconds))
        return await self.time(request)

    async def add_capture(self, request: web.Request) -> web.Response:
        """A capture that is there already keeps its place in listings."""
        body: dict[str, Any] = await request.json()
        account_id, pcap_id = body["account_id"], body["pcap_id"]
        there = self._world.captures.find(account_id, pcap_id)
        created = self._world.clock.now() if there is None else there.created
        packets = body.get("packets", PACKETS)
        self._world.captures.add(
            FixedCapture(pcap_id, account_id, created, body["capture"], packets)
        )
        return web.json_response({})

    async def challenges(self, _request: web.Request) -> web.Response:
        everyones = self._world.ownerships.all()
        return web.json_response({one.id: one.challenge for one in everyones})

    async def add_principal(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        rights = {account: frozenset(names) for account, names in body.pop("rights").items()}
        self._world.credentials.add(Principal(rights=rights, **body))
        return web.json_response({})

    async def set_rate_limit(self, request: web.Request) -> web.Response:
        body: dict[str, Any] | None = await request.json()
        limit = None
        if body is not None:
            limit = RateLimit(
                requests=body["requests"],
                window=timedelta(seconds=body["window_seconds"]),
                block=timedelta(seconds=body["block_seconds"]),
            )
        self._world.rate_rule = RateRule(limit)
        return web.json_response({})
