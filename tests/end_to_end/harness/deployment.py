"""What lies in deploy/, read the way its own tools read it."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from harness.gateway import BINARY
from harness.stubs import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
TOOLS = REPOSITORY / "build" / "tools"


def tool(name: str) -> Path:
    """One of those that tests/install-tools makes."""
    path = TOOLS / "bin" / name
    assert path.exists(), f"{path} is not there: tests/install-tools makes it"
    return path


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Whatever its exit code is. Its output is not translated."""
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C"},
    )


def project_version() -> str:
    cmake = (REPOSITORY / "CMakeLists.txt").read_text()
    found = re.search(r"project\(pcap_gateway VERSION (\S+)", cmake)
    assert found
    return found.group(1)


@functools.cache
def program_options() -> dict[str, str]:
    """The long options of pcap-gateway: name without --, and its default or ""."""
    told = run(BINARY, "--help")
    assert told.returncode == 0
    # `  --name TEXT=default   what it is`, or `  -n,--name,--other  what it is`.
    lines = re.findall(r"^  (-\S+)(?: TEXT(?:=(\S+))?)?", told.stdout, re.M)
    return {
        name: default for names, default in lines for name in re.findall(r"--([a-z0-9-]+)", names)
    }


def seconds(text: str) -> float:
    """Of what the program, systemd and compose files call a duration, in one unit: 5s, 2min."""
    found = re.fullmatch(r"(\d+)(ms|s|min|m)", text)
    assert found, text
    return int(found.group(1)) * {"ms": 0.001, "s": 1, "m": 60, "min": 60}[found.group(2)]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # it has no types
    """PyYAML lets the last of two equal names count in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(name, deep=True) for name, _ in node.value]
        assert len(set(names)) == len(names), f"a name is there twice: {node.start_mark}"
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


class Objects:
    """Kubernetes objects, as a chart's templates made them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.all: list[dict[str, Any]] = [o for o in yaml.load_all(text, _Loader) if o]

    def kinds(self) -> list[str]:
        return sorted(o["kind"] for o in self.all)

    def one(self, kind: str, suffix: str = "") -> dict[str, Any]:
        found = [
            o for o in self.all if o["kind"] == kind and o["metadata"]["name"].endswith(suffix)
        ]
        assert len(found) == 1, f"{len(found)} of kind {kind}: {self.kinds()}"
        return found[0]

    def pod(self) -> dict[str, Any]:
        pod: dict[str, Any] = self.one("Deployment")["spec"]["template"]["spec"]
        return pod

    def container(self) -> dict[str, Any]:
        """The gateway's own: a pod may have sidecars."""
        (container,) = [c for c in self.pod()["containers"] if c["name"] == "pcap-gateway"]
        return dict(container)

    def arguments(self) -> dict[str, str | None]:
        """Of the gateway; None: without a value."""
        words = [word.removeprefix("--").partition("=") for word in self.container()["args"]]
        assert len({name for name, _, _ in words}) == len(words), "an option is there twice"
        return {name: value if equals else None for name, equals, value in words}
