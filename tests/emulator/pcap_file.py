"""A capture file as a download gives it: libpcap's classic format with a few packets in it."""

from __future__ import annotations

import struct
from datetime import datetime

_LITTLE_ENDIAN_MICROSECONDS = 0xA1B2C3D4
_LINK_TYPE_RAW_IP = 101
_SNAP_LENGTH = 65535


def pcap_file(when: datetime, packets: int = 3) -> bytes:
    """`packets` IPv4 headers without a payload, a millisecond apart from `when` on."""
    seconds = int(when.timestamp())
    parts = [
        struct.pack(
            "<IHHiIII", _LITTLE_ENDIAN_MICROSECONDS, 2, 4, 0, 0, _SNAP_LENGTH, _LINK_TYPE_RAW_IP
        )
    ]
    for i in range(packets):
        packet = _ipv4_header(identification=i)
        parts.append(struct.pack("<IIII", seconds, i * 1000, len(packet), len(packet)))
        parts.append(packet)
    return b"".join(parts)


def _ipv4_header(identification: int) -> bytes:
    source, destination = bytes([1, 2, 3, 4]), bytes([5, 6, 7, 8])
    return struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20, identification, 0, 64, 6, 0, source, destination
    )
