"""The rig: servers on a core of their own, load on another, and figures of what happens between."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, TypeVar

import machine
from processes import Process
from redis_server import Redis
from upstream import Origin, Upstream

SERVER_CORE, LOAD_CORE, BOTH_CORES = "0", "1", "0,1"
# More than any server here answers: with so many new ids a run never asks for one twice.
MOST_CALLS_PER_SECOND = 60_000

# What one run of a load generator gave (see load.cc and direct.cc), and what `measured` adds to it.
Figures = dict[str, Any]

Running = TypeVar("Running", Process, Redis)


@dataclass(frozen=True, kw_only=True)
class Load:
    """How to ask: so many calls in flight, and which captures."""

    connections: int = 1
    streams: int = 1  # calls in flight on each
    method: str = "GetPcap"  # or one whose request needs the account alone
    ids: int = 1000  # different captures, one after the other
    new_ids: bool = False  # captures that nobody has asked for before
    expect_id: bool = True  # each answer is to be about the capture asked for
    cores: str = LOAD_CORE


class Rig:
    """Runs while its `with` block does. Only what is named here reaches a server's environment."""

    def __init__(self, programs: Path, gateway: Path, folder: Path) -> None:
        self._programs = programs
        self._gateway = gateway
        self._folder = folder
        self._next_id = 1_000_000
        self._numbers = itertools.count()
        self._redis: Redis | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Rig:
        self.upstream = self._stack.enter_context(Upstream(LOAD_CORE, self._folder))
        self.upstream.requests()  # it answers
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    def bare_server(self, name: str, mode: str, program: Path | None = None) -> Process:
        command = [program or self._programs / "bare_server", f"--mode={mode}"]
        return self._process(name, SERVER_CORE, command)

    def redis_url(self) -> str:
        """Of a Redis beside the upstream, started with the first question for it."""
        if self._redis is None:
            self._redis = self.start(Redis(LOAD_CORE, self._folder))
        return self._redis.url

    def gateway(
        self,
        name: str,
        *flags: str,
        program: Path | None = None,
        cores: str = SERVER_CORE,
        upstream: Origin | None = None,  # default: over plain HTTP/1.1, at once
        admin: bool = False,  # whether it serves metrics
    ) -> Process:
        origin = upstream or self.upstream.plain
        command = [program or self._gateway, "--listen=127.0.0.1:0", "--lame-duck=0s"]
        command += [f"--admin-listen={'127.0.0.1:0' if admin else ''}"]
        command += [f"--upstream-url={origin.url}"]
        if origin.ca_file is not None:
            command += [f"--upstream-ca-file={origin.ca_file}"]
        return self._process(name, cores, [*command, *flags])

    def start(self, process: Running) -> Running:
        """Until the rig ends."""
        return self._stack.enter_context(process)

    def ask(self, address: str, load: Load, **until: float) -> Figures:
        """Puts load on a server until so many `calls` or `seconds` are over."""
        return self._figures(self._load_command(address, load, until))

    @contextmanager
    def asking(self, address: str, load: Load, calls: int) -> Iterator[None]:
        """Puts so many calls on a server, and breaks off those that wait when the block ends."""
        command = self._load_command(address, load, {"calls": calls})
        with Process("load", load.cores, command, self._folder):
            yield

    def watching(self, address: str, connections: int, streams: int, first: int) -> Process:
        """So many streams on each, which are told `first` captures at once; see watchers.cc."""
        command: list[object] = [self._programs / "watchers", f"--address={address}"]
        command += [f"--connections={connections}", f"--streams={streams}", f"--first={first}"]
        return Process(f"watchers-{next(self._numbers)}", LOAD_CORE, command, self._folder)

    def tell(self, address: str) -> None:
        """Makes a bare server tell its watchers something."""
        self.ask(address, Load(method="StopPcap", expect_id=False), calls=1)

    def download(self, address: str, **reader: float) -> Figures:
        """Of the upstream's big file; `bytes_per_second` and `seconds` as in download.cc."""
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in reader.items()]
        program = self._programs / "download"
        return self._figures(
            ["taskset", "-c", LOAD_CORE, program, f"--address={address}", *flags]
        )

    def ask_directly(
        self, origin: Origin, calls: int, at_once: bool = False, core: str = SERVER_CORE
    ) -> Figures:
        """Has libcurl alone ask the upstream for new captures; where the gateway would be."""
        command: list[object] = ["taskset", "-c", core, self._programs / "direct"]
        command += [f"--url={origin.url}", f"--calls={calls}", f"--first-id={self._next_id}"]
        self._next_id += calls + 1
        command += [f"--ca-file={origin.ca_file}"] if origin.ca_file else []
        command += ["--at-once"] if at_once else []
        return self._figures(command)

    def measured(self, server: Process, address: str, load: Load, **until: float) -> Figures:
        """The same, with what the server, the upstream and others on its core did meanwhile."""
        requests = self.upstream.requests()
        core = int(SERVER_CORE)
        began, cpu, busy = time.monotonic_ns(), server.cpu_ns(), machine.core_busy_ns(core)
        figures = self.ask(address, load, **until)
        cpu, busy = server.cpu_ns() - cpu, machine.core_busy_ns(core) - busy
        took = time.monotonic_ns() - began
        figures["cpu_us"] = cpu / figures["calls"] / 1000
        figures["core_share"] = cpu / took
        figures["others_share"] = max(0, busy - cpu) / took
        figures["upstream_requests"] = self.upstream.requests() - requests
        return figures

    def _load_command(self, address: str, load: Load, until: dict[str, float]) -> list[object]:
        flags: dict[str, object] = {
            "address": address,
            "method": load.method,
            "connections": load.connections,
            "streams": load.streams,
            "ids": load.ids,
            **until,
        }
        if load.new_ids:
            ids = int(until.get("calls", MOST_CALLS_PER_SECOND * until.get("seconds", 0)))
            flags |= {"ids": ids, "first-id": self._next_id}
            self._next_id += ids
        command: list[object] = ["taskset", "-c", load.cores, self._programs / "load"]
        command += [f"--{name}={value}" for name, value in flags.items()]
        return [*command, "--expect-id"] if load.expect_id else command

    def _figures(self, command: list[object]) -> Figures:
        words = list(map(str, command))
        done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if not done.stdout:
            raise SystemExit(f"bench: {done.stderr}")
        print(done.stderr, end="", file=sys.stderr)
        return json.loads(done.stdout)

    def _process(self, name: str, cores: str, command: list[object]) -> Process:
        # The budget is off: at thousands of requests a second, 1200 in five minutes are gone before
        # anything is measured; and a connection may have as many calls as the load has. As variables, which a gateway that does not know them yet
        # (`--against`) ignores.
        environment = {
            "PATH": os.environ["PATH"],
            "CLOUDFLARE_API_TOKEN": "bench",
            "PCAP_GATEWAY_UPSTREAM_LIMIT": "0",
            "PCAP_GATEWAY_MAX_STREAMS_PER_CONNECTION": "0",
        }
        return Process(name, cores, command, self._folder, environment)
