"""Captures, and how far each of them is at a given time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Iterable, Literal, Protocol

from emulator.pcap_file import PcapFile
from emulator.times import format_time

Json = dict[str, Any]

# The most that one listing gives (API reference of "List packet capture requests").
MOST_LISTED = 50

# ASSUMED: how long the steps take. Cloudflare gives no times; these are short enough to watch.
# A sampled capture is said to complete at once, yet the documented examples show `pending`.
SIMPLE_PENDING = timedelta(seconds=1)
FULL_PENDING = timedelta(seconds=2)
CONVERSION_PENDING = timedelta(seconds=2)
CONVERSION_RUNNING = timedelta(seconds=3)

# ASSUMED: how many packets a sampled capture finds, if its limit allows.
PACKETS = 3

# ASSUMED: what a full capture finds, so that it is over as soon as one of its limits is reached.
PACKETS_PER_SECOND = 100
BYTES_PER_PACKET = 1000


class Capture(Protocol):
    id: str
    account_id: str
    created: datetime

    @property
    def is_full(self) -> bool: ...

    def file(self) -> PcapFile:
        """What a download gives, once it is ready."""
        ...

    def stop(self, now: datetime) -> None:
        """ASSUMED: stopping what is over changes nothing."""
        ...

    def to_json(self, now: datetime) -> Json:
        """What Cloudflare says about it at `now`."""
        ...


@dataclass
class FixedCapture:
    """Says the same for ever, whatever that is; only stopping changes it."""

    id: str  # it is asked for by this one; `fields` may name another, or none
    account_id: str
    created: datetime
    fields: Json
    packets: int = PACKETS  # of a download

    @property
    def is_full(self) -> bool:
        return self.fields.get("type") == "full"

    def file(self) -> PcapFile:
        told = self.fields.get("filter_v1")
        return PcapFile(self.created, self.packets, told if isinstance(told, dict) else None)

    def stop(self, now: datetime) -> None:
        if self.fields.get("status") in ("pending", "running"):
            told = {"status": "conversion_pending", "stop_requested": format_time(now)}
            self.fields = {**self.fields, **told}

    def to_json(self, now: datetime) -> Json:
        return self.fields


@dataclass
class LivingCapture:
    """Goes through its statuses as time passes, and can be stopped while it runs."""

    id: str
    account_id: str
    created: datetime
    kind: Literal["simple", "full"]
    time_limit: float
    packet_limit: float | None = None
    filter_v1: Json | None = None
    offset_time: str | None = None
    byte_limit: float | None = None
    colo_name: str | None = None
    destination_conf: str | None = None
    failure: str | None = None  # it ends as `failed` instead of running, for this reason
    stop_requested: datetime | None = field(default=None, init=False)

    def status_at(self, now: datetime) -> str:
        for status, until in self._steps():
            if now < until:
                return status
        if self.failure is not None:
            return "failed"
        return "success" if self.kind == "simple" else "complete"

    @property
    def is_full(self) -> bool:
        return self.kind == "full"

    def file(self) -> PcapFile:
        until = datetime.fromisoformat(self.offset_time) if self.offset_time else self.created
        packets = PACKETS if self.packet_limit is None else min(PACKETS, int(self.packet_limit))
        return PcapFile(until, packets, self.filter_v1)

    def is_active_at(self, now: datetime) -> bool:
        """Counts as the account's one full capture that may be pending or running."""
        return self.is_full and self.status_at(now) in ("pending", "running")

    def stop(self, now: datetime) -> None:
        if self.is_active_at(now):
            self.stop_requested = now

    def to_json(self, now: datetime) -> Json:
        fields: Json = {
            "id": self.id,
            "type": self.kind,
            "status": self.status_at(now),
            "system": "magic-transit",
            "submitted": format_time(self.created),
            "time_limit": self.time_limit,
            "filter_v1": self.filter_v1,
            "offset_time": self.offset_time,
            "byte_limit": self.byte_limit,
            "colo_name": self.colo_name,
            "destination_conf": self.destination_conf,
        }
        if self.kind == "full":
            fields["packets_captured"] = self._packets_at(now)
        if self.stop_requested is not None:
            fields["stop_requested"] = format_time(self.stop_requested)
        if fields["status"] == "failed":
            fields["error_message"] = self.failure
        return {name: value for name, value in fields.items() if value is not None}

    def _steps(self) -> Iterable[tuple[str, datetime]]:
        """The moving statuses, each with its end."""
        if self.kind == "simple":
            yield "pending", self.created + SIMPLE_PENDING
            return
        running = self.created + FULL_PENDING
        if self.failure is not None:
            # ASSUMED: the time.
            yield "pending", running
            return
        ended = running + self._longest_run()
        if self.stop_requested is not None:
            ended = min(ended, self.stop_requested)
        yield "pending", min(running, ended)
        yield "running", ended
        yield "conversion_pending", ended + CONVERSION_PENDING
        yield "conversion_running", ended + CONVERSION_PENDING + CONVERSION_RUNNING

    def _packets_at(self, now: datetime) -> int:
        if self.failure is not None:
            return 0
        began = self.created + FULL_PENDING
        ended = min(now, began + self._longest_run(), self.stop_requested or now)
        return max(0, int((ended - began).total_seconds() * PACKETS_PER_SECOND))

    def _longest_run(self) -> timedelta:
        """Until the first of its limits is reached."""
        seconds = [self.time_limit]
        if self.packet_limit is not None:
            seconds.append(self.packet_limit / PACKETS_PER_SECOND)
        if self.byte_limit is not None:
            seconds.append(self.byte_limit / BYTES_PER_PACKET / PACKETS_PER_SECOND)
        return timedelta(seconds=min(seconds))


class Captures:
    """All captures of all accounts."""

    def __init__(self, captures: Iterable[Capture] = ()) -> None:
        self._by_id: dict[tuple[str, str], Capture] = {}
        self._last_simple: dict[str, datetime] = {}
        for capture in captures:
            self.add(capture)

    def add(self, capture: Capture) -> None:
        """Replaces the one of the same id."""
        self._by_id[capture.account_id, capture.id] = capture

    def find(self, account_id: str, pcap_id: str) -> Capture | None:
        return self._by_id.get((account_id, pcap_id))

    def of_account(self, account_id: str) -> list[Capture]:
        """Newest first, no more than a listing gives.

        ASSUMED: the order, and that it is the oldest that are left out.
        """
        mine = [c for (account, _), c in self._by_id.items() if account == account_id]
        # Those of one time, too: the one that was added last comes first.
        mine.reverse()
        return sorted(mine, key=lambda c: c.created, reverse=True)[:MOST_LISTED]

    def active_full(self, account_id: str, now: datetime) -> Capture | None:
        for (account, _), capture in self._by_id.items():
            if account != account_id or not isinstance(capture, LivingCapture):
                continue
            if capture.is_active_at(now):
                return capture
        return None

    def last_simple(self, account_id: str) -> datetime | None:
        """When the account last had a sampled capture created through the API."""
        return self._last_simple.get(account_id)

    def note_simple(self, account_id: str, when: datetime) -> None:
        self._last_simple[account_id] = when
