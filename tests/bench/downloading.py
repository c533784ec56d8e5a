"""A gigabyte of packets: how fast it comes, and what memory it takes, also to a slow reader."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from processes import Process
from rig import Figures, Load, Rig

SLOW_BYTES_PER_SECOND, SLOW_SECONDS = 1_000_000, 10


@dataclass(frozen=True)
class Downloading:
    gateway: list[Figures]  # round by round
    bare: list[Figures]  # of a bare server, which has the bytes in memory
    grown_mib: float  # the most that the gateway's resident set grew by
    slow: Figures  # to a reader who takes a megabyte a second
    slow_grown_mib: float

    @property
    def speed_ratio(self) -> float:
        """Against the bare server in the same round."""
        return statistics.median(
            bytes_per_second(its) / bytes_per_second(bare)
            for its, bare in zip(self.gateway, self.bare)
        )


def bytes_per_second(figures: Figures) -> float:
    return figures["bytes"] / figures["seconds"]


def _download(rig: Rig, server: Process, address: str) -> Figures:
    before = server.cpu_ns()
    figures = rig.download(address)
    return {**figures, "cpu_seconds": (server.cpu_ns() - before) / 1e9}


def measure_downloading(rig: Rig, rounds: int) -> Downloading:
    with (
        rig.gateway("gateway-downloading", "--allow=download") as gateway,
        rig.bare_server("bare-downloading", "callback") as bare,
    ):
        address = gateway.address()
        rig.ask(address, Load(), calls=1)
        rest = gateway.memory_mib()["rss"]
        gateway.forget_peak()
        slow = rig.download(
            address, bytes_per_second=SLOW_BYTES_PER_SECOND, seconds=SLOW_SECONDS
        )
        slow_grown = gateway.peak_mib() - rest
        rig.download(address)  # brings the file into the kernel's cache
        gateway.forget_peak()
        figures: list[Figures] = []
        of_bare: list[Figures] = []
        for _ in range(rounds):
            figures.append(_download(rig, gateway, address))
            of_bare.append(_download(rig, bare, bare.address()))
        return Downloading(figures, of_bare, gateway.peak_mib() - rest, slow, slow_grown)
