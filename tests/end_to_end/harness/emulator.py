"""The emulator as a process, and its control door."""

from __future__ import annotations

import itertools
import json
import secrets
import signal
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import emulator as package
from emulator import demo

from harness.process import Process

# The emulator's time at its start; it stands still until a test moves it, or lets it go.
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)

_gates = itertools.count(1)


def capture_of(pcap_id: str, **fields: Any) -> dict[str, Any]:
    """The JSON fields of a finished simple capture, and `fields` laid over them; one that is None is
    left out."""
    capture = {
        "id": pcap_id,
        "type": "simple",
        "status": "success",
        "system": "magic-transit",
        "submitted": "2026-01-02T03:00:00.000000Z",
        "time_limit": 60,
        "filter_v1": {},
        **fields,
    }
    return {name: value for name, value in capture.items() if value is not None}


def _query(**asked: Any) -> str:
    return urllib.parse.urlencode({name: told for name, told in asked.items() if told is not None})


class Emulator:
    def __init__(self, *options: str | Path, speed: float = 0) -> None:
        """`speed`: its time goes so many times as fast as the machine's."""
        program = Path(package.__file__).with_name("main.py")
        pace = ["--speed", str(speed)] if speed else ["--frozen"]
        self._process = Process(
            [sys.executable, program, "--time", START.isoformat(), *pace, *options]
        )
        # The base URL, as --upstream-url wants it.
        self.url = self._process.stdout.wait_for(r"^(https?://\S+)$").group(1)
        # HOST:PORT.
        self.address = self.url.split("/")[2]
        self._control = self.url.removesuffix("/client/v4") + "/__control"

    def kill(self) -> None:
        """All at once, as a machine dies."""
        self._process.kill()

    def stop(self) -> None:
        if self._process.running():
            self._process.send(signal.SIGTERM)
        code = self._process.wait()
        assert code == 0, self._process.output()

    # Captures -----------------------------------------------------------------------------------

    def add(self, account_id: str = demo.ACCOUNT_ID, packets: int = 3, **fields: Any) -> str:
        """A capture that nobody has asked for yet; returns its id.

        `packets`: of its download, 56 bytes each (and 24 before the first).
        `fields`: as for capture_of.
        """
        pcap_id = secrets.token_hex(16)
        self.add_exactly(pcap_id, capture_of(pcap_id, **fields), account_id, packets)
        return pcap_id

    def add_exactly(
        self,
        pcap_id: str,
        capture: dict[str, Any],
        account_id: str = demo.ACCOUNT_ID,
        packets: int = 3,
    ) -> None:
        """A capture of these JSON fields and no others, asked for as `pcap_id`.

        One that is there already says this from now on, at its place in listings.
        """
        body = {
            "account_id": account_id,
            "pcap_id": pcap_id,
            "capture": capture,
            "packets": packets,
        }
        self._send("POST", "captures", body)

    def unknown_id(self) -> str:
        """The id of a capture that is not there."""
        return secrets.token_hex(16)

    def challenge(self, ownership_id: str) -> str:
        """What the file in the bucket says, which proves that the bucket is one's own."""
        told: str = self._send("GET", "challenges")[ownership_id]
        return told

    # Faults -------------------------------------------------------------------------------------

    def fault(self, pcap_id: str | None = None, kind: str = "normal", **settings: Any) -> None:
        """`settings`: `method` and `path` choose the requests further, `times` how many of them,
        `done` carries them out first; the others as emulator/faults.py has them."""
        self._send("POST", "faults", {"pcap_id": pcap_id, "kind": kind, **settings})

    def answer(self, pcap_id: str | None, body: Any, status: int = 200, **settings: Any) -> None:
        """Whatever is asked for this capture is answered with `body`: JSON, or text as it is."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.fault(pcap_id, "answer", body=text, status=status, **settings)

    def hold(self, pcap_id: str | None = None, **settings: Any) -> str:
        """Requests for this capture are not answered before `release`; returns the gate's name."""
        gate = f"gate-{next(_gates)}"
        self.fault(pcap_id, hold=gate, **settings)
        return gate

    def release(self, gate: str) -> None:
        self._send("POST", "release", {"gate": gate})

    def clear_faults(self) -> None:
        self._send("DELETE", "faults")

    def advance(self, seconds: float) -> None:
        self._send("POST", "clock", {"advance_seconds": seconds})

    def add_principal(self, name: str, **described: Any) -> None:
        self._send("POST", "principals", {"name": name, **described})

    def set_rate_limit(self, **limit: Any) -> None:
        """No arguments: none."""
        self._send("POST", "rate_limit", limit or None)

    # What came ----------------------------------------------------------------------------------

    def requests(
        self, pcap_id: str | None = None, method: str | None = None, path: str | None = None
    ) -> list[dict[str, Any]]:
        """In the order of arrival; `headers` are (name, value) as they came, `body` is text.

        `path`: how the path ends without its query, such as "/pcaps" or "/stop". None: whichever.
        """
        query = _query(pcap_id=pcap_id, method=method, path=path)
        entries: list[dict[str, Any]] = self._send("GET", f"requests?{query}")
        return entries

    def counts(self, **which: str) -> dict[tuple[str, str], int]:
        """How many came, by method and path (as it came). `which`: as for `requests`."""
        told = self._send("GET", f"counts?{_query(**which)}")
        return {(one["method"], one["path"]): one["count"] for one in told}

    def headers(self, pcap_id: str) -> dict[str, str]:
        """Of the last request for the capture; names in lower case."""
        return {name.lower(): value for name, value in self.requests(pcap_id)[-1]["headers"]}

    def wait(
        self,
        pcap_id: str | None = None,
        state: str = "arrived",
        count: int = 1,
        timeout: float = 20,
        method: str | None = None,
        path: str | None = None,
    ) -> None:
        """Until `count` requests for the capture have arrived, were `answered`, or `aborted`.

        None: for any. `method` and `path`: as for `requests`.
        """
        which = {"pcap_id": pcap_id, "method": method, "path": path}
        query = _query(state=state, count=count, timeout=timeout, **which)
        told = self._send("GET", f"wait?{query}", timeout=timeout + 10)
        assert told["came_true"], f"{told['count']} instead of {count} requests {state}"

    def _send(self, method: str, path: str, body: Any = None, timeout: float = 20) -> Any:
        request = urllib.request.Request(
            f"{self._control}/{path}",
            method=method,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        # Not urlopen: that asks the environment for proxies, which tests set.
        # Whose certificate it shows, is the gateway's affair.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
        )
        try:
            with opener.open(request, timeout=timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from None
