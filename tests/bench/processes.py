"""The processes of the benchmark: pinned to a core, watched, and ended whatever happens."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Mapping, Sequence

READY_SECONDS = 10


class Process:
    """A program on cores of its own. Ends with its `with` block, and with a benchmark that is killed."""

    def __init__(
        self,
        name: str,
        cores: str,  # "0" or "0,1"
        command: Sequence[object],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        # The signal set by setpriv and the core set by taskset both outlive exec: one process.
        pinned = ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", cores]
        with open(self._log, "w") as log:
            self._process = subprocess.Popen(
                [*pinned, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                pass_fds=inherited,
                start_new_session=True,  # Ctrl-C reaches the benchmark alone, which ends it
            )
        self.pid = self._process.pid
        self._said = ""  # on stdout, so far

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def log(self) -> str:
        return self._log.read_text()

    def address(self) -> str:
        """Waits for the ready line, `… listening on HOST:PORT`."""
        return self.said("listening on")

    def admin_address(self) -> str:
        """Waits for a gateway's line about its metrics, `… admin on HOST:PORT`."""
        return self.said("admin on")

    def said(self, words: str, times: int = 1, seconds: float = READY_SECONDS) -> str:
        """Waits until it has said `words WORD` so many times, and returns the last WORD."""
        stdout, end = self._process.stdout.fileno(), time.monotonic() + seconds
        while len(found := re.findall(rf"{words} (\S+)\n", self._said)) < times:
            if not select.select([stdout], [], [], max(0, end - time.monotonic()))[0]:
                break
            read = os.read(stdout, 4096).decode()
            if not read:
                break
            self._said += read
        if len(found) >= times:
            return found[times - 1]
        raise SystemExit(f"bench: {self.name} did not say `{words}`\n{self._said}{self.log()}")

    def cpu_ns(self) -> int:
        """CPU time of all its threads so far, those that have ended included.

        The scheduler's own sum in nanoseconds: /proc/PID/stat counts in ticks of 10 ms, and the sum
        of /proc/PID/task/*/schedstat loses a thread when it ends. The clock's number is what
        clock_getcpuclockid(3) makes of a pid (include/linux/posix-timers.h, CPUCLOCK_SCHED).
        """
        return time.clock_gettime_ns((~self.pid << 3) | 2)

    def forget_peak(self) -> None:
        """From here on peak_mib is of what comes (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak_mib(self) -> float:
        """The most that its resident set had since."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB", text, re.M)[1]) / 1024

    def memory_mib(self) -> dict[str, float]:
        """`rss`: its resident set; `pss`: its share of it, where pages are shared with others."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return {
            key.lower(): int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M)[1]) / 1024
            for key in ("Rss", "Pss")
        }
