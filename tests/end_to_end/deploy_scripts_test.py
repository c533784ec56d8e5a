"""deploy/install and deploy/build where something is missing or fails: one clear line, and the next
run goes on. They run in a tree of their own, with stand-ins for apt, cmake and the like."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.deployment import DEPLOY, REPOSITORY

# What the scripts use as it is, but for sudo, which not every machine has.
TOOLS = (
    "awk bash cat chmod cmp cp dirname env grep head id ls mkdir rm sed sort tail tee touch".split()
)
Ended = subprocess.CompletedProcess[str]
DEBIAN_12 = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'


@dataclass
class Tree:
    root: Path

    def stand_in(self, name: str, script: str) -> None:
        program = self.root / "bin" / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/bash\n{script}\n")
        program.chmod(0o755)

    def run(self, script: str, *arguments: str, **variables: str) -> Ended:
        return subprocess.run(
            [self.root / script, *arguments],
            capture_output=True,
            text=True,
            timeout=250,
            env={"PATH": str(self.root / "bin"), "HOME": str(self.root), **variables},
        )


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "deploy").mkdir()
    for name in ("install", "build", "common.sh"):
        shutil.copy(DEPLOY / name, tmp_path / "deploy" / name)
    # Nothing that would have to be downloaded, nor made.
    (tmp_path / "deploy" / "requirements.txt").write_text("")
    (tmp_path / "build/venv/bin").mkdir(parents=True)
    (tmp_path / "build/venv/bin/python").symlink_to("/bin/true")
    (tmp_path / "build/venv/deploy-requirements.txt").write_text("")
    shutil.copy(REPOSITORY / "CMakePresets.json", tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or f"/usr/bin/{tool}")
    tree = Tree(tmp_path)
    tree.stand_in("cat", f"printf '%s' '{DEBIAN_12}'")  # /etc/os-release
    tree.stand_in("id", "echo 0")
    tree.stand_in("dpkg", "exit 0")
    tree.stand_in("dpkg-query", "exit 1")  # nothing is installed
    tree.stand_in("apt-get", "exit 0")
    return tree


def says(ended: Ended, *texts: str) -> None:
    assert ended.returncode == 1, ended.stdout + ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    for text in texts:
        assert text in lines[0]


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ('ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11"\n', "GNU/Linux 11"),
        ('ID=fedora\nVERSION_ID=41\nPRETTY_NAME="Fedora Linux 41"\n', "Fedora Linux 41"),
        ('NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24"\n', "Ubuntu 24"),
    ],
)
def test_an_unsupported_system_is_named(tree: Tree, release: str, name: str) -> None:
    tree.stand_in("cat", f"printf '%s' '{release}'")
    says(tree.run("deploy/install"), "deploy/install: it takes Debian 12 or newer", name)


@pytest.mark.parametrize(
    "release",
    [DEBIAN_12, DEBIAN_12.replace("12", "13"), 'ID=debian\nPRETTY_NAME="Debian forky/sid"\n'],
)
def test_a_supported_system_is_installed_on(tree: Tree, release: str) -> None:
    tree.stand_in("cat", f"printf '%s' '{release}'")
    ended = tree.run("deploy/install")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_unsupported_system_that_has_all_packages_will_do(tree: Tree) -> None:
    tree.stand_in("cat", "echo ID=ubuntu")
    tree.stand_in("dpkg-query", "echo install ok installed")
    assert tree.run("deploy/install").returncode == 0


def test_without_root_and_sudo_it_says_what_an_administrator_has_to_install(tree: Tree) -> None:
    tree.stand_in("id", "echo 1000")
    says(tree.run("deploy/install"), "it takes root, or sudo", "apt-get install g++ cmake")


def test_with_sudo_apt_runs_under_it(tree: Tree) -> None:
    tree.stand_in("id", "echo 1000")
    tree.stand_in("sudo", 'echo "$*" >>"$HOME/sudo-ran"; "$@"')
    assert tree.run("deploy/install").returncode == 0
    assert "apt-get" in (tree.root / "sudo-ran").read_text()


NO_NETWORK = "Could not resolve 'deb.example.test'"


@pytest.mark.parametrize(
    ("apt", "reason"),
    [
        # Without lists, apt knows of no package: that is not the reason.
        (
            f'case "$*" in *update*) echo "Err: http://deb.example.test {NO_NETWORK}" >&2 ;; '
            '*) echo "E: Unable to locate package cmake" >&2 ;; esac; exit 100',
            NO_NETWORK,
        ),
        (
            'case "$*" in *install*) echo "dpkg: error: cannot copy: No space left on device" >&2; '
            'echo "E: Sub-process /usr/bin/dpkg returned an error code (1)" >&2; exit 100 ;; esac',
            "No space left on device",
        ),
        (
            'case "$*" in *install*) echo "E: Unable to locate package cmake"; exit 100 ;; esac',
            "E: Unable to locate package cmake",
        ),
    ],
)
def test_where_apt_fails_it_says_why_and_where_the_log_is_and_then_goes_on(
    tree: Tree, apt: str, reason: str
) -> None:
    tree.stand_in("apt-get", apt)
    says(tree.run("deploy/install"), reason, "build/install.log", "goes on")
    tree.stand_in("apt-get", "exit 0")
    assert tree.run("deploy/install").returncode == 0


def test_what_an_interrupted_dpkg_left_is_finished_first(tree: Tree) -> None:
    tree.stand_in("dpkg", 'echo "dpkg $*" >>"$HOME/ran"')
    tree.stand_in("apt-get", 'echo "apt-get $*" >>"$HOME/ran"')
    assert tree.run("deploy/install").returncode == 0
    assert (tree.root / "ran").read_text().startswith("dpkg --configure -a\napt-get ")


@pytest.mark.timeout(300)  # it is made, and no stand-in
def test_a_virtual_environment_that_was_half_made_is_made_anew(tree: Tree) -> None:
    python = tree.root / "build/venv/bin/python"
    python.unlink()
    python.symlink_to("/usr/bin/python3")
    assert tree.run("deploy/install").returncode == 0
    assert (tree.root / "build/venv/bin/pip").exists()
    assert (tree.root / "build/venv/deploy-requirements.txt").exists()


@pytest.mark.parametrize(
    ("pip", "reason"),
    [
        ("ERROR: No matching distribution found for no-such-package", "no-such-package"),
        ("WARNING: Retrying: Connection refused\nERROR: No matching distribution", "refused"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "No space left on device"),
    ],
)
def test_python_packages_that_cannot_be_had_are_named_with_the_log(
    tree: Tree, pip: str, reason: str
) -> None:
    python = tree.root / "build/venv/bin/python"
    python.unlink()
    tree.stand_in("python", f'[[ $* != *"pip install"* ]] || {{ echo "{pip}"; exit 1; }}')
    python.symlink_to(tree.root / "bin/python")
    (tree.root / "deploy/requirements.txt").write_text("no-such-package==1\n")
    says(tree.run("deploy/install"), reason, "build/pip-build-venv.log", "goes on")
    tree.stand_in("python", "exit 0")
    assert tree.run("deploy/install").returncode == 0


@pytest.mark.parametrize("script", ["deploy/install", "deploy/build"])
def test_a_tree_that_cannot_be_written_to_is_named(tree: Tree, script: str) -> None:
    # As root, permissions alone would not do.
    shutil.rmtree(tree.root / "build")
    (tree.root / "build").symlink_to("/proc/sys")
    says(tree.run(script), f"cannot write into {tree.root}/build: ")


def test_configuring_that_fails_shows_the_error_and_where_the_log_is(tree: Tree) -> None:
    tree.stand_in(
        "cmake",
        'echo "-- Found OpenSSL"; echo "CMake Error at CMakeLists.txt:26 (find_package):"; '
        'echo "  Could not find gRPC"; echo; echo "-- Configuring incomplete"; exit 1',
    )
    ended = tree.run("deploy/build")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "CMake Error at CMakeLists.txt:26 (find_package):",
        "  Could not find gRPC",
        "-- Configuring incomplete",
        "deploy/build: configuring failed; the whole log is in build/configure.log",
    ]


def test_a_build_that_fails_shows_the_first_failure_and_where_the_log_is(tree: Tree) -> None:
    tree.stand_in(
        "cmake",
        'case "$1" in --build) echo "[1/3] Building a.cc.o"; echo "FAILED: b.cc.o "; '
        'echo "g++ a very long command"; echo "b.cc:7:1: error: no"; echo "[2/3] Building c.cc.o"; '
        'echo "FAILED: d.cc.o"; echo "ninja: build stopped"; exit 1 ;; esac',
    )
    ended = tree.run("deploy/build")
    assert ended.returncode == 1
    assert "[2/3] Building c.cc.o" in ended.stdout
    assert ended.stderr.splitlines() == [
        "FAILED: b.cc.o ",
        "b.cc:7:1: error: no",
        "deploy/build: building failed; the whole log is in build/build.log, "
        "and the next run goes on from here",
    ]


def test_a_build_that_was_stopped_shows_its_end(tree: Tree) -> None:
    tree.stand_in(
        "cmake",
        'case "$1" in --build) echo "[1/3] Building a.cc.o"; '
        'echo "ninja: build stopped: interrupted by user."; exit 130 ;; esac',
    )
    ended = tree.run("deploy/build")
    assert ended.returncode == 1
    assert "ninja: build stopped: interrupted by user." in ended.stderr
    assert "building failed; the whole log is in build/build.log" in ended.stderr


@pytest.mark.parametrize(
    ("variables", "tests", "warnings"),
    [
        ({}, "OFF", "OFF"),
        ({"TESTS": "on"}, "ON", "OFF"),
        ({"TESTS": "on", "WARNINGS": "errors"}, "ON", "ON"),
    ],
)
def test_who_runs_the_gateway_configures_no_tests_and_warnings_are_none_of_their_errors(
    tree: Tree, variables: dict[str, str], tests: str, warnings: str
) -> None:
    tree.stand_in("cmake", 'echo "$@" >>"$HOME/cmake-ran"')
    assert tree.run("deploy/build", "pcap-gateway", **variables).returncode == 0
    ran = (tree.root / "cmake-ran").read_text()
    assert f"-DPCAP_GATEWAY_TESTS={tests} -DPCAP_GATEWAY_WERROR={warnings}" in ran
    assert "--build build --target pcap-gateway" in ran
