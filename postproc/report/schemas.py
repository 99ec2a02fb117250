"""JSON Schemas (draft 2020-12) of what programs read and write: the whole result, a row of it, a rulebook.

A schema has a version in its `$id`, which `--format json` repeats. The version changes when a key goes away or changes
its meaning; new keys come without that, so a program must ignore keys that it does not know.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from heuristics.observables.output_columns import OUTPUT_COLUMNS, OutputColumn
from heuristics.rulebook.schema import RulebookFile
from heuristics.rulebook.scoring import Origin, Verdict
from postproc.report.formats import SUMMARY_ID
from postproc.report.icmp_summary import IcmpErrorSource
from postproc.report.presumed_senders import PresumedSender
from postproc.report.summary import CaptureCounts, Sender, Totals
from postproc.report.surges import IdleTimeout, Surge
from postproc.report.tallies import Tally
from postproc.verdicts.result_row import Rejection

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ROW_ID, RULEBOOK_ID = "urn:rstorigin:row:1", "urn:rstorigin:rulebook:1"

_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}
_EXAMPLE: Schema = {"capture": {"type": "string"}, "frame": {"type": "integer"}}
_VALUES = {
    "kind": ["rst", "icmp"],
    "verdict": [each.value for each in Verdict],
    "origin": [each.value for each in Origin],
}


def row_schema() -> Schema:
    """A row of `--format jsonl`, and of the lists `resets` and `icmp_errors` of json."""
    properties = {column.name: _column(column) for column in OUTPUT_COLUMNS}
    return _headed(ROW_ID, "A reset or ICMP error that rstorigin judged", _object(properties))


def summary_schema() -> Schema:
    """The document of `--format json`."""
    row = row_schema()["properties"]
    words = {"type": "array", "items": {"type": "string"}, "description": "the evidence in words"}
    reset = {"score": {"type": "integer"}, "evidence_text": words, "signature": {"type": ["string", "null"]}}
    error = {"evidence_text": words, "rejection": {"anyOf": [_record(Rejection), {"type": "null"}]}}
    by_name = {
        "type": "object",
        "additionalProperties": {"type": "object"},
        "description": "count, percent",
    }
    shares = dict.fromkeys(("by_verdict", "by_origin", "icmp_by_verdict", "icmp_by_origin"), by_name)
    selected = {name: {"type": "integer"} for name in ("resets", "of_resets", "icmp_errors", "of_icmp_errors")}
    properties = {
        "schema": {"const": SUMMARY_ID},
        "answer": _list({"type": "string"}),
        "totals": _record(Totals, **shares, conclusion={"type": "string", "description": "the answer"}),
        "selection": {"anyOf": [_object({"conditions": {"type": "object"}, **selected}), {"type": "null"}]},
        "presumed_senders": _list(_record(PresumedSender, example=_object(_EXAMPLE))),
        "surges": _list(_record(Surge)),
        "idle_timeouts": _list(_record(IdleTimeout)),
        "causes": _list(_record(Tally)),
        "not_judged": _list(_record(Tally)),
        "captures": _list(_record(CaptureCounts)),
        "by_sender": _list(_record(Sender, by_verdict=by_name)),
        "resets": _list(_object(row | reset)),
        "by_rejector": _list(_record(IcmpErrorSource)),
        "icmp_errors": _list(_object(row | error)),
        "problems": _list(_object({name: {"type": "string"} for name in ("file", "reason", "hint")})),
    }
    return _headed(SUMMARY_ID, "What rstorigin summarize --format json writes", _object(properties))


def rulebook_schema() -> Schema:
    """A file of a rulebook, as an editor of TOML checks and completes it."""
    schema = RulebookFile.model_json_schema(by_alias=True)
    return _headed(RULEBOOK_ID, "A rulebook of rstorigin, or a part of one", schema)


def _headed(id_: str, title: str, schema: Schema) -> Schema:
    return {"$schema": DIALECT, "$id": id_} | schema | {"title": title}


def _column(column: OutputColumn) -> Schema:
    schema: Schema = {"description": column.meaning}
    if column.type is tuple:
        return schema | {"type": "array", "items": {"type": "string"}}
    if column.name in _VALUES:
        return schema | {"enum": _VALUES[column.name]}
    name = _TYPES[column.type]
    return schema | {"type": [name, "null"] if column.optional else name}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": [*properties]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _record(record: type, **replaced: Schema) -> Schema:
    """A dataclass as `asdict` writes it, with the schemas of `replaced` for what is written in another way."""
    hints = get_type_hints(record)
    properties = {
        field.name: replaced.get(field.name) or TypeAdapter(hints[field.name]).json_schema() for field in fields(record)
    }
    return _object(properties | replaced)
