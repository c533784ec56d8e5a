"""Logs: one line a call, whose every text can be trusted, and which no output can make costly."""

from __future__ import annotations

import os
import pty
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest
from emulator import demo

from harness.calls import Answer, Failure, fail, get, request_for
from harness.emulator import Emulator
from harness.gateway import STALE_AT_ONCE, Gateway, StartGateway, environment, parsed_log
from harness.process import PATIENCE_SECONDS
from harness.stubs import pcap_service_pb2_grpc

METHOD = "/pcap.v1.PcapService/GetPcap"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

ALL = ("--log-level=debug", "--log-hits=1")
NO_CACHE = [("cache-control", "no-cache")]
ONLY_IF_CACHED = [("cache-control", "only-if-cached")]

Line = dict[str, Any]


def calls_in(log: list[Line]) -> list[Line]:
    return [line for line in log if "method" in line]


def line_of(gateway: Gateway, request_id: str) -> Line:
    """The one line of the call that had this id; it is soon there."""
    gateway.process.stderr.wait_for(f'"request_id":"{request_id}"')
    [line] = [line for line in gateway.log() if line.get("request_id") == request_id]
    return line


def with_id(request_id: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [("x-request-id", request_id), *more]


def check_line(line: Line, heard: Answer | Failure, upstream_requests: int) -> None:
    """It says of the call what the caller was told."""
    code = "OK" if isinstance(heard, Answer) else heard.code.name
    assert line["method"] == METHOD
    assert line["code"] == code
    assert line.get("cache_status") == heard.metadata.get("cache-status")
    assert line.get("cf_ray") == heard.metadata.get("cf-ray")
    assert line["request_id"] == heard.metadata["x-request-id"]
    assert line["upstream_requests"] == upstream_requests
    assert line["duration_ms"] > 0
    assert line["peer"].startswith("ipv4:127.0.0.1:")
    if isinstance(heard, Failure):
        assert line["message"] == heard.message
        assert line["reason"] == heard.reason
    else:
        assert "reason" not in line


# The fields of a line ---------------------------------------------------------------------------


def test_every_line_of_a_session_is_json_with_the_fixed_fields(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*ALL)
    pcap_id = emulator.add()
    for _ in range(3):
        get(gateway.channel, pcap_id)
    fail(gateway.channel, emulator.unknown_id())
    fail(gateway.channel, "not an id")
    fail(gateway.channel, pcap_id, account_id="f" * 32)
    assert gateway.end() == 0
    log = gateway.log()
    for line in log:
        assert list(line)[:3] == ["time", "level", "message"], line
        assert TIME.fullmatch(line["time"]), line
        assert line["level"] in ("debug", "info", "warn", "error"), line
        assert line["message"], line
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in line), line
    times = [line["time"] for line in log]
    assert times == sorted(times)
    [serving] = [line for line in log if line["message"] == "serving"]
    assert serving["version"] == gateway.version and serving["listen"] == gateway.address
    assert {"name", "value"} <= set(log[0]) and log[0]["level"] == "debug"
    assert [line["message"] for line in log[-2:]] == [
        "draining; another signal ends at once",
        "drained",
    ]
    calls = calls_in(log)
    assert [line["code"] for line in calls] == [
        *["OK"] * 3,
        "NOT_FOUND",
        "INVALID_ARGUMENT",
        calls[5]["code"],
    ]
    for line in calls:
        assert {"method", "code", "duration_ms", "upstream_requests", "peer"} <= set(line), line
    assert [line.get("pcap_id") for line in calls[:3]] == [pcap_id] * 3
    assert [line.get("account_id") for line in calls[:3]] == [demo.ACCOUNT_ID] * 3
    assert "pcap_id" not in calls[4]


def test_debug_says_which_options_were_given_and_info_does_not(
    start_gateway: StartGateway,
) -> None:
    for level, expected in (("debug", True), ("info", False)):
        gateway = start_gateway(f"--log-level={level}", "--drain-timeout=7s")
        assert gateway.end() == 0
        values = [line["value"] for line in gateway.log() if line.get("name") == "drain-timeout"]
        assert values == (["7s"] if expected else [])


# One line for each outcome ----------------------------------------------------------------------


def test_a_miss_has_one_request_and_a_hit_none(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*ALL)
    pcap_id = emulator.add()
    miss = get(gateway.channel, pcap_id, metadata=with_id("miss"))
    hit = get(gateway.channel, pcap_id, metadata=with_id("hit"))
    assert hit.is_hit and not miss.is_hit
    check_line(line_of(gateway, "miss"), miss, 1)
    check_line(line_of(gateway, "hit"), hit, 0)
    assert line_of(gateway, "miss")["http_status"] == 200
    assert "http_status" not in line_of(gateway, "hit")


@pytest.mark.parametrize("failures", [1, 2])
def test_each_retry_is_a_request(
    start_gateway: StartGateway, emulator: Emulator, failures: int
) -> None:
    gateway = start_gateway("--upstream-retries=2")
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "html", status=503, times=failures)
    answer = get(gateway.channel, pcap_id, metadata=with_id("retried"))
    assert len(emulator.requests(pcap_id)) == 1 + failures
    check_line(line_of(gateway, "retried"), answer, 1 + failures)


def test_a_failure_after_retries_has_all_of_them(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--upstream-retries=2")
    pcap_id = emulator.add()
    emulator.fault(pcap_id, "html", status=503)
    failure = fail(gateway.channel, pcap_id, metadata=with_id("failed"))
    check_line(line_of(gateway, "failed"), failure, 3)
    assert line_of(gateway, "failed")["http_status"] == 503
    assert line_of(gateway, "failed")["level"] == "warn"


def test_of_those_who_share_a_request_one_has_it(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*ALL)
    pcap_id = emulator.add()
    gate = emulator.hold(pcap_id)
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    calls = [
        stub.GetPcap.future(request_for(pcap_id), metadata=with_id(f"shared-{n}"), timeout=30)
        for n in range(5)
    ]
    emulator.wait(pcap_id)
    emulator.release(gate)
    lines = []
    for n, call in enumerate(calls):
        call.result(PATIENCE_SECONDS)
        line = line_of(gateway, f"shared-{n}")
        told = dict(call.initial_metadata())["cache-status"]
        assert line["code"] == "OK" and line["cache_status"] == told
        lines.append(line)
    # Who comes when the answer is there already is a hit; that all come before it is not for sure.
    collapsed = [line for line in lines if "collapsed" in line["cache_status"]]
    assert sorted(line["upstream_requests"] for line in lines) == [0, 0, 0, 0, 1]
    assert all(line["upstream_requests"] == 0 for line in collapsed)


def test_a_stale_hit_has_no_request_although_it_sets_one_off(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*ALL, *STALE_AT_ONCE, "--stale-while-revalidate=1h")
    pcap_id = emulator.add(status="running")
    get(gateway.channel, pcap_id)
    stale = get(gateway.channel, pcap_id, metadata=with_id("stale"))
    assert stale.is_hit and "; ttl=-" in stale.cache_status
    check_line(line_of(gateway, "stale"), stale, 0)
    emulator.wait(pcap_id, "answered", count=2)


def test_a_stale_answer_after_a_failure_names_the_failure(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*STALE_AT_ONCE, "--stale-while-revalidate=0s")
    pcap_id = emulator.add(status="running")
    get(gateway.channel, pcap_id)
    emulator.fault(pcap_id, "html", status=503)
    answer = get(gateway.channel, pcap_id, metadata=with_id("stale"))
    assert answer.cache_status.endswith("detail=stale-if-error")
    line = line_of(gateway, "stale")
    check_line(line, answer, 1)
    assert line["http_status"] == 503 and line["level"] == "warn"


def test_what_never_goes_upstream_has_no_request(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--upstream-limit=2", "--upstream-reserve=0")
    heard: list[Answer | Failure] = [
        fail(gateway.channel, "not an id", metadata=with_id("invalid")),
        fail(gateway.channel, emulator.add(), metadata=with_id("not-cached", *ONLY_IF_CACHED)),
        get(gateway.channel, emulator.add(), metadata=with_id("first")),
        get(gateway.channel, emulator.add(), metadata=with_id("second")),
        fail(gateway.channel, emulator.add(), metadata=with_id("over-budget")),
    ]
    expected = {"invalid": 0, "not-cached": 0, "first": 1, "second": 1, "over-budget": 0}
    for answer, (request_id, requests) in zip(heard, expected.items()):
        check_line(line_of(gateway, request_id), answer, requests)
    assert line_of(gateway, "over-budget")["code"] == "RESOURCE_EXHAUSTED"
    assert line_of(gateway, "not-cached")["code"] == "FAILED_PRECONDITION"


@pytest.mark.parametrize("ending", ["deadline", "cancel"])
def test_a_call_that_did_not_wait_has_its_request(
    start_gateway: StartGateway, emulator: Emulator, ending: str
) -> None:
    gateway = start_gateway()
    pcap_id = emulator.add()
    emulator.hold(pcap_id)
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    timeout = 2 if ending == "deadline" else PATIENCE_SECONDS
    call = stub.GetPcap.future(request_for(pcap_id), metadata=with_id("left"), timeout=timeout)
    emulator.wait(pcap_id)
    if ending == "cancel":
        call.cancel()
    line = line_of(gateway, "left")
    assert line["upstream_requests"] == 1
    # The caller's own clock may be quicker, and cancel the call at its deadline.
    codes = {"deadline": ("DEADLINE_EXCEEDED", "CANCELLED"), "cancel": ("CANCELLED",)}
    assert line["code"] in codes[ending]


def test_without_a_cache_it_says_so(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway("--cache-bytes=0")
    answer = get(gateway.channel, emulator.add(), metadata=with_id("bypass"))
    check_line(line_of(gateway, "bypass"), answer, 1)
    assert line_of(gateway, "bypass")["cache_status"] == "pcap-gateway; fwd=bypass"


# Ids --------------------------------------------------------------------------------------------


def test_the_callers_trace_is_in_its_line_and_no_other_metadata(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(*ALL)
    pcap_id = emulator.add()
    metadata = with_id(
        "traced",
        ("traceparent", TRACEPARENT),
        ("tracestate", "vendor=private-state"),
        ("cookie", "private-cookie"),
        ("x-custom", "private-custom"),
    )
    get(gateway.channel, pcap_id, metadata=metadata)
    line = line_of(gateway, "traced")
    assert line["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert line["span_id"] == "00f067aa0ba902b7"
    assert emulator.headers(pcap_id)["traceparent"] == TRACEPARENT
    assert gateway.end() == 0
    assert "private" not in gateway.process.output()


def test_an_invalid_trace_or_request_id_is_not_in_the_line(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway()
    metadata = [("traceparent", TRACEPARENT.upper()), ("x-request-id", "two words")]
    answer = get(gateway.channel, emulator.add(), metadata=metadata)
    line = line_of(gateway, answer.metadata["x-request-id"])
    assert "trace_id" not in line and "span_id" not in line
    assert "two words" not in gateway.process.output()


# Which calls have lines -------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "lines"), [("0", 0), ("0.25", 50), ("1", 200), (None, 2)])
def test_of_hits_a_share_is_logged(
    start_gateway: StartGateway, emulator: Emulator, share: str | None, lines: int
) -> None:
    gateway = start_gateway(*([] if share is None else [f"--log-hits={share}"]))
    pcap_id = emulator.add()
    for n in range(201):
        answer = get(gateway.channel, pcap_id, metadata=[("traceparent", TRACEPARENT)])
        assert answer.is_hit == (n > 0)
    assert gateway.end() == 0
    calls = calls_in(gateway.log())
    assert len([line for line in calls if "hit" in line["cache_status"]]) == lines
    assert len(calls) == lines + 1


def test_the_level_leaves_out_what_is_below(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--log-level=warn")
    failing = emulator.add()
    emulator.fault(failing, "html", status=503)
    get(gateway.channel, emulator.add())
    fail(gateway.channel, emulator.unknown_id())
    fail(gateway.channel, failing)
    assert gateway.end() == 0
    assert [line["code"] for line in gateway.log()] == ["UNAVAILABLE"]


def test_a_flood_of_failures_is_counted(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    count = 3000
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    for _ in range(count // 500):
        calls = [stub.GetPcap.future(request_for("no id"), timeout=30) for _ in range(500)]
        for call in calls:
            assert call.code() is grpc.StatusCode.INVALID_ARGUMENT
    gateway.process.stderr.wait_for('"suppressed":')
    assert gateway.end() == 0
    log = gateway.log()
    suppressed = sum(line.get("suppressed", 0) for line in log)
    assert len(calls_in(log)) + suppressed == count
    assert suppressed > count / 2


# Nothing in a text does harm --------------------------------------------------------------------

HOSTILE = (
    'x\r\n{"level":"error","message":"forged"}\n\x1b[2J\x1b]0;title\x07\u2028\u202e\u2066\x9b31m'
    "\x00\x7f\ufeff code=OK"
)


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_hostile_text_from_cloudflare_is_one_line_of_ascii(
    start_gateway: StartGateway, emulator: Emulator, form: str
) -> None:
    gateway = start_gateway(*ALL, f"--log-format={form}")
    pcap_id = emulator.add()
    error = {"code": 1000, "message": HOSTILE}
    body = {"success": False, "errors": [error], "messages": [HOSTILE], "result": None}
    emulator.answer(pcap_id, body, status=400, headers={"cf-ray": "a b"})
    fail(gateway.channel, pcap_id, metadata=with_id('"forged"\\n'))
    assert gateway.end() == 0
    text = gateway.process.stderr.text()
    assert all(" " <= c <= "~" or c == "\n" for c in text), ascii(text)
    lines = text.split("\n")[:-1]
    assert len([line for line in lines if pcap_id in line]) == 1
    assert not [line for line in lines if line.startswith(('{"level"', "x"))]
    if form == "json":
        [line] = calls_in(gateway.log())
        assert line["request_id"] == '"forged"\\n' and line["code"] == "INVALID_ARGUMENT"


def test_protobuf_does_not_write_beside_the_log(start_gateway: StartGateway) -> None:
    """It would, of texts that are no UTF-8, and wait for a stderr that nobody reads."""
    gateway = start_gateway(*ALL)
    ask = gateway.channel.unary_unary(METHOD)  # bytes as they are
    pcap_id_no_text = b"\x12\x02\xff\xfe"
    with pytest.raises(grpc.RpcError) as error:
        ask(pcap_id_no_text, timeout=PATIENCE_SECONDS)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert gateway.end() == 0
    assert [line["code"] for line in calls_in(gateway.log())] == ["INVALID_ARGUMENT"]


# Forms ------------------------------------------------------------------------------------------


class Terminal:
    """A pseudo-terminal: one end for a program, all that comes out of the other."""

    def __init__(self) -> None:
        self._reader, self.program_end = pty.openpty()
        self._read: list[bytes] = []
        self._thread = threading.Thread(target=self._read_all, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """Once the program has ended."""
        os.close(self.program_end)
        self._thread.join(PATIENCE_SECONDS)
        os.close(self._reader)
        return b"".join(self._read).decode().replace("\r\n", "\n")

    def _read_all(self) -> None:
        while True:
            try:
                data = os.read(self._reader, 4096)
            except OSError:  # nobody has the program's end any more
                return
            if not data:
                return
            self._read.append(data)


StartWith = Callable[..., Gateway]


@pytest.fixture
def start_with(emulator: Emulator, tmp_path: Path) -> Iterator[StartWith]:
    """start_with(*options, stderr=…, wrapper=…, NAME=value): as start_gateway, with these."""
    gateways: list[Gateway] = []

    def start(
        *options: str, stderr: int, wrapper: tuple[str, ...] = (), **variables: str
    ) -> Gateway:
        usual = [f"--upstream-url={emulator.url}", "--admin-listen", "", "--lame-duck=0s"]
        variables = {"CLOUDFLARE_API_TOKEN": demo.TOKEN, **variables}
        gateways.append(
            Gateway(
                [*usual, "--upstream-limit=0", *options],
                environment(tmp_path, **variables),
                stderr=stderr,
                wrapper=wrapper,
            )
        )
        return gateways[-1]

    yield start
    for gateway in gateways:
        assert gateway.end() == 0, gateway.process.output()


def on_a_terminal(start_with: StartWith, *options: str, **variables: str) -> str:
    terminal = Terminal()
    gateway = start_with(*options, stderr=terminal.program_end, **variables)
    fail(gateway.channel, "not an id")
    assert gateway.end() == 0
    return terminal.text()


def test_on_a_terminal_lines_are_text_in_colour(start_with: StartWith) -> None:
    text = on_a_terminal(start_with, TERM="xterm")
    [line] = [line for line in text.split("\n") if METHOD in line]
    assert re.match(TIME.pattern + " \x1b\\[32mINFO \x1b\\[0m pcap_id must be ", line)
    assert " code=INVALID_ARGUMENT " in line and " upstream_requests=0 " in line


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_unwanted(start_with: StartWith, variables: dict[str, str]) -> None:
    text = on_a_terminal(start_with, **{"TERM": "xterm", **variables})
    assert "\x1b" not in text
    assert re.search(f"^{TIME.pattern} INFO  serving  version=", text, re.MULTILINE)


def test_an_empty_no_color_counts_as_none(start_with: StartWith) -> None:
    assert "\x1b[32m" in on_a_terminal(start_with, TERM="xterm", NO_COLOR="")


def test_on_a_terminal_json_is_json_if_that_is_asked_for(start_with: StartWith) -> None:
    text = on_a_terminal(start_with, "--log-format=json", TERM="xterm")
    assert [line["code"] for line in calls_in(parsed_log(text))] == ["INVALID_ARGUMENT"]


def test_text_that_is_not_on_a_terminal_has_no_colour(start_gateway: StartGateway) -> None:
    gateway = start_gateway("--log-format=text", TERM="xterm")
    fail(gateway.channel, "not an id")
    assert gateway.end() == 0
    assert "\x1b" not in gateway.process.stderr.text()
    assert " code=INVALID_ARGUMENT " in gateway.process.stderr.text()


# A file -----------------------------------------------------------------------------------------


def wait_for_content(file: Path, pattern: str) -> None:
    """Files can only be polled; the pause is for others."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while not (file.exists() and re.search(pattern, file.read_text())):
        assert time.monotonic() < give_up_at, f"no {pattern!r} in {file}"
        pause.wait(0.01)


def test_a_log_file_has_all_lines_and_is_reopened_after_it_was_moved(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    file, moved = tmp_path / "log", tmp_path / "log.1"
    gateway = start_gateway(f"--log-file={file}", *ALL)
    get(gateway.channel, emulator.add(), metadata=with_id("before"))
    wait_for_content(file, '"before"')
    file.rename(moved)
    get(gateway.channel, emulator.add(), metadata=with_id("between"))
    wait_for_content(moved, '"between"')
    gateway.process.send(signal.SIGHUP)
    wait_for_content(file, '"the log was reopened"')
    get(gateway.channel, emulator.add(), metadata=with_id("after"))
    assert gateway.end() == 0
    old, new = parsed_log(moved.read_text()), parsed_log(file.read_text())
    assert [line["request_id"] for line in calls_in(old)] == ["before", "between"]
    assert [line["request_id"] for line in calls_in(new)] == ["after"]
    assert new[-1]["message"] == "drained"
    assert gateway.process.stderr.text() == ""


def test_a_log_file_that_cannot_be_reopened_is_kept(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    folder, moved = tmp_path / "folder", tmp_path / "moved"
    folder.mkdir()
    gateway = start_gateway(f"--log-file={folder / 'log'}")
    folder.rename(moved)
    gateway.process.send(signal.SIGHUP)
    wait_for_content(moved / "log", "the log file cannot be opened: ")
    get(gateway.channel, emulator.add(), metadata=with_id("after"))
    wait_for_content(moved / "log", '"after"')


def test_hangups_do_not_end_the_gateway_nor_its_drain(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--lame-duck=30s")
    for _ in range(3):
        gateway.process.send(signal.SIGHUP)
        gateway.process.stderr.wait_for("the log was reopened")
    get(gateway.channel, emulator.add())
    gateway.process.send(signal.SIGTERM)
    gateway.process.stderr.wait_for("draining")
    gateway.process.send(signal.SIGHUP)
    get(gateway.channel, emulator.add())
    assert gateway.process.running()


# Outputs that fail ------------------------------------------------------------------------------


def check_calls(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    for _ in range(20):
        assert get(gateway.channel, pcap_id).pcap.simple.id == pcap_id
    fail(gateway.channel, "not an id")


def test_a_full_disk_does_no_harm(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway("--log-file=/dev/full", *ALL)
    check_calls(gateway, emulator)


def test_a_stderr_that_was_never_open_does_no_harm(
    start_with: StartWith, emulator: Emulator
) -> None:
    closed = ("sh", "-c", 'exec "$@" 2>&- <&-', "sh")
    reader, writer = os.pipe()
    gateway = start_with(*ALL, stderr=writer, wrapper=closed)
    # Else the first files that it opened would get what is meant for these.
    for number in (0, 2):
        assert os.readlink(f"/proc/{gateway.process.pid}/fd/{number}") == "/dev/null"
    check_calls(gateway, emulator)
    os.close(writer)
    os.close(reader)


def test_a_stderr_whose_reader_is_gone_does_no_harm(
    start_with: StartWith, emulator: Emulator
) -> None:
    reader, writer = os.pipe()
    gateway = start_with(*ALL, stderr=writer)
    os.close(writer)
    os.close(reader)
    check_calls(gateway, emulator)


def many_hits(gateway: Gateway, emulator: Emulator, count: int) -> None:
    pcap_id = emulator.add()
    get(gateway.channel, pcap_id)
    stub = pcap_service_pb2_grpc.PcapServiceStub(gateway.channel)
    for _ in range(count // 500):
        calls = [stub.GetPcap.future(request_for(pcap_id), timeout=30) for _ in range(500)]
        for call in calls:
            assert call.result(PATIENCE_SECONDS).pcap.simple.id == pcap_id


def test_a_stderr_that_nobody_reads_costs_lines_which_are_counted(
    start_with: StartWith, emulator: Emulator
) -> None:
    reader, writer = os.pipe()
    gateway = start_with(*ALL, stderr=writer)
    os.close(writer)
    many_hits(gateway, emulator, 10_000)
    # Somebody reads again. The gateway has time to say all, then it ends.
    text: list[bytes] = []

    def read_all() -> None:
        while data := os.read(reader, 1 << 16):
            text.append(data)

    thread = threading.Thread(target=read_all, daemon=True)
    thread.start()
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while b'"dropped":' not in b"".join(text):
        assert time.monotonic() < give_up_at
        pause.wait(0.01)
    assert gateway.end() == 0
    thread.join(PATIENCE_SECONDS)
    os.close(reader)
    log = parsed_log(b"".join(text).decode())
    dropped = sum(line.get("dropped", 0) for line in log)
    said = [line for line in log if "dropped" not in line]
    others = [line for line in said if "method" not in line]
    assert dropped > 0
    # 10,001 calls, and what is said of options, start and end.
    assert len(said) + dropped == 10_001 + len(others)
    assert all(line["level"] == "warn" for line in log if "dropped" in line)


def test_a_stderr_that_nobody_reads_does_not_hold_up_the_end(
    start_with: StartWith, emulator: Emulator
) -> None:
    reader, writer = os.pipe()
    gateway = start_with(*ALL, stderr=writer)
    os.close(writer)
    many_hits(gateway, emulator, 1_000)
    gateway.process.send(signal.SIGTERM)
    assert gateway.process.wait() == 0
    os.close(reader)
