"""The ledger: which requests came, what they carried, and how each ended.

A test asks it what arrived, and waits on it instead of sleeping.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Callable
from weakref import WeakKeyDictionary

from aiohttp import web

_MOST_KEPT = 20_000


class State(str, Enum):
    ARRIVED = "arrived"  # being answered, or held
    ANSWERED = "answered"
    ABORTED = "aborted"  # the client went away first


@dataclass
class Entry:
    number: int
    method: str
    path: str  # as it came, escapes and query included
    pcap_id: str | None
    headers: list[tuple[str, str]]
    at: float  # when it arrived, in seconds of the emulator's time
    connection: int  # the number of the one it came over; 0: it was gone already
    fault: str | None = None  # the kind of the one that struck it
    state: State = State.ARRIVED
    status: int | None = None
    body: str | None = None  # of the request; None: it did not come to its end
    body_bytes_sent: int | None = field(default=None)  # noted by answers that come in pieces

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "state": self.state.value}


@dataclass(frozen=True)
class Which:
    """Which requests are meant: those that fit all that is not None."""

    pcap_id: str | None = None  # the capture that the path names
    method: str | None = None
    # How the path ends, without its query: "/pcaps" is a listing or a creation, "/stop" a stop.
    path: str | None = None

    def fits(self, entry: Entry) -> bool:
        if self.pcap_id is not None and self.pcap_id != entry.pcap_id:
            return False
        if self.method is not None and self.method != entry.method:
            return False
        return self.path is None or entry.path.partition("?")[0].endswith(self.path)


def pcap_id_of(path: str) -> str | None:
    """The capture that a path names."""
    found = re.search(r"/pcaps/(?!ownership(?:[/?#]|$))([^/?#]+)", path)
    return found.group(1) if found else None


class Ledger:
    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_MOST_KEPT)
        self._number = 0
        self._connections: WeakKeyDictionary[asyncio.BaseTransport, int] = WeakKeyDictionary()
        self._connection_numbers = itertools.count(1)
        self._changed = asyncio.Condition()

    async def arrive(self, request: web.Request, now: datetime, body: str | None = None) -> Entry:
        self._number += 1
        entry = Entry(
            number=self._number,
            method=request.method,
            path=request.raw_path,
            pcap_id=pcap_id_of(request.raw_path),
            headers=list(request.headers.items()),
            at=now.timestamp(),
            connection=self._connection_of(request),
            body=body,
        )
        self._entries.append(entry)
        await self._announce()
        return entry

    async def end(self, entry: Entry, state: State, status: int | None = None) -> None:
        entry.state, entry.status = state, status
        await self._announce()

    def entries(self, which: Which = Which()) -> list[Entry]:
        """In the order of arrival."""
        return [e for e in self._entries if which.fits(e)]

    def count(self, which: Which, state: State) -> int:
        """How many ended like that; ARRIVED: how many came, whatever became of them."""
        entries = self.entries(which)
        return sum(1 for e in entries if state is State.ARRIVED or e.state is state)

    def clear(self) -> None:
        self._entries.clear()

    async def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """False: it did not come true in time."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(condition), timeout)
            except asyncio.TimeoutError:
                return False
            return True

    def _connection_of(self, request: web.Request) -> int:
        if request.transport is None:
            return 0  # it is gone already
        if request.transport not in self._connections:
            self._connections[request.transport] = next(self._connection_numbers)
        return self._connections[request.transport]

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()
