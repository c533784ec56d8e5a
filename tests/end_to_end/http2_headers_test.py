"""Header fields that gRPC refuses: what it costs, and that the next call's fields are read aright.

What the patches of deploy/grpc mend is held against a gateway that has them; deploy/debian/test runs
this with the package's. SECURITY.md says how gRPC as Debian packs it ends these."""

from __future__ import annotations

import pytest

from harness.build import IS_PATCHED
from harness.calls import request_for
from harness.emulator import Emulator
from harness.gateway import Gateway
from harness.raw_http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    SETTINGS,
    RawConnection,
    call_fields,
    frame,
    in_frames,
    message,
)

OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED = "0", "3", "8"
LIMIT = 16 << 10  # on a call's metadata
# Into the table, as its newest entry: `x-request-id: kept`. And that entry, by its index.
PUT = b"\x40\x0cx-request-id\x04kept"
NAMED = b"\xbe"


@pytest.fixture
def patched(gateway: Gateway) -> Gateway:
    if not IS_PATCHED:
        pytest.skip("gRPC as the system has it; deploy/debian/test holds this")
    return gateway


def request(emulator: Emulator, stream: int) -> bytes:
    body = message(request_for(emulator.add()).SerializeToString())
    return frame(DATA, END_STREAM, stream, body)


def told(connection: RawConnection) -> list[int]:
    """The streams of the HEADERS that came."""
    return sorted(stream for stream, _ in connection.heard.blocks)


def literal(name: bytes, value: bytes) -> bytes:
    """A field of up to 126 bytes each that is not put into the table."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


# Not `plain`, which makes the table empty.
CALL = b"".join(literal(name.encode(), value.encode()) for name, value in call_fields())


def large(size: int) -> bytes:
    """Fields of about so many bytes, as HTTP/2 counts them."""
    return literal(b"x-large", b"y" * 100) * (size // 139)


REFUSED = {
    "over the limit": large(2 * LIMIT),
    "illegal base64": literal(b"x-bin", b"!not base64!"),
    "illegal base64 in the table": b"\x40\x05x-bin\x0c!not base64!",
    "length of a base64": literal(b"x-bin", b"abcde"),
    "timeout": literal(b"grpc-timeout", b"99999999999999H"),
    "te": literal(b"te", b"x"),
    "scheme": literal(b":scheme", b"x"),
    "load balancer's": literal(b"grpclb_client_stats", b"x"),
    "te, and over the limit": literal(b"te", b"x") + large(2 * LIMIT),
    "encoding": literal(b"grpc-encoding", b"x"),
    "no name": literal(b"", b"x"),
    "control characters": literal(b"x", b"a\0b\r\n"),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_the_next_call_is_read_aright_or_the_connection_is_closed(
    gateway: Gateway, emulator: Emulator, refused: bytes
) -> None:
    """CVE-2023-32731, CVE-2024-7246: what a refused call puts into the table is there, unharmed."""
    with RawConnection(gateway.address) as connection:
        connection.listen(SETTINGS)
        connection.send(frame(SETTINGS, ACK, 0))
        connection.send(in_frames(1, CALL + refused + PUT), request(emulator, 1))
        connection.send(in_frames(3, CALL + NAMED), request(emulator, 3))
        answers = connection.answers(1, 3)
        if 3 in answers:
            assert answers[3]["x-request-id"] == "kept", answers
            assert answers[3]["grpc-status"] == OK, answers
        else:
            assert connection.heard.closed
    assert gateway.process.running(), gateway.process.output()


@pytest.mark.parametrize("acknowledged", [True, False])
def test_metadata_over_the_limit_costs_its_call_alone(
    patched: Gateway, emulator: Emulator, acknowledged: bool
) -> None:
    with RawConnection(patched.address) as connection:
        connection.listen(SETTINGS)
        connection.send(frame(SETTINGS, ACK, 0) if acknowledged else b"")
        connection.send(in_frames(1, CALL + PUT + large(LIMIT)))
        connection.send(in_frames(3, CALL + NAMED), request(emulator, 3))
        answers = connection.answers(1, 3)
    assert answers[1]["grpc-status"] == RESOURCE_EXHAUSTED
    assert told(connection) == [1, 3, 3], "once, and nothing after it"
    assert (answers[3]["grpc-status"], answers[3]["x-request-id"]) == (OK, "kept")


@pytest.mark.parametrize("acknowledged", [True, False])
def test_the_metadata_limit_holds_from_the_first_byte_and_through_all_frames(
    patched: Gateway, acknowledged: bool
) -> None:
    piece = frame(CONTINUATION, 0, 1, large(LIMIT // 2))
    with RawConnection(patched.address) as connection:
        connection.listen(SETTINGS)
        connection.send(frame(SETTINGS, ACK, 0) if acknowledged else b"")
        connection.send(frame(HEADERS, 0, 1, CALL), *[piece] * 10)
        assert connection.listen().closed


@pytest.mark.parametrize("stream", [1, 3], ids=["passed over", "its own"])
def test_fields_without_end_close_the_connection(patched: Gateway, stream: int) -> None:
    """Also those of a stream that is passed over, as its number was used."""
    piece = frame(CONTINUATION, 0, stream, large(LIMIT // 2))
    with RawConnection(patched.address) as connection:
        connection.send(frame(HEADERS, END_HEADERS, 1, CALL))
        connection.send(frame(HEADERS, 0, stream, CALL), *[piece] * 10)
        assert connection.listen().closed


START = CALL + b"\x00\x01x\x7f"
ENDLESS = {
    "large pieces": (START + b"\x81\xff\xff\x7f", b"y" * 16384),
    "small pieces": (START + b"\x81\xff\xff\x7f", b"y" * 100),
    "empty pieces": (START + b"\x81\xff\xff\x7f" + b"y" * 5000, b""),
    "zeros in front of the length": (START, b"\x80" * 1000),
    "a name": (CALL + b"\x00\x7f\x81\xff\xff\x7f", b"y" * 1000),
    "an index": (CALL + b"\xff", b"\x80" * 1000),
}


@pytest.mark.parametrize(("start", "piece"), ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("stream", [1, 3], ids=["passed over", "its own"])
def test_a_field_without_end_closes_the_connection(
    patched: Gateway, stream: int, start: bytes, piece: bytes
) -> None:
    with RawConnection(patched.address) as connection:
        connection.send(frame(HEADERS, END_HEADERS, 1, CALL))
        connection.send(frame(HEADERS, 0, stream, start))
        connection.send(*[frame(CONTINUATION, 0, stream, piece)] * 2000)
        assert connection.listen().closed


def test_a_large_field_in_small_pieces_is_taken(patched: Gateway, emulator: Emulator) -> None:
    """Below the limit nothing depends on how it comes."""
    block = CALL + b"\x00\x07x-large\x7f\x81\x60" + b"y" * 12416 + PUT
    pieces = [block[i : i + 200] for i in range(0, len(block), 200)]
    frames = [frame(HEADERS, 0, 1, pieces[0])]
    frames += [frame(CONTINUATION, 0, 1, piece) for piece in pieces[1:-1]]
    frames += [frame(CONTINUATION, END_HEADERS, 1, pieces[-1])]
    with RawConnection(patched.address) as connection:
        connection.send(*frames, request(emulator, 1))
        answers = connection.answers(1)
    assert (answers[1]["grpc-status"], answers[1]["x-request-id"]) == (OK, "kept")


@pytest.mark.parametrize(
    "field", [REFUSED[name] for name in REFUSED if "base64" in name], ids=lambda field: repr(field)
)
def test_illegal_base64_costs_its_call_alone(
    patched: Gateway, emulator: Emulator, field: bytes
) -> None:
    with RawConnection(patched.address) as connection:
        connection.send(in_frames(1, CALL + field + PUT), request(emulator, 1))
        connection.send(in_frames(3, CALL + NAMED), request(emulator, 3))
        answers = connection.answers(1, 3)
    assert answers[1]["grpc-status"] == INVALID_ARGUMENT
    assert told(connection) == [1, 3, 3], "once, and nothing after it"
    assert (answers[3]["grpc-status"], answers[3]["x-request-id"]) == (OK, "kept")


def test_a_passed_over_block_that_is_cut_off_closes_the_connection(patched: Gateway) -> None:
    """Its rest would be taken for the beginning of the next call's fields."""
    with RawConnection(patched.address) as connection:
        connection.send(frame(HEADERS, END_HEADERS, 3, CALL))
        connection.send(frame(HEADERS, END_HEADERS, 1, CALL + b"\x00\x05x-cut\x7f"))
        assert connection.listen().closed
