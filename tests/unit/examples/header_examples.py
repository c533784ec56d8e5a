"""The examples in the headers' comments, as code that is compiled.

    header_examples.py FOLDER HEADER...    writes FOLDER/HEADER.inc for each header that has one

An example is a run of comment lines that are indented by three blanks or more, and one of which is
a statement. The files beside this one include them, each in a function whose parameters are what
the example takes for granted.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
LINE = re.compile(r"//(?:   (.*))?")
STATEMENT = re.compile(r"\w.*[(=].*;(?:\s*//.*)?")
# A value, as in `ByteCount(1234) == "1.2 kB"`.
VALUE = re.compile(r"(\w.*\S)\s+== (\S.*)")


def headers() -> list[str]:
    found = [
        path.relative_to(REPOSITORY).as_posix()
        for folder in ("service", "client")
        for path in (REPOSITORY / folder).rglob("*.h")
    ]
    return sorted(found)


def runs(header: str) -> list[tuple[int, list[str]]]:
    """What is indented in its comments: the number of the first line, and the lines."""
    found: list[tuple[int, list[str]]] = []
    within = False
    for number, line in enumerate((REPOSITORY / header).read_text("utf-8").splitlines(), 1):
        match = LINE.fullmatch(line)
        if match is None or (not within and match[1] is None):
            within = False
        elif within:
            found[-1][1].append(match[1] or "")
        else:
            found.append((number, [match[1]]))
            within = True
    return found


def is_code(lines: list[str]) -> bool:
    return any(STATEMENT.fullmatch(line.strip()) for line in lines)


def example(header: str) -> str:
    """Its statements, each run with its place in the header; empty: it has none."""
    return "".join(
        f'#line {number} "{header}"\n' + "\n".join(lines).rstrip() + "\n"
        for number, lines in runs(header)
        if is_code(lines)
    )


def values(header: str) -> list[tuple[str, str]]:
    """The values that its lines tell, each with what has it."""
    lines = [line for _, run in runs(header) if not is_code(run) for line in run]
    return [(match[1], match[2]) for line in lines if (match := VALUE.fullmatch(line))]


def main() -> None:
    folder = Path(sys.argv[1])
    for header in sys.argv[2:]:
        target = folder / f"{header}.inc"
        text = example(header)
        if not text:
            target.unlink(missing_ok=True)
        elif not target.is_file() or target.read_text("utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
