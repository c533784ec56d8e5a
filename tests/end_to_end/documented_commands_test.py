"""The pages' commands do what the pages say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

import pytest
from emulator import demo

from harness import documents
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.identities import Authority
from harness.stubs import REPOSITORY

PCAPCTL = Path(os.environ.get("PCAPCTL_BINARY", REPOSITORY / "build" / "client" / "pcapctl"))
# grpcurl, pcapctl, and a python that has grpcio-tools.
PROGRAMS = (
    REPOSITORY / "build" / "tools" / "bin",
    PCAPCTL.parent,
    REPOSITORY / "build" / "venv" / "bin",
)
# Every page that has commands.
PAGES = sorted(
    str(page.relative_to(REPOSITORY))
    for page in (REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md"))
    if documents.commands_of(page)
)
CALLER = "spiffe://example.com/team/network"


@pytest.fixture
def live_emulator() -> Iterator[Emulator]:
    """Its time goes by, so that a capture that a page makes comes to its end."""
    emulator = Emulator(speed=1)
    yield emulator
    emulator.stop()


@pytest.fixture
def known(start_gateway: StartGateway, live_emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """What the pages' variables stand for here: gateways, and a home with certificates."""
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    for name, identity in (("server", authority.server()), ("me", authority.issue(CALLER))):
        (tmp_path / f"{name}.pem").write_bytes(identity.chain)
        (tmp_path / f"{name}.key").write_bytes(identity.key)
    gateway = start_gateway(
        "--admin-listen=127.0.0.1:0",
        "--channelz-listen=127.0.0.1:0",
        "--upstream-limit=1200",
        "--allow=write,download",
        f"--default-account-id={demo.ACCOUNT_ID}",
        upstream_url=live_emulator.url,
    )
    guarded = start_gateway(
        f"--tls-cert-file={tmp_path}/server.pem",
        f"--tls-key-file={tmp_path}/server.key",
        f"--tls-client-ca-file={tmp_path}/ca.pem",
    )
    return {
        "PATH": ":".join([*map(str, PROGRAMS), os.environ["PATH"]]),
        "HOME": str(tmp_path),
        "GATEWAY": gateway.address,
        "PCAP_GATEWAY_ADDRESS": gateway.address,
        "PCAP_GATEWAY_ADMIN_ADDRESS": gateway.admin_address(),
        "CHANNELZ": channelz_of(gateway),
        "TLS_GATEWAY": guarded.address,
    }


def channelz_of(gateway: Gateway) -> str:
    return gateway.process.stdout.wait_for(r"^pcap-gateway channelz on (\S+)$").group(1)


def test_the_pages_for_the_shell_have_commands() -> None:
    assert {"README.md", "docs/capturing.md", "docs/grpcurl.md", "docs/pcapctl.md"} <= set(PAGES)


@pytest.mark.timeout(240)  # a page has many commands, and one waits for a capture
@pytest.mark.parametrize("page", PAGES)
def test_a_pages_commands_print_what_it_says(known: dict[str, str], page: str) -> None:
    ran = documents.run(REPOSITORY / page, known, REPOSITORY)
    print(f"{page}: {ran} commands")
    assert ran > 0


def test_other_output_than_the_page_shows_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ export A=b\n$ echo $A c\nb …\nd\n```\n")
    with pytest.raises(AssertionError, match="page.md:3: "):
        documents.run(page, {}, tmp_path)
    page.write_text("```console\n$ export A=b\n$ printf '%s c\\nd\\n' $A\nb …\nd\n```\n")
    assert documents.run(page, {}, tmp_path) == 2
    assert documents.run(page, {"A": "b"}, tmp_path) == 2
