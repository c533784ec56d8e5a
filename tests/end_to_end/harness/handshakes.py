"""A server that one cannot have TLS with: counts who tried, and what they let out."""

from __future__ import annotations

import socket
import ssl
import struct
import threading

from harness.process import PATIENCE_SECONDS


class Handshakes:
    def __init__(self, context: ssl.SSLContext | None) -> None:
        """`context`: what it offers; None: a reset in the middle of the handshake."""
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"localhost:{self._listener.getsockname()[1]}"
        self.begun = 0
        # What clients said once they had agreed on keys: not even a request line.
        self.heard = b""
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # stopped
            connection.settimeout(PATIENCE_SECONDS)
            self.begun += 1
            try:
                self._shake(connection)
            except OSError:
                pass  # the client does not go on, as it should
            finally:
                connection.close()

    def _shake(self, connection: socket.socket) -> None:
        if self._context is None:
            connection.recv(65536)
            linger = struct.pack("ii", 1, 0)  # then closing sends RST
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        with self._context.wrap_socket(connection, server_side=True) as agreed:
            while heard := agreed.recv(65536):
                self.heard += heard
