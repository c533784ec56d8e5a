"""What every test file finds ready: an emulator, a gateway in front of it, and more on demand."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

# For `emulator`, the package beside this folder.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from emulator import demo  # noqa: E402

from harness.calls import get  # noqa: E402
from harness.emulator import Emulator  # noqa: E402
from harness.gateway import BINARY, Gateway, StartGateway, environment  # noqa: E402
from harness.redis import Redis  # noqa: E402


def _needs_binary() -> None:
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there: build it, or set PCAP_GATEWAY_BINARY", 3)


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """Its time stands still; faults are set by capture, so tests do not meet."""
    emulator = Emulator()
    yield emulator
    emulator.stop()


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A server of its own for each test, which may stop it and start it again."""
    running = Redis()
    yield running
    running.stop()


def _start(
    upstream_url: str, home: Path, options: tuple[str, ...], variables: dict[str, str]
) -> Gateway:
    _needs_binary()
    # A fault is one fault, and no test is there to be protected from another's.
    plain = ["--upstream-limit=0", "--upstream-retries=0", "--upstream-failures=0"]
    usual = [f"--upstream-url={upstream_url}", "--admin-listen", "", "--lame-duck=0s", *plain]
    return Gateway([*usual, *options], environment(home, **variables))


@pytest.fixture(scope="session")
def gateway(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With the demo token and the demo account as its own."""
    home = tmp_path_factory.mktemp("home")
    token_file = home / "token"
    token_file.write_text(demo.TOKEN + "\n")
    options = (f"--api-token-file={token_file}", f"--default-account-id={demo.ACCOUNT_ID}")
    gateway = _start(emulator.url, home, options, {})
    yield gateway
    assert gateway.end() == 0, gateway.process.output()
    gateway.check_output()


@pytest.fixture(scope="session")
def caller_gateway(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Callers bring their own credential."""
    gateway = _start(emulator.url, tmp_path_factory.mktemp("home"), ("--credential=caller",), {})
    yield gateway
    assert gateway.end() == 0, gateway.process.output()
    gateway.check_output()


@pytest.fixture(scope="session")
def watched(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Its admin listener is on: metrics tell how many calls wait. They may share a connection."""
    home = tmp_path_factory.mktemp("home")
    options = ("--admin-listen=127.0.0.1:0", "--max-streams-per-connection=0")
    gateway = _start(emulator.url, home, options, {"CLOUDFLARE_API_TOKEN": demo.TOKEN})
    yield gateway
    assert gateway.end() == 0, gateway.process.output()
    gateway.check_output()


@pytest.fixture
def start_gateway(emulator: Emulator, tmp_path: Path) -> Iterator[StartGateway]:
    """start_gateway(*options, upstream_url=…, NAME=value): one with these options and variables.

    Its credential is the demo token unless options or variables say otherwise.
    """
    gateways: list[Gateway] = []

    def start(*options: str, upstream_url: str = emulator.url, **variables: str) -> Gateway:
        told = any(o.startswith(("--api-token-file", "--credential", "--config")) for o in options)
        if not told and not any(n.startswith("CLOUDFLARE_") for n in variables):
            variables["CLOUDFLARE_API_TOKEN"] = demo.TOKEN
        gateway = _start(upstream_url, tmp_path, options, variables)
        gateways.append(gateway)
        return gateway

    yield start
    for gateway in gateways:
        code = gateway.end()
        assert code == 0, gateway.process.output()
        gateway.check_output()


@pytest.fixture
def still_serves(emulator: Emulator) -> Callable[[Gateway], None]:
    """Checks that the process is there and answers the next caller."""

    def check(gateway: Gateway) -> None:
        assert gateway.process.running(), gateway.process.output()
        pcap_id = emulator.add()
        assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id

    return check


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in it that Cloudflare's SDK for Python would read of its own accord."""
    for name in list(os.environ):
        if name.startswith("CLOUDFLARE_"):
            monkeypatch.delenv(name)
