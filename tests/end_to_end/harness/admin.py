"""The admin listener: what the gateway tells of itself over HTTP."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from typing import Callable

from harness.gateway import Gateway
from harness.process import PATIENCE_SECONDS

# Calls that have come and have no answer yet.
WAITING = "pcap_gateway_calls_waiting"


def fetch(gateway: Gateway, path: str) -> tuple[int, str]:
    """Status and body."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://{gateway.admin_address()}{path}"
    try:
        with opener.open(url, timeout=PATIENCE_SECONDS) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(gateway: Gateway, name: str) -> float:
    """The sum over all label sets."""
    _, text = fetch(gateway, "/metrics")
    samples = [
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith((name + " ", name + "{"))
    ]
    assert samples, f"no metric {name} in {text}"
    return sum(samples)


def metrics_of(gateway: Gateway) -> dict[str, float]:
    """All of them, by name and labels as they are printed."""
    _, text = fetch(gateway, "/metrics")
    samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, value in samples}


def wait_for_redis(gateway: Gateway, up: bool) -> None:
    """Metrics can only be polled."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while metric(gateway, "pcap_gateway_redis_up") != up:
        assert time.monotonic() < give_up_at, f"Redis did not become {'up' if up else 'down'}"


def wait_for_waiting_calls(gateway: Gateway, count: int) -> None:
    """Until exactly `count` calls wait."""
    wait_for_metric(gateway, WAITING, count)


def wait_for_metric(gateway: Gateway, name: str, value: float) -> None:
    """Until it is exactly that."""
    wait_until_metric(gateway, name, lambda now: now == value)


def wait_until_metric(gateway: Gateway, name: str, is_so: Callable[[float], bool]) -> None:
    """Metrics can only be polled; the pause is for others. `name` may have labels."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while not is_so(now := metric(gateway, name)):
        assert time.monotonic() < give_up_at, f"{name} is {now}"
        pause.wait(0.01)
