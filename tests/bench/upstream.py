"""The upstream of the benchmark: nginx, which answers each GET of a capture with a full one."""

from __future__ import annotations

import json
import os
import socket
import urllib.error
import urllib.request
from pathlib import Path

from processes import Process

NGINX = "/usr/sbin/nginx"

# What Cloudflare says of a full capture that is done, 612 bytes. $id is the id that was asked for.
ENVELOPE = {
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

CONFIG = """
daemon off;
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
    listen 127.0.0.1:{port} backlog=1024;
    location ~ "^/client/v4/accounts/[0-9a-f]{{32}}/pcaps/(?<id>[0-9a-f]{{32}})$" {{
      default_type application/json;
      add_header cf-ray 8f1c2d3e4f5a6b7c-ORD;
      return 200 '{body}';
    }}
    location = /requests {{ stub_status; }}
  }}
}}
"""


class Upstream:
    """Running while its `with` block is."""

    def __init__(self, core: str, folder: Path) -> None:
        # nginx takes over a socket that listens already ($NGINX, made for its upgrades): the port
        # is a free one for certain, and who connects early waits in the socket's queue.
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            self._origin = "http://127.0.0.1:%d" % listener.getsockname()[1]
            config = folder / "nginx.conf"
            config.write_text(
                CONFIG.format(
                    folder=folder,
                    port=listener.getsockname()[1],
                    body=json.dumps(ENVELOPE, separators=(",", ":")),
                )
            )
            self._process = Process(
                "nginx",
                core,
                [NGINX, "-e", "stderr", "-c", config],
                folder,
                {"PATH": os.environ["PATH"], "NGINX": f"{listener.fileno()};"},
                inherited=[listener.fileno()],
            )
        self.url = f"{self._origin}/client/v4"
        self._own_requests = 0

    def __enter__(self) -> Upstream:
        self._process.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.__exit__(*error)

    def requests(self) -> int:
        """How many requests it has answered, without those that asked this."""
        try:
            with urllib.request.urlopen(f"{self._origin}/requests", timeout=10) as answer:
                lines = answer.read().decode().splitlines()
        except (urllib.error.URLError, ConnectionError) as error:
            raise SystemExit(f"bench: nginx does not answer: {error}\n{self._process.log()}")
        # "server accepts handled requests", and below it " 12 12 3456"
        self._own_requests += 1
        return int(lines[2].split()[2]) - self._own_requests
