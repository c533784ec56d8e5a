"""How Cloudflare writes a time."""

from __future__ import annotations

from datetime import datetime, timezone


def format_time(when: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as real answers have it."""
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
