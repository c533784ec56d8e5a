"""Programs on terminals of their own, as a person at a keyboard has them."""

from __future__ import annotations

import os
import pty
import re
import select
import time
from pathlib import Path

from harness.gateway import environment

PATIENCE = 20.0


def variables(home: Path, **more: str) -> dict[str, str]:
    path = f"{home}/bin:/usr/bin:/bin"
    return environment(home, PATH=path, HOME=str(home), TERM="xterm", **more)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, home: Path, *command: str, **more: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, variables(home, **more))
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def _more(self, left: float) -> bool:
        if not select.select([self.fd], [], [], max(0.0, left))[0]:
            return False
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # the program has closed its end
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def await_text(self, pattern: str) -> None:
        until = time.monotonic() + PATIENCE
        while not re.search(pattern, self.seen):
            assert self._more(until - time.monotonic()), f"no {pattern} in {self.seen!r}"

    def end(self) -> int:
        """Its exit code, or minus the signal that ended it; all it wrote is in `seen`."""
        while self._more(PATIENCE):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
