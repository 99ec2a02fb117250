"""The table of output columns, and what follows from it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from generator.output_docs import PARTS, rewritten
from generator.render import render_plugin
from heuristics.observables.icmp_vocabulary import ICMP_BY_NAME
from heuristics.observables.output_columns import (
    COLUMNS,
    OUTPUT_COLUMNS,
    WIRESHARK_FIELDS,
    ColumnSource,
    FieldType,
    Kind,
    OutputColumn,
    ResetRow,
    details_columns,
    observable_columns,
)
from heuristics.observables.vocabulary import BY_NAME, Type
from heuristics.rulebook.model import load
from postproc.verdicts.judge_icmp import derived_columns
from postproc.verdicts.result_row import result_row

ROOT = Path(__file__).parents[2]
TYPES = {Type.INT: int, Type.STR: str, Type.BOOL: bool}
DERIVED = derived_columns({"hop_limit": 60, "hop_baseline": 59})
# Columns that are no observables.
PACKET: dict[str, Any] = {
    **{"capture": "a.pcap", "frame": 7, "time": 1.5, "flow": "tcp"},
    **{"src": "192.0.2.1", "sport": 80, "dst": "192.0.2.2", "dport": 40000},
}
JUDGEMENT: dict[str, Any] = {
    **{"verdict": "forged", "origin": "middlebox", "suspicion": 99, "evidence": ("hop_gap",)},
    **{"reason": "why", "cause": "cause", "device": "device", "where": "where"},
}


def values(row: ResetRow) -> dict[str, object]:
    """The values of `row` by column."""
    return {name: getattr(row, name) for name in COLUMNS}


@pytest.mark.parametrize("column", observable_columns(Kind.RST), ids=lambda column: column.name)
def test_a_column_of_resets_has_the_type_of_its_observable(column: OutputColumn) -> None:
    assert column.type is TYPES[BY_NAME[column.observable].type]


@pytest.mark.parametrize("column", observable_columns(Kind.ICMP), ids=lambda column: column.name)
def test_a_column_of_icmp_errors_is_an_observable_or_derived(column: OutputColumn) -> None:
    assert (column.name in ICMP_BY_NAME) != (column.name in DERIVED)
    if column.name in ICMP_BY_NAME:
        assert column.type is TYPES[ICMP_BY_NAME[column.name].type]
    else:
        assert isinstance(DERIVED[column.name], column.type)


def test_the_arguments_of_a_row_have_the_types_of_its_other_columns() -> None:
    others = {column.name for column in OUTPUT_COLUMNS if column.source is not ColumnSource.OBSERVABLE}
    hints = get_type_hints(ResetRow)
    arguments = {
        name: hint for name, hint in get_type_hints(result_row).items() if name not in ("observation", "return")
    }
    assert arguments == {name: hints[name] for name in others}


def test_every_value_of_a_reset_gets_into_its_column() -> None:
    columns = observable_columns(Kind.RST)
    observation = {column.observable: f"<{column.observable}>" for column in columns}
    observed = {column.name: f"<{column.observable}>" for column in columns}
    row = result_row(observation, kind="rst", **PACKET, **JUDGEMENT)
    assert values(row) == {**dict.fromkeys(COLUMNS), **PACKET, **JUDGEMENT, "kind": "rst", **observed}


def test_every_value_of_an_icmp_error_gets_into_its_column() -> None:
    observation = {column.name: f"<{column.name}>" for column in observable_columns(Kind.ICMP)}
    row = result_row(observation, kind="icmp", **PACKET, **JUDGEMENT)
    assert values(row) == {**dict.fromkeys(COLUMNS), **PACKET, **JUDGEMENT, "kind": "icmp", **observation}


def test_columns_that_other_packets_lack_may_be_none() -> None:
    for column in OUTPUT_COLUMNS:
        assert column.optional or column.kinds is Kind.BOTH, column.name


def test_the_packet_details_show_every_observable_column_once() -> None:
    for kind in (Kind.RST, Kind.ICMP):
        shown, filled = details_columns(kind), observable_columns(kind)
        assert sorted(each.name for each in shown) == sorted(each.name for each in filled if each.field)


def test_a_field_has_a_type_that_its_values_fit() -> None:
    for column in OUTPUT_COLUMNS:
        if column.field is not None:
            expected = {str: "string", tuple: "string", bool: "bool", int: "int"}[column.type]
            assert expected in column.field.type.value, column.name


def test_the_plugin_declares_every_field() -> None:
    plugin = render_plugin(load())
    for field in WIRESHARK_FIELDS:
        assert f'{field.name} = ProtoField.{field.type}("rstorigin.{field.name}", "{field.label}"' in plugin
    assert {field.type for field in WIRESHARK_FIELDS} <= set(FieldType)


def test_later_columns_have_a_default_so_that_rows_made_before_them_can_be_read() -> None:
    added = fields(ResetRow)[COLUMNS.index("reason") + 1 :]
    assert [field.default for field in added] == [None] * len(added)


@pytest.mark.parametrize("name", PARTS)
def test_the_lists_in_the_documentation_are_current(name: str) -> None:
    """`make docs` rewrites them."""
    part, make = PARTS[name]
    text = (ROOT / name).read_text(encoding="utf-8")
    assert rewritten(text, part, make()) == text


def test_a_missing_mark_in_the_documentation_is_an_error() -> None:
    with pytest.raises(ValueError, match="not found"):
        rewritten("no marks", "columns", "")
