"""Raw HTTP/2 against the front: whatever one connection says, the process lives, others are served,
and memory stays bounded. SECURITY.md tells which attack ends how."""

from __future__ import annotations

import gzip
import itertools
import os
import re
import socket
import struct
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Callable

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness.admin import metrics_of, wait_for_metric
from harness.build import REFUSES_EARLY
from harness.calls import Failure, get, request_for
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.process import PATIENCE_SECONDS
from harness.raw_http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Heard,
    RawConnection,
    call_fields,
    frame,
    headers,
    in_frames,
    message,
    plain,
    settings,
)
from harness.stubs import pcap_service_pb2_grpc

MIB = 1 << 20

# Generous: seen were 312 MiB at most, with headers that came before the SETTINGS were agreed on.
MOST_MEMORY = 512 * MIB
# Allocators keep what they had, and of an attack's thousands of calls it is chance how many are alive at once. So
# memory may grow for some rounds; one of them has to find nearly all that it needs.
MOST_ROUNDS = 8
MOST_GROWTH_AGAIN = 16 * MIB

# A flood ends when the server closes, at its last byte, or then: a server that stops reading is
# one of the good ends.
FLOOD_SECONDS = 3.0

CANCEL = struct.pack(">I", 8)
CALL = plain(call_fields())


def streams(count: int) -> range:
    return range(1, 2 * count, 2)


def flood(address: str, block: bytes, total: int = 8 * MIB, opening: bytes = b"") -> Heard:
    """`block` over and over until that many bytes are sent."""
    chunk = block * max(1, 65536 // len(block))
    with RawConnection(address) as connection:
        if opening:
            connection.send(opening)
        return connection.flood(itertools.repeat(chunk, total // len(chunk) + 1), FLOOD_SECONDS)


def said(address: str, *blocks: bytes, opening: bytes = PREFACE + settings()) -> Heard:
    """What comes of it: waits for the server's close, but not long."""
    with RawConnection(address, opening) as connection:
        connection.send(*blocks, seconds=FLOOD_SECONDS)
        return connection.listen(seconds=0.05)


# The attacks ------------------------------------------------------------------------------------


def rapid_reset(address: str) -> list[Heard]:
    """CVE-2023-44487: 10,000 calls, each taken back at once, on each of four connections."""
    block = b"".join(
        frame(HEADERS, END_HEADERS, stream, CALL) + frame(RST_STREAM, 0, stream, CANCEL)
        for stream in streams(10_000)
    )
    heard = []
    with ExitStack() as open_:
        for _ in range(4):
            connection = open_.enter_context(RawConnection(address))
            heard.append(connection.send(block, seconds=FLOOD_SECONDS))
    return heard


def rapid_reset_of_whole_calls(address: str) -> list[Heard]:
    """The same with a request in each, so that it gets as far as the method."""
    body = message(request_for("0" * 32).SerializeToString())
    block = b"".join(
        frame(HEADERS, END_HEADERS, stream, CALL)
        + frame(DATA, END_STREAM, stream, body)
        + frame(RST_STREAM, 0, stream, CANCEL)
        for stream in streams(10_000)
    )
    with RawConnection(address) as connection:
        return [connection.send(block, seconds=FLOOD_SECONDS)]


def continuation_flood(address: str) -> list[Heard]:
    """Header fields that never end."""
    more = frame(CONTINUATION, 0, 1, plain([("x-more", "y" * 1000)]) * 15)
    return [flood(address, more, 64 * MIB, frame(HEADERS, 0, 1, CALL))]


def empty_continuation_flood(address: str) -> list[Heard]:
    return [flood(address, frame(CONTINUATION, 0, 1), 8 * MIB, frame(HEADERS, 0, 1, CALL))]


def one_endless_field(address: str) -> list[Heard]:
    """CVE-2023-33953: a literal whose length is told as megabytes, in CONTINUATION frames."""
    start = CALL + b"\x00\x01x\x7f" + b"\x81\xff\xff\x7f"
    piece = frame(CONTINUATION, 0, 1, b"y" * 16384)
    return [flood(address, piece, 64 * MIB, frame(HEADERS, 0, 1, start))]


def ping_flood(address: str) -> list[Heard]:
    return [flood(address, frame(PING, 0, 0, b"12345678"))]


def ping_ack_flood(address: str) -> list[Heard]:
    return [flood(address, frame(PING, ACK, 0, b"12345678"))]


def settings_flood(address: str) -> list[Heard]:
    return [flood(address, settings((INITIAL_WINDOW_SIZE, 65535)))]


def unread_settings_flood(address: str) -> list[Heard]:
    """Each asks for an ACK that is never read."""
    block = settings() * 20_000
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.settimeout(1)
        try:
            raw.sendall(PREFACE)
            for _ in range(40):
                raw.sendall(block)
        except OSError:
            pass  # it does not take any more
    return []


def empty_data_flood(address: str) -> list[Heard]:
    return [flood(address, frame(DATA, 0, 1), 8 * MIB, frame(HEADERS, END_HEADERS, 1, CALL))]


def padding_flood(address: str) -> list[Heard]:
    padded = frame(DATA, 8, 1, bytes([255]) + bytes(255))
    return [flood(address, padded, 8 * MIB, frame(HEADERS, END_HEADERS, 1, CALL))]


def empty_headers_flood(address: str) -> list[Heard]:
    """Streams without a single field."""
    block = b"".join(frame(HEADERS, END_HEADERS, stream) for stream in streams(20_000))
    return [said(address, block)]


def trailers_flood(address: str) -> list[Heard]:
    return [flood(address, frame(HEADERS, END_HEADERS, 1), 8 * MIB,
                  frame(HEADERS, END_HEADERS, 1, CALL))]  # fmt: skip


def priority_flood(address: str) -> list[Heard]:
    block = b"".join(
        frame(PRIORITY, 0, stream, struct.pack(">IB", 0, 7)) for stream in streams(50_000)
    )
    return [flood(address, block)]


def window_update_flood(address: str) -> list[Heard]:
    return [flood(address, frame(WINDOW_UPDATE, 0, 99, struct.pack(">I", 1)))]


def unknown_frame_flood(address: str) -> list[Heard]:
    return [flood(address, frame(0xBB, 0, 0, b"?" * 100))]


def oversized_headers(address: str, acknowledged: bool) -> list[Heard]:
    ack = frame(SETTINGS, ACK, 0) if acknowledged else b""
    big = [("x-big", "y" * 400_000)]
    many = [(f"x-{i}", "y") for i in range(20_000)]
    heard = []
    for more in (big, many):
        with RawConnection(address) as connection:
            connection.listen(SETTINGS)
            connection.send(ack)
            for stream in streams(50):
                connection.send(headers(stream, call_fields(*more)), seconds=FLOOD_SECONDS)
            heard.append(connection.listen(seconds=0.05))
    return heard


def oversized_headers_before_the_ack(address: str) -> list[Heard]:
    return oversized_headers(address, False)


def oversized_headers_after_the_ack(address: str) -> list[Heard]:
    return oversized_headers(address, True)


def odd_pseudo_headers(address: str) -> list[Heard]:
    usual = dict(call_fields())
    odd = [
        [*call_fields()[4:], *call_fields()[:4]],
        [*call_fields(), (":path", "/another")],
        [*call_fields(), (":path", "/")],
        [*call_fields(), (":unknown", "1")],
        [*call_fields(), (":status", "200")],
        [*call_fields(), ("Upper", "Case")],
        [*call_fields(), ("", "no name")],
        [*call_fields(), ("x", "nul\0"), ("y", "line\r\nfeed")],
        [*call_fields(), ("grpc-timeout", "99999999999999H")],
        [*call_fields(), ("grpc-encoding", "none-such")],
        [*call_fields(), ("x-bin", "!not base64!")],
        [*call_fields(), ("connection", "close"), ("transfer-encoding", "chunked")],
        [*call_fields(), ("content-length", "-1")],
        [(":method", "POST")],
        [],
    ]
    for name in usual:
        odd.append([(n, v) for n, v in usual.items() if n != name])
        for value in ("", "?", "x" * 5000, "\xff\0", "gzip, trailers"):
            odd.append([(n, value if n == name else v) for n, v in usual.items()])
    body = message(request_for("0" * 32).SerializeToString())
    return [
        said(address, headers(1, fields) + frame(DATA, END_STREAM, 1, body)) for fields in odd
    ]


def hpack_bomb(address: str) -> list[Heard]:
    """A field of 3,900 bytes in the table, named 10,000 times by one byte each."""
    put = CALL + b"\x40\x01x" + b"\x7f" + b"\xbd\x1d" + b"y" * 3900
    named = b"\xbe" * 10_000
    heard = []
    for ack in (b"", frame(SETTINGS, ACK, 0)):
        with RawConnection(address) as connection:
            connection.listen(SETTINGS)
            connection.send(ack + in_frames(1, put))
            for stream in streams(40)[1:]:
                connection.send(in_frames(stream, CALL + named), seconds=FLOOD_SECONDS)
            heard.append(connection.listen(seconds=0.05))
    return heard


def hpack_table_abuse(address: str) -> list[Heard]:
    """Sizes that were not agreed on, indexes that are not there, integers without an end."""
    blocks = [
        b"\x3f\xe1\xff\xff\xff\x07",  # a table of 2 GiB
        b"\x20\x3f\xe1\x1f" * 1000,  # smaller, larger, smaller
        b"\xff\xff\xff\xff\x07",  # a far index
        b"\x80",  # index 0
        b"\xff" + b"\x80" * 10_000 + b"\x01",
        b"\x00\x7f" + b"\xff" * 10,  # a name that is longer than memory
        b"\x00\x81\xff\x81\xff",  # Huffman: the end of string alone
        b"\x40\x01a\x01b" * 5000,  # entries that push each other out
    ]
    return [said(address, in_frames(1, block)) for block in blocks]


def zero_windows(address: str) -> list[Heard]:
    """Thousands of calls of a peer that takes no bodies: their refusals are headers alone."""
    body = message(request_for("not-an-id").SerializeToString())
    heard = []
    with ExitStack() as open_:
        for _ in range(4):
            opening = PREFACE + settings((INITIAL_WINDOW_SIZE, 0))
            connection = open_.enter_context(RawConnection(address, opening))
            calls = b"".join(
                frame(HEADERS, END_HEADERS, s, CALL) + frame(DATA, END_STREAM, s, body)
                for s in streams(3000)
            )
            connection.send(calls, seconds=FLOOD_SECONDS)
            heard.append(connection.listen(seconds=0.05))
    return heard


def slow_reading(address: str) -> list[Heard]:
    """Reflection of everything, asked for again and again, and not a byte read."""
    host, _, port = address.rpartition(":")
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    fields = plain([(n, path if n == ":path" else v) for n, v in call_fields()])
    ask = message(b"\x22\x13pcap.v1.PcapService")
    opening = (
        PREFACE
        + settings((INITIAL_WINDOW_SIZE, (1 << 31) - 1))
        + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 31) - 1 - 65535))
        + frame(HEADERS, END_HEADERS, 1, fields)
    )
    with socket.create_connection((host, int(port))) as raw:
        raw.settimeout(1)
        try:
            raw.sendall(opening)
            for _ in range(200):
                raw.sendall(frame(DATA, 0, 1, ask * 10) * 10)
        except OSError:
            pass  # its windows are full
    return []


def half_open(address: str) -> list[Heard]:
    """Frames that stop in the middle, and connections that go away in it."""
    cuts = [PREFACE[:10], PREFACE, PREFACE + settings()[:5]]
    whole = PREFACE + settings() + headers(1, call_fields())
    cuts += [whole[:-20], whole, whole + frame(DATA, 0, 1, message(b"", 100))]
    for cut in cuts * 20:
        with RawConnection(address, cut):
            pass
    return []


def other_protocols(address: str) -> list[Heard]:
    """What is not HTTP/2, and prefaces that are not quite it."""
    openings = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        bytes(100_000),
        os.urandom(100_000),
        PREFACE + headers(1, call_fields()),  # no SETTINGS first
        PREFACE + PREFACE,
    ]
    return [said(address, opening=opening) for opening in openings]


def frames_that_are_errors(address: str) -> list[Heard]:
    call = headers(1, call_fields())
    window = struct.pack(">I", (1 << 31) - 1)
    wrong = [
        frame(DATA, 0, 0, b"on no stream"),
        frame(HEADERS, END_HEADERS, 0, CALL),
        frame(HEADERS, END_HEADERS, 2, CALL),  # a server's number
        headers(5, call_fields()) + headers(3, call_fields()),  # backwards
        call + frame(DATA, 0, 1, bytes(100_000)),  # larger than a frame may be
        frame(PING, 0, 0, bytes((1 << 24) - 1)),
        frame(SETTINGS, 0, 0, b"12345"),
        frame(SETTINGS, ACK, 0, b"123456"),
        frame(SETTINGS, 0, 1),
        settings((INITIAL_WINDOW_SIZE, 0xFFFFFFFF), (5, 1), (2, 9)),
        frame(WINDOW_UPDATE, 0, 0, window) * 2,
        call + frame(WINDOW_UPDATE, 0, 1, window) * 2,
        frame(WINDOW_UPDATE, 0, 0, bytes(4)),
        call + frame(WINDOW_UPDATE, 0, 1, bytes(4)),
        frame(WINDOW_UPDATE, 0, 0, b"1"),
        frame(RST_STREAM, 0, 0, CANCEL),
        frame(RST_STREAM, 0, 9, CANCEL),  # never opened
        frame(GOAWAY, 0, 0, b"1"),
        frame(PUSH_PROMISE, END_HEADERS, 1, CALL),
        frame(CONTINUATION, END_HEADERS, 1, CALL),  # of nothing
        frame(HEADERS, 0, 1, CALL) + frame(PING, 0, 0, bytes(8)),  # within a header block
        frame(HEADERS, END_HEADERS | 8, 1, b"\xff" + CALL[:20]),  # more padding than frame
        frame(DATA, 8, 1, b"\xff"),
        frame(PRIORITY, 0, 1, b"1"),
    ]
    return [said(address, bytes(block)) for block in wrong]


def beyond_the_windows(address: str) -> list[Heard]:
    """A request that pays no heed to flow control."""
    piece = frame(DATA, 0, 1, bytes(16384))
    opening = headers(1, call_fields()) + frame(DATA, 0, 1, message(b"", (1 << 32) - 1))
    return [flood(address, piece, 64 * MIB, opening)]


def four_gibibytes_declared(address: str) -> list[Heard]:
    block = b"".join(
        headers(s, call_fields()) + frame(DATA, 0, s, message(b"abc", (1 << 32) - 1))
        for s in streams(500)
    )
    return [said(address, block)]


def compressed_bombs(address: str) -> list[Heard]:
    """200 requests of 50 KiB that become 50 MiB each."""
    bomb = gzip.compress(bytes(50 * MIB))
    body = message(bomb, compressed=True)
    fields = call_fields(("grpc-encoding", "gzip"))
    heard = []
    for _ in range(200):
        with RawConnection(address) as connection:
            pieces = [body[i : i + 16384] for i in range(0, len(body), 16384)]
            connection.send(headers(1, fields), *(frame(DATA, 0, 1, piece) for piece in pieces))
            connection.send(frame(DATA, END_STREAM, 1))
            heard.append(connection.listen(HEADERS, seconds=FLOOD_SECONDS))
    return heard


def idle_connections(address: str) -> list[Heard]:
    """A thousand that say nothing, and a thousand that say hello."""
    with ExitStack() as open_:
        for opening in (b"", PREFACE + settings()):
            for _ in range(1000):
                open_.enter_context(RawConnection(address, opening))
    return []


ATTACKS: list[Callable[[str], list[Heard]]] = [
    rapid_reset,
    rapid_reset_of_whole_calls,
    continuation_flood,
    empty_continuation_flood,
    ping_flood,
    ping_ack_flood,
    settings_flood,
    unread_settings_flood,
    empty_data_flood,
    padding_flood,
    empty_headers_flood,
    trailers_flood,
    priority_flood,
    window_update_flood,
    unknown_frame_flood,
    oversized_headers_before_the_ack,
    oversized_headers_after_the_ack,
    odd_pseudo_headers,
    hpack_bomb,
    hpack_table_abuse,
    zero_windows,
    slow_reading,
    half_open,
    other_protocols,
    frames_that_are_errors,
    beyond_the_windows,
    four_gibibytes_declared,
    compressed_bombs,
    idle_connections,
]


# What holds ------------------------------------------------------------------------------------


class Bystander:
    """A well-behaved caller on a connection of its own, calling all the while."""

    def __init__(self, gateway: Gateway, pcap_id: str) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(gateway.address, options=options)
        self._pcap_id = pcap_id
        self._changed = threading.Condition()
        self._answers = 0
        self._failures: list[str] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._call, daemon=True)

    def __enter__(self) -> Bystander:
        self._thread.start()
        self.wait_for_more(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join(2 * PATIENCE_SECONDS)
        self._channel.close()

    def wait_for_more(self, count: int) -> None:
        """Until so many more calls are answered; none may ever fail."""
        with self._changed:
            wanted = self._answers + count
            assert self._changed.wait_for(
                lambda: self._failures or self._answers >= wanted, 2 * PATIENCE_SECONDS
            ), "the bystander's calls hang"
            assert not self._failures, self._failures

    def _call(self) -> None:
        while not self._stopping:
            try:
                get(self._channel, self._pcap_id)
                failure = None
            except Failure as error:
                failure = str(error)
            with self._changed:
                if failure is None:
                    self._answers += 1
                else:
                    self._failures.append(failure)
                self._changed.notify_all()


def resident(gateway: Gateway, most: int) -> int:
    """Bytes, once what the last attack left to do is done: its connections end behind its back, and what they had is
    given back within a second or two. Waits for less than `most`, in vain perhaps."""

    def now() -> int:
        status = Path(f"/proc/{gateway.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None, status
        return int(found.group(1)) * 1024

    pause = threading.Event()
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    sizes = [now()]
    while time.monotonic() < give_up_at and (
        len(sizes) < 6 or len(set(sizes[-6:])) > 1 or sizes[-1] >= most
    ):
        pause.wait(0.05)
        sizes.append(now())
    return sizes[-1]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: str(attack.__name__))
def test_others_are_served_and_memory_stays_bounded(
    start_gateway: StartGateway, emulator: Emulator, attack: Callable[[str], list[Heard]]
) -> None:
    gateway = start_gateway()
    sizes: list[int] = []
    with Bystander(gateway, emulator.add()) as bystander:
        for _ in range(MOST_ROUNDS):
            attack(gateway.address)
            bystander.wait_for_more(1)
            assert gateway.process.running(), gateway.process.output()
            if gateway.is_sanitized():
                return
            sizes.append(resident(gateway, MOST_MEMORY))
            assert sizes[-1] < MOST_MEMORY, sizes
            if sizes[-1] < max(sizes[:-1], default=0) + MOST_GROWTH_AGAIN:
                return
    raise AssertionError(f"memory grows with each round: {sizes}")


def test_a_field_without_end_costs_time_but_not_the_process(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    """gRPC 1.51 parses what it has of the field anew with each frame, and others on the same thread
    wait for that: SECURITY.md. When the connection is gone all is well again."""
    gateway = start_gateway()
    one_endless_field(gateway.address)
    with Bystander(gateway, emulator.add()) as bystander:
        bystander.wait_for_more(10)
    assert gateway.process.running(), gateway.process.output()
    assert gateway.is_sanitized() or resident(gateway, MOST_MEMORY) < MOST_MEMORY


def test_a_ping_flood_ends_its_connection(gateway: Gateway) -> None:
    [heard] = ping_flood(gateway.address)
    assert (heard.goaway, heard.text) == (11, b"too_many_pings")
    assert heard.closed or REFUSES_EARLY  # SECURITY.md


def test_a_connection_that_never_sends_its_preface_is_closed(gateway: Gateway) -> None:
    with RawConnection(gateway.address, b"") as silent, RawConnection(
        gateway.address, PREFACE
    ) as without_settings:
        # Well below gRPC's own two minutes.
        assert silent.listen(seconds=40).closed
        assert without_settings.listen(seconds=10).closed


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_packed_requests_are_not_unpacked(
    gateway: Gateway, emulator: Emulator, algorithm: grpc.Compression
) -> None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(gateway.address, options, compression=algorithm) as channel:
        stub = pcap_service_pb2_grpc.PcapServiceStub(channel)
        request = request_for(emulator.add(), account_id="0" * 20_000)  # worth packing
        with pytest.raises(grpc.RpcError) as error:
            stub.GetPcap(request, timeout=PATIENCE_SECONDS)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
GET = "/pcap.v1.PcapService/GetPcap"
ADMIN = "--admin-listen=127.0.0.1:0"


def open_streams(path: str, count: int, body: bytes | None = None) -> bytes:
    """Streams of the method that are left open; `body`: their first message."""
    fields = plain([(n, path if n == ":path" else v) for n, v in call_fields()])
    sent = b""
    for stream in streams(count):
        sent += frame(HEADERS, END_HEADERS, stream, fields)
        if body is not None:
            sent += frame(DATA, 0, stream, message(body))
    return sent


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (HEALTH_WATCH, None),
        (HEALTH_WATCH, b""),
        (HEALTH_CHECK, None),
        (REFLECTION, None),
        (REFLECTION, b"\x3a\x00"),
        (GET, None),
    ],
    ids=["watch-silent", "watch", "check-silent", "reflection-silent", "reflection", "get-silent"],
)
def test_open_streams_are_bounded_and_calls_and_probes_find_a_place(
    start_gateway: StartGateway, emulator: Emulator, path: str, body: bytes | None
) -> None:
    """40 connections of 1,000 streams each, of peers that never acknowledge the SETTINGS."""
    gateway = start_gateway(ADMIN, "--max-streams=1000", "--max-calls=100")
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    block = open_streams(path, 1000, body)
    number = 10 if gateway.is_sanitized() else 40  # of what is read within the time of a flood
    with ExitStack() as open_:
        connections = [open_.enter_context(RawConnection(gateway.address)) for _ in range(number)]
        for connection in connections:
            connection.send(block, seconds=FLOOD_SECONDS)
        for _ in range(20):
            assert get(gateway.channel, pcap_id).is_hit
            check = health_pb2_grpc.HealthStub(gateway.channel).Check
            check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_SECONDS)
        # Those that were refused need a moment to leave.
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            figures = metrics_of(gateway)
            refused = figures["pcap_gateway_streams_refused_total"]
            if REFUSES_EARLY:
                refused = sum(connection.heard.kinds.get(RST_STREAM, 0) for connection in connections)
            if figures["pcap_gateway_streams"] <= 1000 and refused >= 750 * number:
                break
            assert time.monotonic() < give_up_at, (figures, refused)
            for connection in connections:
                connection.listen(seconds=0.001)
        most = 160 * MIB
        assert gateway.is_sanitized() or (size := resident(gateway, most)) < most, size
    assert gateway.process.running(), gateway.process.output()


@pytest.mark.parametrize("path", [HEALTH_WATCH, HEALTH_CHECK, REFLECTION, GET])
def test_a_first_message_that_does_not_come_ends_the_stream(
    start_gateway: StartGateway, path: str
) -> None:
    gateway = start_gateway(ADMIN, "--first-message-timeout=100ms")
    with RawConnection(gateway.address) as connection:
        connection.send(open_streams(path, 3))
        connection.listen(HEADERS)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while metrics_of(gateway)["pcap_gateway_streams_late_total"] < 3:
            assert time.monotonic() < give_up_at, "the streams are waited for without an end"
        assert connection.heard.kinds[HEADERS] >= 1 and not connection.heard.closed


def test_answers_that_nobody_takes_end_the_stream(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(ADMIN, "--first-message-timeout=100ms")
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    opening = PREFACE + settings((INITIAL_WINDOW_SIZE, 0))
    with RawConnection(gateway.address, opening) as connection:
        request = request_for(pcap_id).SerializeToString()
        connection.send(open_streams(GET, 10, request))
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while metrics_of(gateway)["pcap_gateway_streams_late_total"] < 10:
            assert time.monotonic() < give_up_at, "the answers are kept without an end"


@pytest.mark.parametrize("path", [HEALTH_WATCH, REFLECTION, GET])
def test_a_stream_that_the_policy_refuses_ends_at_once(
    start_gateway: StartGateway, tmp_path: Path, path: str
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(
        '{"name": "p", "allow_rules": [{"name": "nobody", "request": {"paths": ["/none"]}}]}'
    )
    gateway = start_gateway(ADMIN, f"--policy-file={policy}", "--first-message-timeout=1h")
    with RawConnection(gateway.address) as connection:
        connection.send(open_streams(path, 50))
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while connection.heard.kinds.get(HEADERS, 0) < 50:
            assert time.monotonic() < give_up_at, connection.heard
            connection.listen(seconds=0.05)
        wait_for_metric(gateway, "pcap_gateway_streams", 0)
