"""The examples in other languages all do what their READMEs say, and all alike."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from concurrent import futures
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest
from emulator import demo
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from harness.emulator import Emulator
from harness.gateway import StartGateway
from harness.identities import Authority
from harness.stubs import REPOSITORY, pcap_pb2, pcap_service_pb2, pcap_service_pb2_grpc

# The first test builds, and on a new machine fetches what that needs.
pytestmark = pytest.mark.timeout(850)

EXAMPLES = REPOSITORY / "client" / "examples"
LANGUAGES = sorted(path.parent.name for path in EXAMPLES.glob("*/run"))
LEFT_OUT = 69  # EX_UNAVAILABLE
ID = "3d2b8c5f1a7e4960b1c2d3e4f5a60718"
OTHER_ID = "0" * 32

Answer = Callable[[int, grpc.ServicerContext], pcap_service_pb2.GetPcapResponse]
Example = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", params=LANGUAGES)
def example(request: pytest.FixtureRequest) -> Example:
    """Runs the built example of one language."""
    command = EXAMPLES / request.param / "run"
    built = subprocess.run(
        [command, "--build"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=800,
    )
    if built.returncode == LEFT_OUT:
        pytest.skip(built.stdout.strip())
    assert built.returncode == 0, built.stdout

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([command, *arguments], capture_output=True, text=True, timeout=60)

    return run


class Scripted(pcap_service_pb2_grpc.PcapServiceServicer):
    """Answers each call as a test says, by the number of calls before it."""

    def __init__(self) -> None:
        self.answer: Answer = lambda calls, context: pcap_service_pb2.GetPcapResponse()
        self.requests: list[pcap_service_pb2.GetPcapRequest] = []
        self.deadlines: list[float] = []
        self.address = ""

    def GetPcap(
        self, request: pcap_service_pb2.GetPcapRequest, context: grpc.ServicerContext
    ) -> pcap_service_pb2.GetPcapResponse:
        self.requests.append(request)
        self.deadlines.append(context.time_remaining())
        return self.answer(len(self.requests) - 1, context)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    service = Scripted()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    pcap_service_pb2_grpc.add_PcapServiceServicer_to_server(service, server)
    service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield service
    server.stop(grace=None).wait()


def refuse(
    context: grpc.ServicerContext,
    code: int,
    message: str,
    reason: str = "",
    wait: tuple[int, int] | None = None,
) -> Any:
    """`wait`: seconds and nanoseconds."""
    details: list[Any] = []
    if reason:
        details.append(error_details_pb2.ErrorInfo(domain="pcap.v1", reason=reason))
    if wait is not None:
        delay = duration_pb2.Duration(seconds=wait[0], nanos=wait[1])
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    context.abort_with_status(rpc_status.to_status(status))


def run_on(example: Example, scripted: Scripted, *ids: str) -> tuple[int, str]:
    ended = example(scripted.address, demo.ACCOUNT_ID, *(ids or (ID,)))
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


def answer_with(scripted: Scripted, **form: Any) -> None:
    pcap = pcap_pb2.Pcap(**form)
    scripted.answer = lambda calls, context: pcap_service_pb2.GetPcapResponse(pcap=pcap)


# --- against the gateway


def test_both_forms_are_shown_and_what_is_missing_is_said(
    example: Example, emulator: Emulator, start_gateway: StartGateway
) -> None:
    gateway = start_gateway()
    missing = OTHER_ID
    ended = example(gateway.address, demo.ACCOUNT_ID, demo.SIMPLE_ID, demo.FULL_ID, missing)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    how = r"    cache-status: pcap-gateway; (fwd=uri-miss; stored|hit); ttl=\d+"
    expected = [
        rf"{demo.SIMPLE_ID}: simple, PCAP_STATUS_SUCCESS, submitted {time}",
        how,
        rf"{demo.FULL_ID}: full, PCAP_STATUS_COMPLETE, submitted {time}, 12000 packets captured",
        how,
        rf"{missing}: there is no such capture",
    ]
    lines = ended.stdout.splitlines()
    assert len(lines) == len(expected), ended.stdout
    for line, pattern in zip(lines, expected):
        assert re.fullmatch(pattern, line), (line, pattern)


def test_tls_needs_the_right_authority(
    example: Example, emulator: Emulator, start_gateway: StartGateway, tmp_path: Path
) -> None:
    authority = Authority()
    certificate, key = authority.server().write(tmp_path, "server")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "other.pem").write_bytes(Authority("another").pem)
    gateway = start_gateway(f"--tls-cert-file={certificate}", f"--tls-key-file={key}")
    call = (gateway.address, demo.ACCOUNT_ID, demo.SIMPLE_ID)
    ended = example("--tls-ca", str(tmp_path / "ca.pem"), *call)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.startswith(f"{demo.SIMPLE_ID}: simple, ")
    ended = example("--tls-ca", str(tmp_path / "other.pem"), *call)
    assert ended.returncode == 1
    assert ended.stdout.startswith((f"{demo.SIMPLE_ID}: UNAVAILABLE: ", f"{demo.SIMPLE_ID}: DEADLINE_"))
    ended = example("--tls-ca", str(tmp_path / "nowhere.pem"), *call)
    assert ended.returncode == 2 and ended.stdout == "" and "--tls-ca" in ended.stderr


# --- create, watch, download


@pytest.fixture(scope="module")
def living() -> Iterator[Emulator]:
    """Its time goes twenty times as fast, so that captures become ready soon."""
    emulator = Emulator(speed=20)
    yield emulator
    emulator.stop()


def test_a_capture_is_made_watched_and_downloaded(
    example: Example, living: Emulator, start_gateway: StartGateway, tmp_path: Path
) -> None:
    living.advance(61)  # Cloudflare takes a simple one a minute
    gateway = start_gateway("--allow=write,download", upstream_url=living.url)
    file = tmp_path / "syn.pcap"
    ended = example("--capture", str(file), gateway.address, demo.ACCOUNT_ID)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    *states, last = ended.stdout.splitlines()
    pcap_id = last.split(":")[0]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    for state in states:
        assert re.fullmatch(rf"{pcap_id}: simple, PCAP_STATUS_(PENDING|SUCCESS), submitted {time}", state), state
    assert "SUCCESS" in states[-1] and len(set(states)) == len(states)
    assert last == f"{pcap_id}: {file.stat().st_size} bytes in {file}"
    packets = subprocess.run(["tshark", "-r", file], capture_output=True, text=True, check=True)
    assert len(packets.stdout.splitlines()) == 3, packets.stdout
    [request] = [r for r in living.requests(method="POST", path="/pcaps")][-1:]
    assert json.loads(request["body"])["time_limit"] == 10


def test_a_capture_that_is_not_allowed_says_so(
    example: Example, emulator: Emulator, start_gateway: StartGateway, tmp_path: Path
) -> None:
    ended = example("--capture", str(tmp_path / "x"), start_gateway().address, demo.ACCOUNT_ID)
    assert ended.returncode == 1
    assert ended.stdout.startswith("capture: PERMISSION_DENIED (METHOD_DISABLED): ")


def test_a_download_that_breaks_leaves_no_file(
    example: Example, living: Emulator, start_gateway: StartGateway, tmp_path: Path
) -> None:
    living.advance(61)
    living.fault(kind="truncate", path="/download", times=1)
    gateway = start_gateway("--allow=write,download", upstream_url=living.url)
    ended = example("--capture", str(tmp_path / "x.pcap"), gateway.address, demo.ACCOUNT_ID)
    assert ended.returncode == 1, ended.stdout
    assert "DATA_LOSS (DOWNLOAD_INCOMPLETE)" in ended.stdout.splitlines()[-1]
    assert not [path for path in tmp_path.iterdir() if ".pcap" in path.name]


def test_a_file_that_cannot_be_written_is_told_in_a_line(
    example: Example, living: Emulator, start_gateway: StartGateway
) -> None:
    living.advance(61)
    gateway = start_gateway("--allow=write,download", upstream_url=living.url)
    ended = example("--capture", "/nowhere/x.pcap", gateway.address, demo.ACCOUNT_ID)
    assert ended.returncode == 1 and ended.stderr == "", ended.stderr
    assert "/nowhere/x.pcap" in ended.stdout.splitlines()[-1] or "No such file" in ended.stdout


# --- against a server that says what a test wants


def test_a_form_of_tomorrow_is_said_to_be_unknown(example: Example, scripted: Scripted) -> None:
    answer_with(scripted)
    assert run_on(example, scripted) == (0, f"{ID}: a form that this program does not know\n")


def test_a_status_of_tomorrow_is_told_by_its_number(example: Example, scripted: Scripted) -> None:
    answer_with(scripted, simple=pcap_pb2.SimplePcap(status=17))
    assert run_on(example, scripted) == (0, f"{ID}: simple, PCAP_STATUS 17\n")


def test_absent_differs_from_zero(example: Example, scripted: Scripted) -> None:
    answer_with(scripted, full=pcap_pb2.FullPcap(status=8))
    assert run_on(example, scripted) == (0, f"{ID}: full, PCAP_STATUS_FAILED\n")
    answer_with(scripted, full=pcap_pb2.FullPcap(status=8, packets_captured=0))
    assert run_on(example, scripted)[1] == f"{ID}: full, PCAP_STATUS_FAILED, 0 packets captured\n"


def test_large_numbers_and_old_times_are_shown_exactly(example: Example, scripted: Scripted) -> None:
    full = pcap_pb2.FullPcap(status=7, packets_captured=2**53 + 1)
    full.submitted.FromJsonString("1969-12-31T23:59:58.999999999Z")
    answer_with(scripted, full=full)
    assert run_on(example, scripted)[1] == (
        f"{ID}: full, PCAP_STATUS_COMPLETE, submitted 1969-12-31T23:59:58Z,"
        " 9007199254740993 packets captured\n"
    )


def test_requests_are_as_asked_with_a_deadline(example: Example, scripted: Scripted) -> None:
    run_on(example, scripted, ID, OTHER_ID)
    assert [(r.account_id, r.pcap_id) for r in scripted.requests] == [
        (demo.ACCOUNT_ID, ID),
        (demo.ACCOUNT_ID, OTHER_ID),
    ]
    assert all(0 < deadline < 11 for deadline in scripted.deadlines)


def test_not_found_of_something_else_is_an_error(example: Example, scripted: Scripted) -> None:
    scripted.answer = lambda calls, context: refuse(context, code_pb2.NOT_FOUND, "m", "OTHER")
    assert run_on(example, scripted) == (1, f"{ID}: NOT_FOUND (OTHER): m\n")


def test_a_short_wait_is_waited(example: Example, scripted: Scripted) -> None:
    def answer(calls: int, context: grpc.ServicerContext) -> pcap_service_pb2.GetPcapResponse:
        if calls == 0:
            refuse(context, code_pb2.RESOURCE_EXHAUSTED, "m", "RATE_LIMITED", (0, 20_000_000))
        return pcap_service_pb2.GetPcapResponse(pcap={"simple": {"status": 2}})

    scripted.answer = answer
    assert run_on(example, scripted) == (0, f"{ID}: simple, PCAP_STATUS_SUCCESS\n")
    assert len(scripted.requests) == 2


@pytest.mark.parametrize(
    "wait, shown", [((12, 410_000_000), "12.5"), ((30, 0), "30"), ((299, 1_000_000), "299.1")]
)
def test_a_long_wait_is_told(
    example: Example, scripted: Scripted, wait: tuple[int, int], shown: str
) -> None:
    scripted.answer = lambda calls, context: refuse(
        context, code_pb2.RESOURCE_EXHAUSTED, "m", "RATE_LIMITED", wait
    )
    assert run_on(example, scripted) == (1, f"{ID}: not now, come again in {shown} s\n")
    assert len(scripted.requests) == 1


def test_whoever_is_refused_twice_is_told(example: Example, scripted: Scripted) -> None:
    scripted.answer = lambda calls, context: refuse(
        context, code_pb2.RESOURCE_EXHAUSTED, "m", "RATE_LIMITED", (0, 20_000_000)
    )
    assert run_on(example, scripted) == (1, f"{ID}: not now, come again in 0.1 s\n")
    assert len(scripted.requests) == 2


def test_errors_are_named(example: Example, scripted: Scripted) -> None:
    scripted.answer = lambda calls, context: refuse(
        context, code_pb2.UNAVAILABLE, "too many", "OVERLOADED"
    )
    assert run_on(example, scripted) == (1, f"{ID}: UNAVAILABLE (OVERLOADED): too many\n")
    for code in ("CANCELLED", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "UNAUTHENTICATED"):
        number = code_pb2.Code.Value(code)
        scripted.answer = lambda calls, context, n=number: refuse(context, n, "m")
        assert run_on(example, scripted) == (1, f"{ID}: {code}: m\n")
    scripted.answer = lambda calls, context: refuse(context, code_pb2.RESOURCE_EXHAUSTED, "m")
    assert run_on(example, scripted) == (1, f"{ID}: RESOURCE_EXHAUSTED: m\n")


def test_details_of_another_kind_do_no_harm(example: Example, scripted: Scripted) -> None:
    def answer(calls: int, context: grpc.ServicerContext) -> Any:
        status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="m")
        status.details.add(type_url="type.googleapis.com/of.Tomorrow", value=b"\xff\xff")
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason="PCAP_NOT_FOUND"))
        context.abort_with_status(rpc_status.to_status(status))

    scripted.answer = answer
    assert run_on(example, scripted) == (0, f"{ID}: there is no such capture\n")


def test_one_failure_does_not_end_the_others(example: Example, scripted: Scripted) -> None:
    def answer(calls: int, context: grpc.ServicerContext) -> pcap_service_pb2.GetPcapResponse:
        if calls == 0:
            refuse(context, code_pb2.INTERNAL, "m")
        return pcap_service_pb2.GetPcapResponse(pcap={"simple": {"status": 2}})

    scripted.answer = answer
    assert run_on(example, scripted, ID, OTHER_ID) == (
        1,
        f"{ID}: INTERNAL: m\n{OTHER_ID}: simple, PCAP_STATUS_SUCCESS\n",
    )


def test_where_nobody_is_there_the_call_is_unavailable(example: Example) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        ended = example(f"127.0.0.1:{nobody.getsockname()[1]}", demo.ACCOUNT_ID, ID)
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"{ID}: UNAVAILABLE: "), ended.stdout


def test_a_wrong_command_line_is_refused(example: Example) -> None:
    capture = ["--capture", "x", "127.0.0.1:1"]
    for arguments in (
        [],
        ["127.0.0.1:1"],
        ["127.0.0.1:1", demo.ACCOUNT_ID],
        ["--no-such"],
        ["--capture"],
        capture,
        [*capture, demo.ACCOUNT_ID, ID],
    ):
        ended = example(*arguments)
        assert ended.returncode == 2 and ended.stdout == "" and ended.stderr, arguments


# --- what is in the repository


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_repository_has_sources_alone(language: str) -> None:
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", EXAMPLES / language],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    paths = [REPOSITORY / line for line in listed.stdout.splitlines()]
    assert EXAMPLES / language / "README.md" in paths
    for path in paths:
        text = path.read_text()
        assert "DO NOT EDIT" not in text, f"{path} is generated"
        registry = re.search(
            r"https?://\S*(npmjs|pypi|crates\.io|goproxy|proxy\.golang|repo\d?\.maven|sonatype)", text
        )
        assert registry is None, f"{path} holds a registry's address"
