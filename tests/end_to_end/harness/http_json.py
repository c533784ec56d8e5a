"""An HTTP caller without gRPC, over HTTP/1.1 and HTTP/2, in plaintext or TLS."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, Iterator, Mapping

import h2.config
import h2.connection
import h2.events

from harness.process import PATIENCE_SECONDS


@dataclass
class HttpAnswer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json", self
        return json.loads(self.body)

    def reason(self) -> str:
        """Of the ErrorInfo in a body that is a google.rpc.Status."""
        reason: str = self.detail("ErrorInfo")["reason"]
        return reason

    def detail(self, name: str) -> dict[str, Any]:
        kind = f"type.googleapis.com/google.rpc.{name}"
        [found] = [each for each in self.json()["details"] if each["@type"] == kind]
        detail: dict[str, Any] = found
        return detail


class JsonLines:
    """A GET whose answer is a stream of lines, over HTTP/1.1. Its lines are read as they come."""

    def __init__(self, address: str, path: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)
        self._connection.request("GET", path)
        self._response = self._connection.getresponse()
        self.status = self._response.status
        self.headers = {name.lower(): value for name, value in self._response.getheaders()}

    def __iter__(self) -> Iterator[Any]:
        while line := self._response.readline():
            assert line.endswith(b"\n"), line
            yield json.loads(line)

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def get_json(
    address: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    http2: bool = False,
    tls: ssl.SSLContext | None = None,
    method: str = "GET",
    timeout: float = PATIENCE_SECONDS,
    body: bytes = b"",
) -> HttpAnswer:
    """On a connection of its own. Raises OSError if it cannot be had, or ends before the answer."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout) as connection:
        if tls is not None:
            connection = tls.wrap_socket(connection, server_hostname="localhost")
            assert connection.selected_alpn_protocol() == ("h2" if http2 else "http/1.1")
        ask = _ask_http2 if http2 else _ask_http1
        return ask(connection, method, path, headers or {}, time.monotonic() + timeout, body)


def _ask_http1(
    connection: socket.socket,
    method: str,
    path: str,
    headers: Mapping[str, str],
    until: float,
    body: bytes,
) -> HttpAnswer:
    # Not http.client, which has rules of its own for what may be asked.
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", "connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"content-length: {len(body)}")
    connection.sendall("".join(line + "\r\n" for line in [*lines, ""]).encode("latin-1") + body)
    with connection.makefile("rb") as stream:
        first = stream.readline().decode("latin-1")
        if not first:
            raise ConnectionResetError("closed without an answer")
        fields = {}
        while line := stream.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        # Always told here. A close may come only later.
        told = b"" if method == "HEAD" else stream.read(int(fields["content-length"]))
        assert method != "HEAD" or not stream.read(1), "a body after HEAD"
    assert time.monotonic() < until
    return HttpAnswer(int(first.split()[1]), fields, told)


def _ask_http2(
    connection: socket.socket,
    method: str,
    path: str,
    headers: Mapping[str, str],
    until: float,
    body: bytes,
) -> HttpAnswer:
    session = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    session.initiate_connection()
    scheme = "https" if isinstance(connection, ssl.SSLSocket) else "http"
    fields = [(":method", method), (":scheme", scheme), (":authority", "localhost")]
    session.send_headers(1, [*fields, (":path", path), *headers.items()], end_stream=not body)
    if body:
        session.send_data(1, body, end_stream=True)
    answer = HttpAnswer(0, {}, b"")
    while True:
        connection.sendall(session.data_to_send())
        assert time.monotonic() < until, answer
        data = connection.recv(1 << 16)
        if not data:
            raise ConnectionResetError("closed without an answer")
        for event in session.receive_data(data):
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                answer.headers.update((str(name), str(value)) for name, value in event.headers)
            elif isinstance(event, h2.events.DataReceived):
                answer.body += event.data
                session.acknowledge_received_data(event.flow_controlled_length, 1)
            elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise ConnectionResetError(f"{event}")
            elif isinstance(event, h2.events.StreamEnded):
                answer.status = int(answer.headers.pop(":status"))
                return answer
