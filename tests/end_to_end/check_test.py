"""--check: all options and files are looked at, and with `online` the credential, and nothing serves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from emulator import demo

from harness.emulator import Emulator
from options_test import run

GOOD = "all options and files can be used"


def check(tmp_path: Path, emulator: Emulator, *options: str, **variables: str) -> tuple[int, str]:
    """The exit code, and what was said, on stdout where all is well."""
    ended: subprocess.CompletedProcess[str] = run(
        tmp_path, f"--upstream-url={emulator.url}", *options, **variables
    )
    said = ended.stdout if ended.returncode == 0 else ended.stderr
    assert ended.stdout + ended.stderr == said and said.count("\n") == 1, ended
    return ended.returncode, said


def test_what_can_be_used_is_said_to_be(tmp_path: Path, emulator: Emulator) -> None:
    code, said = check(tmp_path, emulator, "--check")
    assert (code, said.split(": ", 1)[1]) == (0, f"{GOOD}\n")
    assert emulator.requests() == []


@pytest.mark.parametrize(
    ("content", "code", "why"),
    [
        (None, 1, "--policy-file: cannot be read: No such file or directory"),
        ("{", 2, "--policy-file: it is not JSON, at line 1, column 2"),
        ('{"name": "nobody"}', 2, "--policy-file: the policy has no allow_rules"),
    ],
)
def test_what_cannot_be_used_is_told_as_a_start_would(
    tmp_path: Path, emulator: Emulator, content: str | None, code: int, why: str
) -> None:
    policy = tmp_path / "policy"
    if content is not None:
        policy.write_text(content)
    checked = check(tmp_path, emulator, "--check", f"--policy-file={policy}")
    started = run(tmp_path, f"--policy-file={policy}")
    assert checked == (code, started.stderr) and code == started.returncode
    assert why in started.stderr and str(policy) in started.stderr


def test_redis_has_to_have_an_address(tmp_path: Path, emulator: Emulator) -> None:
    code, said = check(tmp_path, emulator, "--check", "--redis-url=redis://me:canary@nowhere.invalid")
    assert code == 1 and "--redis-url: the name nowhere.invalid has no address" in said
    assert "canary" not in said
    assert check(tmp_path, emulator, "--check", "--redis-url=redis://localhost")[0] == 0


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {
            "CLOUDFLARE_API_TOKEN": "",
            "CLOUDFLARE_EMAIL": demo.EMAIL,
            "CLOUDFLARE_API_KEY": demo.KEY,
        },
    ],
    ids=["token", "email and key"],
)
def test_cloudflare_is_asked_for_the_credential(
    tmp_path: Path, emulator: Emulator, variables: dict[str, str]
) -> None:
    code, said = check(tmp_path, emulator, "--check=online", **variables)
    assert code == 0 and said.endswith(f"{GOOD}, and Cloudflare accepts the credential\n")
    rejected = {name: value and f"wrong-{value}" for name, value in variables.items()}
    rejected = rejected or {"CLOUDFLARE_API_TOKEN": "wrong-token-that-opens-nothing"}
    code, said = check(tmp_path, emulator, "--check=online", **rejected)
    assert code == 2 and "Cloudflare does not accept the gateway's own: HTTP 401, Unable to" in said
    assert not [value for value in rejected.values() if value and value in said]


def test_a_token_of_an_account_is_asked_about_there(tmp_path: Path, emulator: Emulator) -> None:
    emulator.add_principal(
        "of an account",
        token="emulator-token-of-an-account",
        account=demo.ACCOUNT_ID,
        rights={demo.ACCOUNT_ID: ["read"]},
    )
    token = {"CLOUDFLARE_API_TOKEN": "emulator-token-of-an-account"}
    account = f"--default-account-id={demo.ACCOUNT_ID}"
    assert check(tmp_path, emulator, "--check=online", account, **token)[0] == 0
    assert check(tmp_path, emulator, "--check=online", **token)[0] == 2


def test_a_token_that_has_ended_is_not_accepted(tmp_path: Path, emulator: Emulator) -> None:
    emulator.add_principal(
        "ended", token="emulator-token-that-ended", status="expired", rights={}
    )
    code, said = check(
        tmp_path, emulator, "--check=online", CLOUDFLARE_API_TOKEN="emulator-token-that-ended"
    )
    assert code == 2 and "the token is expired" in said


def test_where_nobody_answers_another_try_may_help(tmp_path: Path, emulator: Emulator) -> None:
    ended = run(tmp_path, "--check=online", "--upstream-url=http://127.0.0.1:1")
    assert ended.returncode == 1 and "--upstream-url: no answer came: " in ended.stderr
    ended = run(tmp_path, "--check=online", f"--upstream-url={emulator.url}/nowhere")
    assert ended.returncode == 2 and "HTTP 404" in ended.stderr
