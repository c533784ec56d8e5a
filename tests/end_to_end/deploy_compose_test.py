"""deploy/compose.yaml, read by compose's own library, and the Prometheus beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.deployment import DEPLOY, program_options, project_version, run, seconds, tool
from harness.stubs import REPOSITORY

COMPOSE = DEPLOY / "compose.yaml"
SERVICES = ("gateway", "redis", "prometheus")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """With all defaults filled in; what does not fit compose's schema was refused."""
    told = run(tool("compose-spec"), "--format", "json", COMPOSE, cwd=DEPLOY)
    assert told.returncode == 0, told.stderr
    model: dict[str, Any] = json.loads(told.stdout)
    return model


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("read_only: true", "read_onyl: true"),
        ("condition: service_started", "condition: service_begun"),
        ("scale: 2", "scale: two"),
    ],
)
def test_a_mistake_in_it_would_be_seen(tmp_path: Path, right: str, wrong: str) -> None:
    text = COMPOSE.read_text()
    assert right in text
    (tmp_path / "compose.yaml").write_text(text.replace(right, wrong))
    assert run(tool("compose-spec"), tmp_path / "compose.yaml", cwd=tmp_path).returncode != 0


def test_what_services_refer_to_is_there(project: dict[str, Any]) -> None:
    for service in project["services"].values():
        assert set(service["networks"]) <= set(project["networks"])
        assert set(service.get("depends_on", {})) <= set(project["services"])
        assert {s["source"] for s in service.get("secrets", [])} <= set(project["secrets"])
        named = {v["source"] for v in service.get("volumes", []) if v["type"] == "volume"}
        assert named <= set(project["volumes"])


def test_there_are_gateways_a_redis_and_a_prometheus(project: dict[str, Any]) -> None:
    assert sorted(project["services"]) == sorted(SERVICES)
    assert project["services"]["gateway"]["scale"] == 2


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined_and_watched(project: dict[str, Any], name: str) -> None:
    service = project["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] and service["pids_limit"]
    assert service["healthcheck"]["test"]
    assert "privileged" not in service and "cap_add" not in service


def test_the_token_is_a_file_and_in_no_variable(project: dict[str, Any]) -> None:
    gateway = project["services"]["gateway"]
    assert [secret["source"] for secret in gateway["secrets"]] == ["cloudflare-api-token"]
    told = gateway["environment"]["PCAP_GATEWAY_API_TOKEN_FILE"]
    assert told == "/run/secrets/cloudflare-api-token"
    for service in project["services"].values():
        for name in service.get("environment", {}):
            assert not re.search("TOKEN$|KEY$|PASSWORD", name)
    file = Path(project["secrets"]["cloudflare-api-token"]["file"])
    assert file.parent == DEPLOY / "secrets"


def test_the_token_gets_neither_into_git_nor_into_an_image() -> None:
    assert "/deploy/secrets/" in (REPOSITORY / ".gitignore").read_text().splitlines()
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert ignored[-1] == "deploy/secrets", "the last line that fits counts"
    assert ignored.index("!deploy") < len(ignored) - 1


def test_nothing_is_published_beyond_this_machine(project: dict[str, Any]) -> None:
    for service in project["services"].values():
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1"
    assert "ports" not in project["services"]["redis"]
    assert list(project["services"]["redis"]["networks"]) == ["back"]
    assert project["networks"]["back"]["internal"] is True


def test_prometheus_meets_each_gateway_on_one_network(project: dict[str, Any]) -> None:
    """On two, the name service would have each of them twice."""
    prometheus = set(project["services"]["prometheus"]["networks"])
    assert prometheus & set(project["services"]["gateway"]["networks"]) == {"back"}


def test_stopping_leaves_time_for_lame_duck_and_drain(project: dict[str, Any]) -> None:
    gateway = project["services"]["gateway"]
    told = gateway["environment"]
    needed = seconds(told["PCAP_GATEWAY_LAME_DUCK"]) + seconds(told["PCAP_GATEWAY_DRAIN_TIMEOUT"])
    assert seconds(gateway["stop_grace_period"]) > needed


def test_the_program_knows_every_variable(project: dict[str, Any]) -> None:
    names = project["services"]["gateway"]["environment"]
    known = {"PCAP_GATEWAY_" + name.upper().replace("-", "_") for name in program_options()}
    assert set(names) <= known


def test_it_runs_the_image_of_this_version(project: dict[str, Any]) -> None:
    assert project["services"]["gateway"]["image"] == f"localhost/pcap-gateway:{project_version()}"


def test_promtool_takes_the_configuration(tmp_path: Path) -> None:
    # What the container mounts, promtool looks for here.
    text = (DEPLOY / "prometheus.yml").read_text()
    rules = "/etc/prometheus/rules/alerts.yml"
    assert rules in text
    (tmp_path / "alerts.yml").write_text("groups: []\n")
    (tmp_path / "prometheus.yml").write_text(text.replace(rules, str(tmp_path / "alerts.yml")))
    told = run(tool("promtool"), "check", "config", tmp_path / "prometheus.yml")
    assert told.returncode == 0, told.stdout + told.stderr
