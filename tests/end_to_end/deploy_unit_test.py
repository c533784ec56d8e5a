"""The systemd unit, by systemd's own tools: nothing is started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.deployment import DEPLOY, program_options, run, seconds
from harness.gateway import BINARY

UNIT = DEPLOY / "systemd" / "pcap-gateway.service"
CONFIGURATION = DEPLOY / "systemd" / "pcap-gateway.conf"


def settings(section: str) -> dict[str, list[str]]:
    """Each name's values, in their order: systemd lets a name come again."""
    found: dict[str, list[str]] = {}
    inside = ""
    for line in UNIT.read_text().splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            inside = header.group(1)
        elif inside == section and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_systemd_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    # Its program is where the package puts it; here it is where it was built.
    unit.write_text(UNIT.read_text().replace("/usr/bin/pcap-gateway", str(BINARY)))
    told = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_its_exposure_is_low() -> None:
    """systemd's own measure, from 0 to 10; services without any hardening have 9.6."""
    told = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
    assert told.returncode == 0, told.stdout
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told.stdout)
    assert score and float(score.group(1)) < 1.5, told.stdout
    print(score.group(0))


def test_stopping_it_leaves_time_for_lame_duck_and_drain() -> None:
    defaults = program_options()
    needed = seconds(defaults["lame-duck"]) + seconds(defaults["drain-timeout"])
    assert seconds(settings("Service")["TimeoutStopSec"][-1]) > needed


def test_the_token_comes_as_a_credential_and_is_in_no_variable() -> None:
    service = settings("Service")
    assert "api-token:/etc/pcap-gateway/api-token" in service["LoadCredential"]
    assert service["Environment"] == ["PCAP_GATEWAY_API_TOKEN_FILE=%d/api-token"]
    assert service["Type"] == ["notify"]
    assert service["DynamicUser"] == ["yes"]


def test_an_option_that_cannot_work_is_not_tried_again() -> None:
    service = settings("Service")
    assert service["Restart"] == ["on-failure"]
    assert service["RestartPreventExitStatus"] == ["2"]


def test_what_may_mend_itself_is_tried_until_it_does() -> None:
    """An address may come minutes after the boot. The exit codes: start_failures_test.py."""
    assert settings("Unit")["StartLimitIntervalSec"] == ["0"]
    assert "1" not in settings("Service")["RestartPreventExitStatus"]
    assert seconds(settings("Service")["RestartSec"][-1]) >= 1


def test_that_files_are_copies_is_said_where_they_are_renewed() -> None:
    """systemd makes credentials at the start alone, so nothing may promise more for the package."""
    handed_over = settings("Service")["LoadCredential"]
    assert {credential.partition(":")[0] for credential in handed_over} == {"api-token", "tls"}
    for text in (UNIT, CONFIGURATION, DEPLOY / "monitoring" / "runbook.md"):
        assert re.search(r"systemctl\s+restart\s+(# )?pcap-gateway", text.read_text()), text


def test_a_missing_token_is_the_programs_own_clear_error(tmp_path: Path) -> None:
    """What the unit hands over then is the value that SetCredential has."""
    fallback = [v for v in settings("Service")["SetCredential"] if v.startswith("api-token:")]
    token = tmp_path / "api-token"
    token.write_text(fallback[0].removeprefix("api-token:").replace("\\n", "\n"))
    told = run(BINARY, f"--api-token-file={token}")
    assert told.returncode == 2
    assert "token is empty" in told.stderr


def test_the_example_configuration_is_taken(tmp_path: Path) -> None:
    """As it is, but for its ports; --api-token-file is what stops the start."""
    told = run(BINARY, f"--config={CONFIGURATION}", f"--api-token-file={tmp_path / 'none'}")
    assert told.returncode == 1
    assert "--api-token-file" in told.stderr and "--config" not in told.stderr


@pytest.mark.parametrize(
    "name", ["listen", "admin-listen", "cache-bytes", "lame-duck", "drain-timeout"]
)
def test_what_the_example_calls_a_default_is_one(name: str) -> None:
    shown = re.findall(rf"^#{name} = (\S+)$", CONFIGURATION.read_text(), re.M)
    assert program_options()[name] in shown


def test_the_program_knows_every_option_of_the_example() -> None:
    shown = set(re.findall(r"^#?([a-z][a-z-]+) =", CONFIGURATION.read_text(), re.M))
    assert "tls-cert-file" in shown and shown <= set(program_options())
