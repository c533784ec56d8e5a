"""The figures of a run: as a table, against the targets, and for a program to read."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Sequence

from downloading import Downloading, bytes_per_second
from rig import Figures
from subjects import Measured
from upstream import DOWNLOAD_BYTES
from waiting import AtOnce, Waiting
from watching import INTERVAL_SECONDS, WATCHERS, Server, Watching

# Shares of the server's core. A round in which others had more than this of it, or the server less
# (it idles when the load's core is shared), makes the figures noisy.
MOST_OTHERS, LEAST_SERVER = 0.03, 0.85


@dataclass(frozen=True)
class Results:
    measured: dict[str, Measured]  # by the subject's name
    after_mib: dict[str, dict[str, float]]  # memory after all rounds, by the subject's name
    # None or empty: not measured this time.
    direct: list[Figures]  # libcurl alone, one by one, in the rounds of `measured`
    at_rest_mib: dict[str, float] | None  # memory of a gateway at rest
    bytes_per_capture: float | None  # that a gateway grows by
    at_once: AtOnce | None
    waiting: dict[str, Waiting]  # by the upstream's protocol
    watching: Watching | None
    downloading: Downloading | None
    shape: str  # of the load
    machine: str


@dataclass(frozen=True)
class Target:
    issue: int
    what: str
    figure: Callable[[Results], float | None]  # None: not measured this time
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


def ratio(results: Results, name: str, of: str = "bare", key: str = "cpu_us") -> float | None:
    """Against another's figure of the same round: what slows one slows the other.

    None, here and below: not measured this time.
    """
    if not {name, of} <= results.measured.keys():
        return None
    rounds, others = results.measured[name].full, results.measured[of].full
    return statistics.median(its[key] / other[key] for its, other in zip(rounds, others))


def added_us(results: Results) -> float | None:
    """What the gateway adds to the median of an uncached call, one by one."""
    if not results.direct:
        return None
    return statistics.median(
        its["latency_us"]["p50"] - direct["latency_us"]["p50"]
        for its, direct in zip(results.measured["uncached"].single, results.direct)
    )


def at_once_ratio(results: Results) -> float | None:
    if results.at_once is None:
        return None
    runs = zip(results.at_once.gateway, results.at_once.direct)
    return statistics.median(its["seconds"] / direct["seconds"] for its, direct in runs)


def _waiting_kib(results: Results, protocol: str) -> float | None:
    return results.waiting[protocol].sent if protocol in results.waiting else None


def _watching(results: Results, figure: Callable[[Watching], float]) -> float | None:
    return None if results.watching is None else figure(results.watching)


def _downloading(results: Results, figure: Callable[[Downloading], float]) -> float | None:
    return None if results.downloading is None else figure(results.downloading)


# By the subject's name. All are compared with `bare`, too.
COMPARED_WITH = {
    "cached, 2 cores": {"cached"},
    "cached, many": {"cached"},
    "redis": {"uncached"},
    "uncached tls": {"uncached"},
    "cached, own": {"cached", "bare, own"},
    "list": {"bare list"},
}


def _cpu_target(issue: int, name: str, most: float, of: str = "bare") -> Target:
    what = f"{name}, CPU a call"
    return Target(issue, what, lambda results: ratio(results, name, of), most, f" x {of}")


# Issues 3 and 5 had 5 and 3.8 for what is not cached, when `bare` did not yet have what the gateway
# has against Debian's debug checks, and took 1.17 of what it takes since: the same bars in a shorter
# measure.
TARGETS = [
    _cpu_target(3, "uncached", 5.9),
    _cpu_target(3, "new ids", 5.9),
    Target(
        3,
        "gateway at rest, RSS",
        lambda results: results.at_rest_mib and results.at_rest_mib["rss"],
        40,
        " MiB",
    ),
    _cpu_target(15, "cached", 1.15),
    _cpu_target(15, "cached, own", 1.15, of="bare, own"),
    _cpu_target(15, "cached, own", 0.85, of="cached"),
    Target(
        15,
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
    _cpu_target(5, "uncached", 4.5),
    _cpu_target(5, "uncached tls", 1.2, of="uncached"),
    Target(5, "1000 captures at once, time", at_once_ratio, 1.2, " x libcurl alone"),
    Target(
        5,
        "a call that waits for HTTP/2, RSS",
        lambda results: _waiting_kib(results, "HTTP/2"),
        40,
        " KiB",
    ),
    Target(5, "added to the median of an uncached call one by one", added_us, 150, " us"),
    _cpu_target(18, "list", 1.3, of="bare list"),
    Target(
        18,
        "a watcher, RSS beyond a bare stream",
        lambda results: _watching(results, lambda its: its.kib_beyond_bare),
        16,
        " KiB",
    ),
    Target(
        18,
        f"a change reaches {WATCHERS} watchers, time",
        lambda results: _watching(results, lambda its: statistics.median(its.gateway.told_seconds)),
        1,
        " s",
    ),
    # No work is done for a watcher; this is what cannot be told from none.
    Target(
        18,
        "a watcher and interval without a change, CPU",
        lambda results: _watching(results, lambda its: its.gateway.idle_us),
        0.5,
        " us",
    ),
    Target(
        18,
        "a download, bytes a second",
        lambda results: _downloading(results, lambda its: its.speed_ratio),
        0.8,
        " x bare",
        at_least=True,
    ),
    Target(
        18,
        "a download of 1 GB, RSS",
        lambda results: _downloading(results, lambda its: its.grown_mib),
        8,
        " MiB above rest",
    ),
    Target(
        18,
        "a download by 1 MB a second, RSS",
        lambda results: _downloading(results, lambda its: its.slow_grown_mib),
        8,
        " MiB above rest",
    ),
]


def _measured_targets(results: Results) -> list[Target]:
    return [target for target in TARGETS if target.figure(results) is not None]


def checks(results: Results) -> dict[str, bool]:
    """Whether what was measured is what the names say. If not, no figure means anything."""
    all_measured = results.measured.values()
    held = {
        "no call failed": all(
            figures["failures"] == 0 for its in all_measured for figures in its.full + its.single
        ),
    }
    for method in sorted({its.subject.load.method for its in all_measured}):
        sizes = sorted(
            round(median(its.full, "message_bytes"))
            for its in all_measured
            if its.subject.load.method == method
        )
        told = ", ".join(map(str, sorted(set(sizes))))
        held[f"{method}: all servers answer with as many bytes ({told})"] = (
            sizes[-1] <= 1.02 * sizes[0]
        )
    for name, its in results.measured.items():
        hits, requests = its.subject.hits, its.subject.upstream_requests
        held[f"{name}: {hits} hits and {requests} requests upstream a call"] = all(
            figures["hits"] == hits * figures["calls"]
            and figures["upstream_requests"] == requests * figures["calls"]
            for figures in its.full + its.single
        )
    if results.direct:
        held["libcurl alone, one by one: no call failed, one connection"] = all(
            figures["failures"] == 0 and figures["connections"] == 1 for figures in results.direct
        )
    if results.at_once is not None:
        held["1000 captures at once: no call failed"] = all(
            figures["failures"] == 0
            for figures in results.at_once.gateway + results.at_once.direct
        )
        # The gateway's connection was there before.
        held["1000 captures at once: over one connection upstream"] = all(
            its["connections"] == 0 for its in results.at_once.gateway
        ) and all(its["connections"] == 1 for its in results.at_once.direct)
    if (watching := results.watching) is not None:
        held[f"{WATCHERS} watchers: one list an interval"] = watching.one_list_an_interval
    if (downloading := results.downloading) is not None:
        held["downloads: none failed, all are whole"] = all(
            its["failures"] == 0 and its["over"] and its["bytes"] >= DOWNLOAD_BYTES
            for its in downloading.gateway + downloading.bare
        )
        held["the slow download: it was under way all the time"] = not downloading.slow["over"]
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
                f"{ratio(results, name, its.subject.yardstick):.2f}",
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


def _milliseconds(runs: Sequence[Figures]) -> str:
    times = [figures["seconds"] * 1000 for figures in runs]
    return f"{statistics.median(times):.1f} ms ({min(times):.1f}-{max(times):.1f})"


def _show_watching(watching: Watching) -> None:
    def words(its: Server) -> str:
        told = its.told_seconds
        return (
            f"{its.kib:.1f} KiB each, {its.idle_us:.2f} us of CPU each an interval, told of a change "
            f"in {statistics.median(told):.2f} s ({min(told):.2f}-{max(told):.2f})"
        )

    lists = watching.intervals
    print(f"watching {WATCHERS} streams, gateway: {words(watching.gateway)}")
    print(f"watching {WATCHERS} streams, bare: {words(watching.bare)}")
    print(
        f"watching {len(lists) + 1} lists upstream, {min(lists):.2f}-{max(lists):.2f} s apart, "
        f"where --moving-lifetime is {INTERVAL_SECONDS} s"
    )


def _show_downloading(downloading: Downloading) -> None:
    def words(rounds: Sequence[Figures]) -> str:
        speeds = [bytes_per_second(figures) / 1e6 for figures in rounds]
        pieces = [figures["bytes"] / max(figures["messages"], 1) / 1024 for figures in rounds]
        return (
            f"{statistics.median(speeds):.0f} MB/s ({min(speeds):.0f}-{max(speeds):.0f}), "
            f"{median(rounds, 'cpu_seconds'):.2f} s of CPU, "
            f"pieces of {statistics.median(pieces):.0f} KiB"
        )

    print(f"download 1 GB, gateway: {words(downloading.gateway)}")
    print(f"download 1 GB, bare: {words(downloading.bare)}")
    print(
        f"download gateway's RSS: {downloading.grown_mib:.1f} MiB above rest, "
        f"to a reader of 1 MB/s {downloading.slow_grown_mib:.1f} MiB"
    )


def show(results: Results) -> None:
    print()
    _print_table(_rows(results))
    print()
    if (rest := results.at_rest_mib) is not None:
        print(f"at rest  gateway: RSS {rest['rss']:.1f} MiB, PSS {rest['pss']:.1f} MiB")
    if results.direct:
        direct, bare = latency(results.direct, "p50"), results.measured["bare"].single
        print(
            f"1 by 1   libcurl alone: p50 {direct:.0f} us; "
            f"bare: p50 {latency(bare, 'p50'):.0f} us; "
            f"uncached: p50 {latency(results.measured['uncached'].single, 'p50'):.0f} us"
        )
    if (at_once := results.at_once) is not None:
        print(
            "at once  1000 captures from an upstream that takes 100 ms: "
            f"gateway {_milliseconds(at_once.gateway)}, "
            f"libcurl alone {_milliseconds(at_once.direct)}"
        )
    for protocol, kib in results.waiting.items():
        print(
            f"waiting  for {protocol}: {kib.sent:.1f} KiB a call for 1000, "
            f"{kib.queued:.1f} KiB for each of 1000 more, which are in the queue"
        )
    if (watching := results.watching) is not None:
        _show_watching(watching)
    if (downloading := results.downloading) is not None:
        _show_downloading(downloading)
    for target in _measured_targets(results):
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
        "direct": results.direct,
        "at_once": results.at_once
        and {"gateway": results.at_once.gateway, "direct": results.at_once.direct},
        "watching": results.watching and asdict(results.watching),
        "downloading": results.downloading and asdict(results.downloading),
        "waiting_kib": {protocol: asdict(kib) for protocol, kib in results.waiting.items()},
        "subjects": {
            name: {
                "cpu_ratio": ratio(results, name, its.subject.yardstick),
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
            for target in _measured_targets(results)
        ],
        "checks": checks(results),
    }
    path.write_text(json.dumps(figures, indent=2) + "\n")
