"""A real toxiproxy: the network between the gateway and its upstream, and what may be wrong with it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from harness.process import PATIENCE_SECONDS, Process
from harness.stubs import REPOSITORY

TOXIPROXY = REPOSITORY / "build" / "tools" / "bin" / "toxiproxy-server"


class Toxiproxy:
    """One proxy towards `upstream` ("HOST:PORT"), without any toxic at first."""

    def __init__(self, upstream: str) -> None:
        assert TOXIPROXY.exists(), "run tests/install-tools"
        self._process = Process([TOXIPROXY, "-host", "127.0.0.1", "-port", "0"])
        self._api = f"http://{self._process.listening_on()}"
        proxy = self._post("proxies", name="upstream", listen="127.0.0.1:0", upstream=upstream)
        # Where it listens, "HOST:PORT".
        self.address: str = proxy["listen"]

    def add_toxic(self, kind: str, attributes: dict[str, int]) -> None:
        """On what comes from the upstream, over each connection that there is or will be."""
        self._post("proxies/upstream/toxics", type=kind, stream="downstream", attributes=attributes)

    def stop(self) -> None:
        self._process.kill()

    def _post(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(
            f"{self._api}/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE_SECONDS) as response:
            return json.load(response)
