"""The emulator's time: the machine's, or one that starts where a test says, and goes faster, or only
when it is told to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone


class Clock:
    def __init__(
        self, start: datetime | None = None, frozen: bool = False, speed: float = 1
    ) -> None:
        """`start`: the time it is now; None: the machine's. `frozen`: only `advance` moves it.

        `speed`: so many times as fast as the machine's it goes from now on.
        """
        self._began = self._real()
        self._start = start or self._began
        self._speed = 0 if frozen else speed

    def now(self) -> datetime:
        """With a time zone: UTC."""
        return self._start + (self._real() - self._began) * self._speed

    def advance(self, by: timedelta) -> None:
        self._start += by

    @staticmethod
    def _real() -> datetime:
        return datetime.now(timezone.utc)
