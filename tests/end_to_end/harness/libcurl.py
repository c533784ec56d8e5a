"""The system's libcurl, which the gateway asks Cloudflare with: what its version changes."""

from __future__ import annotations

import ctypes
import re


def _version() -> tuple[int, ...]:
    library = ctypes.CDLL("libcurl.so.4")
    library.curl_version.restype = ctypes.c_char_p
    told = re.match(r"libcurl/(\d+)\.(\d+)\.(\d+)", library.curl_version().decode())
    assert told
    return tuple(map(int, told.groups()))


# Since version 8 it sends by itself, on a new connection, what a GOAWAY left behind. Version 7.88
# (Debian 12) does so with a refused stream alone.
RESENDS_AFTER_GOAWAY = _version() >= (8,)

# Since version 8.22 it looks at most once a second whether a kept connection is still there. A request
# on one that was closed meanwhile is one sending more; it goes again on a new connection.
SEES_AT_ONCE_WHAT_IS_CLOSED = _version() < (8, 22)
