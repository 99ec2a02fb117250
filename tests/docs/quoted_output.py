"""What the documentation quotes of the program's output, written anew (make docs).

A page marks a quotation by a comment before its block, with the command and, where it quotes only a part, the lines:

    <!-- output of rstorigin summarize examples/first-five-minutes, lines 1 to 20 -->

Below the block stands <!-- end of output -->.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir
from functools import cache
from pathlib import Path

from support.command_line import run

ROOT = Path(__file__).parents[2]
_QUOTED = re.compile(
    r"(?P<mark><!-- output of (?P<command>rstorigin [^\n]*?)(, lines (?P<first>\d+) to (?P<last>\d+))? -->\n)"
    r".*?(?P<end><!-- end of output -->)",
    re.DOTALL,
)


def pages() -> list[Path]:
    """The pages that may quote."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]


def rewritten(text: str) -> str:
    """`text` with every quotation as the program prints it now."""
    return _QUOTED.sub(lambda found: f"{found['mark']}\n```text\n{_output(found)}\n```\n\n{found['end']}", text)


def quotations(text: str) -> Iterator[str]:
    """The commands that `text` quotes."""
    return (found["command"] for found in _QUOTED.finditer(text))


def _output(found: re.Match[str]) -> str:
    lines = _lines(found["command"])
    return "\n".join(lines[int(found["first"]) - 1 : int(found["last"])] if found["first"] else lines).strip("\n")


@cache
def _lines(command: str) -> list[str]:
    with chdir(ROOT):
        result = run(*shlex.split(command)[1:])
    if result.exit_code:
        raise ValueError(f"{command}: {result.output}")
    return result.stdout.splitlines()


def main() -> None:
    """Rewrite every page."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        page.write_text(rewritten(text), encoding="utf-8")
        print(f"{page.relative_to(ROOT)}: {sum(1 for _ in quotations(text))} quotations", file=sys.stderr)


if __name__ == "__main__":
    main()
