"""The generated parts of README.md and docs/wireshark.md: the lists of output columns and of the plugin's fields.

`python -m generator.output_docs FOLDER` (`make docs`) rewrites them in the source tree FOLDER.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from heuristics.observables.output_columns import COLUMNS, WIRESHARK_FIELDS

_WIDTH = 120  # characters of a line

# Fields that stand once for each entry of the rulebook.
_FIELDS_OF_ENTRIES = (
    ("`rstorigin.evidence.hop_gap` ...", "resets", "one boolean for each rule, present where the rule fired"),
    (
        "`rstorigin.icmp.prohibited` ...",
        "ICMP errors",
        "one boolean for each `[[icmp]]` entry, present where the entry holds, with its sentence",
    ),
)


def column_list() -> str:
    """The names of the columns, in order, as a paragraph."""
    return textwrap.fill(f"Columns of a row: `{', '.join(COLUMNS)}`.", _WIDTH)


def field_table() -> str:
    """The plugin's fields as a Markdown table."""
    rows = [
        ("field", "on", "meaning"),
        ("---", "---", "---"),
        *((f"`rstorigin.{field.name}`", field.packets, field.meaning) for field in WIRESHARK_FIELDS),
        *_FIELDS_OF_ENTRIES,
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows).replace("| --- | --- | --- |", "|---|---|---|")


# File -> name of the part and what makes it.
PARTS = {
    "README.md": ("columns", column_list),
    "docs/wireshark.md": ("fields", field_table),
}


def rewritten(text: str, part: str, content: str) -> str:
    """`text` with `content` between the marks of `part`. Raises ValueError if a mark is missing."""
    mark, end = f"<!-- {part}: written by make docs -->\n", "<!-- end -->"
    start = text.index(mark) + len(mark)
    return f"{text[:start]}\n{content}\n\n{text[text.index(end, start) :]}"


def main(root: Path) -> None:
    """Rewrite the parts in the source tree `root`."""
    for name, (part, make) in PARTS.items():
        path = root / name
        path.write_text(rewritten(path.read_text(encoding="utf-8"), part, make()), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
