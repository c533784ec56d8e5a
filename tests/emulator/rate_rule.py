"""Cloudflare's limit on requests: 1200 within five minutes, then nothing for five minutes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from emulator.refusal import Refusal


@dataclass(frozen=True)
class RateLimit:
    """The documented figures are the defaults (Cloudflare's page "Rate limits")."""

    requests: int = 1200
    window: timedelta = timedelta(minutes=5)
    block: timedelta = timedelta(minutes=5)


@dataclass
class _Usage:
    window_began: datetime
    requests: int = 0
    blocked_until: datetime | None = field(default=None)


class RateRule:
    """Counts by credential; a user's tokens and keys are one to Cloudflare, here each is its own.

    ASSUMED: the window is fixed, beginning with the first request in it. Cloudflare does not say.
    """

    def __init__(self, limit: RateLimit | None) -> None:
        """None: nobody is refused; the headers then tell of the documented limit."""
        self.limit = limit
        self._usage: dict[str, _Usage] = {}

    def count(self, credential: str, now: datetime) -> None:
        """Notes one request. Raises the Refusal if it is one too many."""
        limit = self.limit or RateLimit()
        usage = self._usage.get(credential)
        if usage is None or now >= usage.window_began + limit.window:
            blocked_until = usage.blocked_until if usage is not None else None
            usage = self._usage[credential] = _Usage(now, blocked_until=blocked_until)
        usage.requests += 1
        if self.limit is None:
            return
        if usage.requests > limit.requests and not self._blocked(usage, now):
            usage.blocked_until = now + limit.block
        if self._blocked(usage, now):
            assert usage.blocked_until is not None
            left = math.ceil((usage.blocked_until - now).total_seconds())
            # ASSUMED: the code; 971, 10040, 10100 and others were seen. Only the status counts.
            raise Refusal(
                429,
                971,
                "Please wait and consider throttling your request rate",
                retry_after_seconds=left,
            )

    def headers(self, credential: str, now: datetime) -> dict[str, str]:
        """What every answer says about the limit (Cloudflare's changelog of 2025-09-03)."""
        limit = self.limit or RateLimit()
        usage = self._usage.get(credential) or _Usage(now)
        left = max(0, limit.requests - usage.requests)
        reset = max(0, math.ceil((usage.window_began + limit.window - now).total_seconds()))
        return {
            "Ratelimit": f'"default";r={left};t={reset}',
            "Ratelimit-Policy": f'"default";q={limit.requests};w={limit.window.seconds}',
        }

    @staticmethod
    def _blocked(usage: _Usage, now: datetime) -> bool:
        return usage.blocked_until is not None and now < usage.blocked_until
