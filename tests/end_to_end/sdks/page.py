#!/usr/bin/env python3
"""Reads docs/coming-from-an-sdk.md and the two pages that go on with it: their code, and their tables.

A code block's language is followed by the side that it is for: "go sdk", "go gateway", "python sdk"
or "python gateway". The blocks of one kind, in their order, are one program; tests/cloudflare_go/build
compiles those in Go, and prints them with

    page.py go-sdk
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Iterable, Mapping

DOCS = Path(__file__).resolve().parents[3] / "docs"
# In the order in which they are read: a program goes on from page to page.
PAGES = [DOCS / f"coming-from-an-sdk{part}.md" for part in ("", "-errors", "-fields")]

PROGRAMS = ("go-sdk", "go-gateway", "python-sdk", "python-gateway")


def whole() -> str:
    return "\n".join(page.read_text() for page in PAGES)


def blocks(kind: str) -> list[str]:
    """`kind`: "text", or as in PROGRAMS."""
    opening = re.escape(kind.replace("-", " "))
    found = re.findall(rf"^```{opening}\n(.*?)^```$", whole(), re.MULTILINE | re.DOTALL)
    assert found, f"no page has a block of {kind}"
    return found


def program(kind: str) -> str:
    """The source of a whole program."""
    parts = blocks(kind)
    if not kind.startswith("go"):
        return "\n".join(parts)
    # The first one holds the imports.
    body = "\n".join(parts[1:])
    return f"package main\n\n{parts[0]}\nfunc main() {{\n{body}}}\n"


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under the heading; without the table's own head."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", whole(), re.M | re.S)
    assert section is not None, f"no page has a section {heading!r}"
    lines = [line for line in section[1].splitlines() if line.startswith("|")]
    # A bar in a cell is written \|.
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def table(
    reasons: Mapping[str, tuple[str, str]], counts: Iterable[Mapping[str, int]]
) -> list[list[str]]:
    """The rows of a table of differences. `reasons`: why, and who keeps more; `counts`: by SDK."""
    columns = list(counts)
    named = {"same": ("", ""), **reasons}
    return [
        [f"`{name}`", why, better, *(str(column[name]) for column in columns)]
        for name, (why, better) in named.items()
    ]


def check(heading: str, wanted: list[list[str]]) -> None:
    """Fails unless the page's table is this one."""
    shown = rows(heading)
    text = "\n".join("| " + " | ".join(row) + " |" for row in wanted)
    assert shown == wanted, f"{heading!r} has to have these rows:\n{text}"


if __name__ == "__main__":
    print(program(sys.argv[1]), end="")
