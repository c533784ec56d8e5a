"""The sockets of an address that is listened on."""

from __future__ import annotations

import errno
import socket
from typing import Any, Iterable


def listening_sockets(address: str) -> list[socket.socket]:
    """On every address that HOST:PORT means and this machine has, all with one port."""
    host, _, port = address.rpartition(":")
    found = socket.getaddrinfo(
        host.removeprefix("[").removesuffix("]"),
        int(port),
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )
    # A port that the first address got may be taken at another one: then there are others.
    for last_try in [port != "0"] * 15 + [True]:
        try:
            return _sockets_on(dict.fromkeys((family, its) for family, _, _, _, its in found))
        except OSError as error:
            if last_try or error.errno != errno.EADDRINUSE:
                raise
    raise AssertionError("the last try ends it")


def _sockets_on(addresses: Iterable[tuple[int, tuple[Any, ...]]]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    lacking: OSError | None = None
    for family, address in addresses:
        port = sockets[0].getsockname()[1] if sockets else address[1]
        one = socket.socket(family, socket.SOCK_STREAM)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address[0], port, *address[2:]))
            sockets.append(one)
        except OSError as error:
            one.close()
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                for other in sockets:
                    other.close()
                raise
            lacking = error
    if not sockets and lacking is not None:
        raise lacking
    return sockets
