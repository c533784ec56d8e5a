"""A certificate authority for the length of a test, and nginx as a front that speaks HTTP/2."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from datetime import datetime
from pathlib import Path

import trustme

from harness.process import Process

NGINX = Path("/usr/sbin/nginx")


class Authority:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        # PEM, for whoever is to trust it.
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def certificate(self, *names: str, not_after: datetime | None = None) -> tuple[Path, Path]:
        """Certificate with its chain, and key, for these names or addresses; PEM."""
        issued = self._ca.issue_cert(*names, not_after=not_after)
        stem = self._folder / "-".join(names)
        certificate, key = stem.with_suffix(".cert.pem"), stem.with_suffix(".key.pem")
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return certificate, key


class Nginx:
    """TLS and HTTP/2 in front of `upstream` ("HOST:PORT"); notes how each request came."""

    def __init__(
        self,
        folder: Path,
        upstream: str,
        certificate: Path,
        key: Path,
        requests_a_connection: int = 1000,
    ) -> None:
        """After so many requests on a connection comes GOAWAY."""
        assert NGINX.exists(), "install nginx-light"
        # nginx takes over a socket that already listens, as in its own upgrades: no port to guess,
        # and connections queue up until it is ready.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        port = self._socket.getsockname()[1]
        self.url = f"https://localhost:{port}/client/v4"
        self._log = folder / "access.log"
        configuration = folder / "nginx.conf"
        configuration.write_text(f"""
            daemon off;
            worker_processes 1;
            pid {folder}/nginx.pid;
            error_log stderr warn;
            events {{ worker_connections 1024; }}
            http {{
              log_format short "$server_protocol $connection $request_uri";
              access_log {self._log} short;
              client_body_temp_path {folder}/body;
              proxy_temp_path {folder}/proxy;
              fastcgi_temp_path {folder}/fastcgi;
              uwsgi_temp_path {folder}/uwsgi;
              scgi_temp_path {folder}/scgi;
              server {{
                listen 127.0.0.1:{port} ssl http2;
                keepalive_requests {requests_a_connection};
                ssl_certificate {certificate};
                ssl_certificate_key {key};
                location / {{
                  proxy_pass http://{upstream};
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_read_timeout 30s;
                }}
              }}
            }}
        """)
        descriptor = self._socket.fileno()
        self._process = Process(
            [NGINX, "-e", "stderr", "-p", folder, "-c", configuration],
            {"PATH": os.environ["PATH"], "NGINX": f"{descriptor};"},
            pass_fds=(descriptor,),
        )

    def requests(self) -> list[tuple[str, str, str]]:
        """(protocol, connection, path) of each; complete once `stop` has returned."""
        lines = self._log.read_text().splitlines()
        return [(words[0], words[1], words[2]) for words in map(str.split, lines)]

    def stop(self) -> None:
        if self._process.running():
            self._process.send(signal.SIGQUIT)  # lets requests in flight finish
            self._process.wait()
        self._socket.close()


def self_signed_with_openssl(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that nobody vouches for."""
    certificate, key = folder / "self.cert.pem", folder / "self.key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    return certificate, key
