"""A proxy that passes on whole connections (CONNECT), and notes to where."""

from __future__ import annotations

import contextlib
import socket
import threading


class ConnectProxy:
    """Serving once it is made."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """No more connections; those that there are end by themselves."""
        # A thread that is in accept is woken by this, and not by close.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(connection,), daemon=True).start()

    def _connect(self, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            block = connection.recv(4096)
            if not block:
                return
            asked += block
        method, target, _ = asked.split(b"\r\n")[0].decode().split(" ")
        assert method == "CONNECT", asked
        self.targets.append(target)
        host, _, port = target.rpartition(":")
        beyond = socket.create_connection((host, int(port)))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=_pass_on, args=(beyond, connection), daemon=True).start()
        _pass_on(connection, beyond)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(1 << 16):
            sink.sendall(block)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
