"""The Helm chart: what its templates make of several values, and which values it refuses.

No cluster: helm renders, and the result is held against the schemas of several versions of
Kubernetes (PyPI's kubernetes-validate brings them) and of Prometheus' operator.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from harness.deployment import (
    DEPLOY,
    TOOLS,
    Objects,
    program_options,
    project_version,
    run,
    tool,
)
from harness.stubs import REPOSITORY

CHART = DEPLOY / "chart"
VALUES = sorted((CHART / "ci").glob("*.yaml"))
LEAST, EVERYTHING, CALLERS = (
    CHART / "ci" / f"{name}.yaml" for name in ("least", "everything", "callers-credentials")
)
# The oldest that the chart is for, one between, and the newest whose schemas there are.
VERSIONS = ("1.27.0", "1.32.0", "1.37.0")


@functools.cache
def helm(values: Path | None, *options: str, version: str = VERSIONS[-1]) -> tuple[int, str, str]:
    told = run(
        *(tool("helm"), "template", "r", CHART, "--namespace", "n", "--kube-version", version),
        *(("--values", str(values)) if values else ()),
        *options,
    )
    return told.returncode, told.stdout, told.stderr


@functools.cache
def render(values: Path = LEAST, *options: str) -> Objects:
    code, text, error = helm(values, *options)
    assert code == 0, error
    return Objects(text)


# As a whole ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_lint_is_clean(values: Path) -> None:
    told = run(tool("helm"), "lint", "--strict", CHART, "--values", values)
    assert told.returncode == 0, told.stdout + told.stderr


def strict(schema: Any) -> Any:
    """A resource definition's schema that refuses unknown names, as Kubernetes' own here do."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and pattern.startswith("^(?i)"):
        made["pattern"] = "(?i)^" + pattern.removeprefix("^(?i)")  # Go's form, as Python has it
    return made


@functools.cache
def operator_schemas() -> dict[str, Any]:
    """By kind."""
    files = list((TOOLS / "share").glob("prometheus-operator-*/*.yaml"))
    assert len(files) == 2, "tests/install-tools fetches them"
    definitions = [yaml.safe_load(file.read_text())["spec"] for file in files]
    return {
        definition["names"]["kind"]: strict(definition["versions"][0]["schema"]["openAPIV3Schema"])
        for definition in definitions
    }


def check(objects: Objects, version: str) -> None:
    """Raises at the first that this version of Kubernetes would not take: unknown names, too."""
    for one in objects.all:
        if one["apiVersion"] == "monitoring.coreos.com/v1":
            jsonschema.validate(one, operator_schemas()[one["kind"]])
        else:
            kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_all_objects_are_what_kubernetes_takes(values: Path, version: str) -> None:
    code, text, error = helm(values, version=version)
    assert code == 0, error
    check(Objects(text), version.rpartition(".")[0])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("appProtocol:", "appProtocoll:"),
        ("minReplicas: 2", "minReplicas: two"),
        ("runAsNonRoot: true", "runAsNoRoot: true"),
        ("path: /metrics", "pathe: /metrics"),
    ],
)
def test_a_mistake_in_an_object_would_be_seen(right: str, wrong: str) -> None:
    text = render(EVERYTHING).text
    assert right in text
    with pytest.raises(jsonschema.ValidationError):
        check(Objects(text.replace(right, wrong)), "1.37")


def test_the_page_shows_values_that_the_chart_takes(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "install" / "kubernetes.md").read_text()
    shown = re.search(r"^A start for `my-values.yaml`:\n\n((?:    .*\n)+)", page, re.MULTILINE)
    assert shown is not None
    values = tmp_path / "my-values.yaml"
    values.write_text(textwrap.dedent(shown[1]))
    objects = render(values)
    check(objects, VERSIONS[-1].rpartition(".")[0])
    assert {"Deployment", "NetworkPolicy", "Service"} <= {one["kind"] for one in objects.all}


def test_the_versions_are_the_projects() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == project_version()
    assert render().container()["image"] == f"pcap-gateway:{project_version()}"


def test_each_object_is_made_where_its_values_ask_for_it() -> None:
    always = ["Deployment", "Service", "Service", "ServiceAccount", "Pod"]
    assert render(CALLERS).kinds() == sorted(always)
    usual = [*always, "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"]
    assert render().kinds() == sorted(usual)
    assert render(EVERYTHING).kinds() == sorted([*usual, "ServiceMonitor", "PrometheusRule"])


# The pod ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_every_pod_keeps_to_the_restricted_profile(values: Path) -> None:
    objects = render(values)
    for pod in (objects.pod(), objects.one("Pod")["spec"]):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        # What is put beside it is its owner's affair.
        own = [c for c in pod["containers"] if c["name"] != "log-shipper"]
        assert own
        for container in own:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
    assert objects.one("ServiceAccount")["automountServiceAccountToken"] is False


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_pod_may_take_longer_to_end_than_the_program(values: Path) -> None:
    objects = render(values)
    told = objects.arguments()
    needed = sum(int(str(told[name]).removesuffix("s")) for name in ("lame-duck", "drain-timeout"))
    assert objects.pod()["terminationGracePeriodSeconds"] > needed
    assert "lifecycle" not in objects.container()


def test_the_grace_period_follows_the_values() -> None:
    assert render(EVERYTHING).pod()["terminationGracePeriodSeconds"] == 15 + 60 + 20


def test_probes_ask_the_admin_port() -> None:
    container = render().container()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 50051, "admin": 9464}
    paths = {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    for probe, path in paths.items():
        assert container[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "admin"}
    told = render().arguments()
    assert told["listen"] == "[::]:50051" and told["admin-listen"] == "[::]:9464"


def test_a_pod_is_ready_once_its_own_credential_is_accepted() -> None:
    assert render().arguments()["ready"] == "credential"
    assert "ready" not in render(CALLERS).arguments()


def test_the_lame_duck_is_longer_than_readiness_takes_to_fail() -> None:
    container, told = render().container(), render().arguments()
    probe = container["readinessProbe"]
    noticed = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert int(str(told["lame-duck"]).removesuffix("s")) > noticed


def mounted(objects: Objects) -> dict[str, dict[str, Any]]:
    """The volumes by where they are; those that hold anything may only be read."""
    volumes = {volume["name"]: volume for volume in objects.pod()["volumes"]}
    found = {}
    for mount in objects.container()["volumeMounts"]:
        volume = volumes.pop(mount["name"])
        assert "subPath" not in mount, "what is renewed would not reach it"
        assert mount.get("readOnly") or "emptyDir" in volume
        found[mount["mountPath"]] = volume
    assert not volumes
    return found


def test_secrets_are_existing_ones_mounted_as_files() -> None:
    objects = render(EVERYTHING)
    told, volumes = objects.arguments(), mounted(objects)
    for option, secret, key in (
        ("api-token-file", "cloudflare", "token"),
        ("tls-cert-file", "pcap-gateway-tls", "tls.crt"),
        ("tls-key-file", "pcap-gateway-tls", "tls.key"),
        ("tls-client-ca-file", "callers-ca", "bundle.pem"),
    ):
        folder, _, name = str(told[option]).rpartition("/")
        source = volumes[folder]["secret"]
        assert source["secretName"] == secret
        assert source["defaultMode"] == 0o440
        assert {"key": key, "path": name} in source["items"]
    for option, config_map, key in (
        ("policy-file", "pcap-gateway-policy", "policy.json"),
        ("upstream-ca-file", "corporate-ca", "bundle.pem"),
    ):
        folder, _, name = str(told[option]).rpartition("/")
        source = volumes[folder]["configMap"]
        assert source["name"] == config_map
        assert source["items"] == [{"key": key, "path": name}]
    assert "Secret" not in objects.kinds()


def test_certificates_to_trust_may_lie_in_a_secret() -> None:
    objects = render(LEAST, "--set", "upstream.ca.existingSecret=corporate")
    folder, _, name = str(objects.arguments()["upstream-ca-file"]).rpartition("/")
    source = mounted(objects)[folder]["secret"]
    assert source["secretName"] == "corporate" and source["defaultMode"] == 0o440
    assert source["items"] == [{"key": "ca.crt", "path": name}]


def test_no_variable_holds_a_secret_but_the_urls_of_redis_and_the_proxy() -> None:
    assert "env" not in render().container()
    redis, proxy, extra = render(EVERYTHING).container()["env"]
    assert redis["name"] == "PCAP_GATEWAY_REDIS_URL"
    assert redis["valueFrom"] == {"secretKeyRef": {"name": "redis", "key": "redis-url"}}
    assert proxy["name"] == "PCAP_GATEWAY_UPSTREAM_PROXY"
    assert proxy["valueFrom"] == {"secretKeyRef": {"name": "proxy", "key": "proxy-url"}}
    assert extra == {"name": "SSL_CERT_DIR", "value": "/etc/ssl/certs"}
    options = {name.replace("-", "_").upper() for name in program_options()}
    assert {v["name"].removeprefix("PCAP_GATEWAY_") for v in (redis, proxy)} <= options


def test_the_pod_takes_what_others_add_to_it() -> None:
    objects = render(EVERYTHING)
    names = [container["name"] for container in objects.pod()["containers"]]
    assert names == ["pcap-gateway", "log-shipper"]
    assert [c["name"] for c in objects.pod()["initContainers"]] == ["certificates"]
    assert mounted(objects)["/etc/ssl/certs"] == {"name": "certificates", "emptyDir": {}}


def test_plaintext_is_asked_for_by_name() -> None:
    assert "insecure" not in render().arguments()
    told = render(CALLERS).arguments()
    assert "insecure" in told and "tls-cert-file" not in told
    assert told["credential"] == "caller" and "api-token-file" not in told


def test_values_become_options() -> None:
    told = render(EVERYTHING).arguments()
    assert told["default-account-id"] == "023e105f4ecef8ad9ca31a8372d0c353"
    assert told["cache-bytes"] == "128MiB"
    assert told["max-connections"] == "1000" and told["max-calls"] == "20000"
    assert told["upstream-limit"] == "1000000" and told["moving-lifetime"] == "3s"
    assert told["log-hits"] == "0.05" and told["reflection"] == "false"
    assert told["log-format"] == "json"
    assert "max-calls" not in render().arguments()
    peer = "networkPolicy.redis.to[0].podSelector.matchLabels.app=redis"
    redis = render(LEAST, "--set", f"redis.url=redis://r:6379,{peer}")
    assert redis.arguments()["redis-url"] == "redis://r:6379"
    proxy = render(CALLERS, "--set", "upstream.proxy.url=socks5h://p:1080")
    assert proxy.arguments()["upstream-proxy"] == "socks5h://p:1080"


@pytest.mark.parametrize(
    ("typed", "rendered"),
    [
        ("0", "0"),
        ("1000000", "1000000"),
        ("123456789", "123456789"),
        ("9007199254740991", "9007199254740991"),
        ("-1", "-1"),
        ("0.05", "0.05"),
        ("0.00001", "0.00001"),
        ("1234567.5", "1234567.5"),
        ("true", "true"),
        ("false", "false"),
        ("5ms", "5ms"),
        ("'1e6'", "1e6"),
        ("'007'", "007"),
        ("'yes'", "yes"),
        ("''", ""),
        ("'a \"b\": #c'", 'a "b": #c'),
    ],
)
def test_what_is_typed_reaches_the_program_as_it_is(
    tmp_path: Path, typed: str, rendered: str
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(f"options: {{upstream-limit: {typed}}}\n")
    assert render(LEAST, "--values", str(values)).arguments()["upstream-limit"] == rendered


def test_numbers_are_never_rounded_into_words() -> None:
    """Wherever a value may be a number, the largest is a number's digits in what is rendered."""
    most = 2**53 - 1
    large = {
        "cache.bytes": most,
        "limits.maxConnections": 10_000_000,
        "limits.maxCalls": 10_000_000,
        "lifecycle.drainSeconds": 3600,
        "service.port": 65535,
        "service.adminPort": 65535,
        "autoscaling.minReplicas": 1000,
        "autoscaling.maxReplicas": 1000,
        "podDisruptionBudget.maxUnavailable": 1000,
    }
    file = {}
    for path, number in large.items():
        group, name = path.split(".")
        file.setdefault(group, {})[name] = number
    file["service"]["headless"] = False
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
        yaml.safe_dump(file, values)
        objects = render(LEAST, "--values", values.name)
    assert not re.search(r"[0-9]e\+[0-9]", objects.text)
    assert objects.arguments()["cache-bytes"] == str(most)
    assert objects.arguments()["max-calls"] == "10000000"


def test_a_digest_counts_for_more_than_a_tag() -> None:
    image = render(EVERYTHING, "--set-string", "image.tag=1").container()["image"]
    assert image.startswith("registry.example.com/team/pcap-gateway@sha256:0123")
    assert render(LEAST, "--set-string", "image.tag=7").container()["image"] == "pcap-gateway:7"


def test_replicas_are_spread_and_replaced_one_by_one() -> None:
    objects = render()
    spread = objects.pod()["topologySpreadConstraints"]
    keys = {constraint["topologyKey"] for constraint in spread}
    assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    labels = objects.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert all(constraint["labelSelector"]["matchLabels"] == labels for constraint in spread)
    strategy = objects.one("Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


# Around the pod -----------------------------------------------------------------------------------


def test_who_selects_the_gateways_selects_nothing_else() -> None:
    objects = render()
    deployment = objects.one("Deployment")["spec"]
    selector = deployment["selector"]["matchLabels"]
    gateway = deployment["template"]["metadata"]["labels"].items()
    test_pod = objects.one("Pod")["metadata"]["labels"].items()
    selectors = [
        selector,
        *(o["spec"]["selector"] for o in objects.all if o["kind"] == "Service"),
        objects.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        objects.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]
    for one in selectors:
        assert one.items() <= gateway
        assert not one.items() <= test_pod


def test_callers_balance_themselves_over_a_headless_service() -> None:
    service = render().one("Service", "gateway")["spec"]
    assert service["clusterIP"] == "None"
    (port,) = service["ports"]
    assert (port["port"], port["targetPort"], port["appProtocol"]) == (50051, "grpc", "grpc")
    plain = render(CALLERS).one("Service", "gateway")["spec"]
    assert "clusterIP" not in plain and plain["ports"][0]["port"] == 8443


def test_the_admin_port_has_a_service_of_its_own() -> None:
    service = render(LEAST, "--set", "service.headless=false,service.type=LoadBalancer")
    assert service.one("Service", "gateway")["spec"]["type"] == "LoadBalancer"
    assert [port["name"] for port in service.one("Service", "gateway")["spec"]["ports"]] == ["grpc"]
    assert service.one("Service", "-admin")["spec"]["type"] == "ClusterIP"


def test_the_autoscaler_owns_the_number_of_replicas() -> None:
    assert "replicas" not in render().one("Deployment")["spec"]
    scaler = render().one("HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == render().one("Deployment")["metadata"]["name"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    # A share of the request: without one there is nothing to scale by.
    assert render().container()["resources"]["requests"]["cpu"]
    assert render(CALLERS).one("Deployment")["spec"]["replicas"] == 3


def test_a_drained_node_takes_one_replica_at_a_time() -> None:
    assert render().one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def ports(rule: dict[str, Any]) -> list[Any]:
    return [port["port"] for port in rule["ports"]]


def test_without_callers_nobody_but_the_test_is_let_in() -> None:
    policy = render().one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (rule,) = policy["ingress"]
    assert rule["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"


def test_callers_reach_the_grpc_port_and_prometheus_the_admin_port() -> None:
    callers, monitoring, _ = render(EVERYTHING).one("NetworkPolicy")["spec"]["ingress"]
    assert ports(callers) == ["grpc"] and "incident-tools" in str(callers["from"])
    assert ports(monitoring) == ["admin"] and "monitoring" in str(monitoring["from"])
    # A rule without peers is a rule for everybody.
    for rule in render(EVERYTHING).one("NetworkPolicy")["spec"]["ingress"]:
        assert rule["from"]


def test_the_gateway_reaches_names_cloudflare_and_redis_alone() -> None:
    names, cloudflare = render().one("NetworkPolicy")["spec"]["egress"]
    assert ports(names) == [53, 53] and names["to"]
    assert ports(cloudflare) == [443]
    blocks = {peer["ipBlock"]["cidr"]: peer["ipBlock"]["except"] for peer in cloudflare["to"]}
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(blocks["0.0.0.0/0"])
    assert "fc00::/7" in blocks["::/0"]
    # By a proxy, and so not directly.
    _, proxy, redis, extra = render(EVERYTHING).one("NetworkPolicy")["spec"]["egress"]
    assert ports(proxy) == [8080]
    assert proxy["to"] == [{"ipBlock": {"cidr": "10.1.2.3/32"}}]
    assert ports(redis) == [6380]
    assert redis["to"] == [{"podSelector": {"matchLabels": {"app": "redis"}}}]
    assert ports(extra) == [3100] and extra["to"]


def test_prometheus_finds_the_admin_service() -> None:
    objects = render(EVERYTHING)
    monitor = objects.one("ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    found = [
        o["metadata"]["name"]
        for o in objects.all
        if o["kind"] == "Service"
        and monitor["spec"]["selector"]["matchLabels"].items() <= o["metadata"]["labels"].items()
    ]
    assert found == ["captures-admin"]
    (endpoint,) = monitor["spec"]["endpoints"]
    service_ports = objects.one("Service", "-admin")["spec"]["ports"]
    assert endpoint["port"] in [port["name"] for port in service_ports]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_alerts_ask_for_the_job_that_there_is(values: Path) -> None:
    """Else they are silent, whatever happens; Prometheus would take the Service's name."""
    asked = set(re.findall(r'job="([^"]*)"', (DEPLOY / "monitoring" / "alerts.yml").read_text()))
    monitor = render(values, "--set", "serviceMonitor.enabled=true").one("ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    jobs = [r["replacement"] for r in endpoint["relabelings"] if r["targetLabel"] == "job"]
    assert jobs == list(asked)


def test_the_alert_rules_are_the_ones_that_promtool_tests() -> None:
    """A chart holds its own files only: this one is a link, or a copy."""
    tested, packed = DEPLOY / "monitoring" / "alerts.yml", CHART / "files" / "alerts.yml"
    assert packed.exists() == tested.exists(), "link deploy/chart/files/alerts.yml to it"
    assert not packed.exists() or packed.read_text() == tested.read_text()


def runbooks(objects: Objects) -> dict[str, str | None]:
    rules = [r for g in objects.one("PrometheusRule")["spec"]["groups"] for r in g["rules"]]
    return {r["alert"]: r["annotations"].get("runbook_url") for r in rules if "alert" in r}


def test_the_runbook_is_where_the_values_say() -> None:
    named = runbooks(render(EVERYTHING))
    assert named
    for alert, url in named.items():
        assert url == f"https://wiki.example.com/pcap-gateway#{alert.lower()}"
    # A link that leads nowhere is none.
    without = runbooks(render(LEAST, "--set", "prometheusRule.enabled=true"))
    assert without.keys() == named.keys() and set(without.values()) == {None}


NOTES = """
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data:
  text: {{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}
"""


@pytest.fixture(scope="module")
def notes_chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `helm template` leaves the notes out."""
    chart = tmp_path_factory.mktemp("notes") / "chart"
    shutil.copytree(CHART, chart)
    (chart / "templates" / "notes.yaml").write_text(NOTES)
    return chart


REDIS = "redis.url=redis://r,networkPolicy.redis.to[0].podSelector.matchLabels.app=redis"
PEER = "[0].podSelector.matchLabels.app=p"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("", "WITHOUT Redis each of up to 6 replicas"),
        ("autoscaling.enabled=false", "WITHOUT Redis each of up to 2 replicas"),
        ("", "networkPolicy.monitoring is empty"),
        ("", "networkPolicy.callers is empty"),
        ("", "as there is no policy"),
    ],
)
@pytest.mark.parametrize(
    "mended",
    [
        f"{REDIS},networkPolicy.monitoring{PEER},networkPolicy.callers{PEER},policy.existingConfigMap=p",
        "autoscaling.enabled=false,replicas=1,networkPolicy.enabled=false,policy.existingConfigMap=p",
    ],
)
def test_the_notes_warn_until_it_is_mended(
    notes_chart: Path, settings: str, said: str, mended: str
) -> None:
    def notes(values: str) -> str:
        command = (tool("helm"), "template", "r", notes_chart, "--kube-version", VERSIONS[-1])
        told = run(*command, "--values", LEAST, "--set", values)
        assert told.returncode == 0, told.stderr
        text: str = Objects(told.stdout).one("ConfigMap")["data"]["text"]
        return " ".join(text.split())

    assert said in notes(settings)
    assert said not in notes(mended)


def test_alert_rules_become_a_resource_as_they_are(tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    shutil.rmtree(chart / "files", ignore_errors=True)
    command = (tool("helm"), "template", "r", chart, "--kube-version", VERSIONS[-1])
    options = ("--values", LEAST, "--set", "prometheusRule.enabled=true")
    assert "files/alerts.yml is not in the chart" in run(*command, *options).stderr
    # What looks like helm's own templates is Prometheus'.
    rules = """
        groups:
          - name: gateway
            rules:
              - alert: Down
                expr: up == 0
                annotations: {summary: "{{ $labels.pod }} is down"}
    """
    (chart / "files").mkdir()
    (chart / "files" / "alerts.yml").write_text(textwrap.dedent(rules))
    told = run(*command, *options)
    assert told.returncode == 0, told.stderr
    objects = Objects(told.stdout)
    check(objects, "1.37")
    assert objects.one("PrometheusRule")["spec"] == yaml.safe_load(rules)


def test_helm_test_asks_the_gateway() -> None:
    pod = render(CALLERS).one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    ready, serving = pod["spec"]["containers"]
    assert ready["args"] == ["http://r-pcap-gateway-admin:9464/readyz"]
    assert serving["args"] == ["--address=r-pcap-gateway:8443", "status"]


def test_long_names_still_fit() -> None:
    """63 characters, with what is put behind them."""
    objects = render(LEAST, "--set", f"fullnameOverride={'n' * 80}")
    assert all(len(o["metadata"]["name"]) <= 63 for o in objects.all)


# What is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("tls.existingSecret=", "tls.existingSecret"),
        ("tls.insecure=true", "tls.insecure"),
        ("tls.insecure=maybe", "tls/insecure"),
        ("tls.existingSecret=,tls.insecure=true,tls.clientCaSecret=x", "tls.clientCaSecret"),
        ("tls.existingSecret=Not_A_Name", "existingSecret"),
        ("credential.existingSecret=", "credential.existingSecret"),
        ("credential.mode=caller", "credential.existingSecret"),
        ("credential.mode=nobody", "credential/mode"),
        ("credential.apiToken=abc", "apiToken"),
        ("credential.defaultAccountId=123", "defaultAccountId"),
        ("redis.url=redis://user:password@r", "redis/url"),
        ("redis.url=redis://r", "networkPolicy.redis.to"),
        ("redis.url=redis://r,redis.existingSecret=r", "redis: give either"),
        ("replicas=0", "replicas"),
        ("lifecycle.lameDuckSeconds=-1", "lameDuckSeconds"),
        ("lifecycle.graceSeconds=0", "graceSeconds"),
        ("log.format=xml", "log/format"),
        ("service.port=70000", "service/port"),
        ("service.type=LoadBalancer", "service/type"),
        ("autoscaling.minReplicas=9", "autoscaling.minReplicas"),
        # The image has no TLS to Redis, as Debian 12's hiredis has none.
        (REDIS.replace("redis://", "rediss://"), "redis/url"),
        ("upstream.proxy.url=http://user:password@p:1", "upstream/proxy/url"),
        ("upstream.proxy.url=ftp://p:1", "upstream/proxy/url"),
        ("upstream.proxy.url=http://p:1", "networkPolicy.proxy.to"),
        ("upstream.proxy.existingSecret=p", "networkPolicy.proxy.to"),
        ("upstream.proxy.url=http://p:1,upstream.proxy.existingSecret=p", "upstream.proxy: give"),
        ("upstream.ca.existingConfigMap=a,upstream.ca.existingSecret=b", "upstream.ca: give either"),
        ("options.listen=0.0.0.0:1", "'/options': additional properties 'listen'"),
        ("options.insecure=true", "'/options': additional properties 'insecure'"),
        ("options.upstream-proxy=http://p:1", "additional properties 'upstream-proxy'"),
        ("options.check=online", "'/options': additional properties 'check'"),
        ("options.upstream-limt=5", "'/options': additional properties 'upstream-limt'"),
        ("options.upstream-limit=9007199254740993", "options/upstream-limit"),
        ("options.upstream-limit[0]=5", "options/upstream-limit"),
        ("extraEnv[0].value=x", "extraEnv/0"),
        ("extraVolumes[0].emptyDir=x", "extraVolumes/0"),
        ("prometheusRule.runbookUrl=runbook.md", "runbookUrl"),
        ("image.digest=latest", "image/digest"),
        ("networkPolicy.callers[0].nobody=x", "networkPolicy/callers"),
        ("unknown=1", "unknown"),
    ],
)
def test_values_that_cannot_work_are_refused(setting: str, said: str) -> None:
    code, _, error = helm(LEAST, "--set", setting)
    assert code != 0
    assert said in error


def test_without_any_values_it_says_what_is_missing() -> None:
    code, _, error = helm(None)
    assert code != 0 and "tls.existingSecret: name a TLS Secret" in error


def test_every_value_has_a_rule() -> None:
    """Otherwise a misspelt one beside it would be accepted in silence."""

    def check(values: Any, schema: Any, path: str) -> None:
        assert schema is not None, path
        if isinstance(values, dict) and schema.get("additionalProperties") is False:
            for name, value in values.items():
                check(value, schema["properties"].get(name), f"{path}.{name}")
            # Of the program's options there are none by default.
            assert set(schema["properties"]) - {"global"} <= set(values) or path == "values.options"

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    check(values, json.loads((CHART / "values.schema.json").read_text()), "values")


def test_an_old_kubernetes_is_refused() -> None:
    code, _, error = helm(LEAST, version="1.26.0")
    assert code != 0 and "kubeVersion" in error


# Beside the program -------------------------------------------------------------------------------


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_program_knows_every_option(values: Path) -> None:
    assert set(render(values).arguments()) <= set(program_options())


def test_the_schema_has_the_programs_options_but_those_that_the_chart_sets() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    options = schema["properties"]["options"]
    assert options["additionalProperties"] is False
    own: set[str] = set()
    for values in (*VALUES, LEAST):
        told = set(render(values).arguments())
        own |= told - set(yaml.safe_load(values.read_text()).get("options", {}))
    variables = render(EVERYTHING).container()["env"]
    own |= {v["name"].removeprefix("PCAP_GATEWAY_").lower().replace("_", "-") for v in variables}
    # These end the program, or read a file that there is not.
    own |= {"help", "version", "check", "config"}
    assert set(options["properties"]) == set(program_options()) - own
