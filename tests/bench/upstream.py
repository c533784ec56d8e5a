"""The upstream of the benchmark: nginx, which answers each GET of a capture with a full one, of an
account with a list of fifty, and of a download with a gigabyte.

Over plain HTTP/1.1, and over TLS with HTTP/2; at once, or after a while.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import socket
import struct
import subprocess
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import Process

NGINX = "/usr/sbin/nginx"

# What Cloudflare says of a full capture that is done, 612 bytes. $id is the id that was asked for.
ENVELOPE: dict[str, Any] = {
    "errors": [],
    "messages": [],
    "success": True,
    "result": {
        "id": "$id",
        "byte_limit": 500000,
        "colo_name": "ord02",
        "destination_conf": "r2://pcaps?account-id=023e105f4ecef8ad9ca31a8372d0c353"
        "&access-key-id=0123456789abcdef&secret-access-key=fedcba9876543210",
        "filter_v1": {
            "destination_address": "198.51.100.7",
            "destination_port": 443,
            "protocol": 6,
            "source_address": "2001:db8:85a3::8a2e:370:7334",
            "source_port": 50123,
        },
        "packets_captured": 48213,
        "status": "complete",
        "stop_requested": "2025-01-01T00:01:00Z",
        "submitted": "2025-01-01T00:00:00.123456Z",
        "system": "magic-transit",
        "time_limit": 300,
        "type": "full",
    },
}

# As many as Cloudflare lists.
LISTED = 50
DOWNLOAD_BYTES = 10**9
# The header of a capture file: Ethernet, microseconds, and no packet so far.
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)

CONFIG = """
daemon off;
user {user} {group};  # whose files these are, root, too
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  # A connection that is closed now and then would be measured as work of the gateway's.
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{plain_port} backlog=1024;
    listen 127.0.0.1:{tls_port} ssl http2 backlog=1024;
    http2_max_concurrent_streams 4096;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    default_type application/json;
    add_header cf-ray 8f1c2d3e4f5a6b7c-ORD;
    location ~ "^/client/v4/accounts/[0-9a-f]{{32}}/pcaps/(?<id>[0-9a-f]{{32}})$" {{
      return 200 '{body}';
    }}
    location ~ "^/client/v4/accounts/[0-9a-f]{{32}}/pcaps$" {{
      alias {folder}/list.json;
    }}
    location ~ "^/client/v4/accounts/[0-9a-f]{{32}}/pcaps/[0-9a-f]{{32}}/download$" {{
      default_type application/vnd.tcpdump.pcap;
      sendfile on;
      alias {folder}/capture.pcap;
    }}
{delayed}
    location @answer {{
      auth_basic off;
      return 200 '{body}';
    }}
    location = /counts {{ stub_status; }}
  }}
}}
"""

# nginx sends a 401 after auth_delay, by a timer of its event loop: a delay that costs no CPU, and
# that any number of requests can be in. That 401 is what then becomes the answer.
DELAYED = """
    location ~ "^/after-{delay}/client/v4/accounts/[0-9a-f]{{32}}/pcaps/(?<id>[0-9a-f]{{32}})$" {{
      auth_basic delay;
      auth_basic_user_file /dev/null;
      auth_delay {delay};
      error_page 401 =200 @answer;
    }}
"""


@dataclass(frozen=True)
class Origin:
    """Where a gateway asks, or whoever takes its place."""

    url: str  # as in --upstream-url
    ca_file: Path | None = None  # as in --upstream-ca-file

    def after(self, delay: str) -> Origin:
        """The same, whose answers come that much later; one of DELAYS."""
        return Origin(self.url.replace("/client/", f"/after-{delay}/client/"), self.ca_file)


DELAYS = ("100ms", "3s")


class Upstream:
    """Running while its `with` block is."""

    def __init__(self, core: str, folder: Path) -> None:
        certificate, key = _certificate(folder)
        (folder / "list.json").write_text(json.dumps(listed(), separators=(",", ":")))
        with open(folder / "capture.pcap", "wb") as capture:
            capture.write(PCAP_HEADER)
            capture.truncate(DOWNLOAD_BYTES)  # the rest is a hole, which costs no disk
        # nginx takes over sockets that listen already ($NGINX, made for its upgrades): the ports
        # are free ones for certain, and who connects early waits in the socket's queue.
        with ExitStack() as stack:
            plain, tls = (
                stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
                for _ in range(2)
            )
            plain_port, tls_port = (listener.getsockname()[1] for listener in (plain, tls))
            config = folder / "nginx.conf"
            config.write_text(
                CONFIG.format(
                    folder=folder,
                    user=pwd.getpwuid(os.getuid()).pw_name,
                    group=grp.getgrgid(os.getgid()).gr_name,
                    plain_port=plain_port,
                    tls_port=tls_port,
                    certificate=certificate,
                    key=key,
                    delayed="".join(DELAYED.format(delay=delay) for delay in DELAYS),
                    body=json.dumps(ENVELOPE, separators=(",", ":")),
                )
            )
            inherited = [plain.fileno(), tls.fileno()]
            self._process = Process(
                "nginx",
                core,
                [NGINX, "-e", "stderr", "-c", config],
                folder,
                {"PATH": os.environ["PATH"], "NGINX": "%d;%d;" % tuple(inherited)},
                inherited=inherited,
            )
        self.plain = Origin(f"http://127.0.0.1:{plain_port}/client/v4")
        self.tls = Origin(f"https://127.0.0.1:{tls_port}/client/v4", certificate)
        self._counts_url = f"http://127.0.0.1:{plain_port}/counts"
        self._own = 0

    def __enter__(self) -> Upstream:
        self._process.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.__exit__(*error)

    def requests(self) -> int:
        """How many requests it has answered, without those that asked this."""
        return self._counts()[1]

    def connections(self) -> int:
        """How many connections it has accepted, likewise."""
        return self._counts()[0]

    def _counts(self) -> tuple[int, int]:
        try:
            with urllib.request.urlopen(self._counts_url, timeout=10) as answer:
                lines = answer.read().decode().splitlines()
        except (urllib.error.URLError, ConnectionError) as error:
            raise SystemExit(f"bench: nginx does not answer: {error}\n{self._process.log()}")
        # "server accepts handled requests", and below it " 12 12 3456"
        accepted, _handled, requests = map(int, lines[2].split())
        self._own += 1  # a connection and a request each time
        return accepted - self._own, requests - self._own


def listed(**changed: Any) -> dict[str, Any]:
    """An account's list, of which each capture has an id of its own."""
    captures = [
        {**ENVELOPE["result"], "id": f"{number:032x}", **changed} for number in range(1, LISTED + 1)
    ]
    return {**ENVELOPE, "result": captures}


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key; PEM."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "1", "-subj", "/CN=bench", "-addext"]
    command += ["subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise SystemExit(f"bench: no certificate: {done.stdout}")
    return certificate, key
