"""The status page, as operators see it in a browser and programs as JSON."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from emulator import demo
from selenium.webdriver.common.by import By

from harness import health
from harness.admin import fetch
from harness.calls import fail, get
from harness.chromium import chromium
from harness.emulator import Emulator
from harness.gateway import Gateway, StartGateway

# Markup itself does not get this far: see the unit tests.
FOREIGN = "R&D says &lt;b&gt; \"quoted\""
PAGES = ("/", "/status.json", "/status.css")


@pytest.fixture
def busy(start_gateway: StartGateway, emulator: Emulator) -> Gateway:
    """Has had ten calls: seven answered, one at fault, two refused."""
    gateway = start_gateway("--admin-listen=127.0.0.1:0", "--upstream-limit=1200")
    pcap_id = emulator.add()
    for _ in range(7):
        get(gateway.channel, pcap_id)
    hostile = emulator.add()
    errors = [{"code": 7003, "message": FOREIGN}]
    emulator.answer(hostile, {"success": False, "errors": errors, "result": None}, status=503)
    fail(gateway.channel, hostile)
    missing = emulator.unknown_id()
    for _ in range(2):
        fail(gateway.channel, missing)
    return gateway


def status(gateway: Gateway) -> Any:
    code, body = fetch(gateway, "/status.json")
    assert code == 200
    return json.loads(body)


def test_the_json_says_what_happened(busy: Gateway) -> None:
    told = status(busy)
    assert told["version"] == busy.version and told["address"] == busy.address
    assert told["serving"] is True and told["tls"] is False and told["uptime_seconds"] >= 0
    assert told["calls"] == {"answered": 7, "refused": 2, "faults": 1, "waiting": 0}
    assert told["cache"]["hits"] == 7 and told["cache"]["misses"] == 3
    assert told["cache"]["limit_bytes"] == 64 << 20 and told["cache"]["bytes"] > 0
    assert told["upstream"]["requests"] == 3 and told["upstream"]["answers"]["5xx"] == 1
    assert "redis" not in told
    [budget] = told["budgets"]
    assert re.fullmatch("[0-9a-f]{8}", budget.pop("fingerprint"))
    # Other tests' gateways have the same token, and the emulator tells of their requests, too.
    assert 0 < budget.pop("left") <= 1197
    assert budget.pop("callers") == [{"caller": "ipv4:127.0.0.1", "spent": 3, "asked": 3}]
    assert budget == {"owner": "gateway", "limit": 1200}
    reasons = {error["reason"]: error["count"] for error in told["errors"]}
    assert reasons == {"PCAP_NOT_FOUND": 2, "UPSTREAM_UNAVAILABLE": 1}
    assert told["errors"][0]["reason"] == "PCAP_NOT_FOUND" and told["errors"][0]["request_id"]


def test_callers_mistakes_push_no_fault_off_the_page(busy: Gateway) -> None:
    for number in range(60):
        fail(busy.channel, "x" * number)
    errors = {error["reason"]: error for error in status(busy)["errors"]}
    assert errors["INVALID_REQUEST"]["count"] == 60 and errors["INVALID_REQUEST"]["fault"] is False
    assert errors["UPSTREAM_UNAVAILABLE"]["count"] == 1 and errors["UPSTREAM_UNAVAILABLE"]["fault"]
    _, page = fetch(busy, "/")
    faults, _, refused = page[page.index("Last faults") :].partition("Last refused calls")
    assert "UPSTREAM_UNAVAILABLE" in faults and "INVALID_REQUEST" not in faults
    assert "INVALID_REQUEST" in refused and "UPSTREAM_UNAVAILABLE" not in refused


def test_callers_credentials_have_budgets_and_fingerprints_of_their_own(
    start_gateway: StartGateway, emulator: Emulator
) -> None:
    options = ("--credential=caller", "--admin-listen=127.0.0.1:0", "--upstream-limit=9")
    gateway = start_gateway(*options)
    assert status(gateway)["budgets"] == []
    for token, count in ((demo.TOKEN, 2), (demo.SECOND_TOKEN, 1)):
        for _ in range(count):
            bearer = [("authorization", f"Bearer {token}")]
            get(gateway.channel, emulator.add(), metadata=bearer)
    budgets = status(gateway)["budgets"]
    assert [(budget["owner"], budget["left"]) for budget in budgets] == [("caller", 8), ("caller", 7)]
    assert len({budget["fingerprint"] for budget in budgets}) == 2


def test_no_secret_is_shown(busy: Gateway) -> None:
    for page in PAGES:
        _, body = fetch(busy, page)
        assert not [secret for secret in demo.SECRETS if secret in body]


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_browser_shows_it(busy: Gateway, tmp_path: Path, script: bool) -> None:
    with chromium(tmp_path / "profile", script=script) as browser:
        browser.get(f"http://{busy.admin_address()}/")
        text = browser.find_element(By.TAG_NAME, "body").text
        assert "serving" in text and busy.address in text
        for fact in ("Answered\n7", "Faults\n1", "Hits\n7 (70 %)", "Requests\n3"):
            assert fact in text, text
        # Foreign text is text.
        assert FOREIGN in text
        styled = browser.find_element(By.TAG_NAME, "section").value_of_css_property("border-radius")
        assert styled == "8px"
        entries = browser.get_log("browser")  # errors, and what the policy refused
        assert entries == []
        requests = [
            json.loads(entry["message"])["message"]["params"]["request"]["url"]
            for entry in browser.get_log("performance")
            if '"Network.requestWillBeSent"' in entry["message"]
        ]
        own = f"http://{busy.admin_address()}/"
        assert [url for url in requests if not url.startswith((own, "data:", "chrome:"))] == []


def test_it_can_be_read_by_those_who_do_not_see_it(busy: Gateway, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as browser:
        browser.get(f"http://{busy.admin_address()}/")
        assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"
        charts = browser.find_elements(By.CSS_SELECTOR, "svg[role=img]")
        labels = [chart.get_attribute("aria-label") or "" for chart in charts]
        assert len(charts) == 4 and all("over the last 15 minutes; now: " in it for it in labels)
        for table in browser.find_elements(By.TAG_NAME, "table"):
            heads = table.find_elements(By.CSS_SELECTOR, "th[scope=col]")
            cells = table.find_elements(By.CSS_SELECTOR, "tbody tr:first-child td")
            assert heads and len(heads) == len(cells)
        assert len(browser.find_elements(By.TAG_NAME, "h1")) == 1


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out_from_their_ground(busy: Gateway, tmp_path: Path, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1."""

    def luminance(colour: str) -> float:
        channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in channels
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    with chromium(tmp_path / "profile", dark=dark) as browser:
        browser.get(f"http://{busy.admin_address()}/")
        ground = browser.find_element(By.TAG_NAME, "section").value_of_css_property(
            "background-color"
        )
        assert (luminance(ground) < 0.2) == dark
        words = "dt dd th td h2 .good .bad .legend .what .message .detail footer a text".split()
        for selector in words:
            name = "fill" if selector == "text" else "color"
            text = browser.find_element(By.CSS_SELECTOR, selector).value_of_css_property(name)
            lighter, darker = sorted((luminance(text), luminance(ground)), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, selector


BOXES = """
const box = element => {
  const {left, right, top, bottom} = element.getBoundingClientRect();
  return {left, right, top, bottom, border: getComputedStyle(element).borderLeftWidth};
};
return [...document.querySelectorAll(".errors li")].map(item => ({
  item: box(item),
  parts: [...item.querySelectorAll("b, .message, .detail")].map(box),
  all: [...item.querySelectorAll("*")].map(box),
}));
"""


@pytest.mark.parametrize("width", [1280, 390])
def test_errors_can_be_read_on_desks_and_telephones(
    start_gateway: StartGateway, emulator: Emulator, busy: Gateway, tmp_path: Path, width: int
) -> None:
    unreachable = start_gateway("--admin-listen=127.0.0.1:0", "--upstream-url=http://127.0.0.1:9/x")
    fail(unreachable.channel, emulator.unknown_id())
    with chromium(tmp_path / "profile", width=width) as browser:
        for gateway, count, parts in ((busy, 2, 3), (unreachable, 1, 4)):
            browser.get(f"http://{gateway.admin_address()}/")
            assert browser.execute_script("return window.innerWidth") == width
            page = browser.execute_script("return document.documentElement.scrollWidth")
            assert page <= width
            errors = browser.execute_script(BOXES)
            assert len(errors) == count
            for error in errors:
                item = error["item"]
                # The reason, below it the message, below it what else there is to say.
                assert len(error["parts"]) == parts
                for above, below in pairwise(error["parts"]):
                    assert above["bottom"] <= below["top"] + 1
                # All of it is within, and not to be scrolled to.
                for one in error["all"]:
                    assert item["left"] <= one["left"] and one["right"] <= item["right"] + 0.5
                assert item["left"] >= 0 and item["right"] <= width
                assert item["border"] == ("1px" if width == 390 else "0px")  # a card


AXES = """
const box = element => {
  const {left, right} = element.getBoundingClientRect();
  return {left, right, text: element.textContent};
};
return [...document.querySelectorAll("svg.axis")].map(axis => ({
  ...box(axis),
  labels: [...axis.querySelectorAll("text")].map(box).sort((a, b) => a.left - b.left),
}));
"""


@pytest.mark.parametrize("width", [1280, 390])
def test_charts_have_their_times_below(busy: Gateway, tmp_path: Path, width: int) -> None:
    with chromium(tmp_path / "profile", width=width) as browser:
        browser.get(f"http://{busy.admin_address()}/")
        axes = browser.execute_script(AXES)
        assert len(axes) == 4
        now = datetime.now(UTC)
        for axis in axes:
            assert 2 <= len(axis["labels"]) <= 3
            for left, right in pairwise(axis["labels"]):
                assert left["right"] < right["left"]
            for label in axis["labels"]:
                assert axis["left"] <= label["left"] and label["right"] <= axis["right"] + 0.5
                hour, minute = map(int, label["text"].split(":"))
                ago = (now - now.replace(hour=hour, minute=minute, second=0)) % timedelta(days=1)
                assert minute % 5 == 0 and ago <= timedelta(minutes=16)


def test_draining_is_shown(start_gateway: StartGateway) -> None:
    gateway = start_gateway("--admin-listen=127.0.0.1:0", "--lame-duck=20s")
    assert "serving</span>" in fetch(gateway, "/")[1]
    statuses = health.watch(gateway, "")
    assert next(statuses) == health.SERVING
    gateway.process.send(15)
    assert next(statuses) == health.NOT_SERVING
    assert "draining</span>" in fetch(gateway, "/")[1] and status(gateway)["serving"] is False


def answer(gateway: Gateway, path: str, host: str) -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(
        f"http://{gateway.admin_address()}{path}", headers={"Host": host}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as response:
            return response.status, dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers)


def test_another_name_for_this_machine_is_refused(busy: Gateway) -> None:
    """DNS rebinding: a page from elsewhere that calls itself by our address."""
    for host in ("evil.example", "evil.example:9464", "127.0.0.1.evil.example"):
        assert answer(busy, "/", host)[0] == answer(busy, "/status.json", host)[0] == 403
        assert answer(busy, "/metrics", host)[0] == 200  # scrapers have names for it
    for host in ("localhost:9464", "LOCALHOST", "127.0.0.1", "[::1]:9464", "10.1.2.3:80"):
        assert answer(busy, "/", host)[0] == 200


@pytest.mark.parametrize("page", PAGES)
def test_pages_say_that_nobody_may_frame_or_keep_them(busy: Gateway, page: str) -> None:
    _, headers = answer(busy, page, "localhost")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "script" not in policy
