"""Redis' commands: what the gateway sends, and its scripts use, is rehearsed on each new connection.

A user of Redis who may do less is found out before a call depends on it, and docs/replicas.md says
what the user needs. Reads the sources; runs nothing.
"""

from __future__ import annotations

import re
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY / "service" / "shared"
CALLED = re.compile(r"redis\.p?call\('([A-Z]+)'")
# RedisClient greets with these whether or not anything is rehearsed; all users may use them.
ALWAYS = {"AUTH", "PING", "SELECT"}


def called_in(*files: Path) -> set[str]:
    return set().union(*(CALLED.findall(file.read_text()) for file in files))


class RedisCommandsTest(unittest.TestCase):
    scripts = [file for file in SHARED.iterdir() if file.suffix in (".cc", ".lua")]
    rehearsal = SHARED / "rehearsal.lua"

    def test_each_that_a_script_uses_is_rehearsed_in_one(self) -> None:
        used = called_in(*(file for file in self.scripts if file != self.rehearsal))
        self.assertGreater(len(used), 10)
        self.assertEqual(called_in(self.rehearsal), used)

    def test_each_that_is_sent_is_rehearsed(self) -> None:
        sent = set()
        for file in SHARED.glob("*.cc"):
            # As in Send({"GET", …}), and as the list of a script's ways.
            sent |= set(re.findall(r'Send\(\s*\{"([A-Z]+)"', file.read_text()))
            sent |= set(re.findall(r'by_name \? "([A-Z]+)" : "[A-Z]+"', file.read_text()))
        rehearsed = set(re.findall(r'\{"([A-Z]+)"', (SHARED / "redis_rehearsal.cc").read_text()))
        self.assertGreater(len(sent), 5)
        self.assertEqual(rehearsed, sent)

    def test_the_page_says_what_a_user_needs(self) -> None:
        (line,) = re.findall(r"ACL SETUSER .+", (REPOSITORY / "docs" / "replicas.md").read_text())
        named = {word.upper() for word in re.findall(r"\+(\w+)", line)}
        rehearsed = set(re.findall(r'\{"([A-Z]+)"', (SHARED / "redis_rehearsal.cc").read_text()))
        self.assertEqual(named, called_in(*self.scripts) | rehearsed | ALWAYS)


if __name__ == "__main__":
    unittest.main()
