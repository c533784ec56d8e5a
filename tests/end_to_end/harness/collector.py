"""An OpenTelemetry collector that is the test: takes spans over OTLP/HTTP, and keeps them."""

from __future__ import annotations

import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable

from harness.process import PATIENCE_SECONDS

SERVER, CLIENT = 2, 3  # OTLP's SpanKind
ERROR = 2  # OTLP's StatusCode


@dataclass
class Span:
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent: str  # "": it has none
    began: int  # nanoseconds of Unix time
    ended: int
    attributes: dict[str, Any]
    status: int
    status_message: str
    resource: dict[str, Any]


@dataclass
class Batch:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """How the collector answers: after `gate` is open, with `status`."""

    status: int = 200
    body: bytes = b""
    gate: threading.Event = field(default_factory=threading.Event)


def value_of(value: dict[str, Any]) -> Any:
    [(kind, inner)] = value.items()
    return int(inner) if kind == "intValue" else inner


def attributes_of(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: value_of(pair["value"]) for pair in pairs}


def spans_in(document: dict[str, Any]) -> list[Span]:
    """Of an ExportTraceServiceRequest in JSON."""
    return [
        Span(
            name=span["name"],
            kind=int(span["kind"]),
            trace_id=span["traceId"],
            span_id=span["spanId"],
            parent=span.get("parentSpanId", ""),
            began=int(span["startTimeUnixNano"]),
            ended=int(span["endTimeUnixNano"]),
            attributes=attributes_of(span.get("attributes", [])),
            status=int(span.get("status", {}).get("code", 0)),
            status_message=span.get("status", {}).get("message", ""),
            resource=attributes_of(group["resource"].get("attributes", [])),
        )
        for group in document["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]


class Collector:
    """Listens once it is made. Of JSON it reads the spans; protobuf it keeps as it came."""

    def __init__(self, identity: tuple[Path, Path] | None = None) -> None:
        """`identity`: certificate and key, for TLS."""
        self._changed = threading.Condition()
        self._batches: list[Batch] = []
        self._spans: list[Span] = []
        self._answer = Answer()
        self._answer.gate.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                answer = collector._take(self.path, dict(self.headers), self.rfile.read(length))
                assert answer.gate.wait(PATIENCE_SECONDS)
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if identity is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*identity)
            # The handshake is the handler's affair, not the acceptor's.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._server.daemon_threads = True
        scheme = "http" if identity is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        headers = {name.lower(): value for name, value in headers.items()}
        with self._changed:
            self._batches.append(Batch(path, headers, body))
            if headers["content-type"] == "application/json" and self._answer.status == 200:
                self._spans += spans_in(json.loads(body))
            self._changed.notify_all()
            return self._answer

    def answer(self, status: int = 200, body: bytes = b"", held: bool = False) -> threading.Event:
        """From now on. `held`: not before the event that is returned is set."""
        answer = Answer(status, body)
        if not held:
            answer.gate.set()
        with self._changed:
            self._answer.gate.set()
            self._answer = answer
        return answer.gate

    def wait_for(self, fits: Callable[[list[Batch], list[Span]], bool]) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while not fits(self._batches, self._spans):
                left = give_up_at - time.monotonic()
                assert left > 0, f"{len(self._batches)} batches, spans: {self._spans}"
                self._changed.wait(left)

    def spans(self, count: int) -> list[Span]:
        """All so far, once there are `count`."""
        self.wait_for(lambda _, spans: len(spans) >= count)
        with self._changed:
            return list(self._spans)

    def batches(self, count: int) -> list[Batch]:
        self.wait_for(lambda batches, _: len(batches) >= count)
        with self._changed:
            return list(self._batches)

    def stop(self) -> None:
        self.answer()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
