"""Ten thousand streams that watch one account: what each takes, at rest and when something changes."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

from processes import Process
from rig import LOAD_CORE, Rig
from upstream import LISTED, Origin, listed

CONNECTIONS, STREAMS = 100, 100  # on each, as many as a gateway allows by default
WATCHERS = CONNECTIONS * STREAMS
FEW = 100
INTERVAL_SECONDS = 2
# A lifetime is cut by up to a tenth, at random.
SHORTEST_INTERVAL = 0.88 * INTERVAL_SECONDS
INTERVALS, CHANGES = 5, 5
# For half a million messages, on a machine that others use, too.
PATIENCE_SECONDS = 120


class Lists:
    """An upstream that gives a list of captures that run, and notes when it gave it."""

    def __init__(self) -> None:
        self.given: list[float] = []  # time.monotonic() of each answer, before it was sent
        self._packets = 0
        self._lock = threading.Lock()
        lists = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.connection.sendall(lists._answer())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = Origin(f"http://127.0.0.1:{self._server.server_port}/client/v4")
        self._submitted = datetime.now(timezone.utc).isoformat()

    def __enter__(self) -> Lists:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def change(self) -> None:
        """One capture, in the next answer."""
        with self._lock:
            self._packets += 1

    def wait_for_next(self) -> float:
        """When the next answer is given."""
        count, end = len(self.given), time.monotonic() + PATIENCE_SECONDS
        while len(self.given) == count:
            if time.monotonic() > end:
                raise SystemExit("bench: nobody asks for the list any more")
            time.sleep(0.005)
        return self.given[count]

    def _serve(self) -> None:
        os.sched_setaffinity(0, {int(LOAD_CORE)})  # of this thread, and of those that it starts
        self._server.serve_forever()

    def _answer(self) -> bytes:
        with self._lock:
            answer = listed(
                status="running", stop_requested=None, time_limit=86400, submitted=self._submitted
            )
            answer["result"][0]["packets_captured"] = self._packets
            body = json.dumps(answer, separators=(",", ":")).encode()
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
            self.given.append(time.monotonic())
        return head.encode() + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Server:
    """What ten thousand watchers take of one."""

    kib: float  # resident set, each
    idle_us: float  # CPU, each and interval, while nothing changes; beyond a hundred watchers
    idle: tuple[float, float]  # from when until when that was, of time.monotonic()
    told_seconds: list[float]  # from the news to the last one's message, change by change


@dataclass(frozen=True)
class Watching:
    gateway: Server
    bare: Server
    intervals: list[float]  # seconds between the gateway's lists, meanwhile

    @property
    def kib_beyond_bare(self) -> float:
        return self.gateway.kib - self.bare.kib

    @property
    def one_list_an_interval(self) -> bool:
        return min(self.intervals) >= SHORTEST_INTERVAL


def measure_watching(rig: Rig) -> Watching:
    with ExitStack() as stack:
        lists = stack.enter_context(Lists())
        lifetime = f"{INTERVAL_SECONDS}s"
        gateway = stack.enter_context(
            rig.gateway(
                "gateway-watching",
                "--max-streams=0",
                f"--moving-lifetime={lifetime}",
                f"--longest-moving-lifetime={lifetime}",
                upstream=lists.origin,
            )
        )

        def change() -> float:
            lists.change()
            return lists.wait_for_next()

        of_gateway = _measure(rig, gateway, change)
        began, ended = of_gateway.idle
        its = [given for given in lists.given if began <= given <= ended]
    bare = rig.bare_server("bare-watching", "callback")
    with bare:
        told = 0

        def call() -> float:
            nonlocal told
            told += 1
            rig.tell(bare.address())
            return float(bare.said("telling at", times=told))

        of_bare = _measure(rig, bare, call)
    return Watching(of_gateway, of_bare, [b - a for a, b in zip(its, its[1:])])


def _measure(rig: Rig, server: Process, change: Callable[[], float]) -> Server:
    address = server.address()
    # The first ones bring what is not theirs.
    with rig.watching(address, 1, FEW, LISTED) as few:
        few.said("all watch since", seconds=PATIENCE_SECONDS)
        idle_with_few, _ = _idle_us(server)
    before = server.memory_mib()["rss"]
    with rig.watching(address, CONNECTIONS, STREAMS, LISTED) as many:
        many.said("all watch since", seconds=PATIENCE_SECONDS)
        idle_us, idle = _idle_us(server)
        kib = (server.memory_mib()["rss"] - before) * 1024 / WATCHERS
        told = []
        for number in range(1, CHANGES + 1):
            news = change()
            last = float(many.said("all told at", times=number, seconds=PATIENCE_SECONDS))
            told.append(last - news)
    return Server(kib, (idle_us - idle_with_few) / (WATCHERS - FEW), idle, told)


def _idle_us(server: Process) -> tuple[float, tuple[float, float]]:
    """CPU time an interval, while nothing changes; and from when until when that was."""
    time.sleep(1)  # what was sent is acknowledged
    began, before = time.monotonic(), server.cpu_ns()
    time.sleep(INTERVALS * INTERVAL_SECONDS)
    cpu, ended = server.cpu_ns() - before, time.monotonic()
    return cpu / 1000 / INTERVALS, (began, ended)
