"""The emulator's time: the machine's, or one that starts where a test says and moves when told."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone


class Clock:
    def __init__(self, start: datetime | None = None, frozen: bool = False) -> None:
        """`start`: the time it is now; None: the machine's. `frozen`: only `advance` moves it."""
        real = self._real()
        self._frozen_at = (start or real) if frozen else None
        self._offset = timedelta() if start is None else start - real

    def now(self) -> datetime:
        """With a time zone: UTC."""
        return self._frozen_at or self._real() + self._offset

    def advance(self, by: timedelta) -> None:
        if self._frozen_at is not None:
            self._frozen_at += by
        else:
            self._offset += by

    @staticmethod
    def _real() -> datetime:
        return datetime.now(timezone.utc)
