"""A capture file as a download gives it: libpcap's classic format, with packets that fit a filter."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

_LITTLE_ENDIAN_MICROSECONDS = 0xA1B2C3D4
_LINK_TYPE_RAW_IP = 101
_SNAP_LENGTH = 65535
_RECORD_HEAD = 16

# So many packets are made; a file that has more repeats them.
_BLOCK = 4096


class PcapFile:
    """IP packets without a payload, a millisecond apart, the last one a millisecond before `until`.

    With IPv4 and TCP, a packet takes 56 bytes of the file.
    """

    def __init__(self, until: datetime, packets: int, filter_v1: Mapping[str, Any] | None) -> None:
        """What the filter leaves open is made up. Of one that no packet can fit, there are none."""
        example = _packet(filter_v1 or {}, 0)
        self._until = until
        self._packets = packets if example is not None else 0
        self._filter = filter_v1 or {}
        self.size = 24 + self._packets * (_RECORD_HEAD + len(example or b""))

    def pieces(self) -> Iterator[bytes]:
        """Some 200 KiB at a time."""
        yield struct.pack(
            "<IHHiIII", _LITTLE_ENDIAN_MICROSECONDS, 2, 4, 0, 0, _SNAP_LENGTH, _LINK_TYPE_RAW_IP
        )
        block = [self._record(i) for i in range(min(self._packets, _BLOCK))]
        left, whole = self._packets, b"".join(block)
        while left > len(block):
            yield whole
            left -= len(block)
        yield b"".join(block[:left])

    def _record(self, number: int) -> bytes:
        packet = _packet(self._filter, number)
        assert packet is not None
        before = min(self._packets, _BLOCK) - number
        when = self._until - timedelta(milliseconds=before)
        seconds, length = int(when.timestamp()), len(packet)
        return struct.pack("<IIII", seconds, when.microsecond, length, length) + packet


def _packet(filter_v1: Mapping[str, Any], number: int) -> bytes | None:
    source, destination = _addresses(filter_v1)
    if source.version != destination.version:
        return None
    protocol = _number(filter_v1, "protocol", 6)
    ports = _number(filter_v1, "source_port", 40_000), _number(filter_v1, "destination_port", 443)
    checksum_at: int | None
    match protocol:
        case 6:  # TCP: an acknowledgement
            segment = struct.pack(">HHIIBBHHH", *ports, number, 1, 0x50, 0x10, 1024, 0, 0)
            checksum_at = 16
        case 17:  # UDP
            segment, checksum_at = struct.pack(">HHHH", *ports, 8, 0), 6
        case 1 | 58:  # ICMP of version 4 or 6: an echo request
            kind = 8 if protocol == 1 else 128
            segment, checksum_at = struct.pack(">BBHHH", kind, 0, 0, 1, number & 0xFFFF), 2
        case _:
            segment, checksum_at = b"", None
    if checksum_at is not None:
        # All but ICMP's of version 4 sum up the addresses, too.
        before = source.packed + destination.packed + struct.pack(">II", len(segment), protocol)
        checksum = struct.pack(">H", _checksum(segment if protocol == 1 else before + segment))
        segment = segment[:checksum_at] + checksum + segment[checksum_at + 2 :]
    if source.version == 6:
        head = struct.pack(">IHBB", 0x60000000, len(segment), protocol, 64)
        return head + source.packed + destination.packed + segment
    head = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(segment), number & 0xFFFF, 0, 64, protocol)
    addresses = source.packed + destination.packed
    return head + struct.pack(">H", _checksum(head + b"\0\0" + addresses)) + addresses + segment


def _addresses(filter_v1: Mapping[str, Any]) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Source and destination; one that is open is of the other's kind."""
    told = [_address(filter_v1.get(f"{side}_address")) for side in ("source", "destination")]
    version = next((one.version for one in told if one is not None), 4)
    # Addresses for documentation: RFC 5737, RFC 3849.
    made_up = ("192.0.2.1", "198.51.100.1") if version == 4 else ("2001:db8::1", "2001:db8::2")
    return [one or ipaddress.ip_address(other) for one, other in zip(told, made_up)]


def _address(told: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None: there is none, or it is no address; a test may give a capture any filter."""
    try:
        return ipaddress.ip_address(told) if isinstance(told, str) else None
    except ValueError:
        return None


def _number(filter_v1: Mapping[str, Any], name: str, otherwise: int) -> int:
    most = 0xFF if name == "protocol" else 0xFFFF
    told = filter_v1.get(name)
    return int(told) if isinstance(told, (int, float)) and 0 <= told <= most else otherwise


def _checksum(data: bytes) -> int:
    """The Internet's (RFC 1071)."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
