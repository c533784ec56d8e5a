"""/metrics: true, complete from the start, bounded, and what dashboard and alerts are made of."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Iterator

import grpc
import pytest
from emulator import demo
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness.admin import fetch, metric, metrics_of, wait_for_redis
from harness.calls import Failure, fail, get
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway
from harness.identities import Authority
from harness.redis import Redis
from harness.stubs import REPOSITORY

PROMTOOL = REPOSITORY / "build" / "tools" / "bin" / "promtool"
MONITORING = REPOSITORY / "deploy" / "monitoring"
GET = 'grpc_type="unary",grpc_service="pcap.v1.PcapService",grpc_method="GetPcap"'


def promtool(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROMTOOL, *arguments], input=stdin, capture_output=True, text=True, timeout=60
    )


def check_lint(gateway: Gateway) -> None:
    checked = promtool("check", "metrics", stdin=fetch(gateway, "/metrics")[1])
    assert checked.returncode == 0 and not checked.stderr, checked.stderr


@pytest.fixture
def plain(start_gateway: StartGateway) -> Gateway:
    return start_gateway("--admin-listen=127.0.0.1:0")


def handled(code: str) -> str:
    return f'grpc_server_handled_total{{{GET},grpc_code="{code}"}}'


def test_they_are_well_formed_and_all_there_from_the_start(
    plain: Gateway, emulator: Emulator
) -> None:
    check_lint(plain)
    before = metrics_of(plain)
    pcap_id = emulator.add()
    for _ in range(3):
        get(plain.channel, pcap_id)
    fail(plain.channel, emulator.unknown_id())
    fail(plain.channel, "nonsense")
    broken = emulator.add()
    emulator.answer(broken, "<html>", status=503)
    fail(plain.channel, broken)
    health = health_pb2_grpc.HealthStub(plain.channel)
    health.Check(health_pb2.HealthCheckRequest(), timeout=20)
    with pytest.raises(grpc.RpcError):
        plain.channel.unary_unary("/made.up/Method")(b"", timeout=20)
    check_lint(plain)
    after = metrics_of(plain)
    # No series begins with traffic: a rate over its first increase would miss it.
    assert after.keys() == before.keys()
    assert after[handled("OK")] == 3
    assert after[handled("NotFound")] == after[handled("InvalidArgument")] == 1
    assert after[handled("Unavailable")] == 1
    assert after[f"grpc_server_started_total{{{GET}}}"] == 6
    assert after[f"grpc_server_msg_received_total{{{GET}}}"] == 6
    assert after[f"grpc_server_msg_sent_total{{{GET}}}"] == 3
    check = 'grpc_type="unary",grpc_service="grpc.health.v1.Health",grpc_method="Check"'
    assert after[f'grpc_server_handled_total{{{check},grpc_code="OK"}}'] == 1
    assert after[f"grpc_server_msg_sent_total{{{check}}}"] == 1
    unknown = 'grpc_type="bidi_stream",grpc_service="unknown",grpc_method="unknown"'
    assert after[f'grpc_server_handled_total{{{unknown},grpc_code="Unimplemented"}}'] == 1
    assert after["pcap_gateway_cache_hits_total"] == 2
    assert after['pcap_gateway_upstream_answers_total{code="2xx"}'] == 1
    assert after['pcap_gateway_upstream_answers_total{code="4xx"}'] == 1
    assert after['pcap_gateway_upstream_answers_total{code="5xx"}'] == 1
    assert after["pcap_gateway_upstream_request_duration_seconds_count"] == 3


def test_histograms_add_up(plain: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    for _ in range(20):
        get(plain.channel, pcap_id)
    metrics = metrics_of(plain)
    buckets = [
        value
        for series, value in metrics.items()
        if series.startswith(f"grpc_server_handling_seconds_bucket{{{GET},")
    ]
    assert buckets == sorted(buckets) and buckets[-1] == 20
    assert metrics[f"grpc_server_handling_seconds_count{{{GET}}}"] == 20
    assert 0 < metrics[f"grpc_server_handling_seconds_sum{{{GET}}}"] < 20


def test_a_request_without_an_answer_is_counted_by_kind(start_gateway: StartGateway) -> None:
    nowhere = "http://127.0.0.1:1/client/v4"
    gateway = start_gateway("--admin-listen=127.0.0.1:0", upstream_url=nowhere)
    fail(gateway.channel, demo.FULL_ID)
    metrics = metrics_of(gateway)
    assert metrics['pcap_gateway_upstream_failures_total{kind="connect"}'] == 1
    assert metrics['pcap_gateway_upstream_failures_total{kind="tls"}'] == 0


# The budget, too, is asked for in Redis: a miss there has four round trips on one thread.
@pytest.mark.parametrize("shares", [False, True], ids=["alone", "with Redis"])
def test_a_miss_changes_threads_twice_and_a_hit_never(
    start_gateway: StartGateway, emulator: Emulator, shares: bool
) -> None:
    redis = Redis() if shares else None
    options = [f"--redis-url={redis.url}", "--redis-timeout=10s"] if redis is not None else []
    gateway = start_gateway("--admin-listen=127.0.0.1:0", *options)
    if shares:
        wait_for_redis(gateway, True)

    def handovers_of_a_call(pcap_id: str, how: str) -> tuple[float, float]:
        series = [f'pcap_gateway_handovers_total{{to="{to}"}}' for to in ("loop", "calls")]
        before = metrics_of(gateway)
        assert how in get(gateway.channel, pcap_id).cache_status
        after = metrics_of(gateway)
        return tuple(after[one] - before[one] for one in series)

    pcap_id = emulator.add()
    assert handovers_of_a_call(pcap_id, "uri-miss; stored") == (1, 1)
    assert handovers_of_a_call(pcap_id, "hit") == (0, 0)
    if redis is not None:
        assert metric(gateway, "pcap_gateway_redis_misses_total") == 1
        redis.stop()


def test_the_budget_is_told(start_gateway: StartGateway, emulator: Emulator) -> None:
    gateway = start_gateway("--admin-listen=127.0.0.1:0", "--upstream-limit=5")
    left = 'pcap_gateway_upstream_budget_left{credential="service"}'
    assert metrics_of(gateway)[left] == 5
    for _ in range(3):
        get(gateway.channel, emulator.add())
    metrics = metrics_of(gateway)
    assert metrics[left] == 2
    assert metrics['pcap_gateway_upstream_budget_limit{credential="service"}'] == 5


def test_cloudflares_429_is_told_and_what_is_withheld_after_it(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway("--admin-listen=127.0.0.1:0", "--upstream-limit=1200")
    limited = emulator.add()
    emulator.answer(limited, "{}", status=429, headers={"retry-after": "30"})
    fail(gateway.channel, limited)
    fail(gateway.channel, emulator.add())
    metrics = metrics_of(gateway)
    assert metrics["pcap_gateway_upstream_rate_limited_total"] == 1
    assert metrics['pcap_gateway_upstream_withheld_total{reason="budget"}'] == 1
    assert metrics["pcap_gateway_upstream_requests_total"] == 1
    assert metrics['pcap_gateway_upstream_budget_left{credential="service"}'] == 0
    assert metrics[handled("ResourceExhausted")] == 2
    assert metrics[f'pcap_gateway_calls_failed_total{{{GET},reason="RATE_LIMITED"}}'] == 2
    assert metrics[f'pcap_gateway_calls_failed_total{{{GET},reason="INTERNAL"}}'] == 0


def test_an_open_circuit_is_told_and_what_is_repeated_before_it(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(
        "--admin-listen=127.0.0.1:0", "--upstream-retries=2", "--upstream-failures=3"
    )
    assert metrics_of(gateway)["pcap_gateway_upstream_circuit_state"] == 0
    broken = emulator.add()
    emulator.answer(broken, "<html>", status=503)
    fail(gateway.channel, broken)  # a call, and two repeats: the third failure opens it
    fail(gateway.channel, broken)
    metrics = metrics_of(gateway)
    assert metrics["pcap_gateway_upstream_circuit_state"] == 2
    assert metrics["pcap_gateway_upstream_retries_total"] == 2
    assert metrics["pcap_gateway_upstream_requests_total"] == 3
    assert metrics['pcap_gateway_upstream_withheld_total{reason="circuit"}'] >= 1


def test_of_callers_budgets_the_scarcest_is_told(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    gateway = start_gateway(
        "--admin-listen=127.0.0.1:0", "--upstream-limit=5", "--credential=caller"
    )
    for token, count in ((demo.TOKEN, 3), (demo.SECOND_TOKEN, 1)):
        for _ in range(count):
            bearer = [("authorization", f"Bearer {token}")]
            get(gateway.channel, emulator.add(), metadata=bearer)
    assert metrics_of(gateway)['pcap_gateway_upstream_budget_left{credential="caller"}'] == 2


def test_callers_are_told_apart_by_certificate_in_series_that_anything_can_read(
    start_gateway: StartGateway, emulator: Emulator, tmp_path: Path
) -> None:
    authority = Authority()
    certificate, key = authority.server().write(tmp_path, "server")
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority.pem)
    gateway = start_gateway(
        f"--tls-cert-file={certificate}",
        f"--tls-key-file={key}",
        f"--tls-client-ca-file={trusted}",
        "--admin-listen=127.0.0.1:0",
    )
    odd = 'spiffe://example.com/a"b\\c}'
    for number, name in enumerate(("spiffe://example.com/a", odd)):
        with authority.channel(gateway.address, authority.issue(name)) as channel:
            pcap_id = emulator.add()
            get(channel, pcap_id)
            get(channel, pcap_id)
            fail(channel, f"{number:032x}")
    check_lint(gateway)
    metrics = metrics_of(gateway)
    # Escaped once as in C, once as the text format asks for.
    for label in ("spiffe://example.com/a", r"spiffe://example.com/a\\\"b\\\\c}"):
        who = f'principal="{label}"'
        assert metrics[f"pcap_gateway_caller_calls_total{{{who}}}"] == 3
        assert metrics[f"pcap_gateway_caller_upstream_requests_total{{{who}}}"] == 2
        assert metrics[f'pcap_gateway_caller_failures_total{{by="caller",{who}}}'] == 1
        assert metrics[f'pcap_gateway_caller_failures_total{{by="service",{who}}}'] == 0


def test_without_certificates_all_calls_are_of_none(plain: Gateway) -> None:
    none = 'pcap_gateway_caller_calls_total{principal="none"}'
    before = metrics_of(plain)[none]
    fail(plain.channel, "f" * 32)
    assert metrics_of(plain)[none] == before + 1


def test_strangers_texts_make_no_series(plain: Gateway) -> None:
    before = len(metrics_of(plain))
    for number in range(300):
        with pytest.raises(grpc.RpcError):
            plain.channel.unary_unary(f"/canary.{number}/Canary")(b"", timeout=20)
        with pytest.raises(Failure):
            get(plain.channel, f"{number:032x}", account_id=f"{number + 1:032x}")
    _, text = fetch(plain, "/metrics")
    assert len(metrics_of(plain)) == before
    assert "canary" not in text.lower() and f"{7:032x}" not in text


def test_the_process_is_told(plain: Gateway) -> None:
    metrics = metrics_of(plain)
    assert metrics["process_resident_memory_bytes"] > 1 << 20
    assert metrics["process_virtual_memory_bytes"] > metrics["process_resident_memory_bytes"]
    assert 3 < metrics["process_open_fds"] < metrics["process_max_fds"]
    assert metrics["process_cpu_seconds_total"] >= 0
    started = subprocess.run(
        ["stat", "-c", "%Y", f"/proc/{plain.process.pid}"], capture_output=True, text=True
    )
    assert abs(metrics["process_start_time_seconds"] - int(started.stdout)) < 5
    assert [name for name in metrics if name.startswith("pcap_gateway_build_info{version=")]


# --- dashboard and alerts


def texts_in(value: Any) -> Iterator[str]:
    """All that are called `expr` or `query`."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key in ("expr", "query") and isinstance(member, str):
                yield member
            yield from texts_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts_in(member)


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:grpc_server|pcap_gateway|process)_\w+", text))


@pytest.fixture
def everything(start_gateway: StartGateway, redis_url: str, tls_files: list[str]) -> set[str]:
    """The names of all metrics of a gateway with all its parts."""
    gateway = start_gateway(
        "--admin-listen=127.0.0.1:0",
        "--upstream-limit=1200",
        "--upstream-retries=1",
        "--upstream-failures=9",
        f"--redis-url={redis_url}",
        "--allow=write,download",
        *tls_files,
    )
    check_lint(gateway)
    return {series.split("{")[0] for series in metrics_of(gateway)}


@pytest.fixture
def redis_url(tmp_path: Path) -> str:
    """Of a Redis that is not there: its metrics are, all the same."""
    return f"unix://{tmp_path}/redis.socket"


@pytest.fixture
def tls_files(tmp_path: Path) -> list[str]:
    certificate, key = Authority().server().write(tmp_path, "server")
    return [f"--tls-cert-file={certificate}", f"--tls-key-file={key}"]


def test_the_dashboard_shows_what_there_is(everything: set[str]) -> None:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert all(panel["targets"] and panel["title"] for panel in panels)
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    used = {name for text in texts_in(dashboard) for name in names_in(text)}
    assert used and used <= everything, used - everything


def test_no_panels_overlap() -> None:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    cells: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        own = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not own & cells and max(x for x, _ in own) < 24, panel["title"]
        cells |= own


def test_the_alerts_are_about_what_there_is(everything: set[str]) -> None:
    alerts = (MONITORING / "alerts.yml").read_text()
    recorded = set(re.findall(r"record: (\S+)", alerts))
    used = {name for name in names_in(alerts) if not any(name in rule for rule in recorded)}
    assert used and used <= everything, used - everything


def test_the_alerts_fire_when_they_should() -> None:
    for arguments in (
        ("check", "rules", MONITORING / "alerts.yml"),
        ("check", "config", MONITORING / "prometheus.yml"),
        ("test", "rules", MONITORING / "alerts_test.yml"),
    ):
        checked = promtool(*arguments)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_is_tested_and_in_the_runbook() -> None:
    alerts = re.findall(r"- alert: (\w+)", (MONITORING / "alerts.yml").read_text())
    tests = (MONITORING / "alerts_test.yml").read_text()
    runbook = (MONITORING / "runbook.md").read_text()
    for alert in alerts:
        cases = re.findall(rf"alertname: {alert}\n +exp_alerts:(.*)", tests)
        assert "" in cases and " []" in cases, f"{alert} is tested one way only"
        assert f"\n## {alert}\n" in runbook
        # A URL: Alertmanager, mails and pagers know of no folder.
        url = f"runbook_url: https://pcap-gateway.example/runbook.md#{alert.lower()}\n"
        assert url in (MONITORING / "alerts.yml").read_text()
