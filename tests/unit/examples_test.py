"""Examples: each in a header's comment is compiled, and each value in one is tested.

Reads files; tests/unit/examples/ compiles.
"""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "tests" / "unit" / "examples"
sys.path.insert(0, str(EXAMPLES))
import header_examples  # noqa: E402


def without_blanks(text: str) -> str:
    return re.sub(r"\s", "", text)


class ExamplesTest(unittest.TestCase):
    maxDiff = None

    def test_each_example_is_compiled(self) -> None:
        have = {header for header in header_examples.headers() if header_examples.example(header)}
        self.assertGreater(len(have), 40)
        included = set()
        for file in EXAMPLES.glob("*.cc"):
            included |= set(re.findall(r'#include "examples/(\S+)\.inc"', file.read_text("utf-8")))
        self.assertEqual(included, have)

    def test_each_value_is_tested(self) -> None:
        tests = "".join(
            without_blanks(file.read_text("utf-8"))
            for file in (REPOSITORY / "tests" / "unit").rglob("*_test.cc")
        )
        told = [value for header in header_examples.headers() for value in header_examples.values(header)]
        self.assertGreater(len(told), 8)
        missing = [
            (what, value)
            for what, value in told
            if without_blanks(f"EXPECT_EQ({what}, {value})") not in tests
        ]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
