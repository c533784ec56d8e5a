"""A program under test: started, listened to, ended, always within a limit of time."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Mapping, Sequence

PATIENCE_SECONDS = 20.0


class Stream:
    """The lines of a process's output, gathered while it runs."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def wait_for(self, pattern: str, timeout: float = PATIENCE_SECONDS) -> re.Match[str]:
        """The first line, old or new, that the pattern is found in."""
        give_up_at = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if found := re.search(pattern, line):
                        return found
                seen = len(self._lines)
                left = give_up_at - time.monotonic()
                if self._ended or left <= 0:
                    why = "it ended" if self._ended else f"{timeout} s went by"
                    raise AssertionError(f"no line with {pattern!r}; {why}; lines: {self._lines}")
                self._changed.wait(left)

    def text(self) -> str:
        with self._changed:
            return "".join(self._lines)

    def join(self) -> None:
        """Waits until everything that was written has been read."""
        self._thread.join(PATIENCE_SECONDS)

    def _read(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            with self._changed:
                self._lines.append(line.decode(errors="replace"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class Process:
    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        stderr: int = subprocess.PIPE,
    ) -> None:
        """`stderr`: a descriptor that the caller looks after, instead of the stream."""
        # Killed when the tests are: a test run that is cut off leaves nothing behind.
        self._command = ["setpriv", "--pdeathsig", "KILL", *map(str, command)]
        self._popen = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=None if environment is None else dict(environment),
            pass_fds=tuple(pass_fds),
        )
        assert self._popen.stdout is not None
        self.stdout = Stream(self._popen.stdout)
        self.stderr = Stream(self._popen.stderr or io.BytesIO())

    @property
    def pid(self) -> int:
        return self._popen.pid

    def listening_on(self) -> str:
        """ "127.0.0.1:PORT" of the first TCP port that it listens on, for programs that do not tell.

        Waits for it. The kernel's tables can only be polled; the pause is for others.
        """
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        pause = threading.Event()
        while not (ports := self._listening_ports()):
            assert self.running() and time.monotonic() < give_up_at, self.output()
            pause.wait(0.01)
        return f"127.0.0.1:{min(ports)}"

    def _listening_ports(self) -> set[int]:
        folder = Path(f"/proc/{self.pid}")
        mine = set()
        for link in (folder / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed in the meantime
                mine.add(os.readlink(link))
        rows = [line.split() for line in (folder / "net/tcp").read_text().splitlines()[1:]]
        listening = "0A"  # Linux' TCP_LISTEN
        return {
            int(row[1].rpartition(":")[2], 16)
            for row in rows
            if row[3] == listening and f"socket:[{row[9]}]" in mine
        }

    def running(self) -> bool:
        return self._popen.poll() is None

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self, timeout: float = PATIENCE_SECONDS) -> int:
        """Its exit code. One that does not end in time is killed, and the test fails."""
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self._command} did not end within {timeout} s") from None
        self.stdout.join()
        self.stderr.join()
        return code

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait(PATIENCE_SECONDS)

    def output(self) -> str:
        return self.stdout.text() + self.stderr.text()
