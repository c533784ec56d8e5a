"""Whoever wants stubs alone needs nothing of the gateway's own build."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from grpc_tools import protoc

from harness.stubs import REPOSITORY

OURS = {
    "pcap/v1/pcap.proto",
    "pcap/v1/pcap_ownership_service.proto",
    "pcap/v1/pcap_service.proto",
}
DETAILS = {f"google/rpc/{name}.proto" for name in ("status", "error_details", "code")}
WELL_KNOWN = Path(protoc.__file__).parent / "_proto"
# No protoc, no Python.
TOOLS = ("bash", "dirname", "env", "install", "mkdir")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The repository's proto/ alone, and a PATH with next to nothing."""
    shutil.copytree(REPOSITORY / "proto", tmp_path / "repository" / "proto")
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    return tmp_path


def export(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [bare / "repository" / "proto" / "export", *arguments],
        env={"PATH": str(bare / "bin")},
        cwd=bare,
        capture_output=True,
        text=True,
        timeout=20,
    )


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_ours_are_given_away_where_nothing_is_installed(bare: Path) -> None:
    told = export(bare, "to be/made")
    assert told.returncode == 0, told.stderr
    assert files(bare / "to be" / "made") == OURS
    assert "without google/rpc" in told.stderr and "pip install" in told.stderr


def test_what_pip_has_installed_is_found(bare: Path) -> None:
    """With the wheel of the active environment, as with the one that deploy/install makes."""
    (site,) = (REPOSITORY / "build" / "venv" / "lib").glob("python3*/site-packages")
    (bare / "bin" / "python3").write_text(f"#!/bin/bash\necho / {site}\n")
    (bare / "bin" / "python3").chmod(0o755)
    told = export(bare, "made")
    assert (told.returncode, told.stderr) == (0, "")
    assert files(bare / "made") == OURS | DETAILS


def test_annotations_say_what_they_need(bare: Path) -> None:
    told = export(bare, "--annotated", "made")
    assert told.returncode == 1
    assert "google/api/field_behavior.proto" in told.stderr and "pip install" in told.stderr


def test_the_folder_proto_is_enough_for_protoc(tmp_path: Path) -> None:
    arguments = [f"-I{REPOSITORY / 'proto'}", f"-I{WELL_KNOWN}", f"--python_out={tmp_path}"]
    assert protoc.main(["protoc", *arguments, f"--grpc_python_out={tmp_path}", *sorted(OURS)]) == 0
    assert "pcap/v1/pcap_service_pb2_grpc.py" in files(tmp_path)


@pytest.mark.parametrize("root", ["proto", "exported"])
def test_nothing_is_imported_that_is_not_there(bare: Path, root: str) -> None:
    folder = REPOSITORY / "proto"
    if root == "exported":
        folder = bare / "made"
        subprocess.run([REPOSITORY / "proto" / "export", folder], check=True, capture_output=True)
        assert files(folder) == OURS | DETAILS
    for file in OURS if root == "proto" else files(folder):
        for name in re.findall(r'^import "([^"]+)";', (folder / file).read_text(), re.MULTILINE):
            assert name.startswith("google/protobuf/") or name in files(folder), f"{file}: {name}"


@pytest.mark.parametrize("page", ["proto/README.md", "docs/clients"])
def test_the_pages_ask_for_no_install(page: str) -> None:
    path = REPOSITORY / page
    pages = [path] if path.is_file() else sorted(path.glob("*.md"))
    assert pages
    for one in pages:
        if one.stem in ("cpp", "http-json"):  # a library that is built as the gateway is; no stubs
            continue
        text = one.read_text()
        copied = re.search(r"[Cc]opy the files", text)
        assert copied, one
        assert text.find("proto/export") == -1 or copied.start() < text.find("proto/export"), one
