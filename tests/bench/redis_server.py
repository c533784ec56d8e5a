"""The Redis of the benchmark: in memory alone, on a socket in the benchmark's folder."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from processes import READY_SECONDS, Process

REDIS = "/usr/bin/redis-server"


class Redis:
    """Running while its `with` block is."""

    def __init__(self, core: str, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        # Nothing is written to disk.
        settings = ["--port", "0", "--unixsocket", self._socket, "--save", "", "--dir", folder]
        environment = {"PATH": os.environ["PATH"]}
        self._process = Process("redis", core, [REDIS, *settings], folder, environment)
        self.url = f"unix://{self._socket}"

    def __enter__(self) -> Redis:
        self._process.__enter__()
        end = time.monotonic() + READY_SECONDS
        while not self._answers():
            if time.monotonic() > end:
                raise SystemExit(f"bench: redis does not answer\n{self._process.log()}")
            time.sleep(0.01)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.__exit__(*error)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(64) == b"+PONG\r\n"
            except OSError:
                return False
