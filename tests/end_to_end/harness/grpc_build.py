"""The gRPC that the gateway is linked with: what its build and version change."""

from __future__ import annotations

import re
import subprocess
from functools import lru_cache

from harness.gateway import BINARY


@lru_cache
def _told() -> str:
    done = subprocess.run([BINARY, "--version"], capture_output=True, text=True, timeout=20)
    return done.stdout


def is_patched() -> bool:
    """Whether it is the one of deploy/grpc."""
    return "patches of our own" in _told()


def refuses_early() -> bool:
    """Newer than 1.51, it refuses the streams beyond a connection's limit itself, also those of a peer that does not
    acknowledge the SETTINGS. And of a connection that pings too often it only says that it ends."""
    version = re.search(r"^gRPC (\d+)\.(\d+)", _told(), re.MULTILINE)
    assert version
    return (int(version[1]), int(version[2])) > (1, 51)
