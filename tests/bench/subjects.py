"""What is measured side by side: a server, how to ask it, and what makes its figures honest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Sequence

from processes import Process
from rig import BOTH_CORES, SERVER_CORE, Figures, Load, Rig


@dataclass(frozen=True)
class Subject:
    name: str
    process: Callable[[Rig], Process]
    load: Load
    # What has to be true of every call, or the figures are not of what the name says.
    hits: int  # answers from a cache, 0 or 1 a call
    upstream_requests: int  # 0 or 1 a call
    # Which other gateway is to have been asked for the same captures before; None: none.
    warmed_by: Callable[[Rig], Process] | None = None
    # The bare server that answers with as many bytes.
    yardstick: str = "bare"

    @property
    def has_its_own_core(self) -> bool:
        return self.load.cores != BOTH_CORES


@dataclass(frozen=True)
class Other:
    """Programs that are measured beside those that were built here, in the same rounds."""

    name: str
    gateway: Path
    bare_server: Path | None = None  # None: the same as here


class Measured:
    """A subject that runs, and what has been measured of it, round by round."""

    def __init__(self, subject: Subject, rig: Rig) -> None:
        self.subject = subject
        self.full: list[Figures] = []  # under full load
        self.single: list[Figures] = []  # one call after the other
        self._rig = rig
        self.server = rig.start(subject.process(rig))
        self._address = self.server.address()
        if subject.warmed_by is not None:
            with subject.warmed_by(rig) as other:
                rig.ask(other.address(), subject.load, calls=subject.load.ids)
        # Fills the cache, opens the connections upstream.
        rig.ask(self._address, subject.load, calls=subject.load.ids + 1000)

    def measure_full(self, seconds: float) -> None:
        load = self.subject.load
        self.full.append(self._rig.measured(self.server, self._address, load, seconds=seconds))

    def measure_single(self, calls: int) -> None:
        load = replace(self.subject.load, connections=1, streams=1)
        self.single.append(self._rig.measured(self.server, self._address, load, calls=calls))


def all_of(load: Load, many_ids: int, others: Sequence[Other]) -> list[Subject]:
    """The bare server first: the others are compared with it."""

    def file_name(name: str) -> str:
        return name.replace(",", "").replace(" ", "-")

    def bare(
        name: str, mode: str, program: Path | None = None, method: str = "GetPcap"
    ) -> Subject:
        # The same bytes each time, so never about the capture asked for.
        its_load = replace(load, expect_id=False, method=method)
        return Subject(
            name,
            lambda rig: rig.bare_server(file_name(name), mode, program),
            its_load,
            hits=0,
            upstream_requests=0,
            yardstick="bare list" if method == "ListPcaps" else "bare",
        )

    def gateway(
        name: str,
        *flags: str,
        hits: int,
        program: Path | None = None,
        both_cores: bool = False,
        tls: bool = False,  # and HTTP/2 upstream
        **its_load: Any,
    ) -> Subject:
        if both_cores:
            its_load["cores"] = BOTH_CORES
        cores = BOTH_CORES if both_cores else SERVER_CORE
        return Subject(
            name,
            lambda rig: rig.gateway(
                file_name(name),
                *flags,
                program=program,
                cores=cores,
                upstream=rig.upstream.tls if tls else rig.upstream.plain,
            ),
            replace(load, **its_load),
            hits=hits,
            upstream_requests=1 - hits,
        )

    # Answers come from Redis: the memory of the gateway that is measured keeps nothing.
    def redis() -> Subject:
        def start(rig: Rig, name: str) -> Process:
            # So many calls at once keep Redis busy for longer than a call should wait for it.
            flags = ["--cache-bytes=0", f"--redis-url={rig.redis_url()}", "--redis-timeout=1s"]
            return rig.gateway(name, *flags)

        return Subject(
            "redis",
            lambda rig: start(rig, "redis-gateway"),
            load,
            hits=1,
            upstream_requests=0,
            warmed_by=lambda rig: start(rig, "redis-warming-gateway"),
        )

    # A list in which nothing moves is fresh for ten seconds, unless told otherwise.
    def cached_list() -> Subject:
        of_gateway = gateway(
            "list", "--longest-moving-lifetime=1h", hits=1, expect_id=False, method="ListPcaps"
        )
        return replace(of_gateway, yardstick="bare list")

    subjects = [
        bare("bare", "callback"),
        bare("bare queue", "queue"),
        gateway("cached", hits=1),
        gateway("uncached", "--cache-bytes=0", hits=0),
        gateway("uncached tls", "--cache-bytes=0", hits=0, tls=True),
        gateway("new ids", hits=0, new_ids=True),
        redis(),
        gateway("cached, 2 cores", hits=1, both_cores=True),
        gateway("cached, many", "--cache-bytes=4GiB", hits=1, ids=many_ids),
        bare("bare list", "callback", method="ListPcaps"),
        cached_list(),
    ]
    for its in others:
        if its.bare_server is not None:
            subjects.append(bare(f"bare, {its.name}", "callback", its.bare_server))
        subjects += [
            gateway(f"cached, {its.name}", hits=1, program=its.gateway),
            gateway(f"uncached, {its.name}", "--cache-bytes=0", hits=0, program=its.gateway),
            gateway(f"new ids, {its.name}", hits=0, new_ids=True, program=its.gateway),
        ]
    return subjects
