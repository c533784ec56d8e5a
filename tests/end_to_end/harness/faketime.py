"""libfaketime: a program whose clock goes faster, or is moved while it runs."""

from __future__ import annotations

from pathlib import Path

from harness.identities import replace


def library() -> str:
    """To be preloaded."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    assert found is not None, "install libfaketime"
    return str(found)


class MovedClock:
    """The wall clock of the programs that have its `variables` in their environment.

    What waits by the monotonic clock waits as ever.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.move("+0")
        self.variables = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "NO_FAKE_STAT": "1",  # gRPC reads no file whose time moves meanwhile
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # the same, by its older name
        }

    def move(self, by: str) -> None:
        """From the machine's own time: "+1m", "-3600" (seconds)."""
        replace(self._file, f"{by}\n")  # in one go: libfaketime ends a program that finds it empty
