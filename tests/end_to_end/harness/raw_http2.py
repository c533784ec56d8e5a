"""A client that speaks HTTP/2 frame by frame, so that it can say what no library would."""

from __future__ import annotations

import select
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Iterable, Sequence

import hpack

from harness.process import PATIENCE_SECONDS

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Frame types and flags: RFC 9113, section 6.
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8

# Settings and error codes: sections 6.5.2 and 7.
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
NO_ERROR, ENHANCE_YOUR_CALM = 0, 11

CALL = "/pcap.v1.PcapService/GetPcap"

Fields = Sequence[tuple[str, str]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def call_fields(*more: tuple[str, str]) -> list[tuple[str, str]]:
    """What opens a GetPcap, and `more`."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", CALL),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *more,
    ]


def plain(fields: Fields) -> bytes:
    """Encoded without the dynamic table, so that the same bytes can be sent again and again."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return bytes(encoder.encode(list(fields), huffman=False))


def headers(stream: int, fields: Fields, flags: int = END_HEADERS) -> bytes:
    """One HEADERS frame, or more with CONTINUATION where the fields do not fit into one."""
    return in_frames(stream, plain(fields), flags)


def in_frames(stream: int, block: bytes, flags: int = END_HEADERS) -> bytes:
    most = 16384  # a frame's size until SETTINGS allow more
    pieces = [block[i : i + most] for i in range(0, len(block), most)] or [b""]
    frames = []
    for i, piece in enumerate(pieces):
        last = flags & END_HEADERS if i == len(pieces) - 1 else 0
        kind, others = (HEADERS, flags & ~END_HEADERS) if i == 0 else (CONTINUATION, 0)
        frames.append(frame(kind, others | last, stream, piece))
    return b"".join(frames)


def message(body: bytes, declared: int | None = None, compressed: bool = False) -> bytes:
    """A gRPC message with its prefix; `declared`: the length that the prefix tells."""
    return struct.pack(">BI", compressed, len(body) if declared is None else declared) + body


@dataclass
class Heard:
    """What the server said, and how much it took before that."""

    kinds: dict[int, int] = field(default_factory=dict)
    blocks: list[tuple[int, bytes]] = field(default_factory=list)  # HEADERS: stream and fields
    goaway: int | None = None  # its error code
    text: bytes = b""  # GOAWAY's debug data
    sent: int = 0
    closed: bool = False


class RawConnection:
    """Not for several threads."""

    def __init__(self, address: str, opening: bytes = PREFACE + settings()) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
        self._socket.setblocking(False)
        self._unread = b""
        self.heard = Heard()
        # The server's SETTINGS are not acknowledged unless a test sends that.
        self.send(opening)

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, *blocks: bytes, seconds: float = PATIENCE_SECONDS) -> Heard:
        """All of it, reading meanwhile; less where the server closes, or `seconds` are over."""
        return self.flood(blocks, seconds)

    def flood(self, blocks: Iterable[bytes], seconds: float = PATIENCE_SECONDS) -> Heard:
        give_up_at = time.monotonic() + seconds
        source = iter(blocks)
        pending = memoryview(b"")
        while not self.heard.closed:
            if not pending:
                block = next(source, None)
                if block is None:
                    break
                pending = memoryview(block)
                continue
            left = give_up_at - time.monotonic()
            if left <= 0:
                break
            readable, writable = self._wait(select.POLLIN | select.POLLOUT, left)
            try:
                if writable:
                    count = self._socket.send(pending[: 1 << 20])
                    self.heard.sent += count
                    pending = pending[count:]
            except BlockingIOError:
                pass
            except OSError:
                readable = True  # what it said before it closed
            if readable:
                self._read()
        return self.heard

    def listen(self, kind: int | None = None, seconds: float = PATIENCE_SECONDS) -> Heard:
        """Until a frame of this kind has come, or the server closes, or `seconds` are over."""
        give_up_at = time.monotonic() + seconds
        while not self.heard.closed and (kind is None or not self.heard.kinds.get(kind)):
            left = give_up_at - time.monotonic()
            if left <= 0 or not self._wait(select.POLLIN, left)[0]:
                break
            self._read()
        return self.heard

    def answers(self, *ids: int) -> dict[int, dict[str, str]]:
        """Header and trailer fields by stream, once all of these have ended, or the server closes."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            decoder = hpack.Decoder()
            fields: dict[int, dict[str, str]] = {}
            for stream, block in self.heard.blocks:
                fields.setdefault(stream, {}).update(dict(decoder.decode(block)))
            ended = all("grpc-status" in fields.get(stream, {}) for stream in ids)
            if ended or self.heard.closed:
                return fields
            assert time.monotonic() < give_up_at, f"no end of {ids}: {fields}"
            self.listen(seconds=0.05)

    def _wait(self, events: int, seconds: float) -> tuple[bool, bool]:
        """Readable, writable. Not select, which knows 1024 descriptors."""
        poll = select.poll()
        poll.register(self._socket, events)
        ready = dict(poll.poll(seconds * 1000)).get(self._socket.fileno(), 0)
        return bool(ready & ~select.POLLOUT), bool(ready & select.POLLOUT)

    def _read(self) -> None:
        try:
            data = self._socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.heard.closed = True
            return
        self._unread += data
        at = 0
        while len(self._unread) - at >= 9:
            length = int.from_bytes(self._unread[at : at + 3], "big")
            if len(self._unread) - at < 9 + length:
                break
            kind = self._unread[at + 3]
            payload = self._unread[at + 9 : at + 9 + length]
            self.heard.kinds[kind] = self.heard.kinds.get(kind, 0) + 1
            if kind == HEADERS:
                stream = int.from_bytes(self._unread[at + 5 : at + 9], "big")
                self.heard.blocks.append((stream, payload))
            if kind == GOAWAY:
                self.heard.goaway = int.from_bytes(payload[4:8], "big")
                self.heard.text = payload[8:]
            at += 9 + length
        self._unread = self._unread[at:]
