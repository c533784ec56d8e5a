"""The C++ client as others get it: installed somewhere, found by CMake, and nothing else of us."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.gateway import StartGateway
from harness.stubs import REPOSITORY

# The first test builds, and on a new machine fetches what that needs.
pytestmark = pytest.mark.timeout(850)

EXAMPLE = REPOSITORY / "client" / "examples" / "cpp"

CONSUMER = """
cmake_minimum_required(VERSION 3.16)
project(consumer LANGUAGES CXX)
find_package(pcap_client @VERSION@ CONFIG REQUIRED)
add_executable(consumer consumer.cc)
target_link_libraries(consumer PRIVATE pcap_client::pcap_client)
"""

# The callback form, and what outlives the client.
PROGRAM = """
#include <future>
#include <iostream>

#include "pcap_client/pcap_client.h"

int main(int, char** argv) {
  std::promise<pcap_client::CallResult<pcap_client::GetPcapAnswer>> promise;
  {
    auto client = pcap_client::PcapClient::Create({.target = argv[1]});
    pcap::v1::GetPcapRequest request;
    request.set_pcap_id(argv[2]);
    client->GetPcapAsync(request, {}, [&](auto result) { promise.set_value(std::move(result)); });
  }
  const auto result = promise.get_future().get();
  std::cout << (result.ok() ? result->response.pcap().simple().id() : result.error().reason);
}
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Installed, and then moved: an image or a package is not built where it is used."""
    built = subprocess.run(
        [EXAMPLE / "run", "--build"], capture_output=True, text=True, timeout=800
    )
    assert built.returncode == 0, built.stdout + built.stderr
    moved = tmp_path_factory.mktemp("elsewhere") / "prefix"
    shutil.copytree(REPOSITORY / "build/examples/cpp/prefix", moved)
    return moved


def configure(
    folder: Path, prefix: Path, version: str, *options: str
) -> subprocess.CompletedProcess[str]:
    (folder / "CMakeLists.txt").write_text(CONSUMER.replace("@VERSION@", version))
    (folder / "consumer.cc").write_text(PROGRAM)
    return subprocess.run(
        ["cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build"]
        + [f"-DCMAKE_PREFIX_PATH={prefix}", *options],
        capture_output=True,
        text=True,
        timeout=120,
    )


def version_of(prefix: Path) -> str:
    text = (prefix / "lib/cmake/pcap_client/pcap_clientConfigVersion.cmake").read_text()
    return text.split('set(PACKAGE_VERSION "')[1].split('"')[0]


def test_a_program_of_somebody_else_builds_and_runs(
    prefix: Path, tmp_path: Path, start_gateway: StartGateway
) -> None:
    from emulator import demo

    flags = "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror"
    done = configure(tmp_path, prefix, version_of(prefix), flags, "-DCMAKE_CXX_STANDARD=20")
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        ["cmake", "--build", tmp_path / "build"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    gateway = start_gateway(f"--default-account-id={demo.ACCOUNT_ID}")
    for pcap_id, told in ((demo.SIMPLE_ID, demo.SIMPLE_ID), ("0" * 32, "PCAP_NOT_FOUND")):
        done = subprocess.run(
            [tmp_path / "build" / "consumer", gateway.address, pcap_id],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode, done.stdout) == (0, told), done.stderr


def test_a_version_that_does_not_fit_is_refused(prefix: Path, tmp_path: Path) -> None:
    major, minor, _ = version_of(prefix).split(".")
    for wrong in (f"{major}.{int(minor) + 1}", f"{int(major) + 1}.0", f"{major}.{minor}.999"):
        (tmp_path / wrong).mkdir()
        done = configure(tmp_path / wrong, prefix, wrong)
        assert done.returncode != 0 and "pcap_client" in done.stderr, wrong


def test_nothing_of_the_build_tree_is_installed(prefix: Path) -> None:
    for path in prefix.rglob("*"):
        if path.is_file() and path.suffix != ".a":  # archives hold file names for assertions
            assert str(REPOSITORY) not in path.read_text(), path


def test_the_headers_know_nothing_of_grpc(prefix: Path) -> None:
    headers = sorted((prefix / "include").rglob("*.h"))
    assert prefix / "include/pcap_client/pcap_client.h" in headers
    assert prefix / "include/pcap/v1/pcap_service.pb.h" in headers
    for header in headers:
        assert "#include <grpc" not in header.read_text(), header
