"""Exports with wrong values are judged, or refused with a reason. They never crash the program."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.command_line import LAB, run

from heuristics.errors import RstoriginError
from heuristics.protocol.tshark_fields import FIELDS
from heuristics.rulebook.model import Rulebook, load
from postproc.capture.packet_table import normalise
from postproc.capture.tshark.tsv_reader import FieldsText
from postproc.verdicts.judge_icmp import judged_errors
from postproc.verdicts.judge_resets import judged_resets

MIXED = LAB / "04_icmp.client.pcap"  # TCP with resets, ICMP and ICMPv6 errors
ODD = [
    *("", ",", "0", "-1", "64,", ",64", "64,abc", "64,64,64", "300", "255", "256", "00", "4.5", "1e3", "nan", "True"),
    *("0x", "0xffff", "0xffffffff", "0x1ffffffff", "::", "0.0.0.0", "192.0.2.1,203.0.113.2", "\u0664", "\0", '"'),
    *("65535", "65536", "99999", "4294967295", "9999999999", "99999999999", "9" * 19, "9" * 40, "-" + "9" * 19),
]
rulebook = cache(load)


@cache
def exported() -> list[list[str]]:
    return [line.split("\t") for line in run("export", MIXED).stdout.splitlines()]


def judge(cells: list[list[str]], rules: Rulebook) -> int:
    """How many resets and ICMP errors an export gives."""
    text = "".join("\t".join(line) + "\n" for line in cells)
    stream = io.BytesIO(text.encode("utf-8", "surrogatepass"))
    table = normalise(pl.concat(FieldsText(stream, "export.tsv", "make it anew").frames()))
    return len([*judged_resets("export.tsv", table, rules), *judged_errors("export.tsv", table, rules)])


def test_the_export_is_judged_as_it_is() -> None:
    assert judge(exported(), rulebook()) > 10


def cells() -> st.SearchStrategy[list[tuple[int, int, str]]]:
    """Positions, and the values to write there."""
    value = st.sampled_from(ODD) | st.integers().map(str) | st.integers(0, 255).map(str) | st.text(max_size=8)
    row, column = st.integers(1, len(exported()) - 1), st.integers(0, len(FIELDS) - 1)
    return st.lists(st.tuples(row, column, value), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_wrong_cell_crashes(data: st.DataObject) -> None:
    changed = [list(line) for line in exported()]
    for row, column, value in data.draw(cells()):
        changed[row][column] = value
    with suppress(RstoriginError):
        judge(changed, rulebook())


@pytest.mark.parametrize("name", FIELDS)
def test_no_odd_value_crashes_in_any_column(name: str) -> None:
    """One value after the other, in all rows at once, so that resets and ICMP errors are among them."""
    column = FIELDS.index(name)
    for value in ODD:
        changed = [[*line[:column], value, *line[column + 1 :]] for line in exported()[1:]]
        with suppress(RstoriginError):
            judge([exported()[0], *changed], rulebook())
