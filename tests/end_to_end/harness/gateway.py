"""The gateway as a process: the real binary, on a port of its own choosing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import grpc
from emulator import demo

from harness.process import Process
from harness.stubs import REPOSITORY

BINARY = Path(
    os.environ.get("PCAP_GATEWAY_BINARY", REPOSITORY / "build" / "service" / "pcap-gateway")
)

# How long a moving capture, and a list with one, is fresh: no time at all; longer than a slow
# machine takes for a test.
STALE_AT_ONCE = ("--moving-lifetime=1ms", "--longest-moving-lifetime=1ms")
LONG_FRESH = ("--moving-lifetime=60s", "--longest-moving-lifetime=60s")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the tester's own but what finds libraries and steers sanitizers."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") or name.endswith("SAN_OPTIONS")
    }
    if "LD_PRELOAD" in more:
        # AddressSanitizer, where it is there, wants to be loaded first; it need not.
        kept["ASAN_OPTIONS"] = kept.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    return {**kept, "HOME": str(home), **more}


def parsed_log(text: str) -> list[dict[str, Any]]:
    """Of a JSON log, each of whose lines has to be a flat object without a name twice."""

    def flat(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        line = dict(pairs)
        assert len(line) == len(pairs), f"a name twice: {pairs}"
        assert not any(isinstance(value, (dict, list)) for value in line.values()), pairs
        return line

    assert text == "" or text.endswith("\n"), text[-200:]
    return [json.loads(line, object_pairs_hook=flat) for line in text.split("\n")[:-1]]


class Gateway:
    """Serving once it is made."""

    def __init__(
        self,
        options: list[str],
        environment: Mapping[str, str],
        stderr: int = subprocess.PIPE,
        wrapper: Sequence[str] = (),
    ) -> None:
        """`stderr`: as of Process. `wrapper`: a command that becomes the one after it."""
        self.options = options
        self.process = Process(
            [*wrapper, BINARY, "--listen=127.0.0.1:0", *options], environment, stderr=stderr
        )
        stdout = self.process.stdout
        try:
            ready = stdout.wait_for(r"^pcap-gateway (\S+) listening on (\S+)$")
            self.version, self.address = ready.group(1), ready.group(2)
        except AssertionError as error:
            self.process.kill()
            self.process.stderr.join()
            raise AssertionError(f"{error}; stderr: {self.process.stderr.text()}") from None
        self.channel = grpc.insecure_channel(self.address)

    def is_sanitized(self) -> bool:
        """AddressSanitizer keeps freed memory for a while and takes several times as long."""
        return "libasan" in Path(f"/proc/{self.process.pid}/maps").read_text()

    def admin_address(self) -> str:
        return self.process.stdout.wait_for(r"^pcap-gateway admin on (\S+)$").group(1)

    def end(self) -> int:
        """The exit code, without waiting for a drain: the second signal cuts it short."""
        self.channel.close()
        if self.process.running():
            self.process.send(signal.SIGTERM)
            self.process.send(signal.SIGINT)
        return self.process.wait()

    def log(self) -> list[dict[str, Any]]:
        """The lines of its JSON log; all of them once it has ended."""
        return parsed_log(self.process.stderr.text())

    def check_output(self) -> None:
        """Nothing that it ever printed holds a secret, and its log is whole lines of JSON."""
        printed = self.process.output()
        if "--log-format=text" not in self.options:
            printed += "\n".join(str(value) for line in self.log() for value in line.values())
        told = [secret for secret in demo.SECRETS if secret in printed]
        assert not told, f"{len(told)} secrets in the gateway's output"


# conftest's fixture start_gateway.
StartGateway = Callable[..., Gateway]
