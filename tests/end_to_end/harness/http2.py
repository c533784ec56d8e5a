"""A scripted upstream that speaks HTTP/2 over TLS: for what no ordinary server does on demand."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import h2.config
import h2.connection
import h2.events
from h2.errors import ErrorCodes

from harness.process import PATIENCE_SECONDS


@dataclass(frozen=True)
class Reset:
    """The stream ends with RST_STREAM."""

    code: ErrorCodes
    after_headers: bool = False


@dataclass(frozen=True)
class GoAway:
    """GOAWAY, and neither this stream nor any that waits was looked at."""

    code: ErrorCodes
    closes: bool = False  # the connection, at once; else the client may


@dataclass(frozen=True)
class Wait:
    """Nothing, for now."""


# How a request is treated; None: it is answered.
Treatment = Reset | GoAway | Wait | None


class Http2Server:
    """Treats the first requests as told, and answers those that come after with the capture."""

    def __init__(
        self, certificate: Path, key: Path, treatments: list[Treatment], forever: bool = False
    ) -> None:
        """`forever`: the last treatment is for all that come after, too."""
        self._treatments = list(treatments)
        self._forever = forever
        # What each request met, in the order of arrival.
        self.treated: list[Treatment] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}/client/v4"
        self._open: list[ssl.SSLSocket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        # Closing alone would leave `accept` waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it has ended already
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return  # stopped
            thread = threading.Thread(target=self._serve, args=(raw,), daemon=True)
            with self._lock:
                self.connections += 1
                self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            with self._context.wrap_socket(raw, server_side=True) as connection:
                with self._lock:
                    self._open.append(connection)
                self._converse(connection)
        except OSError:
            pass  # the client went away, or `stop` was called

    def _converse(self, connection: ssl.SSLSocket) -> None:
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        http2.initiate_connection()
        connection.sendall(http2.data_to_send())
        gone: GoAway | None = None
        while data := connection.recv(65536):
            if gone is not None:
                continue
            for event in http2.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    assert event.stream_id is not None and event.headers is not None
                    path = next(v for k, v in event.headers if bytes(k) == b":path")
                    treatment = self._next_treatment()
                    self._treat(http2, event.stream_id, bytes(path).decode(), treatment)
                    if isinstance(treatment, GoAway):
                        gone = treatment
            connection.sendall(http2.data_to_send())
            if gone is not None and gone.closes:
                return

    def _next_treatment(self) -> Treatment:
        with self._lock:
            treatment = None
            if self._treatments:
                last = self._forever and len(self._treatments) == 1
                treatment = self._treatments[0] if last else self._treatments.pop(0)
            self.treated.append(treatment)
            return treatment

    @staticmethod
    def _treat(
        http2: h2.connection.H2Connection, stream: int, path: str, treatment: Treatment
    ) -> None:
        headers = [(":status", "200"), ("content-type", "application/json")]
        if isinstance(treatment, GoAway):
            http2.close_connection(treatment.code, last_stream_id=0)
        elif isinstance(treatment, Reset):
            if treatment.after_headers:
                http2.send_headers(stream, headers)
            http2.reset_stream(stream, treatment.code)
        elif treatment is None:
            http2.send_headers(stream, headers)
            http2.send_data(stream, _answer_to(path), end_stream=True)


def _answer_to(path: str) -> bytes:
    capture = {"id": path.rpartition("/")[2], "type": "simple", "status": "success"}
    return json.dumps({"success": True, "errors": [], "messages": [], "result": capture}).encode()
