"""Commands of a page, with what they are said to print.

They are the fenced blocks marked `console`: a line that begins with "$ " is a command, those after it
are its output, in which "…" stands for anything, over lines too.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPORT = re.compile(r"export (\w+)=(\S+)")


@dataclass
class Command:
    text: str
    line: int  # of the page, from 1
    output: list[str] = field(default_factory=list)

    def is_satisfied_by(self, printed: str) -> bool:
        parts = "\n".join(self.output).split("…")
        pattern = ".*".join(re.escape(part) for part in parts)
        return re.fullmatch(pattern, printed.rstrip("\n"), re.DOTALL) is not None


def commands_of(page: Path) -> list[Command]:
    text = page.read_text()
    commands: list[Command] = []
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1)) + 1
        for number, line in enumerate(block[1].splitlines(), first):
            if line.startswith("$ "):
                commands.append(Command(line[2:], number))
            else:
                commands[-1].output.append(line)
    return commands


def run(page: Path, environment: dict[str, str], folder: Path) -> int:
    """Runs a page's commands one after the other, and returns how many there were.

    `environment`: beside that of the process; what the page exports counts where it is not there.
    """
    exported: dict[str, str] = {}
    commands = commands_of(page)
    for command in commands:
        where = f"{page.name}:{command.line}: $ {command.text}"
        export = EXPORT.fullmatch(command.text)
        if export is not None:
            exported[export[1]] = export[2]
            continue
        done = subprocess.run(
            ["bash", "-c", command.text],
            cwd=folder,
            env={**os.environ, **exported, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        assert command.is_satisfied_by(done.stdout), (
            f"{where}\nprinted:\n{done.stdout}\nwhere the page says:\n" + "\n".join(command.output)
        )
    return len(commands)
