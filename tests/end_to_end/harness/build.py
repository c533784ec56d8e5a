"""How the gateway was built, by its own word, and what that changes."""

from __future__ import annotations

import re
import subprocess

from harness.gateway import BINARY

VERSION = subprocess.run(
    [BINARY, "--version"], capture_output=True, text=True, check=True, timeout=20
).stdout

# Whether its gRPC is the one of deploy/grpc.
IS_PATCHED = "patches of our own" in VERSION


def _grpc() -> tuple[int, ...]:
    told = re.search(r"^gRPC (\d+)\.(\d+)", VERSION, re.MULTILINE)
    assert told
    return tuple(map(int, told.groups()))


# Newer than 1.51, gRPC refuses the streams beyond a connection's limit itself, also those of a peer
# that does not acknowledge the SETTINGS. And of a connection that pings too often it only says that
# it ends.
REFUSES_EARLY = _grpc() > (1, 51)
