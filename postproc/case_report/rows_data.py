"""All resets and ICMP errors as data for the table in the page: columns of numbers, and each text once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from heuristics.errors import visible
from postproc.report.icmp_summary import rejection_text
from postproc.runtime.text import cut_in_the_middle
from postproc.verdicts.result_row import JudgedReset

_LONGEST = 200  # characters of a text in the page: names may have thousands
_VALUES = (
    *("frame", "time", "sport", "dport", "suspicion", "hop_limit", "hop_baseline", "silence_us", "ended_connection"),
)
_TEXTS = ("capture", "kind", "src", "dst", "verdict", "origin", "cause", "device", "where", "reason", "stage", "flow")


def rows_data(judged: Sequence[JudgedReset]) -> dict[str, Any]:
    """Columns by name, None where a row has no value.

    Those of texts hold indices into `texts`, which is sorted; -1 stands for none. `evidence` has a list of them for
    each row.
    """
    rows = [each.row for each in judged]
    columns: dict[str, list[Any]] = {name: [_text(getattr(row, name)) for row in rows] for name in _TEXTS}
    columns["rejection"] = [_text(rejection_text(each)) if each.row.kind == "icmp" else "" for each in judged]
    evidence = [[_text(words) for words in each.words] for each in judged]
    texts = sorted(
        {text for column in columns.values() for text in column} | {text for each in evidence for text in each}
    )
    index = {text: place for place, text in enumerate(texts)} | {"": -1}
    return {
        "texts": texts,
        **{name: [index[text] for text in column] for name, column in columns.items()},
        **{name: [getattr(row, name) for row in rows] for name in _VALUES},
        "evidence": [[index[text] for text in each] for each in evidence],
    }


def as_script_data(data: dict[str, Any]) -> str:
    """JSON that cannot end the element of the page that holds it."""
    written = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(text: str | None) -> str:
    return cut_in_the_middle(visible(text), _LONGEST) if text else ""
