"""The pages: short, linked, within two clicks of README.md, and true where a source says the same.

Reads files; runs nothing. tests/lint runs it, too.
"""

from __future__ import annotations

import json
import re
import unittest
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
MOST_LINES = {README: 150}
# Made by programs, and as long as what they are made of; and a history.
UNBOUNDED = {REPOSITORY / "docs" / "reference.md", REPOSITORY / "CHANGELOG.md"}

# docker's, podman's, kubectl's, helm's and npm's, as the pages have them.
OPTIONS_OF_OTHERS = {"force-recreate", "publish", "stop-timeout", "from-file", "cert", "key"}
OPTIONS_OF_OTHERS |= {"namespace", "values", "no-deps", "save-dev"}

FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\[(?:[^\[\]]|!?\[[^\]]*\](?:\([^)]*\))?)*\]\(([^()\s]+)\)")
CODE_SUFFIXES = {".cc", ".go", ".java", ".py", ".rs", ".ts"}
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def pages() -> list[Path]:
    found = [*REPOSITORY.glob("*.md")]
    for folder in ("docs", "client", "deploy", "proto"):
        found += (REPOSITORY / folder).rglob("*.md")
    return sorted(found)


def prose(page: Path) -> str:
    """Without blocks of code."""
    return FENCE.sub("", page.read_text())


def stripped(code: str) -> str:
    """Lines without their indentation, which differs where a function is in a class."""
    return "\n" + "\n".join(line.strip() for line in code.splitlines()) + "\n"


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    seen: Counter[str] = Counter()
    made = set()
    for heading in HEADING.findall(prose(page)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        made.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return made


def links(page: Path) -> list[str]:
    """Those that stay in the repository."""
    told = LINK.findall(CODE.sub("``", prose(page)))
    return [link for link in told if not re.match(r"[a-z]+:", link)]


def target(page: Path, link: str) -> Path:
    """What it leads to; of a folder its README.md, where there is one."""
    path = link.partition("#")[0]
    there = (page.parent / path).resolve() if path else page
    readme = there / "README.md"
    return readme if readme.is_file() else there


def table(page: Path, first_cell: str) -> list[list[str]]:
    """The rows of the tables whose head begins with this cell."""
    rows = []
    for part in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines()]
        if lines[0][0] == first_cell:
            rows += lines[2:]
    return rows


class PagesTest(unittest.TestCase):
    def test_no_page_is_too_long(self) -> None:
        for page in pages():
            if page not in UNBOUNDED:
                lines = len(page.read_text().splitlines())
                self.assertLessEqual(lines, MOST_LINES.get(page, 400), page)

    def test_each_link_leads_somewhere(self) -> None:
        count = 0
        for page in pages():
            for link in links(page):
                there = target(page, link)
                self.assertTrue(there.exists(), f"{page}: {link}")
                anchor = link.partition("#")[2]
                if anchor and there.suffix == ".md":
                    self.assertIn(anchor, anchors(there), f"{page}: {link}")
                count += 1
        self.assertGreater(count, 200)

    def test_each_page_is_two_clicks_from_the_readme_at_most(self) -> None:
        near = {README}
        for _ in range(2):
            near |= {
                target(page, link) for page in near if page.suffix == ".md" for link in links(page)
            }
        self.assertEqual([page for page in pages() if page not in near], [])

    def test_the_program_in_the_readme_is_the_one_that_is_delivered(self) -> None:
        (shown,) = re.findall(
            r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL
        )
        delivered = REPOSITORY / "client" / "examples" / "python" / "ready.py"
        self.assertEqual(shown, delivered.read_text())

    def test_code_on_a_clients_page_is_its_examples(self) -> None:
        # The tests of the examples build and run those, so the code on the pages works.
        for example in sorted((REPOSITORY / "client" / "examples").glob("*/run")):
            language = example.parent.name
            page = REPOSITORY / "docs" / "clients" / f"{language}.md"
            text = page.read_text()
            shown = re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
            self.assertTrue(shown, page)
            sources = [file for file in example.parent.rglob("*") if file.suffix in CODE_SUFFIXES]
            sources.append(example.parent / "CMakeLists.txt")
            there = [stripped(file.read_text()) for file in sources if file.is_file()]
            for block in shown:
                self.assertTrue(any(stripped(block) in one for one in there), f"{page}: {block}")
            # What makes the stubs.
            versions = re.findall(r"@(v[\d.]+)", text)
            options = re.findall(r"\w+=[\w-]+", " ".join(re.findall(r"--ts_proto_opt=(\S+)", text)))
            for told in [*versions, *options]:
                self.assertIn(told, example.read_text(), page)

    def test_each_option_that_a_page_names_is_one(self) -> None:
        table_of_options = (REPOSITORY / "service" / "option_table.cc").read_text()
        known = set(re.findall(r'\.name = "([a-z-]+)"', table_of_options))
        self.assertGreater(len(known), 50)
        known |= {f"no-{name}" for name in known} | {"config", "check", "help", "version"}
        known |= OPTIONS_OF_OTHERS
        # pcapctl's, and those of our own scripts.
        sources = [*(REPOSITORY / "client").rglob("*"), *(REPOSITORY / "deploy").rglob("*")]
        sources += [*(REPOSITORY / "proto").glob("*"), *(REPOSITORY / "docs").glob("*")]
        sources += [REPOSITORY / "tests" / "lint", REPOSITORY / "tests" / "bench" / "run"]
        for source in sources:
            if source.is_file() and source.suffix in ("", ".cc", ".py", ".sh"):
                known |= set(re.findall(r"--([a-z][a-z-]+)", source.read_text()))
        for page in pages():
            if page.name != "CHANGELOG.md":
                named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", page.read_text()))
                self.assertEqual(named - known, set(), page)

    def test_each_reason_is_explained(self) -> None:
        proto = (REPOSITORY / "proto" / "pcap" / "v1" / "pcap_service.proto").read_text()
        listed = re.findall(r"^//   ([A-Z_]+) +([A-Z_]+) +\S", proto, re.MULTILINE)
        shown = table(REPOSITORY / "docs" / "errors.md", "reason")
        self.assertEqual([(row[0].strip("`"), row[1]) for row in shown], listed)

    def test_each_metric_is_explained(self) -> None:
        named = set()
        for source in (REPOSITORY / "service").rglob("*.cc"):
            found = re.findall(
                r'"((?:pcap_gateway|grpc_server|process)_[a-z_]+)"', source.read_text()
            )
            named |= set(found)
        self.assertGreater(len(named), 50)
        shown = table(REPOSITORY / "docs" / "operations" / "metrics.md", "metric")
        told = [name for row in shown for name in re.findall(r"`(\w+)`", row[0])]
        self.assertEqual(sorted(told), sorted(named))

    def test_each_room_is_named(self) -> None:
        rows = table(REPOSITORY / "docs" / "internals.md", "folder")
        named = {name for row in rows for name in re.findall(r"`service/(\w+)/`", row[0])}
        rooms = {path.name for path in (REPOSITORY / "service").iterdir() if path.is_dir()}
        self.assertEqual(named, rooms)

    def test_each_panel_of_the_dashboard_is_explained(self) -> None:
        panels = json.loads((REPOSITORY / "deploy" / "monitoring" / "dashboard.json").read_text())[
            "panels"
        ]
        shown = table(REPOSITORY / "docs" / "operations" / "dashboard.md", "panel")
        there = [
            [panel["title"], panel["description"]] for panel in panels if panel["type"] != "row"
        ]
        self.assertEqual(shown, there)
        self.assertEqual([title for title, description in there if not description], [])

    def test_the_picture_of_the_dashboard_has_its_panels(self) -> None:
        panels = json.loads((REPOSITORY / "deploy" / "monitoring" / "dashboard.json").read_text())[
            "panels"
        ]
        there = sorted((panel["gridPos"]["y"], panel["gridPos"]["x"], panel["title"]) for panel in panels)
        picture = REPOSITORY / "docs" / "operations" / "dashboard.svg"
        drawing = ElementTree.fromstring(picture.read_text())
        drawn = [text.text for text in drawing.findall(".//{*}text") if text.get("class") == "title"]
        again = "docs/dashboard-picture draws it again"
        self.assertEqual(drawn, [title for _, _, title in there], again)
        self.assertLess(picture.stat().st_size, 150_000)

    def test_every_alert_has_its_chapter(self) -> None:
        monitoring = REPOSITORY / "deploy" / "monitoring"
        alerts = re.findall(r"alert: (\w+)", (monitoring / "alerts.yml").read_text())
        self.assertGreater(len(alerts), 10)
        chapters = anchors(monitoring / "runbook.md")
        self.assertEqual([alert for alert in alerts if alert.lower() not in chapters], [])

    def test_contributing_says_what_ci_does(self) -> None:
        ci = (REPOSITORY / ".ci" / "run").read_text().splitlines()
        lines = [re.match(r"(?:step|meanwhile \w+) ([\w./].*)", line) for line in ci]
        begun = [line[1] for line in lines if line]
        # What is installed, built or waited for is a part of these.
        steps = [command for command in begun if not re.search("^deploy/install|^finish| --build$", command)]
        self.assertGreater(len(steps), 3)
        page = (REPOSITORY / "CONTRIBUTING.md").read_text().splitlines()
        told = [line for line in page if line.startswith("    .ci/run ")]
        self.assertEqual([line.partition("what CI does: ")[2] for line in told], [", ".join(steps)])


if __name__ == "__main__":
    unittest.main()
