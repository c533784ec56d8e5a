"""The figures of a run: as a table, against the targets, and for a program to read."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from rig import Figures
from subjects import Measured

# Shares of the server's core. A round in which others had more than this of it, or the server less
# (it idles when the load's core is shared), makes the figures noisy.
MOST_OTHERS, LEAST_SERVER = 0.03, 0.85


@dataclass(frozen=True)
class Results:
    measured: dict[str, Measured]  # by the subject's name
    after_mib: dict[str, dict[str, float]]  # memory after all rounds, by the subject's name
    at_rest_mib: dict[str, float]  # memory of a gateway at rest
    bytes_per_capture: float  # that a gateway grows by
    shape: str  # of the load
    machine: str


@dataclass(frozen=True)
class Target:
    issue: int
    what: str
    figure: Callable[[Results], float]
    bound: float
    unit: str
    at_least: bool = False  # the bound is the least; else the most

    def met(self, results: Results) -> bool:
        figure = self.figure(results)
        return figure >= self.bound if self.at_least else figure <= self.bound

    def words(self, results: Results) -> str:
        bound = f"at {'least' if self.at_least else 'most'} {self.bound:g}"
        return f"{self.what}: {self.figure(results):.2f}{self.unit}, {bound} (issue {self.issue})"


def median(rounds: Sequence[Figures], key: str) -> float:
    return statistics.median(figures[key] for figures in rounds)


def latency(rounds: Sequence[Figures], quantile: str) -> float:
    return statistics.median(figures["latency_us"][quantile] for figures in rounds)


def ratio(results: Results, name: str, of: str = "bare", key: str = "cpu_us") -> float:
    """Against another's figure of the same round: what slows one slows the other."""
    rounds, others = results.measured[name].full, results.measured[of].full
    return statistics.median(its[key] / other[key] for its, other in zip(rounds, others))


def _cpu_target(issue: int, name: str, most: float, of: str = "bare") -> Target:
    what = f"{name}, CPU a call"
    return Target(issue, what, lambda results: ratio(results, name, of), most, f" x {of}")


TARGETS = [
    _cpu_target(3, "uncached", 5),
    _cpu_target(3, "new ids", 5),
    Target(3, "gateway at rest, RSS", lambda results: results.at_rest_mib["rss"], 40, " MiB"),
    _cpu_target(4, "cached", 1.15),
    Target(
        4,
        "cached, calls a second",
        lambda results: ratio(results, "cached", key="calls_per_second"),
        0.87,
        " x bare",
        at_least=True,
    ),
    _cpu_target(4, "cached, 2 cores", 1.2, of="cached"),
    _cpu_target(4, "cached, many", 1.1, of="cached"),
    _cpu_target(4, "redis", 2, of="uncached"),
    Target(4, "a kept capture, RSS", lambda results: results.bytes_per_capture, 700, " bytes"),
]


def checks(results: Results) -> dict[str, bool]:
    """Whether what was measured is what the names say. If not, no figure means anything."""
    all_measured = results.measured.values()
    sizes = sorted({round(median(its.full, "message_bytes")) for its in all_measured})
    held = {
        "no call failed": all(
            figures["failures"] == 0 for its in all_measured for figures in its.full + its.single
        ),
        f"all servers answer with as many bytes ({', '.join(map(str, sizes))})": (
            sizes[-1] <= 1.02 * sizes[0]
        ),
    }
    for name, its in results.measured.items():
        hits, requests = its.subject.hits, its.subject.upstream_requests
        held[f"{name}: {hits} hits and {requests} requests upstream a call"] = all(
            figures["hits"] == hits * figures["calls"]
            and figures["upstream_requests"] == requests * figures["calls"]
            for figures in its.full + its.single
        )
    return held


def _rows(results: Results) -> list[list[str]]:
    head = "|CPU a call, us|its rounds|x bare|calls/s|core|p50|p99|p50|p99|CPU|RSS, MiB"
    rows = [head.split("|")]
    for name, its in results.measured.items():
        costs = [figures["cpu_us"] for figures in its.full]
        rows.append(
            [
                name,
                f"{median(its.full, 'cpu_us'):.2f}",
                f"{min(costs):.1f}-{max(costs):.1f}",
                f"{ratio(results, name):.2f}",
                f"{median(its.full, 'calls_per_second'):,.0f}",
                f"{median(its.full, 'core_share'):.0%}",
                f"{latency(its.full, 'p50'):.0f}",
                f"{latency(its.full, 'p99'):.0f}",
                f"{latency(its.single, 'p50'):.0f}",
                f"{latency(its.single, 'p99'):.0f}",
                f"{median(its.single, 'cpu_us'):.0f}",
                f"{results.after_mib[name]['rss']:.1f}",
            ]
        )
    return rows


def _print_table(rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows)]

    def over(title: str, first: int, last: int) -> str:
        return title.rjust(sum(widths[first:last]) + 2 * (last - first))

    print(
        over("", 0, 6)[2:]
        + over("latency, us", 6, 8)
        + over("one by one, us", 8, 11)
        + over("after", 11, 12)
    )
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join([row[0].ljust(widths[0]), *cells]))


def _noise(results: Results) -> str:
    rounds = [
        figures
        for its in results.measured.values()
        if its.subject.has_its_own_core
        for figures in its.full
    ]
    others = max(figures["others_share"] for figures in rounds)
    server = min(figures["core_share"] for figures in rounds)
    quiet = others <= MOST_OTHERS and server >= LEAST_SERVER
    return (
        f"worst rounds: others had {others:.0%} of the server's core, the server {server:.0%}: "
        + ("quiet" if quiet else "NOISY, good for a look, not for quoting")
    )


def show(results: Results) -> None:
    print()
    _print_table(_rows(results))
    print()
    rest = results.at_rest_mib
    print(f"at rest  gateway: RSS {rest['rss']:.1f} MiB, PSS {rest['pss']:.1f} MiB")
    for target in TARGETS:
        met = "met    " if target.met(results) else "NOT MET"
        print(f"target   {met}  {target.words(results)}")
    for what, holds in checks(results).items():
        print(f"check    {'holds  ' if holds else 'FAILS  '}  {what}")
    print(f"load     {results.shape}")
    print(f"machine  {results.machine}")
    print(f"noise    {_noise(results)}")


def write_json(results: Results, path: Path) -> None:
    figures = {
        "machine": results.machine,
        "load": results.shape,
        "noise": _noise(results),
        "at_rest_mib": results.at_rest_mib,
        "bytes_per_capture": results.bytes_per_capture,
        "subjects": {
            name: {
                "cpu_ratio": ratio(results, name),
                "full": its.full,
                "single": its.single,
                "after_mib": results.after_mib[name],
            }
            for name, its in results.measured.items()
        },
        "targets": [
            {
                "issue": target.issue,
                "what": target.what,
                "figure": target.figure(results),
                "bound": target.bound,
                "at_least": target.at_least,
                "met": target.met(results),
            }
            for target in TARGETS
        ],
        "checks": checks(results),
    }
    path.write_text(json.dumps(figures, indent=2) + "\n")
