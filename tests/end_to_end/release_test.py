"""deploy/release: what needs no build is the same each time, whole, and made of a commit alone.

The package and the image are made by deploy/package and deploy/image/build, which deploy/test tries.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.deployment import project_version, run, tool
from harness.stubs import REPOSITORY

PARTS = ("notes", "protos", "chart", "sbom")
VERSION = project_version()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of what is committed, with the tools of this build."""
    if (
        shutil.which("git") is None
        or run("git", "-C", REPOSITORY, "rev-parse", "HEAD").returncode != 0
    ):
        pytest.skip("this is no git checkout")
    folder = tmp_path_factory.mktemp("release") / "checkout"
    cloned = run("git", "clone", "--quiet", "--shared", REPOSITORY, folder)
    assert cloned.returncode == 0, cloned.stderr
    (folder / "build").mkdir()
    (folder / "build" / "venv").symlink_to(REPOSITORY / "build" / "venv")
    return folder


def release(
    checkout: Path, folder: Path, *parts: str, umask: int = 0o022
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return subprocess.run(
        [checkout / "deploy" / "release", folder, *parts],
        capture_output=True,
        text=True,
        timeout=60,
        umask=umask,
        env=environment,
    )


@pytest.fixture(scope="module")
def made(checkout: Path) -> Path:
    folder = checkout.parent / "first"
    ended = release(checkout, folder, *PARTS)
    assert ended.returncode == 0, ended.stderr
    return folder


def test_the_sums_are_those_of_all_files(made: Path) -> None:
    told = dict(reversed(line.split()) for line in (made / "SHA256SUMS").read_text().splitlines())
    there = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in made.iterdir()
        if file.name != "SHA256SUMS"
    }
    assert told == there
    assert len(there) == len(PARTS)


def test_a_second_time_makes_the_same_bytes(checkout: Path, made: Path, tmp_path: Path) -> None:
    # Whatever the umask is, and whenever the files were written.
    for file in (checkout / "deploy" / "chart").rglob("*.yaml"):
        os.utime(file)
    ended = release(checkout, tmp_path / "second", *PARTS, umask=0o077)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "second" / "SHA256SUMS").read_text() == (made / "SHA256SUMS").read_text()


def test_an_archive_of_the_commit_makes_the_same_bytes(
    checkout: Path, made: Path, tmp_path: Path
) -> None:
    archive, tree = tmp_path / "commit.tar", tmp_path / "tree"
    told = run("git", "-C", checkout, "archive", "--output", archive, "HEAD")
    assert told.returncode == 0, told.stderr
    (tree / "build").mkdir(parents=True)
    assert run("tar", "--extract", "--file", archive, "--directory", tree).returncode == 0
    (tree / "build" / "venv").symlink_to(REPOSITORY / "build" / "venv")
    ended = release(tree, tmp_path / "second", *PARTS)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "second" / "SHA256SUMS").read_text() == (made / "SHA256SUMS").read_text()


def test_sources_of_no_commit_are_refused(checkout: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(checkout, tree, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    assert "neither a git checkout" in refusal(tree, tmp_path / "out", "notes")


def test_helm_takes_the_chart(checkout: Path, made: Path) -> None:
    values = REPOSITORY / "deploy" / "chart" / "ci" / "everything.yaml"
    archive = made / f"pcap-gateway-chart-{VERSION}.tgz"
    options = ("--kube-version", "1.32.0", "--values", values)
    from_archive = run(tool("helm"), "template", "r", archive, *options)
    assert from_archive.returncode == 0, from_archive.stderr
    from_folder = run(tool("helm"), "template", "r", checkout / "deploy" / "chart", *options)
    assert from_archive.stdout == from_folder.stdout


def test_the_protos_are_all_that_stubs_need(made: Path) -> None:
    with tarfile.open(made / f"pcap-protos-{VERSION}.tar.gz") as archive:
        names = {member.name for member in archive.getmembers() if member.isfile()}
    inside = {name.removeprefix(f"pcap-protos-{VERSION}/") for name in names}
    assert {"pcap/v1/pcap.proto", "pcap/v1/pcap_service.proto", "google/rpc/status.proto"} <= inside


def test_the_notes_are_the_changelogs(made: Path) -> None:
    notes = (made / "release-notes.md").read_text()
    assert notes.startswith(f"# pcap-gateway {VERSION}\n")
    assert "pcap.v1.PcapService/GetPcap" in notes


def test_the_bill_of_materials_is_whole(made: Path) -> None:
    (file,) = made.glob("sbom-*.spdx.json")
    bill = json.loads(file.read_text())
    assert bill["spdxVersion"] == "SPDX-2.3" and bill["SPDXID"] == "SPDXRef-DOCUMENT"
    packages = {package["SPDXID"]: package for package in bill["packages"]}
    assert len(packages) == len(bill["packages"])
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in packages)
    for relation in bill["relationships"]:
        ends = {relation["spdxElementId"], relation["relatedSpdxElement"]}
        assert ends <= {"SPDXRef-DOCUMENT", *packages}
    versions = {package["name"]: package["versionInfo"] for package in packages.values()}
    assert versions["pcap-gateway"] == VERSION
    for name in ("libcurl4-openssl-dev", "libprotobuf-dev", "libabsl-dev", "grpc"):
        assert versions[name] != "NOASSERTION", name
    # What one Debian alone is built with.
    for name in ("libmimalloc-dev", "opentelemetry-cpp-dev"):
        assert (name in versions) == (run("dpkg-query", "-W", name).returncode == 0), name


def test_the_bill_names_what_a_package_depends_on(tmp_path: Path) -> None:
    (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
    (tmp_path / "tree" / "DEBIAN" / "control").write_text(
        "Package: made-up\nVersion: 1\nArchitecture: amd64\nMaintainer: t <t@t>\n"
        "Depends: libc6 (>= 2.36), libcurl4 (>= 7.16.2) | made-up\nDescription: made up\n"
    )
    built = run("dpkg-deb", "--build", "tree", "made-up.deb", cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    # By a path from where one stands.
    told = run(REPOSITORY / "deploy" / "sbom", "made-up.deb", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    bill = json.loads(told.stdout)
    names = {package["SPDXID"]: package["name"] for package in bill["packages"]}
    needed = {
        names[relation["relatedSpdxElement"]]
        for relation in bill["relationships"]
        if relation["relationshipType"] == "DEPENDS_ON"
    }
    assert needed == {"libc6", "libcurl4"}
    refused = run(REPOSITORY / "deploy" / "sbom", "no-such.deb", cwd=tmp_path)
    assert refused.returncode == 1 and "no-such.deb" in refused.stderr


def refusal(checkout: Path, folder: Path, *parts: str) -> str:
    ended = release(checkout, folder, *parts)
    assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1, ended.stderr
    return ended.stderr


def test_an_unknown_part_is_refused(checkout: Path, tmp_path: Path) -> None:
    assert "no part 'rpm'" in refusal(checkout, tmp_path / "out", "notes", "rpm")


def test_what_is_not_committed_is_refused(checkout: Path, tmp_path: Path) -> None:
    readme = checkout / "README.md"
    before = readme.read_text()
    readme.write_text(before + "changed\n")
    try:
        assert "README.md" in refusal(checkout, tmp_path / "out", "notes")
    finally:
        readme.write_text(before)


def test_a_file_that_git_does_not_know_is_refused(checkout: Path, tmp_path: Path) -> None:
    stray = checkout / "deploy" / "chart" / "templates" / "mine.yaml"
    stray.write_text("a: b\n")
    try:
        assert "mine.yaml" in refusal(checkout, tmp_path / "out", "chart")
    finally:
        stray.unlink()


def test_a_version_that_another_commit_has_is_refused(checkout: Path, made: Path, tmp_path: Path) -> None:
    git = ("git", "-C", checkout)
    assert run(*git, "tag", f"v{VERSION}", "HEAD~1").returncode == 0
    try:
        assert f"v{VERSION} is another commit" in refusal(checkout, tmp_path / "out", "notes")
        assert run(*git, "tag", "--force", f"v{VERSION}").returncode == 0
        ended = release(checkout, tmp_path / "again", *PARTS)
        assert ended.returncode == 0 and "git tag" not in ended.stdout, ended.stderr
        assert (tmp_path / "again" / "SHA256SUMS").read_text() == (made / "SHA256SUMS").read_text()
    finally:
        run(*git, "tag", "--delete", f"v{VERSION}")


def test_a_version_that_stands_in_one_place_alone_is_refused(
    checkout: Path, tmp_path: Path
) -> None:
    cmake = checkout / "CMakeLists.txt"
    before = cmake.read_text()
    cmake.write_text(before.replace(f"VERSION {VERSION} ", "VERSION 9.9.9 "))
    committed = run(
        "git", "-C", checkout, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "t"
    )
    assert committed.returncode == 0, committed.stderr
    try:
        told = refusal(checkout, tmp_path / "out", "notes")
        assert "Chart.yaml" in told and "9.9.9" in told
    finally:
        run("git", "-C", checkout, "reset", "-q", "--hard", "HEAD~1")
