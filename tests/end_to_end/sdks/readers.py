"""Asks the SDKs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Iterable

from cloudflare import Cloudflare, DefaultHttpxClient
from emulator import demo

from harness.gateway import environment
from harness.stubs import REPOSITORY

# Built by tests/install-tools from tests/cloudflare_go.
GO_READER = REPOSITORY / "build" / "tools" / "bin" / "cloudflare-go-reader"


def ask_go(
    base_url: str, pcap_ids: Iterable[str], timeout_seconds: float = 20.0
) -> list[dict[str, Any]]:
    """One answer for each id, as tests/cloudflare_go/reader prints it."""
    assert GO_READER.exists(), f"{GO_READER} is not there: run tests/install-tools"
    asked = "".join(f"{demo.ACCOUNT_ID} {pcap_id} {timeout_seconds}s\n" for pcap_id in pcap_ids)
    settings = {"CLOUDFLARE_BASE_URL": base_url, "CLOUDFLARE_API_TOKEN": demo.TOKEN}
    ended = subprocess.run(
        [GO_READER],
        input=asked,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(Path("/nonexistent"), **settings),
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def python_sdk(base_url: str) -> Cloudflare:
    """As users have it, but for its retries, and for proxies."""
    return Cloudflare(
        api_token=demo.TOKEN,
        base_url=base_url,
        max_retries=0,
        http_client=DefaultHttpxClient(trust_env=False),
    )
