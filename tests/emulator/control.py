"""The tests' own door: /__control/…, which Cloudflare has nothing like.

POST   faults      a fault (see faults.py)          DELETE faults    no more faults, gates open
POST   release     {"gate": …}
GET    requests    ?pcap_id=…                       DELETE requests  forget them
GET    wait        ?state=arrived|answered|aborted&count=N&timeout=SECONDS[&pcap_id=…]
POST   clock       {"advance_seconds": …}           GET clock
POST   captures    {"account_id": …, "pcap_id": …, "capture": {JSON as GET shall give it}}
POST   principals  {"name": …, "token": … | "email": …, "key": …, "rights": {account: ["read"]}}
POST   rate_limit  {"requests": …, "window_seconds": …, "block_seconds": …}, or null for none
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from aiohttp import web

from emulator.api import World
from emulator.captures import FixedCapture, format_time
from emulator.credentials import Principal
from emulator.faults import Fault
from emulator.ledger import State
from emulator.rate_rule import RateLimit, RateRule

_MOST_PATIENCE_SECONDS = 60.0


def control(world: World) -> web.Application:
    app = web.Application()
    door = _Door(world)
    app.router.add_post("/faults", door.add_fault)
    app.router.add_delete("/faults", door.clear_faults)
    app.router.add_post("/release", door.release)
    app.router.add_get("/requests", door.requests)
    app.router.add_delete("/requests", door.clear_requests)
    app.router.add_get("/wait", door.wait)
    app.router.add_get("/clock", door.time)
    app.router.add_post("/clock", door.advance)
    app.router.add_post("/captures", door.add_capture)
    app.router.add_post("/principals", door.add_principal)
    app.router.add_post("/rate_limit", door.set_rate_limit)
    return app


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
        entries = self._world.ledger.entries(request.query.get("pcap_id"))
        return web.json_response([entry.to_json() for entry in entries])

    async def clear_requests(self, _request: web.Request) -> web.Response:
        self._world.ledger.clear()
        return web.json_response({})

    async def wait(self, request: web.Request) -> web.Response:
        """Answers as soon as so many are in that state; `came_true` is false if not in time."""
        query = request.query
        pcap_id, count = query.get("pcap_id"), int(query.get("count", "1"))
        state = State(query.get("state", "arrived"))
        timeout = min(float(query.get("timeout", "10")), _MOST_PATIENCE_SECONDS)
        ledger = self._world.ledger
        came_true = await ledger.wait_for(lambda: ledger.count(pcap_id, state) >= count, timeout)
        return web.json_response({"came_true": came_true, "count": ledger.count(pcap_id, state)})

    async def time(self, _request: web.Request) -> web.Response:
        return web.json_response({"now": format_time(self._world.clock.now())})

    async def advance(self, request: web.Request) -> web.Response:
        seconds = (await request.json())["advance_seconds"]
        self._world.clock.advance(timedelta(seconds=seconds))
        return await self.time(request)

    async def add_capture(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        self._world.captures.add(
            FixedCapture(
                body["pcap_id"], body["account_id"], self._world.clock.now(), body["capture"]
            )
        )
        return web.json_response({})

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
