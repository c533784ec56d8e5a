"""The gateway as a process: the real binary, on a port of its own choosing."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Callable, Mapping

import grpc
from emulator import demo

from harness.process import Process
from harness.stubs import REPOSITORY

BINARY = Path(
    os.environ.get("PCAP_GATEWAY_BINARY", REPOSITORY / "build" / "service" / "pcap-gateway")
)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the tester's own but what finds libraries and steers sanitizers."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") or name.endswith("SAN_OPTIONS")
    }
    return {**kept, "HOME": str(home), **more}


class Gateway:
    """Serving once it is made."""

    def __init__(self, options: list[str], environment: Mapping[str, str]) -> None:
        self.process = Process([BINARY, "--listen=127.0.0.1:0", *options], environment)
        stdout = self.process.stdout
        try:
            ready = stdout.wait_for(r"^pcap-gateway (\S+) listening on (\S+)$")
            self.version, self.address = ready.group(1), ready.group(2)
        except AssertionError as error:
            self.process.kill()
            raise AssertionError(f"{error}; stderr: {self.process.stderr.text()}") from None
        self.channel = grpc.insecure_channel(self.address)

    def admin_address(self) -> str:
        return self.process.stdout.wait_for(r"^pcap-gateway admin on (\S+)$").group(1)

    def end(self) -> int:
        """The exit code, without waiting for a drain: the second signal cuts it short."""
        self.channel.close()
        if self.process.running():
            self.process.send(signal.SIGTERM)
            self.process.send(signal.SIGINT)
        return self.process.wait()

    def check_output(self) -> None:
        """Nothing that it ever printed holds a secret."""
        printed = self.process.output()
        told = [secret for secret in demo.SECRETS if secret in printed]
        assert not told, f"{len(told)} secrets in the gateway's output"


# conftest's fixture start_gateway.
StartGateway = Callable[..., Gateway]
