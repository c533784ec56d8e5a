"""Options: flags, environment, file; and a bad one ends the start with one line and exit code 2."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from emulator import demo

from harness.admin import fetch
from harness.calls import get
from harness.deployment import program_options
from harness.emulator import Emulator
from harness.gateway import BINARY, Gateway, StartGateway, environment
from harness.stubs import REPOSITORY


def run(tmp_path: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """With a credential unless `variables` say otherwise; never serving for long."""
    variables = {"CLOUDFLARE_API_TOKEN": demo.TOKEN, **variables}
    command = [str(BINARY), "--listen=127.0.0.1:0", "--admin-listen", "", *options]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=20,
        env=environment(tmp_path, **{k: v for k, v in variables.items() if v}),
    )


def check_refusal(ended: subprocess.CompletedProcess[str]) -> str:
    """Exit code 2, and exactly one line, on stderr; returns it."""
    assert ended.returncode == 2, ended
    assert ended.stdout == ""
    assert ended.stderr.endswith("\n") and len(ended.stderr.splitlines()) == 1, ended.stderr
    assert not [secret for secret in demo.SECRETS if secret in ended.stderr]
    return ended.stderr


def test_no_credential_ends_the_start(tmp_path: Path) -> None:
    line = check_refusal(run(tmp_path, CLOUDFLARE_API_TOKEN=""))
    assert "CLOUDFLARE_API_TOKEN" in line and "--api-token-file" in line


def test_an_email_without_a_key_ends_the_start(tmp_path: Path) -> None:
    check_refusal(run(tmp_path, CLOUDFLARE_API_TOKEN="", CLOUDFLARE_EMAIL=demo.EMAIL))


@pytest.mark.parametrize("inside", ["\n", "\r\n", "\x00", "\x01", "\x7f", "\xa0", " "])
def test_a_token_file_with_a_stray_character_inside_ends_the_start(
    tmp_path: Path, inside: str
) -> None:
    file = tmp_path / "token"
    first, second = "canary-first-half", "canary-second-half"
    file.write_bytes(f"{first}{inside}{second}\n".encode("latin-1"))
    line = check_refusal(run(tmp_path, f"--api-token-file={file}"))
    assert str(file) in line or "--api-token-file" in line
    assert first not in line and second not in line


def test_a_token_in_the_environment_with_a_newline_inside_ends_the_start(tmp_path: Path) -> None:
    line = check_refusal(run(tmp_path, CLOUDFLARE_API_TOKEN="canary-first\ncanary-second"))
    assert "CLOUDFLARE_API_TOKEN" in line and "canary" not in line


def test_a_bad_variable_ends_the_start(tmp_path: Path) -> None:
    line = check_refusal(run(tmp_path, PCAP_GATEWAY_CACHE_BYTES="lots"))
    assert "cache-bytes" in line or "PCAP_GATEWAY_CACHE_BYTES" in line


@pytest.mark.parametrize(
    "text", ["cache-bytes=lots\n", "no-such-option=1\n", "garbage\n", "cache-bytes\n"]
)
def test_a_bad_line_of_the_file_ends_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    check_refusal(run(tmp_path, f"--config={file}"))


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_need_nothing(tmp_path: Path, option: str) -> None:
    # A proxy that is not there, a URL that cannot be asked, and no credential.
    ended = subprocess.run(
        [BINARY, option],
        capture_output=True,
        text=True,
        timeout=20,
        env=environment(tmp_path, HTTPS_PROXY="http://127.0.0.1:1"),
    )
    assert ended.returncode == 0
    assert ended.stdout and ended.stderr == ""


# Told in the page's text.
BESIDE_THE_TABLES = {"help", "version", "check", "config"}


def options_of_the_page() -> dict[str, str]:
    """Those of its tables: name without --, and the default, where that is a value."""
    text = (REPOSITORY / "docs" / "configuration.md").read_text()
    tables = re.findall(r"^\| option \| default \| meaning \|\n(.*?)\n\n", text, re.M | re.S)
    told: dict[str, str] = {}
    for row in "\n".join(tables).splitlines():
        names, default = row.split("|")[1:3]
        value = re.match(r" `([^`]+)`", default)
        told |= {name: value[1] if value else "" for name in re.findall(r"`--([^`]+)`", names)}
    return told


def test_help_and_the_page_name_the_same_options() -> None:
    told, defaults = options_of_the_page(), program_options()
    assert set(told) | BESIDE_THE_TABLES == set(defaults)
    assert {name: value for name, value in told.items() if defaults[name] != value} == {}


def test_the_manual_page_is_well_formed_and_names_every_option() -> None:
    page = REPOSITORY / "docs" / "pcap-gateway.8"
    lint = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True, timeout=20
    )
    assert (lint.returncode, lint.stdout) == (0, "")
    named = set(re.findall(r"Fl -([a-z-]+)", page.read_text()))
    assert set(program_options()) | {"no-reflection"} == named | {"help", "version", "check"}


def test_what_config_tells_is_all_in_the_help(start_gateway: StartGateway) -> None:
    gateway = start_gateway("--admin-listen=127.0.0.1:0")
    told = json.loads(fetch(gateway, "/config")[1])
    names = {option["name"] for option in told["options"]}
    beside = {"help", "version", "check", "no-reflection"}
    assert names | beside == set(program_options())


def test_help_never_shows_values_from_the_environment(tmp_path: Path) -> None:
    ended = run(tmp_path, "--help", CLOUDFLARE_API_KEY=demo.KEY)
    assert not [secret for secret in demo.SECRETS if secret in ended.stdout + ended.stderr]


def test_every_option_is_a_variable_too(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway(
        PCAP_GATEWAY_DEFAULT_ACCOUNT_ID=demo.ACCOUNT_ID, PCAP_GATEWAY_CACHE_BYTES="0"
    )
    answer = get(gateway.channel, emulator.add(), account_id="")
    assert "fwd=bypass" in answer.cache_status


def test_cloudflares_own_variables_will_do(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    gateway = start_gateway(CLOUDFLARE_API_TOKEN=demo.TOKEN, CLOUDFLARE_ACCOUNT_ID=demo.ACCOUNT_ID)
    assert get(gateway.channel, emulator.add(), account_id="")


def test_cloudflare_base_url_names_the_upstream(emulator: Emulator, tmp_path: Path) -> None:
    variables = {"CLOUDFLARE_BASE_URL": emulator.url, "CLOUDFLARE_API_TOKEN": demo.TOKEN}
    gateway = Gateway(["--admin-listen", "", "--lame-duck=0s"], environment(tmp_path, **variables))
    try:
        assert get(gateway.channel, emulator.add())
    finally:
        assert gateway.end() == 0


def test_a_slash_at_the_end_of_the_url_does_no_harm(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add()
    get(start_gateway(upstream_url=emulator.url + "/").channel, pcap_id)
    assert "//" not in emulator.requests(pcap_id)[0]["path"]


def test_the_file_sets_options(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(demo.READ_TOKEN)
    config = tmp_path / "config"
    config.write_text(
        "# as an operator would write it\n"
        f"default-account-id={demo.ACCOUNT_ID}\n"
        f"api-token-file={token}\n"
        "reveal-destination-secrets=true\n"
    )
    gateway = start_gateway(f"--config={config}")
    full = get(gateway.channel, demo.FULL_ID, account_id="").pcap.full
    assert full.destination_conf == demo.DESTINATION_CONF


def test_flags_come_before_variables_and_variables_before_the_file(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("cache-bytes=0\n")
    usual = {"CLOUDFLARE_API_TOKEN": demo.TOKEN}
    bypassed = "fwd=bypass"

    def cache_status(*options: str, **variables: str) -> str:
        gateway = start_gateway(f"--config={config}", *options, **usual, **variables)
        return get(gateway.channel, emulator.add()).cache_status

    assert bypassed in cache_status()
    assert bypassed not in cache_status(PCAP_GATEWAY_CACHE_BYTES="1000000")
    assert bypassed in cache_status("--cache-bytes=0", PCAP_GATEWAY_CACHE_BYTES="1000000")


def test_the_default_account_variable_of_ours_comes_before_cloudflares(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(
        CLOUDFLARE_API_TOKEN=demo.TOKEN,
        CLOUDFLARE_ACCOUNT_ID=demo.OTHER_ACCOUNT_ID,
        PCAP_GATEWAY_DEFAULT_ACCOUNT_ID=demo.ACCOUNT_ID,
    )
    assert get(gateway.channel, emulator.add(), account_id="")


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (["--admin-listen="], {}),
        (["--admin-listen", ""], {}),
        ([], {"PCAP_GATEWAY_ADMIN_LISTEN": ""}),
    ],
    ids=["flag", "two words", "variable"],
)
def test_an_empty_admin_listen_is_none(
    emulator: Emulator, tmp_path: Path, options: list[str], variables: dict[str, str]
) -> None:
    variables = {"CLOUDFLARE_API_TOKEN": demo.TOKEN, **variables}
    options = [*options, f"--upstream-url={emulator.url}"]  # something follows the empty value
    gateway = Gateway(options, environment(tmp_path, **variables))
    assert get(gateway.channel, emulator.add())
    assert gateway.end() == 0
    assert "admin" not in gateway.process.stdout.text()


def test_the_log_and_a_page_tell_what_is_set_and_by_whom(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(
        "--admin-listen=127.0.0.1:0",
        "--redis-url=redis://me:canary-of-redis@127.0.0.1:1",
        PCAP_GATEWAY_CACHE_BYTES="1MiB",
        PCAP_GATEWAY_LOG_LEVLE="debug",
        PCAP_GATEWAY_SERVICE_HOST="10.0.0.1",
    )
    status, text = fetch(gateway, "/config")
    options = {option["name"]: option for option in json.loads(text)["options"]}
    assert status == 200 and "canary" not in text and demo.TOKEN not in text
    assert options["cache-bytes"]["value"] == "1MiB"
    assert options["cache-bytes"]["source"] == "PCAP_GATEWAY_CACHE_BYTES"
    assert options["redis-url"]["value"] == "redis://REDACTED@127.0.0.1:1"
    assert options["upstream-url"] == {
        "name": "upstream-url",
        "value": emulator.url,
        "source": "the command line",
    }
    assert options["max-calls"]["source"] == "default"
    assert gateway.end() == 0
    [serving] = [line for line in gateway.log() if line["message"] == "serving"]
    assert "cache-bytes=1MiB (PCAP_GATEWAY_CACHE_BYTES)" in serving["options"]
    assert "redis-url=redis://REDACTED@127.0.0.1:1 (the command line)" in serving["options"]
    assert "max-calls" not in serving["options"]
    warnings = [line["message"] for line in gateway.log() if "PCAP_GATEWAY_" in line["message"]]
    assert warnings == [
        "PCAP_GATEWAY_LOG_LEVLE: there is no such option, so nothing is set; "
        "did you mean PCAP_GATEWAY_LOG_LEVEL?"
    ]


def test_admin_tells_health_and_metrics(start_gateway: StartGateway) -> None:
    gateway = start_gateway("--admin-listen=127.0.0.1:0")
    assert fetch(gateway, "/metrics")[0] == 200
    assert fetch(gateway, "/no-such-page")[0] == 404
