"""Rows for the pipelines that teams already have: Elastic Common Schema as JSON lines, and a log as Zeek writes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from heuristics.observables.output_columns import OUTPUT_COLUMNS, OutputColumn
from heuristics.rulebook.scoring import ACCUSED
from postproc.verdicts.result_row import COLUMNS, ResetRow

ECS_VERSION = "8.17.0"
ZEEK_PATH = "rstorigin"
_NAMED_BY_ECS = ("time", "src", "dst")  # columns that need no field of ours


def rows_ecs(rows: Sequence[ResetRow]) -> str:
    """One JSON object for each row, with fields of ECS; `rstorigin` has the other columns under their own names."""
    return "\n".join(json.dumps(_ecs(row)) for row in rows)


def rows_zeek(rows: Sequence[ResetRow]) -> str:
    """A log like those of Zeek: tab-separated, with its header. Fields are the columns, with `time` first, as `ts`."""
    header = (
        r"#separator \x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        "#unset_field\t-",
        f"#path\t{ZEEK_PATH}",
        "\t".join(("#fields", "ts", *(column.name for column in _ZEEK_COLUMNS))),
        "\t".join(("#types", "time", *map(_zeek_type, _ZEEK_COLUMNS))),
    )
    return "\n".join((*header, *("\t".join(_zeek_cells(row)) for row in rows)))


def _ecs(row: ResetRow) -> dict[str, Any]:
    """The document of one row; see https://www.elastic.co/docs/reference/ecs/ecs-field-reference."""
    is_reset, version = row.kind == "rst", 6 if ":" in row.src else 4
    what = "TCP reset" if is_reset else "ICMP error"
    transport = "tcp" if is_reset else "icmp" if version == 4 else "ipv6-icmp"
    ports = is_reset  # those of an ICMP error are of the packet that it quotes
    own = {name: getattr(row, name) for name in COLUMNS if name not in _NAMED_BY_ECS}
    return {
        "@timestamp": _timestamp(row.time),
        "message": f"{row.verdict} {what} in the name of {row.src}, to {row.dst}",
        "ecs": {"version": ECS_VERSION},
        "event": {
            "kind": "alert" if row.verdict in ACCUSED else "event",
            "category": ["network"],
            "type": ["connection", "end"] if is_reset else ["connection", "info"],
            "action": "tcp-reset" if is_reset else "icmp-error",
            "module": "rstorigin",
            "dataset": f"rstorigin.{row.kind}",
            "risk_score": float(row.suspicion),
            **({"reason": row.reason} if row.reason else {}),
        },
        "log": {"file": {"path": row.capture}},
        "network": {"transport": transport, "type": f"ipv{version}"},
        "rule": {"id": [*row.evidence]},
        "source": {"address": row.src, "ip": row.src, **({"port": row.sport} if ports else {})},
        "destination": {"address": row.dst, "ip": row.dst, **({"port": row.dport} if ports else {})},
        "rstorigin": {name: value for name, value in own.items() if value not in (None, "")},
    }


def _timestamp(time: float) -> str | int:
    """As a date of Elasticsearch: in ISO 8601; in milliseconds since 1970 where a capture claims a year past 9999."""
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return int(time * 1000)


_ZEEK_COLUMNS = [column for column in OUTPUT_COLUMNS if column.name != "time"]
_ADDRESSES, _PORTS = ("src", "dst"), ("sport", "dport")


def _zeek_type(column: OutputColumn) -> str:
    """The type by which Zeek and its readers take the values of a column."""
    if column.name in _ADDRESSES:
        return "addr"
    if column.name in _PORTS:
        return "port"
    return {int: "int", bool: "bool", float: "double", tuple: "vector[string]"}.get(column.type, "string")


def _zeek_cells(row: ResetRow) -> list[str]:
    return [f"{row.time:.6f}", *(_zeek_cell(getattr(row, column.name)) for column in _ZEEK_COLUMNS)]


def _zeek_cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case "" | ():
            return "(empty)"
        case bool():
            return "T" if value else "F"
        case tuple():
            return ",".join(_zeek_text(str(each), ",") for each in value)
    return str(value) if isinstance(value, int) else _zeek_text(str(value))


def _zeek_text(text: str, separators: str = "") -> str:
    r"""A text as Zeek's ASCII writer escapes it: `\xHH` for what is unprintable, no ASCII, or would be misread."""
    if text in ("-", "(empty)"):
        return f"{_byte(text[0])}{text[1:]}"
    return "".join(
        character
        if character.isascii() and character.isprintable() and character not in separators and character != "\\"
        else "".join(map(_byte, character.encode("utf-8", "backslashreplace")))
        for character in text
    )


def _byte(byte: int | str) -> str:
    return rf"\x{byte if isinstance(byte, int) else ord(byte):02x}"
