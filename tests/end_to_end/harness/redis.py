"""A real redis-server, on a socket in a folder of its own."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import tempfile
import time
from pathlib import Path

from harness.process import PATIENCE_SECONDS, Process

REDIS = "/usr/bin/redis-server"


def free_port() -> int:
    """Redis takes no 0. Below those that outgoing connections get."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Redis:
    """Answering once it is made."""

    def __init__(self, *settings: str, port: int = 0) -> None:
        """`settings`: as on redis-server's command line. `port`: on 127.0.0.1, too."""
        self.port = port
        self._settings = settings
        # Not pytest's folder, whose name is too long for a socket.
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._socket = Path(self._folder.name) / "redis.sock"
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        settings = ["--port", str(self.port), "--unixsocket", self._socket, "--save", ""]
        settings += ["--bind", "127.0.0.1", *self._settings]
        self._process = Process([REDIS, *settings, "--dir", self._folder.name])
        self._process.stdout.wait_for(r"eady to accept connections")

    def listen_on_tcp(self) -> int:
        """On 127.0.0.1, too; gives the port."""
        port = free_port()
        for setting in (("bind", "127.0.0.1"), ("port", str(port))):
            assert "OK" in self.cli("CONFIG", "SET", *setting)
        return port

    def kill(self) -> None:
        self._process.kill()

    def pause(self) -> None:
        self._process.send(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send(signal.SIGCONT)

    def stop(self) -> None:
        if self._process.running():
            self._process.kill()
        self._folder.cleanup()

    def wait_for_reply(self, text: str, *words: str) -> None:
        """Until the command's reply holds it."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while text not in (reply := self.cli(*words)):
            assert time.monotonic() < give_up_at, reply

    def cli(self, *words: str) -> str:
        """Everything that Redis replies to the command, as its protocol has it."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(self._socket))
            parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            client.sendall(f"*{len(words)}\r\n{parts}*1\r\n$4\r\nQUIT\r\n".encode())
            reply = b""
            while block := client.recv(65536):
                reply += block
        return reply.decode("utf-8", "replace")
