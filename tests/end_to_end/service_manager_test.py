"""What the gateway tells systemd, through a real socket in systemd's place."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest

from harness.calls import get
from harness.emulator import Emulator
from harness.gateway import BINARY, Gateway, StartGateway, environment
from harness.process import PATIENCE_SECONDS

# Short for a test, long for a machine that is busy with others: it is fed four times in that.
WATCHDOG_SECONDS = 2.0
LIMIT = {"WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6))}


class Manager:
    """Listens as systemd does."""

    def __init__(self, name: str) -> None:
        """`name`: a path, or @NAME for one in the abstract namespace."""
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name.replace("@", "\0", 1))

    def close(self) -> None:
        self._socket.close()

    def hears(self, seconds: float = PATIENCE_SECONDS) -> dict[str, str]:
        """The next message, by variable. Raises TimeoutError when none comes."""
        self._socket.settimeout(seconds)
        lines = self._socket.recv(65536).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def hears_of(self, variable: str) -> dict[str, str]:
        """The next message with this variable, whatever comes before."""
        while variable not in (message := self.hears()):
            pass
        return message


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    abstract = f"@pcap-gateway-{secrets.token_hex(8)}"
    manager = Manager(str(tmp_path / "notify") if request.param == "path" else abstract)
    yield manager
    manager.close()


@pytest.fixture
def path_manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.close()


def test_readiness_and_the_end_are_told(
    start_gateway: StartGateway, emulator: Emulator, manager: Manager
) -> None:
    gateway = start_gateway("--drain-timeout=20s", NOTIFY_SOCKET=manager.name)
    assert manager.hears() == {"READY": "1", "STATUS": f"serving on {gateway.address}"}
    get(gateway.channel, emulator.add())
    gateway.process.send(signal.SIGTERM)
    # No lame duck, the drain's 20 s, and 10 s for the rest.
    ending = {"STOPPING": "1", "STATUS": "draining", "EXTEND_TIMEOUT_USEC": "30000000"}
    assert manager.hears() == ending
    assert gateway.process.wait() == 0


def test_a_reload_is_told_from_its_begin_to_its_end(
    start_gateway: StartGateway, path_manager: Manager
) -> None:
    gateway = start_gateway(NOTIFY_SOCKET=path_manager.name)
    ready = path_manager.hears()
    before = time.monotonic_ns() // 1000
    gateway.process.send(signal.SIGHUP)
    reloading = path_manager.hears()
    assert reloading["RELOADING"] == "1"
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert path_manager.hears() == ready


def test_a_gateway_that_cannot_start_is_never_ready(path_manager: Manager, tmp_path: Path) -> None:
    variables = environment(tmp_path, NOTIFY_SOCKET=path_manager.name)
    command: list[str | Path] = [
        BINARY,
        "--credential=caller",
        "--listen=192.0.2.1:1",
        "--admin-listen=",
    ]
    assert subprocess.run(command, env=variables, timeout=20, capture_output=True).returncode == 2
    with pytest.raises(BlockingIOError):
        path_manager.hears(0)


def test_without_a_watchdog_nothing_is_said_of_it(
    start_gateway: StartGateway, path_manager: Manager
) -> None:
    start_gateway(NOTIFY_SOCKET=path_manager.name)
    assert "READY" in path_manager.hears()
    with pytest.raises(TimeoutError):
        path_manager.hears(1)


def test_a_manager_that_is_not_there_is_no_trouble(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(NOTIFY_SOCKET="/does/not/exist", **LIMIT)
    get(gateway.channel, emulator.add())


def test_the_watchdog_is_fed_while_all_is_well(
    start_gateway: StartGateway, path_manager: Manager
) -> None:
    """Also in the lame duck time."""
    gateway = start_gateway("--lame-duck=60s", NOTIFY_SOCKET=path_manager.name, **LIMIT)
    path_manager.hears_of("READY")
    for _ in range(4):
        assert path_manager.hears(WATCHDOG_SECONDS) == {"WATCHDOG": "1"}
    gateway.process.send(signal.SIGTERM)
    path_manager.hears_of("STOPPING")
    for _ in range(4):
        assert path_manager.hears(WATCHDOG_SECONDS) == {"WATCHDOG": "1"}


def test_a_watchdog_of_another_process_is_not_ours(
    start_gateway: StartGateway, path_manager: Manager
) -> None:
    start_gateway(NOTIFY_SOCKET=path_manager.name, WATCHDOG_PID="1", **LIMIT)
    assert "READY" in path_manager.hears()
    with pytest.raises(TimeoutError):
        path_manager.hears(WATCHDOG_SECONDS)


# ptrace(2).
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000


def ptrace(request: int, thread: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, thread, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace: {os.strerror(number)}")


@contextlib.contextmanager
def standing_still(threads: list[int]) -> Iterator[None]:
    """These threads alone, as a debugger stops them; the process' others run."""
    for thread in threads:
        ptrace(PTRACE_SEIZE, thread)
        ptrace(PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WALL)
    yield
    for thread in threads:
        ptrace(PTRACE_DETACH, thread)


def threads_beside_main(gateway: Gateway) -> list[int]:
    pid = gateway.process.pid
    tasks = (int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())
    return sorted(task for task in tasks if task != pid)


def is_silent(manager: Manager) -> bool:
    """What is under way still comes; then nothing."""
    for _ in range(3):
        try:
            manager.hears(WATCHDOG_SECONDS)
        except TimeoutError:
            return True
    return False


def test_the_watchdog_starves_when_the_threads_that_serve_stand_still(
    start_gateway: StartGateway, path_manager: Manager
) -> None:
    """The thread that feeds it goes on all the time."""
    gateway = start_gateway(NOTIFY_SOCKET=path_manager.name, **LIMIT)
    path_manager.hears_of("WATCHDOG")
    with standing_still(threads_beside_main(gateway)):
        assert is_silent(path_manager)
    assert path_manager.hears() == {"WATCHDOG": "1"}


def test_the_watchdog_starves_for_each_queue_and_for_the_loop(
    start_gateway: StartGateway, path_manager: Manager
) -> None:
    """Which threads those are is not to be seen from outside; but one each they are."""
    gateway = start_gateway(NOTIFY_SOCKET=path_manager.name, **LIMIT)
    path_manager.hears_of("WATCHDOG")
    starving = 0
    for thread in threads_beside_main(gateway):
        with standing_still([thread]):
            starving += is_silent(path_manager)
        path_manager.hears_of("WATCHDOG")
    queues = len(os.sched_getaffinity(gateway.process.pid))
    assert starving >= queues + 1
