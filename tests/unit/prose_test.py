"""The commonest faults of our own language, as docs/style.md has them, in pages, comments and messages.

Each rule has a sentence that it refuses and one that it lets pass. (Vale would do the same; PyPI's package of
it fetches a program from elsewhere when it first runs.) Reads files; runs nothing. tests/lint runs it, too.
"""

from __future__ import annotations

import re
import unittest
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pages_test import CODE, FENCE, REPOSITORY, pages


@dataclass
class Rule:
    pattern: str
    say: str
    wrong: str
    right: str


RULES = [
    Rule(r"\banew\b", "again", "It asks anew.", "It asks again."),
    Rule(
        r"\b(?:is|are|was|were|none|thread) to be had\b",
        "comes from, there is",
        "It is to be had by apt.",
        "It comes from apt.",
    ),
    Rule(r"\bwhosever\b", "whatever the", "Of whosever credentials.", "Whatever the credential."),
    Rule(
        r"\bfor nobody\b", "say for whom it is", "Never for nobody.", "Only while a caller waits."
    ),
    Rule(
        r"\b(?!server's|client's)\w+'s? to (?:hear|see|decide|know|wait|read|mend|take|end|close)\b",
        "say who does it",
        "A 4xx is the caller's to hear.",
        "The caller gets a 4xx.",
    ),
    Rule(
        r"\b(?:yours|ours|theirs) to \w+\b",
        "you, we, they",
        "It is yours to wait for.",
        "You wait for it.",
    ),
    Rule(
        r"\b(?:has|have|had|having) (?:it|them|this|that|the \w+|an? \w+) (?:refreshed|asked|sent|told|fetched|looked|made void)\b",
        "the active verb: refreshes, asks, sends",
        "A hit has it refreshed.",
        "A hit refreshes it.",
    ),
    Rule(
        r"\bHas (?:asked|sent|told|made|looked)\b",
        "Asks, sends, tells",
        "Has asked again.",
        "Asks again.",
    ),
    Rule(
        r"(?:^|[.;:] )Who (?!may\b|can\b|is there\b|calls what\b|does\b|wants\b)[a-z]+ [^?.|]*[.|]",
        "Whoever, or name them: a caller who",
        "Who leaves ends its own wait.",
        "Who may call? A caller who leaves ends its own wait.",
    ),
    Rule(
        r"\b(?:[Nn]ever|cannot|does not|do not|is not|are not) [^.,;:()|]{0,40}\b(?:never|nobody|nothing|none|no one)\b",
        "one negation",
        "It never waits for nobody.",
        "It waits only while somebody reads.",
    ),
    Rule(r"\b[Nn]ot unless\b", "only if", "Not unless it is set.", "Only if it is set."),
    Rule(
        r"\bnothing but\b|\bnone but\b", "only", "It is nothing but letters.", "It is only letters."
    ),
    Rule(
        r"\b(?:is|was|are|were) none of ours\b|\bnone of ours\b",
        "not ours",
        "It is none of ours.",
        "It is not ours.",
    ),
    Rule(
        r"\b[Ss]hould (?:it|they|its \w+|the \w+|one|Cloudflare|Redis)\b",
        "if",
        "It goes should it be late.",
        "It goes if it is late; it should not be.",
    ),
    Rule(
        r"\bbut for\b(?! (?:hours|minutes|five)\b)",
        "except",
        "All but for one.",
        "All except one; but for hours.",
    ),
    Rule(
        r"\boldest answer that will do\b",
        "how old the answer may be",
        "The oldest answer that will do.",
        "How old it may be.",
    ),
    Rule(r"\b(?:own|its) affair\b", "say who does it", "It is its affair.", "It decides."),
    Rule(
        r"\bbe it\b", "whether", "A code, be it a number or a text.", "A code: a number or a text."
    ),
    Rule(
        r"\b(?:[Ll]est|whence|thereof|therein|hitherto)\b",
        "a word of today",
        "Lest it end.",
        "So that it goes on.",
    ),
    Rule(
        r"\b[Rr]eady once (?:its|the) status is final\b",
        "SUCCESS or COMPLETE",
        "Ready once its status is final.",
        "Ready at SUCCESS.",
    ),
]
# Of a sentence in a page.
MOST_WORDS = 40
# By the ends of their names; deploy/install and the like have none.
SCRIPTS = ("", ".conf", ".py", ".service", ".sh", ".toml", ".tpl", ".yaml", ".yml")
# What shows the faults, and what is a history.
EXEMPT = {"docs/style.md", "CHANGELOG.md"}

SCRIPT_COMMENT = re.compile(r"(?:^[ \t]*#[^\n]*\n)+", re.MULTILINE)
COMMENT = re.compile(r"(?:^[ \t]*//[^\n]*\n)+|//[^\n]*\n", re.MULTILINE)
LITERALS = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*')


def faults(text: str) -> list[str]:
    flat = re.sub(r"\s+", " ", text)
    return [
        f"{found[0].strip()!r}: {rule.say}"
        for rule in RULES
        for found in re.finditer(rule.pattern, flat)
    ]


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """What people read, each with the number of its first line."""
    whole = file.read_text()
    if file.suffix == ".md":
        # Blocks of code keep their lines, so that numbers stay right.
        blank = FENCE.sub(lambda block: "\n" * block[0].count("\n"), whole)
        number = 1
        for paragraph in re.split(r"(\n\s*\n|\n(?=\||- |\d\. ))", blank):
            yield number, CODE.sub("``", paragraph)
            number += paragraph.count("\n")
        return
    if file.suffix not in (".cc", ".h", ".proto"):
        for comment in SCRIPT_COMMENT.finditer(whole):
            number = whole.count("\n", 0, comment.start()) + 1
            yield number, re.sub(r"^[ \t]*#", "", comment[0], flags=re.MULTILINE)
        return
    for comment in COMMENT.finditer(whole):
        number = whole.count("\n", 0, comment.start()) + 1
        yield number, re.sub(r"^[ \t]*//", "", comment[0], flags=re.MULTILINE).replace("//", "")
    without = COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), whole)
    for literal in LITERALS.finditer(without):
        yield without.count("\n", 0, literal.start()) + 1, re.sub(r'"\s*"', "", literal[0]).strip(
            '"'
        )


def files() -> Iterator[Path]:
    yield from pages()
    for folder in ("service", "client", "proto/pcap"):
        for file in sorted((REPOSITORY / folder).rglob("*")):
            if file.suffix in (".cc", ".h", ".proto"):
                yield file
    for folder in ("deploy", "proto", "docs"):
        for file in sorted((REPOSITORY / folder).rglob("*")):
            if file.is_file() and file.suffix in SCRIPTS and "third_party" not in file.parts:
                yield file


class ProseTest(unittest.TestCase):
    def test_each_rule_refuses_what_it_is_for(self) -> None:
        for rule in RULES:
            self.assertRegex(rule.wrong, rule.pattern)
            self.assertEqual(faults(rule.right), [], rule.right)

    def test_no_sentence_of_a_page_is_too_long(self) -> None:
        found = []
        for page in pages():
            if str(page.relative_to(REPOSITORY)) in EXEMPT | {"docs/reference.md", "SECURITY.md"}:
                continue
            for number, paragraph in texts(page):
                if re.match(r"\s*(?:\||#|    )", paragraph):
                    continue
                for sentence in re.split(r"(?<=[.!?:;])\s", re.sub(r"\]\([^)]*\)", "]", paragraph)):
                    if len(sentence.split()) > MOST_WORDS:
                        found.append(f"{page}:{number}: {sentence.split()[:8]}")
        self.assertEqual(found, [])

    def test_what_people_read_has_none_of_the_faults(self) -> None:
        found = []
        count = 0
        for file in files():
            name = str(file.relative_to(REPOSITORY))
            if name in EXEMPT:
                continue
            for number, text in texts(file):
                count += 1
                found += [f"{name}:{number}: {fault}" for fault in faults(text)]
        self.assertGreater(count, 1000)
        self.assertEqual(found, [], "\n" + "\n".join(found) + "\nSee docs/style.md.")


if __name__ == "__main__":
    unittest.main()
