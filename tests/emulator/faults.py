"""Faults: what may go wrong with an answer, on demand.

A fault is chosen for the next requests for a capture, of a method, to a path (how it ends; see
ledger.Which), or for all requests:

    {"pcap_id": "…", "times": 2, "kind": "html", "status": 502}
    {"pcap_id": "…", "hold": "gate-1"}       held until POST /__control/release {"gate": "gate-1"}
    {"kind": "delay", "seconds": 0.5}        every request, until faults are cleared
    {"method": "POST", "path": "/pcaps", "done": true, "kind": "reset_before", "times": 1}
                                             a creation that is done, and of which nobody hears

With `done` the request is carried out at once, whatever answer the fault then gives. `hold` and
`seconds` (a delay) come next, and then what `kind` does. The kinds that spoil the normal answer
(`truncate`, `reset_within`, `wrong_length` and the like) carry the request out in any case. Which
kind struck a request, stands in the ledger.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import socket
import struct
import zlib
from dataclasses import dataclass, field, fields
from typing import Any, Awaitable, Callable

from aiohttp import web

from emulator.download import Download
from emulator.ledger import Entry, Which

Answer = Callable[[], Awaitable[web.StreamResponse]]


@dataclass
class Fault:
    kind: str = "normal"  # one of KINDS
    pcap_id: str | None = None  # with `method` and `path`: which requests; None: whichever
    method: str | None = None
    path: str | None = None
    times: int | None = None  # of requests; None: until cleared
    done: bool = False  # the request is carried out first
    hold: str | None = None  # the gate to wait at; within the body for `hold_in_body`
    seconds: float = 0  # of delay; of the pause between pieces for `drip`
    status: int = 200  # where the kind makes up an answer
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    base64: str = ""  # bytes that are no text, for `raw` and `header_bytes`
    name: str = ""  # of the header, for `header_bytes`
    # Of the body, for `huge` and `gzip` (unpacked); of the headers, for `header_bomb`; of the error
    # in the length, for `wrong_length`; of the pieces, for `drip` (0: a byte each).
    size: int = 0
    depth: int = 0  # of the arrays, for `nested`

    @staticmethod
    def from_json(described: dict[str, Any]) -> Fault:
        """Raises ValueError for what it does not know: a misspelt fault would test nothing."""
        known = {f.name for f in fields(Fault)}
        if unknown := set(described) - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        fault = Fault(**described)
        if fault.kind not in KINDS:
            raise ValueError(f"unknown kind {fault.kind}; known: {', '.join(KINDS)}")
        if fault.kind == "hold_in_body" and fault.hold is None:
            raise ValueError("hold_in_body needs the gate to wait at: hold")
        return fault

    @functools.cached_property  # a test may set thousands, and each request looks through them
    def which(self) -> Which:
        return Which(self.pcap_id, self.method, self.path)


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._gates: dict[str, asyncio.Event] = {}

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        """Forgets all faults and opens all gates."""
        self._faults.clear()
        for gate in self._gates.values():
            gate.set()

    def release(self, gate: str) -> None:
        """Lets through whoever waits at the gate, and whoever comes later."""
        self._gate(gate).set()

    def take(self, entry: Entry) -> Fault | None:
        """The first one that fits, used up by one."""
        for fault in self._faults:
            if not fault.which.fits(entry) or fault.times == 0:
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None

    async def answer(
        self, fault: Fault, request: web.Request, entry: Entry, normal: Answer
    ) -> web.StreamResponse:
        """`normal` gives the answer as it would be without the fault."""
        entry.fault = fault.kind
        if fault.done:
            normal = _already(await normal())
        if fault.kind == "hold_in_body":
            return await _hold_in_body(self._gate(fault.hold or ""), request, entry, normal)
        if fault.hold is not None:
            await self._gate(fault.hold).wait()
        if fault.seconds > 0 and fault.kind != "drip":
            await asyncio.sleep(fault.seconds)
        return await KINDS[fault.kind](fault, request, entry, normal)

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())


def _already(response: web.StreamResponse) -> Answer:
    async def give() -> web.StreamResponse:
        return response

    return give


class RawAnswer(web.StreamResponse):
    """Bytes that go onto the connection as they are, which then ends: politely, or with a reset."""

    def __init__(self, data: bytes, reset: bool = False) -> None:
        super().__init__()
        self._data = data
        self._reset = reset
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        transport = request.transport
        if transport is None:
            return
        if self._data:
            transport.write(self._data)
        if self._reset:
            # Without lingering, closing sends RST. The bytes above are in the kernel already, as
            # the buffer was empty; those that the peer has not read may be lost, as in life.
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

    async def write_eof(self, data: bytes = b"") -> None:
        return


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever"] + [f"{k}: {v}" for k, v in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True)
class _Normal:
    """The answer as it would be without the fault."""

    status: int
    headers: dict[str, str]  # Content-Type, where there is a body; no length
    body: bytes

    def head(self, **headers: str) -> bytes:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return _head(self.status, {**self.headers, **named})

    def with_length(self, length: int | None = None) -> bytes:
        """The head; None: of the true length."""
        return self.head(Content_Length=str(len(self.body) if length is None else length))

    def first_half(self) -> bytes:
        """Of the body; of the head where there is no body."""
        head = self.with_length()
        return head + self.body[: len(self.body) // 2] if self.body else head[: len(head) // 2]

    def begun(self) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status, headers=self.headers)
        response.content_length = len(self.body)
        return response


async def _normal_of(normal: Answer) -> _Normal:
    response = await normal()
    if isinstance(response, Download):
        body = b"".join(response.file.pieces())
    else:
        assert isinstance(response, web.Response) and isinstance(response.body, bytes | None)
        body = response.body or b""
    return _Normal(response.status, {"Content-Type": response.content_type} if body else {}, body)


async def _normal(
    _fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    return await normal()


async def _answer(
    fault: Fault, _request: web.Request, _entry: Entry, _normal: Answer
) -> web.StreamResponse:
    headers = {"Content-Type": "application/json", **fault.headers}
    return web.Response(status=fault.status, body=fault.body.encode(), headers=headers)


async def _raw(
    fault: Fault, _request: web.Request, _entry: Entry, _normal: Answer
) -> web.StreamResponse:
    return RawAnswer(base64.b64decode(fault.base64))


async def _header_bytes(
    fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    """The normal answer with one header whose value is any bytes at all."""
    told = await _normal_of(normal)
    line = fault.name.encode() + b": " + base64.b64decode(fault.base64) + b"\r\n"
    return RawAnswer(told.with_length()[:-2] + line + b"\r\n" + told.body)


async def _reset_before(
    _fault: Fault, _request: web.Request, _entry: Entry, _normal: Answer
) -> web.StreamResponse:
    return RawAnswer(b"", reset=True)


async def _reset_within(
    _fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    return RawAnswer((await _normal_of(normal)).first_half(), reset=True)


async def _reset_in_headers(
    _fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    return RawAnswer((await _normal_of(normal)).first_half()[:40], reset=True)


async def _truncate(
    _fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    return RawAnswer((await _normal_of(normal)).first_half())


async def _wrong_length(
    fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    """The whole body, and a Content-Length that is off by `size`, upwards or downwards."""
    told = await _normal_of(normal)
    return RawAnswer(told.with_length(max(0, len(told.body) + fault.size)) + told.body)


async def _stall_in_headers(
    _fault: Fault, request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    return await _stall_after((await _normal_of(normal)).first_half()[:40], request)


async def _stall_in_body(
    _fault: Fault, request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    return await _stall_after((await _normal_of(normal)).first_half(), request)


async def _stall_after(data: bytes, request: web.Request) -> web.StreamResponse:
    """Nothing comes after `data`, until the client goes away."""
    assert request.transport is not None
    request.transport.write(data)
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def _cut_chunk(
    _fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    """The whole body but its last byte, within a chunk that never ends."""
    told = await _normal_of(normal)
    head = told.head(Transfer_Encoding="chunked")
    return RawAnswer(head + f"{len(told.body):x}\r\n".encode() + told.body[:-1])


async def _until_closed(
    _fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    """The normal answer without a length: it ends with the connection."""
    told = await _normal_of(normal)
    return RawAnswer(told.head() + told.body)


async def _close_after(
    _fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    """The normal answer, and then the connection is closed, of which no header tells."""
    told = await _normal_of(normal)
    return RawAnswer(told.with_length() + told.body)


async def _interim(
    fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    """An interim answer of that status (1xx) before the normal one."""
    told = await _normal_of(normal)
    return RawAnswer(_head(fault.status, fault.headers) + told.with_length() + told.body)


async def _header_bomb(
    fault: Fault, _request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    """The normal answer with so many bytes of headers, in lines of 1000."""
    told = await _normal_of(normal)
    lines = {f"X-Bomb-{i:08}": "x" * 981 for i in range(fault.size // 1000)}
    head = _head(told.status, {**lines, "Content-Length": str(len(told.body))})
    return RawAnswer(head + told.body)


async def _gzip(
    fault: Fault, _request: web.Request, _entry: Entry, _normal: Answer
) -> web.StreamResponse:
    """An envelope whose only string is `size` bytes long, packed, although nobody asked for it."""
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(b'{"success":true,"errors":[],"messages":[],"result":{"id":"')
    for _ in range(fault.size >> 16):
        packed += packer.compress(b"x" * (1 << 16))
    packed += packer.compress(b'"}}') + packer.flush()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = web.Response(status=fault.status, body=packed, headers=headers)
    response.headers.update(fault.headers)
    return response


async def _html(
    fault: Fault, _request: web.Request, _entry: Entry, _normal: Answer
) -> web.StreamResponse:
    body = (
        "<!DOCTYPE html><html><head><title>Worker threw exception | api.cloudflare.com</title>"
        f"</head><body><h1>Error {fault.status}</h1><p>{fault.body}</p></body></html>"
    )
    return web.Response(
        status=fault.status, text=body, content_type="text/html", headers=fault.headers
    )


async def _empty(
    fault: Fault, _request: web.Request, _entry: Entry, _normal: Answer
) -> web.StreamResponse:
    return web.Response(status=fault.status, headers=fault.headers)


async def _huge(
    fault: Fault, request: web.Request, entry: Entry, _normal: Answer
) -> web.StreamResponse:
    """An envelope whose only string is `size` bytes long, in pieces of 64 KiB, without a length."""
    response = web.StreamResponse(status=fault.status, headers=fault.headers)
    response.content_type = "application/json"
    await response.prepare(request)
    entry.body_bytes_sent = 0
    piece = b"x" * (64 << 10)
    await response.write(b'{"success":true,"errors":[],"messages":[],"result":{"id":"')
    while entry.body_bytes_sent < fault.size:
        await response.write(piece)
        entry.body_bytes_sent += len(piece)
    await response.write_eof(b'"}}')
    return response


async def _drip(
    fault: Fault, request: web.Request, entry: Entry, normal: Answer
) -> web.StreamResponse:
    """The normal answer, `size` bytes at a time."""
    told = await _normal_of(normal)
    response = told.begun()
    await response.prepare(request)
    entry.body_bytes_sent = 0
    size = fault.size or 1
    for at in range(0, len(told.body), size):
        piece = told.body[at : at + size]
        await response.write(piece)
        entry.body_bytes_sent += len(piece)
        await asyncio.sleep(fault.seconds)
    await response.write_eof()
    return response


async def _hold_in_body(
    gate: asyncio.Event, request: web.Request, entry: Entry, normal: Answer
) -> web.StreamResponse:
    """The normal answer, its second half only when the gate is open."""
    told = await _normal_of(normal)
    response = told.begun()
    await response.prepare(request)
    half = len(told.body) // 2
    await response.write(told.body[:half])
    entry.body_bytes_sent = half
    await gate.wait()
    await response.write(told.body[half:])
    entry.body_bytes_sent = len(told.body)
    await response.write_eof()
    return response


async def _chunked(
    _fault: Fault, request: web.Request, _entry: Entry, normal: Answer
) -> web.StreamResponse:
    """The normal answer without a length: in chunks."""
    told = await _normal_of(normal)
    response = told.begun()
    response.content_length = None
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(told.body)
    await response.write_eof()
    return response


async def _nested(
    fault: Fault, _request: web.Request, _entry: Entry, _normal: Answer
) -> web.StreamResponse:
    arrays = "[" * fault.depth + "]" * fault.depth
    body = '{"success":true,"errors":[],"messages":[],"result":{"deep":' + arrays + "}}"
    return web.Response(body=body.encode(), content_type="application/json")


async def _redirect(
    fault: Fault, _request: web.Request, _entry: Entry, _normal: Answer
) -> web.StreamResponse:
    return web.Response(status=fault.status, headers={"Location": fault.body})


KINDS: dict[
    str,
    Callable[[Fault, web.Request, Entry, Answer], Awaitable[web.StreamResponse]],
] = {
    "normal": _normal,
    "delay": _normal,  # with `seconds`
    "answer": _answer,
    "raw": _raw,
    "header_bytes": _header_bytes,
    "reset_before": _reset_before,
    "reset_in_headers": _reset_in_headers,
    "reset_within": _reset_within,
    "stall_in_headers": _stall_in_headers,
    "stall_in_body": _stall_in_body,
    "truncate": _truncate,
    "cut_chunk": _cut_chunk,
    "until_closed": _until_closed,
    "close_after": _close_after,
    "interim": _interim,
    "header_bomb": _header_bomb,
    "gzip": _gzip,
    "wrong_length": _wrong_length,
    "html": _html,
    "empty": _empty,
    "huge": _huge,
    "drip": _drip,
    "hold_in_body": _normal,  # with `hold`; Faults.answer has the gates
    "chunked": _chunked,
    "nested": _nested,
    "redirect": _redirect,
}
