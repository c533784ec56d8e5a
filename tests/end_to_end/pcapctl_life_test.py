"""A capture's life by pcapctl: listed, created, stopped, downloaded; and tshark reads the packets."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulator import demo

from harness.emulator import Emulator
from harness.gateway import BINARY as GATEWAY
from harness.gateway import Gateway, StartGateway, environment
from harness.stubs import REPOSITORY
from harness.terminal import PATIENCE, Terminal, variables

BINARY = Path(os.environ.get("PCAPCTL_BINARY", REPOSITORY / "build" / "client" / "pcapctl"))
BUCKET = "r2://pcaps?account-id=1&access-key-id=AKIACANARY&secret-access-key=s3cr3tcanary"
# More than sockets and HTTP/2's windows between the programs hold.
MANY_PACKETS = 1_000_000


@pytest.fixture(scope="module")
def living() -> Iterator[Emulator]:
    """Its time goes twenty times as fast, so that captures live before somebody's eyes."""
    emulator = Emulator(speed=20)
    yield emulator
    emulator.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pcapctl").symlink_to(BINARY)
    return tmp_path


@pytest.fixture
def gateway(start_gateway: StartGateway, living: Emulator) -> Gateway:
    # Cloudflare takes a simple capture a minute.
    living.advance(61)
    allowed = ("--allow=write,download", f"--default-account-id={demo.ACCOUNT_ID}")
    return start_gateway(*allowed, upstream_url=living.url)


class Shell:
    """Runs commands as somebody types them, in a folder of its own."""

    def __init__(self, home: Path, gateway: Gateway) -> None:
        self.home = home
        self.variables = variables(home, PCAP_GATEWAY_ADDRESS=gateway.address)

    def run(self, line: str, code: int = 0) -> str:
        """What it wrote to stdout; `said` is what it wrote to stderr."""
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            env=self.variables,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=3 * PATIENCE,
        )
        self.said = ended.stderr
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout


@pytest.fixture
def shell(home: Path, gateway: Gateway) -> Shell:
    return Shell(home, gateway)


def field(table: str, name: str) -> str:
    found = re.search(rf"^ *{name}  +(.+)$", table, re.MULTILINE)
    assert found, table
    return found.group(1)


def no_capture_files(home: Path) -> bool:
    return not [path for path in home.rglob("*") if ".pcap" in path.name]


def test_a_simple_capture_is_created_listed_and_read_by_tshark(shell: Shell) -> None:
    options = "--source-address 192.0.2.7 --destination-port 443 --protocol tcp --time-limit 10s"
    pcap_id = field(shell.run(f"pcapctl create simple {options}"), "Id")
    assert pcap_id in shell.run("pcapctl list")
    shell.run(f"pcapctl wait --interval 50ms {pcap_id}")
    file = shell.run(f"pcapctl download {pcap_id}").strip()
    assert file == f"{pcap_id}.pcap"
    packets = shell.run(f"tshark -r {file}").splitlines()
    assert len(packets) == 3 and all("192.0.2.7" in line and "TCP" in line for line in packets)
    assert shell.run(f"pcapctl download {pcap_id} -w - | tshark -r -").splitlines() == packets


def test_a_full_capture_is_created_with_a_buckets_secret_and_stopped(
    shell: Shell, living: Emulator
) -> None:
    (shell.home / "bucket").write_text(BUCKET + "\n")
    create = "pcapctl create full --time-limit 1h --colo-name ord02"
    table = shell.run(f"{create} --destination-conf-file bucket")
    assert "canary" not in (table + shell.said).lower()
    pcap_id = field(table, "Id")
    [request] = [r for r in living.requests(method="POST", path="/pcaps") if "canary" in r["body"]]
    assert "secret-access-key=s3cr3tcanary" in request["body"]
    assert shell.run(f"pcapctl stop {pcap_id}").strip() == pcap_id
    ended = shell.run(f"pcapctl wait --interval 50ms {pcap_id}")
    assert field(ended, "Status") == "complete" and field(ended, "Stop requested")
    # Its packets lie elsewhere, which is told.
    shell.run(f"pcapctl download {pcap_id}", code=9)
    assert "PCAP_IN_BUCKET" in shell.said and no_capture_files(shell.home)


def test_the_same_request_id_makes_no_second_capture(shell: Shell) -> None:
    create = "pcapctl create simple -o name --request-id mine"
    assert shell.run(create) == shell.run(create)


def test_a_dry_run_asks_nobody(shell: Shell, living: Emulator) -> None:
    before = len(living.requests())
    assert '"packet_limit": "10000"' in shell.run("pcapctl create simple --dry-run")
    assert demo.FULL_ID in shell.run(f"pcapctl stop --dry-run {demo.FULL_ID}")
    assert len(living.requests()) == before


def test_what_is_not_allowed_says_how_to_allow_it(
    home: Path, start_gateway: StartGateway
) -> None:
    shell = Shell(home, start_gateway(f"--default-account-id={demo.ACCOUNT_ID}"))
    for command, allow in (
        ("create simple", "--allow=write"),
        (f"stop {demo.FULL_ID}", "--allow=write"),
        (f"download {demo.SIMPLE_ID}", "--allow=download"),
    ):
        shell.run(f"pcapctl {command}", code=7)
        assert "METHOD_DISABLED" in shell.said and allow in shell.said
    assert no_capture_files(home)


@pytest.mark.parametrize("kind", ["truncate", "reset_within", "html"])
def test_a_download_that_breaks_leaves_nothing(
    shell: Shell, living: Emulator, kind: str
) -> None:
    pcap_id = living.add(packets=5000)
    living.fault(pcap_id, kind)
    shell.run(f"pcapctl download {pcap_id} -w here.pcap || exit 1", code=1)
    assert "DATA_LOSS" in shell.said or "UPSTREAM_" in shell.said
    assert no_capture_files(shell.home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_a_download_leaves_nothing(
    shell: Shell, gateway: Gateway, living: Emulator, number: signal.Signals
) -> None:
    pcap_id = living.add(packets=MANY_PACKETS)
    gate = living.hold(pcap_id, kind="hold_in_body")
    command = ("pcapctl", "--address", gateway.address, "download", pcap_id)
    terminal = Terminal(shell.home, *command, "-w", str(shell.home / "here.pcap"))
    terminal.await_text(f"{pcap_id}  .* of 56.0 MB")
    os.kill(terminal.pid, number)
    assert terminal.end() == -number
    assert no_capture_files(shell.home)
    living.release(gate)


def test_nobody_reads_the_pipe_any_more(shell: Shell, living: Emulator) -> None:
    pcap_id = living.add(packets=MANY_PACKETS)
    line = f"pcapctl download {pcap_id} -w - | head -c 100 | wc -c; echo ${{PIPESTATUS[0]}}"
    assert shell.run(line).split() == ["100", str(128 + signal.SIGPIPE)]
    assert shell.said == ""
    # Also where whoever starts it ignores the signal.
    assert shell.run(f"trap '' PIPE; {line}").split()[1] == str(128 + signal.SIGPIPE)
    living.wait(pcap_id, state="aborted", count=2)


def test_packets_do_not_garble_a_terminal(shell: Shell, gateway: Gateway) -> None:
    command = ("pcapctl", "--address", gateway.address, "download", demo.SIMPLE_ID, "-w", "-")
    terminal = Terminal(shell.home, *command)
    assert terminal.end() == 2
    assert "stdout is a terminal" in terminal.seen
