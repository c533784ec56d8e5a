"""A capture's life by pcapctl: listed, created, stopped, downloaded; and tshark reads the packets."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from emulator import demo

from harness.calls import DEADLINE_SECONDS
from harness.emulator import Emulator, capture_of
from harness.gateway import Gateway, StartGateway
from harness.stubs import REPOSITORY, pcap_pb2, pcap_service_pb2, pcap_service_pb2_grpc
from harness.terminal import PATIENCE, Terminal, variables

BINARY = Path(os.environ.get("PCAPCTL_BINARY", REPOSITORY / "build" / "client" / "pcapctl"))
# With secrets, which nobody else may see. The emulator knows that the first one is ours.
BUCKET = "r2://captures?account-id=1&access-key-id=AKIACANARY&secret-access-key=s3cr3tcanary"
NEW_BUCKET = BUCKET.replace("captures", "of-tests")
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
    # Cloudflare takes a simple capture a minute, and a full one when the last one has ended.
    living.advance(400)
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


def test_tshark_shows_the_packets_of_this_address_now(shell: Shell) -> None:
    line = "pcapctl capture simple --source-address 192.0.2.9 --time-limit 10s -w - | tshark -r -"
    packets = shell.run(line).splitlines()
    assert len(packets) == 3 and all("192.0.2.9" in packet for packet in packets)


def test_a_capture_goes_into_a_file_of_its_own_id(shell: Shell) -> None:
    file = shell.run("pcapctl capture simple").strip()
    assert re.fullmatch(r"[0-9a-f]{32}\.pcap", file)
    assert len(shell.run(f"tshark -r {file}").splitlines()) == 3


def test_a_full_capture_is_followed_to_its_end(shell: Shell) -> None:
    bucket = "--destination-conf s3://captures?region=us-east-1"
    table = shell.run(f"pcapctl capture full --time-limit 10s --colo-name ord02 {bucket}")
    assert field(table, "Status") == "complete" and field(table, "Packets captured") == "1000"
    watched = shell.run(f"pcapctl watch {field(table, 'Id')}")
    assert re.search("  full    complete +1000 packets\n$", watched)


def test_ctrl_c_during_a_capture_says_that_it_goes_on(shell: Shell, gateway: Gateway) -> None:
    bucket = ("--destination-conf", "s3://captures?region=us-east-1", "--colo-name", "ord02")
    command = ("pcapctl", "--address", gateway.address, "capture", "full", "--time-limit", "24h")
    terminal = Terminal(shell.home, *command, *bucket)
    terminal.await_text("  (pending|running)")
    terminal.type("\x03")
    assert terminal.end() == -signal.SIGINT
    goes_on = re.search(r"the capture goes on: pcapctl watch (\w+); to end it: pcapctl stop \1", terminal.seen)
    assert goes_on, terminal.seen
    shell.run(f"pcapctl stop {goes_on.group(1)}")


def test_watch_goes_on_through_a_restart_of_the_gateway(
    home: Path, start_gateway: StartGateway, living: Emulator
) -> None:
    pcap_id = living.add(status="running", type="full")
    first = start_gateway(upstream_url=living.url)
    watch = ("pcapctl", "--address", first.address, "watch", "--account", demo.ACCOUNT_ID, pcap_id)
    terminal = Terminal(home, *watch)
    terminal.await_text("running")
    assert first.end() == 0
    living.add_exactly(pcap_id, capture_of(pcap_id, type="full", status="complete"))
    start_gateway(f"--listen={first.address}", upstream_url=living.url)
    assert terminal.end() == 0
    assert terminal.seen.count("running") == 1 and terminal.seen.count("complete") == 1


def test_a_bucket_is_added_proven_and_removed(shell: Shell, living: Emulator) -> None:
    (shell.home / "bucket").write_text(NEW_BUCKET)
    table = shell.run("pcapctl buckets add --destination-conf-file bucket")
    assert "canary" not in table.lower()
    bucket_id = field(table, "Id")
    (shell.home / "proof").write_text(living.challenge(bucket_id) + "\n")
    validate = "pcapctl buckets validate --destination-conf r2://of-tests?account-id=1"
    assert field(shell.run(f"{validate} --ownership-challenge-file proof"), "Status") == "pending"
    living.advance(301)
    listed = shell.run("pcapctl buckets list --max-age 0")
    assert re.search(rf"^{bucket_id} +success ", listed, re.MULTILINE) and "canary" not in listed.lower()
    shell.run(f"pcapctl buckets remove {bucket_id}", code=2)
    assert "--yes" in shell.said
    assert shell.run(f"pcapctl buckets remove --yes {bucket_id}").strip() == bucket_id
    assert bucket_id not in shell.run("pcapctl buckets list")


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 1), ("\n", 1), ("\x04", 1)])
def test_a_removal_is_confirmed_at_the_terminal(
    shell: Shell, gateway: Gateway, typed: str, code: int
) -> None:
    add = "pcapctl buckets add -o name --destination-conf gs://captures-of-tests"
    bucket_id = shell.run(add).strip()
    terminal = Terminal(shell.home, "pcapctl", "--address", gateway.address, "buckets", "remove", bucket_id)
    terminal.await_text(r"\[y/N\]")
    terminal.type(typed)
    assert terminal.end() == code
    assert (bucket_id in shell.run("pcapctl buckets list --max-age 0")) == (code != 0)
    if code != 0:
        shell.run(f"pcapctl buckets remove --yes {bucket_id}")


def test_a_python_client_leads_captures_through_their_whole_life(gateway: Gateway, home: Path) -> None:
    """Issue by issue: create full with a bucket's secret, watch it to the end, list, stop another,
    create simple, download, and tshark reads it."""
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    full = pcap_service_pb2.CreateFullPcap(colo_name="ord02", destination_conf=BUCKET)
    full.time_limit.FromSeconds(10)
    first = create(stub, full=full)
    assert "REDACTED" in first.full.destination_conf and "canary" not in str(first).lower()
    assert watch(stub, first.full.id)[-1] == pcap_pb2.PCAP_STATUS_COMPLETE
    full.time_limit.FromSeconds(3600)
    second = create(stub, full=full)
    listed = stub.ListPcaps(pcap_service_pb2.ListPcapsRequest(), timeout=DEADLINE_SECONDS)
    assert {first.full.id, second.full.id} <= {pcap.full.id for pcap in listed.pcaps}
    stop = pcap_service_pb2.StopPcapRequest(pcap_id=second.full.id)
    stub.StopPcap(stop, timeout=DEADLINE_SECONDS)
    assert watch(stub, second.full.id)[-1] == pcap_pb2.PCAP_STATUS_COMPLETE
    simple = pcap_service_pb2.CreateSimplePcap(packet_limit=100)
    simple.time_limit.FromSeconds(10)
    simple.filter_v1.source_address = "192.0.2.11"
    sample = create(stub, simple=simple).simple.id
    assert watch(stub, sample)[-1] == pcap_pb2.PCAP_STATUS_SUCCESS
    download = pcap_service_pb2.DownloadPcapRequest(pcap_id=sample)
    file = home / "sample.pcap"
    file.write_bytes(b"".join(m.data for m in stub.DownloadPcap(download, timeout=DEADLINE_SECONDS)))
    read = subprocess.run(["tshark", "-r", file], capture_output=True, text=True, check=True)
    assert read.stdout.count("192.0.2.11") == 3


def create(stub: Any, **form: Any) -> Any:
    request = pcap_service_pb2.CreatePcapRequest(request_id=str(uuid.uuid4()), **form)
    return stub.CreatePcap(request, timeout=DEADLINE_SECONDS).pcap


def watch(stub: Any, pcap_id: str) -> list[int]:
    request = pcap_service_pb2.WatchPcapsRequest(pcap_ids=[pcap_id])
    messages = list(stub.WatchPcaps(request, timeout=3 * DEADLINE_SECONDS))
    return [(m.pcap.simple if m.pcap.HasField("simple") else m.pcap.full).status for m in messages]


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


def test_the_pictures_of_the_pages_can_be_drawn_again(tmp_path: Path) -> None:
    script = REPOSITORY / "docs" / "terminal-pictures"
    subprocess.run([sys.executable, script, tmp_path], check=True, timeout=6 * PATIENCE)
    for name, words in (
        ("pcapctl-watch.svg", {"pending", "running", "complete", "failed"}),
        ("pcapctl-capture.svg", {"syn.pcap", "192.0.2.1", "TCP"}),
    ):
        # Times, ids and how often a capture has changed differ.
        for folder in (tmp_path, REPOSITORY / "docs"):
            drawn = (folder / name).read_text()
            assert words <= set("".join(ElementTree.fromstring(drawn).itertext()).split()), drawn
            assert not [secret for secret in demo.SECRETS if secret in drawn]
