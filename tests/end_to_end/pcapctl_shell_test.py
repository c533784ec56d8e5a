"""pcapctl in shells and on terminals: completion, the manual page, colours, progress, Ctrl-C."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from emulator import demo

from harness.emulator import Emulator, capture_of
from harness.gateway import Gateway
from harness.stubs import REPOSITORY
from harness.terminal import PATIENCE, Terminal, variables

BINARY = Path(os.environ.get("PCAPCTL_BINARY", REPOSITORY / "build" / "client" / "pcapctl"))
MANUAL = REPOSITORY / "client" / "pcapctl" / "pcapctl.1"
FORMATS = {"table", "wide", "json", "jsonl", "yaml", "name"}
CONTEXTS = "contexts:\n  staging: {address: 'a:1'}\n  production: {address: 'b:1'}\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With pcapctl on its PATH, two contexts, and completion scripts for all shells."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pcapctl").symlink_to(BINARY)
    (tmp_path / ".config" / "pcapctl").mkdir(parents=True)
    (tmp_path / ".config" / "pcapctl" / "config.yaml").write_text(CONTEXTS)
    for shell in ("bash", "zsh", "fish"):
        script = run(tmp_path, "pcapctl", "completion", shell)
        (tmp_path / f"completion.{shell}").write_text(script)
    return tmp_path


def run(home: Path, *command: str) -> str:
    return subprocess.run(
        command, env=variables(home), capture_output=True, text=True, timeout=PATIENCE, check=True
    ).stdout


BASH = """
source "$HOME/completion.bash"
COMP_WORDS=({words}) COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_pcapctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def bash_offers(home: Path, line: str) -> set[str]:
    words = line.split(" ")[:-1] + [f"'{line.split(' ')[-1]}'"]
    return set(run(home, "bash", "-c", BASH.format(words=" ".join(words))).split())


def fish_offers(home: Path, line: str) -> set[str]:
    offers = run(home, "fish", "-c", f"source ~/completion.fish; complete -C '{line}'")
    return {offer.split("\t")[0] for offer in offers.splitlines()}


@pytest.mark.parametrize("offers", [bash_offers, fish_offers])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pcapctl wai", {"wait"}),
        ("pcapctl get --outp", {"--output"}),
        ("pcapctl get --output ", FORMATS),
        ("pcapctl get -o ", FORMATS),
        ("pcapctl --context ", {"production", "staging"}),
        ("pcapctl get --context sta", {"staging"}),
        ("pcapctl completion ", {"bash", "zsh", "fish"}),
        ("pcapctl help wai", {"wait"}),
        ("pcapctl wait --interv", {"--interval"}),
        ("pcapctl get --interv", set()),
        ("pcapctl contexts us", {"use"}),
        ("pcapctl contexts use sta", {"staging"}),
        ("pcapctl contexts remove ", {"production", "staging"}),
        ("pcapctl contexts add prod", set()),
        ("pcapctl cre", {"create"}),
        ("pcapctl create si", {"simple"}),
        ("pcapctl create simple --source-a", {"--source-address"}),
        ("pcapctl create simple --colo-", set()),
        ("pcapctl create full --colo-", {"--colo-name"}),
        ("pcapctl download --wr", {"--write"}),
    ],
)
def test_bash_and_fish_offer_what_fits(
    home: Path, offers: object, line: str, expected: set[str]
) -> None:
    assert callable(offers)
    offered = offers(home, line)
    if line.endswith(" ") and line.startswith("pcapctl completion"):
        assert expected <= offered
    else:
        assert offered == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("pcapctl get --output=y", "pcapctl get --output=yaml "),
        ("pcapctl get -o y", "pcapctl get -o yaml "),
        ("pcapctl --config fol", "pcapctl --config folder/"),
        ("pcapctl --tls-ca-file folder/c", "pcapctl --tls-ca-file folder/ca.pem "),
        ("pcapctl --tls-ca-file folder/m", r"pcapctl --tls-ca-file folder/my\ own.pem "),
        ("pcapctl --tls-ca-file 'folder/m", "pcapctl --tls-ca-file 'folder/my own.pem' "),
        (r"pcapctl --tls-ca-file folder/my\ o", r"pcapctl --tls-ca-file folder/my\ own.pem "),
    ],
)
def test_bash_completes_as_somebody_types(home: Path, typed: str, expected: str) -> None:
    (home / "folder").mkdir()
    (home / "folder" / "ca.pem").touch()
    (home / "folder" / "my own.pem").touch()
    assert in_bash(home, typed) == expected


def in_bash(home: Path, typed: str) -> str:
    """What the line holds after Tab."""
    (home / ".bashrc").write_text(
        "PS1='ready> '; cd; source ~/completion.bash\n"
        # What the line holds when it is shown.
        "show() { echo \"<<$READLINE_LINE>>\"; exit; }; bind -x '\"\\C-x\": show'\n"
    )
    terminal = Terminal(home, "bash", "--noprofile", "-i")
    terminal.await_text("ready> ")
    terminal.type(typed + "\t\x18")
    terminal.await_text("<<.*>>")
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.end()
    return re.findall("<<(.*)>>", terminal.seen)[-1]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("pcapctl wai", "pcapctl wait "),
        ("pcapctl help wai", "pcapctl help wait "),
        ("pcapctl get --outp", "pcapctl get --output "),
        ("pcapctl get --output y", "pcapctl get --output yaml "),
        ("pcapctl get -o y", "pcapctl get -o yaml "),
        ("pcapctl get --context sta", "pcapctl get --context staging "),
        ("pcapctl contexts us", "pcapctl contexts use "),
        ("pcapctl contexts use sta", "pcapctl contexts use staging "),
        ("pcapctl contexts add sta", "pcapctl contexts add sta"),
        ("pcapctl create si", "pcapctl create simple "),
        ("pcapctl create full --colo-", "pcapctl create full --colo-name "),
    ],
)
def test_zsh_completes_what_fits(home: Path, typed: str, expected: str) -> None:
    assert in_zsh(home, typed) == expected


def in_zsh(home: Path, typed: str) -> str:
    """What the line holds after Tab."""
    (home / ".zshrc").write_text(
        "PS1='ready> '; autoload -U compinit; compinit -D\nsource ~/completion.zsh\n"
        # What the line holds when Enter is pressed, instead of running it.
        "accept-line() { print -r -- \"<<$BUFFER>>\"; exit }; zle -N accept-line\n"
    )
    terminal = Terminal(home, "zsh", "-i")
    terminal.await_text("ready> ")
    terminal.type(typed + "\t")
    terminal.type("\r")
    terminal.end()
    return re.findall("<<(.*)>>", terminal.seen)[-1]


def in_fish(home: Path, typed: str) -> str:
    """What the line holds after Tab, if there is one offer; fish itself quotes what it inserts."""
    (offer,) = fish_offers(home, typed)
    escaped = run(home, "fish", "-c", 'string escape --no-quoted -- "$argv[1]"', "--", offer).strip()
    return typed[: typed.rindex(" ") + 1] + escaped + " "


# Words as a shell reads them are what it was given to complete, whatever the names are.
@pytest.mark.parametrize("before", ["--context", "contexts use"])
@pytest.mark.parametrize("complete", [in_bash, in_zsh, in_fish])
@pytest.mark.parametrize(
    "name", ["$(touch run)", "`touch run`", "two  words", "*", 'a"b', "it's", "a;touch run", "-x\\"]
)
def test_a_contexts_name_is_taken_as_it_is(
    home: Path, complete: Callable[[Path, str], str], name: str, before: str
) -> None:
    contexts = {"contexts": {name: {"address": "a:1"}}}
    (home / ".config" / "pcapctl" / "config.yaml").write_text(yaml.safe_dump(contexts))
    line = complete(home, f"pcapctl {before} ")
    assert shlex.split(line)[1:] == [*before.split(), name]
    assert not (home / "run").exists()


@pytest.mark.parametrize("quote", ["'", '"'])
def test_bash_completes_within_quotes(home: Path, quote: str) -> None:
    name = "a $(touch run) \"it's\" `touch run` \\"
    contexts = {"contexts": {name: {"address": "a:1"}}}
    (home / ".config" / "pcapctl" / "config.yaml").write_text(yaml.safe_dump(contexts))
    line = in_bash(home, f"pcapctl --context {quote}a ")
    assert run(home, "bash", "-c", f'set -- {line[7:]}; printf %s "$2"') == name
    assert not (home / "run").exists()


def test_the_manual_page_is_well_formed() -> None:
    lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", MANUAL], capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout


def test_the_manual_page_tells_of_every_option_and_command(home: Path) -> None:
    manual = run(home, "mandoc", "-Tutf8", str(MANUAL))
    manual = re.sub(".\b", "", manual).replace("−", "-").replace("‐", "-")
    helps = [run(home, "pcapctl", "--help")]
    commands = re.findall(r"^  (\w+) {3,}", helps[0].split("Subcommands:")[1], re.MULTILINE)
    assert commands[:2] == ["get", "list"] and commands[-1] == "completion"
    helps += [run(home, "pcapctl", command, "--help") for command in commands]
    for command, told in list(zip(commands, helps[1:])):
        if command == "help" or "Subcommands:" not in told:
            continue
        seconds = re.findall(r"^  (\w+) {3,}", told.split("Subcommands:")[1], re.MULTILINE)
        helps += [run(home, "pcapctl", command, second, "--help") for second in seconds]
        commands += [f"{command} {second}" for second in seconds]
    options = {option for text in helps for option in re.findall(r"(?<![\w=])--[a-z-]+", text)}
    missing = [word for word in sorted(options) + commands if word not in manual]
    assert not missing
    variables_told = {name for text in helps for name in re.findall(r"Env:(\w+)", text)}
    assert all(name in manual for name in variables_told)


def test_the_manual_pages_contexts_can_be_read(home: Path) -> None:
    example = MANUAL.read_text().split(".Bd -literal -offset indent\n")[1].split(".Ed")[0]
    path = home / "example.yaml"
    path.write_text(example)
    listed = run(home, "pcapctl", "contexts", "--config", str(path))
    assert re.search(r"^\* +staging +pcap-gateway\.staging\.example:50051", listed, re.MULTILINE)


def test_colours_are_for_terminals_that_want_them(home: Path, gateway: Gateway) -> None:
    get = ("pcapctl", "--address", gateway.address, "get", demo.FULL_ID)
    terminal = Terminal(home, *get)
    assert terminal.end() == 0 and "\x1b[32mcomplete\x1b[0m" in terminal.seen
    terminal = Terminal(home, *get, NO_COLOR="1")
    assert terminal.end() == 0 and "\x1b" not in terminal.seen
    assert "\x1b" not in run(home, *get)


def test_many_captures_are_asked_for_at_once(
    home: Path, gateway: Gateway, emulator: Emulator
) -> None:
    ids = [emulator.add() for _ in range(100)]
    ended = subprocess.run(
        ["pcapctl", "--address", gateway.address, "get", "-o", "yaml", "-"],
        input="\n".join(ids),
        env=variables(home),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
    documents = list(yaml.safe_load_all(ended.stdout))
    assert [document["pcap"]["simple"]["id"] for document in documents] == ids


def test_wait_shows_progress_on_a_terminal_and_ends_when_the_capture_does(
    home: Path, gateway: Gateway, emulator: Emulator
) -> None:
    pcap_id = emulator.add(status="running")
    wait = ("pcapctl", "--address", gateway.address, "wait", "--interval", "50ms", pcap_id)
    terminal = Terminal(home, *wait)
    terminal.await_text(rf"\r\x1b\[2K{pcap_id}  running  ")
    emulator.add_exactly(pcap_id, capture_of(pcap_id))
    assert terminal.end() == 0
    # The line of progress is gone before the answer.
    assert re.search(r"\x1b\[2KId +" + pcap_id, terminal.seen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_wait_is_gone_at_once_when_it_is_told_to(
    home: Path, gateway: Gateway, emulator: Emulator, number: signal.Signals
) -> None:
    pcap_id = emulator.add(status="running")
    wait = ("pcapctl", "--address", gateway.address, "wait", "--interval", "1h", pcap_id)
    terminal = Terminal(home, *wait)
    terminal.await_text("running")
    if number == signal.SIGINT:
        terminal.type("\x03")  # Ctrl-C
    else:
        os.kill(terminal.pid, number)
    assert terminal.end() == -number
