"""pcapctl against a real gateway: what people see."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from emulator import demo

from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway, environment
from harness.stubs import REPOSITORY

BINARY = Path(os.environ.get("PCAPCTL_BINARY", REPOSITORY / "build" / "client" / "pcapctl"))


def pcapctl(tmp_path: Path, address: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert BINARY.exists(), f"{BINARY} is not there: build it, or set PCAPCTL_BINARY"
    return subprocess.run(
        [BINARY, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(tmp_path, PCAP_GATEWAY_ADDRESS=address),
    )


def get(tmp_path: Path, gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    account = ["--account", demo.ACCOUNT_ID]
    return pcapctl(tmp_path, gateway.address, "get", *account, *arguments)


@pytest.mark.parametrize("pcap_id", [demo.FULL_ID, demo.SIMPLE_ID, demo.FAILED_ID, demo.ODD_ID])
def test_get_prints_a_table(tmp_path: Path, gateway: Gateway, pcap_id: str) -> None:
    ended = get(tmp_path, gateway, pcap_id)
    assert ended.returncode == 0, ended.stderr
    assert pcap_id in ended.stdout
    assert not [secret for secret in demo.SECRETS if secret in ended.stdout]


def test_get_prints_json(tmp_path: Path, gateway: Gateway) -> None:
    ended = get(tmp_path, gateway, demo.FULL_ID, "--json")
    assert ended.returncode == 0, ended.stderr
    full = json.loads(ended.stdout)["pcap"]["full"]
    assert full["id"] == demo.FULL_ID and full["status"] == "PCAP_STATUS_COMPLETE"


def test_get_without_an_account_asks_for_the_gateways_own(tmp_path: Path, gateway: Gateway) -> None:
    ended = pcapctl(tmp_path, gateway.address, "get", demo.SIMPLE_ID)
    assert ended.returncode == 0 and demo.SIMPLE_ID in ended.stdout


@pytest.mark.parametrize(
    ("pcap_id", "code"), [("0" * 32, 5), ("nonsense", 3)], ids=["not found", "invalid"]
)
def test_a_failure_is_the_exit_code_and_tells_its_reason(
    tmp_path: Path, gateway: Gateway, pcap_id: str, code: int
) -> None:
    ended = get(tmp_path, gateway, pcap_id)
    assert ended.returncode == code
    assert ended.stdout == "" and ended.stderr


def test_strange_characters_do_not_reach_the_terminal(
    tmp_path: Path, gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(type="full", colo_name="\x1b[31mred\x07‮")
    ended = get(tmp_path, gateway, pcap_id)
    assert ended.returncode == 0
    assert not [c for c in ended.stdout if not c.isprintable() and c != "\n"]


def test_status_says_whether_the_gateway_serves(
    tmp_path: Path, start_gateway: StartGateway
) -> None:
    gateway = start_gateway()
    assert pcapctl(tmp_path, gateway.address, "status").returncode == 0
    assert gateway.end() == 0
    assert pcapctl(tmp_path, gateway.address, "status").returncode == 14


def test_status_shows_version_cache_and_budget(
    tmp_path: Path, start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--admin-listen=127.0.0.1:0", "--upstream-limit=1200")
    pcap_id = emulator.add()
    for _ in range(4):
        assert get(tmp_path, gateway, pcap_id).returncode == 0
    at = ["--admin-address", gateway.admin_address()]
    ended = pcapctl(tmp_path, gateway.address, "status", *at)
    assert ended.returncode == 0, ended.stderr
    rows = dict(re.findall(r"^(.+?)  +(.+)$", ended.stdout, re.MULTILINE))
    assert rows["Gateway"] == rows["pcap.v1.PcapService"] == "serving"
    version = pcapctl(tmp_path, gateway.address, "--version").stdout.split()[1]
    assert rows["Version"] == version
    assert rows["Cache"].startswith("75.0 % of 4 calls hit; 1 entries, ")
    assert rows["Upstream"].endswith("; 1 requests")  # no breaker here
    assert re.match(r"\d+ of 1200 requests left for the gateway's credential ", rows["Budget"])
    as_json = json.loads(pcapctl(tmp_path, gateway.address, "status", *at, "--json").stdout)
    assert as_json["serving"] and as_json["report"]["cache"]["hits"] == 3
    as_yaml = pcapctl(tmp_path, gateway.address, "status", *at, "-o", "yaml").stdout
    assert as_yaml.startswith("---\n") and "    hits: 3\n" in as_yaml


def test_status_without_an_admin_port_is_that_of_health(
    tmp_path: Path, start_gateway: StartGateway
) -> None:
    gateway = start_gateway("--admin-listen=127.0.0.1:0")
    nobody = gateway.admin_address()
    assert gateway.end() == 0
    gateway = start_gateway()
    ended = pcapctl(tmp_path, gateway.address, "status", "--admin-address", nobody)
    assert ended.returncode == 0, ended.stderr
    assert re.search(rf"^Details +none: .*{re.escape(nobody)}", ended.stdout, re.MULTILINE)


def test_figures_of_a_gateway_elsewhere_are_not_those_of_one_here(tmp_path: Path) -> None:
    # A name that is nobody's (RFC 6761).
    ended = pcapctl(tmp_path, "gateway.invalid:50051", "cache")
    assert ended.returncode == 2 and "--admin-address" in ended.stderr
    ended = pcapctl(tmp_path, "gateway.invalid:50051", "status", "--timeout", "5s")
    assert ended.returncode == 14
    assert re.search(r"^Details +none: --admin-address says where", ended.stdout, re.MULTILINE)


def cache(
    tmp_path: Path, gateway: Gateway, *arguments: str
) -> subprocess.CompletedProcess[str]:
    at = ["--admin-address", gateway.admin_address()]
    return pcapctl(tmp_path, gateway.address, "cache", *at, *arguments)


def test_cache_shows_what_the_cache_has_done(
    tmp_path: Path, start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--admin-listen=127.0.0.1:0")
    pcap_id = emulator.add()
    for _ in range(4):
        assert get(tmp_path, gateway, pcap_id).returncode == 0
    ended = cache(tmp_path, gateway)
    assert ended.returncode == 0, ended.stderr
    rows = dict(re.findall(r"^ *(.+?)  +(.+)$", ended.stdout, re.MULTILINE))
    assert rows["Hits"] == "3 (75.0 %)" and rows["Misses"] == "1"
    assert rows["Entries"] == "1" and int(rows["Bytes"].split()[0]) > 0
    assert rows["Requests"] == "1" and rows["Calls saved"] == "3"
    assert "Evictions" in rows and "Collapsed" in rows and "Stale, on error" in rows
    figures = json.loads(cache(tmp_path, gateway, "--json").stdout)
    assert figures["pcap_gateway_cache_hits_total"] == 3


def test_cache_of_a_gateway_without_one_says_so(
    tmp_path: Path, start_gateway: StartGateway
) -> None:
    gateway = start_gateway("--cache-bytes=0", "--admin-listen=127.0.0.1:0")
    ended = cache(tmp_path, gateway)
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^Cache +off$", ended.stdout, re.MULTILINE)


def test_cache_of_nobody_is_unavailable(tmp_path: Path, start_gateway: StartGateway) -> None:
    gateway = start_gateway("--admin-listen=127.0.0.1:0")
    address = gateway.admin_address()
    assert gateway.end() == 0
    ended = pcapctl(tmp_path, gateway.address, "cache", "--admin-address", address)
    assert ended.returncode == 14 and ended.stdout == "" and address in ended.stderr


def test_what_fails_upstream_is_tried_by_the_gateway_alone(
    tmp_path: Path, gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    emulator.answer(pcap_id, "out of order", status=503)
    ended = get(tmp_path, gateway, pcap_id)
    assert ended.returncode == 14 and "UPSTREAM_UNAVAILABLE" in ended.stderr
    # The gateway retries twice at most; with pcapctl's four attempts it would be more.
    assert len(emulator.requests(pcap_id)) <= 3
