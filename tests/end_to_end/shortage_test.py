"""No thread to be had, and a file that does not answer: a line that says so, and never an abort."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from emulator import demo

from harness.calls import get
from harness.emulator import Emulator
from harness.gateway import BINARY, Gateway, StartGateway, environment
from harness.process import Process

# As tests/end_to_end/CMakeLists.txt builds it.
LIBRARY = os.environ.get("SHORTAGE_LIBRARY", "")


def start(tmp_path: Path, *options: str, **variables: str) -> Process:
    return Process(
        [BINARY, "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", *options],
        environment(tmp_path, CLOUDFLARE_API_TOKEN=demo.TOKEN, **variables),
    )


def needed_threads(tmp_path: Path) -> int:
    process = start(tmp_path, LD_PRELOAD=LIBRARY, SHORTAGE_THREADS="1")
    process.wait()
    found = re.search(r"of the (\d+) that the gateway needs", process.output())
    assert found, process.output()
    return int(found.group(1))


def test_a_start_without_enough_threads_says_so_in_one_line(tmp_path: Path) -> None:
    for number in range(1, needed_threads(tmp_path) + 1):
        process = start(tmp_path, LD_PRELOAD=LIBRARY, SHORTAGE_THREADS=str(number))
        assert process.wait() == 1
        [line] = process.output().splitlines()
        assert f"no thread can be started after {number - 1} of the " in line


@pytest.mark.parametrize("more", ["", "--redis-url=redis://localhost:1"])
def test_as_many_as_are_asked_for_are_enough(tmp_path: Path, more: str) -> None:
    """Those that a whole life takes, libraries' own included, are fewer."""
    needed = needed_threads(tmp_path)
    options = [option for option in [more] if option]
    process = start(tmp_path, *options)
    process.stdout.wait_for("listening on")
    assert len(list(Path(f"/proc/{process.pid}/task").iterdir())) <= needed
    process.send(signal.SIGTERM)
    assert process.wait() == 0


def let_hang(gateway: Gateway, hangs: Path) -> None:
    """From now on the token's file does not answer, and the gateway has noticed."""
    hangs.touch()
    gateway.process.send(signal.SIGHUP)
    gateway.process.stderr.wait_for("--api-token-file: a file does not answer")


def test_calls_and_a_drain_need_no_more_threads(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    gone = tmp_path / "no-more-threads"
    gateway = start_gateway(
        "--lame-duck=0s", LD_PRELOAD=LIBRARY, SHORTAGE_THREADS="0", SHORTAGE_FILE=str(gone)
    )
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    gone.touch()
    assert get(gateway.channel, pcap_id, max_age=0).pcap.simple.id == pcap_id
    gateway.channel.close()
    gateway.process.send(signal.SIGTERM)
    assert gateway.process.wait() == 0
    assert "drained" in gateway.process.stderr.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_watched_file_that_hangs_holds_up_neither_calls_nor_the_end(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path, number: signal.Signals
) -> None:
    hangs, token = tmp_path / "hangs", tmp_path / "token"
    token.write_text(demo.TOKEN)
    gateway = start_gateway(
        f"--api-token-file={token}",
        "--lame-duck=0s",
        LD_PRELOAD=LIBRARY,
        SHORTAGE_HANG=str(token),
        SHORTAGE_FILE=str(hangs),
    )
    let_hang(gateway, hangs)
    gateway.process.send(signal.SIGHUP)  # no matter how often
    get(gateway.channel, emulator.add())
    gateway.channel.close()
    gateway.process.send(number)
    assert gateway.process.wait() == 0


def test_a_watched_file_that_hangs_is_taken_once_it_answers(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    hangs, token = tmp_path / "hangs", tmp_path / "token"
    token.write_text("an-old-token-of-nobody")
    gateway = start_gateway(
        f"--api-token-file={token}",
        LD_PRELOAD=LIBRARY,
        SHORTAGE_HANG=str(token),
        SHORTAGE_FILE=str(hangs),
    )
    let_hang(gateway, hangs)
    token.write_text(demo.TOKEN)
    hangs.unlink()
    gateway.process.stderr.wait_for("--api-token-file: reloaded")
    get(gateway.channel, emulator.add())


def test_a_watched_file_that_becomes_a_fifo_is_told_and_the_old_one_kept(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(demo.TOKEN)
    gateway = start_gateway(f"--api-token-file={token}", "--lame-duck=0s")
    token.unlink()
    os.mkfifo(token)
    gateway.process.send(signal.SIGHUP)
    gateway.process.stderr.wait_for("is not a regular file but a FIFO")
    get(gateway.channel, emulator.add())
    gateway.channel.close()
    gateway.process.send(signal.SIGTERM)
    assert gateway.process.wait() == 0


def test_a_file_that_hangs_at_the_start_ends_it_with_a_line(tmp_path: Path) -> None:
    policy, hangs = tmp_path / "policy", tmp_path / "hangs"
    policy.write_text("{}")
    hangs.touch()
    process = start(
        tmp_path,
        f"--policy-file={policy}",
        LD_PRELOAD=LIBRARY,
        SHORTAGE_HANG=str(policy),
        SHORTAGE_FILE=str(hangs),
    )
    assert process.wait() == 1
    [line] = process.output().splitlines()
    assert "--policy-file: the file, or what it lies on, does not answer" in line


def test_a_fifo_at_the_start_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "policy")
    process = start(tmp_path, f"--policy-file={tmp_path / 'policy'}")
    assert process.wait() == 2
    assert "--policy-file: is not a regular file but a FIFO" in process.output()
