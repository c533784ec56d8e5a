"""Calls that wait for a slow upstream: how soon a thousand are over, and what memory each takes."""

from __future__ import annotations

import re
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass

from processes import Process
from rig import Figures, Load, Rig
from upstream import Origin

AT_ONCE = 1000


class AtOnce:
    """A thousand different captures at once, of an upstream that takes 100 ms for each.

    Asked for through a gateway with an empty cache, and by libcurl alone in its place. Both have
    their connection upstream open, and call over one.
    """

    def __init__(self, rig: Rig) -> None:
        self.gateway: list[Figures] = []  # with `connections` that were opened for it
        self.direct: list[Figures] = []
        self._rig = rig
        self._origin = rig.upstream.tls.after("100ms")
        server = rig.start(rig.gateway("gateway-at-once", upstream=self._origin))
        self._address = server.address()
        rig.ask(self._address, Load(new_ids=True), calls=1)

    def measure(self) -> None:
        connections = self._rig.upstream.connections()
        load = Load(streams=AT_ONCE, new_ids=True)
        figures = self._rig.ask(self._address, load, calls=AT_ONCE)
        figures["connections"] = self._rig.upstream.connections() - connections
        self.gateway.append(figures)
        self.direct.append(self._rig.ask_directly(self._origin, AT_ONCE, at_once=True))


@dataclass(frozen=True)
class Waiting:
    """What a gateway's resident set grew by for each call that waits, in KiB."""

    # Of a thousand, as many as may be in flight upstream. Over HTTP/2 all are; over HTTP/1.1, a
    # quarter has a connection, and libcurl holds the others back.
    sent: float
    queued: float  # of another thousand, which wait for those


def memory_of_waiting(rig: Rig, name: str, origin: Origin) -> Waiting:
    """Of a gateway that has answered one call before, and so has all that is not per call."""
    load = Load(connections=4, streams=AT_ONCE // 4, new_ids=True)
    with ExitStack() as stack:
        server = stack.enter_context(
            rig.gateway(name, "--cache-bytes=0", upstream=origin.after("3s"), admin=True)
        )
        address, admin = server.address(), server.admin_address()
        rig.ask(address, Load(new_ids=True), calls=1)
        rss = [server.memory_mib()["rss"]]
        for number in (1, 2):
            stack.enter_context(rig.asking(address, load, AT_ONCE))
            _wait_until_waiting(admin, number * AT_ONCE, server)
            rss.append(server.memory_mib()["rss"])
    sent, queued = ((b - a) * 1024 / AT_ONCE for a, b in zip(rss, rss[1:]))
    return Waiting(sent, queued)


def _wait_until_waiting(admin: str, calls: int, server: Process) -> None:
    end, waiting = time.monotonic() + 3, -1
    while waiting != calls:
        if time.monotonic() > end:
            raise SystemExit(f"bench: {waiting} of {calls} calls wait\n{server.log()}")
        with urllib.request.urlopen(f"http://{admin}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        waiting = int(re.search(r"^pcap_gateway_calls_waiting (\d+)$", text, re.M)[1])
        time.sleep(0.005)
