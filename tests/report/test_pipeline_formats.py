"""Rows for other people's pipelines: Elastic Common Schema and Zeek's log, read by readers that are not ours."""

from __future__ import annotations

import io
import ipaddress
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from parsezeeklogs import ZeekLog
from parsezeeklogs._ecs_tables import ARRAY_FIELDS, FIELD_TYPES
from support.command_line import FORGED, LAB, rows, run
from support.judged_by_hand import judged_reset

from postproc.report.log_formats import rows_ecs, rows_zeek
from postproc.verdicts.result_row import COLUMNS, ResetRow

ROW = judged_reset().row
INPUTS = (FORGED, LAB / "04_icmp.client.pcap")
# Fields of ECS that the table of parsezeeklogs leaves out, since no log of Zeek fills them.
OTHER_ECS = {"event.reason": "keyword", "event.risk_score": "float", "log.file.path": "keyword", "message": "text"}
PYTHON = {"keyword": str, "text": str, "date": str, "ip": str, "long": int, "float": float}


def read(text: str) -> list[dict[str, Any]]:
    return list(ZeekLog(io.StringIO(text + "\n", newline="")))


def flat(document: dict[str, Any], above: str = "") -> dict[str, Any]:
    """The fields of a document by their dotted names."""
    found = {}
    for name, value in document.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


def test_a_reader_of_zeek_logs_reads_every_row() -> None:
    result = run("summarize", *INPUTS, "--format", "zeek")
    assert (result.exit_code, result.stderr) == (0, "")
    log = ZeekLog(io.StringIO(result.stdout, newline=""))
    records = list(log)
    assert (log.path, log.skipped) == ("rstorigin", 0)
    expected = rows(*INPUTS)
    assert len(records) == len(expected) == 35
    assert list(records[0]) == ["ts", *(name for name in COLUMNS if name != "time")]
    for record, row in zip(records, expected, strict=True):
        assert record["ts"] == float(row["time"])
        assert ";".join(record["evidence"]) == row["evidence"]
        plain = {name: _as_in_csv(record[name]) for name in COLUMNS if name in record}
        assert plain | {"evidence": ""} == {name: row[name] for name in plain} | {"evidence": ""}


def _as_in_csv(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_the_header_is_that_of_zeek() -> None:
    separator, *others = rows_zeek([]).split("\n")
    assert separator == r"#separator \x09"
    assert [line.split("\t")[0] for line in others] == [
        "#set_separator",
        "#empty_field",
        "#unset_field",
        "#path",
        "#fields",
        "#types",
    ]
    assert len(others[-1].split("\t")) == len(others[-2].split("\t")) == 1 + len(COLUMNS)


@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_any_text_comes_back_from_a_zeek_log(text: str, evidence: list[str]) -> None:
    row = replace(ROW, capture=text, reason=text, evidence=tuple(evidence))
    line = rows_zeek([row]).split("\n")[-1]
    assert line.isascii()
    assert line.replace("\t", "").isprintable()
    (record,) = read(rows_zeek([row]))
    whole = text.encode("utf-8", "backslashreplace").decode()
    assert (record["capture"], record["reason"]) == (whole, whole)
    assert record["evidence"] == [each.encode("utf-8", "backslashreplace").decode() for each in evidence]


def test_missing_and_empty_values_differ_in_a_zeek_log() -> None:
    (record,) = read(rows_zeek([replace(ROW, cause=None, reason="", evidence=())]))
    assert (record["cause"], record["reason"], record["evidence"]) == (None, "", [])
    (record,) = read(rows_zeek([replace(ROW, cause="-", reason="(empty)", evidence=("-", "a,b"))]))
    assert (record["cause"], record["reason"], record["evidence"]) == ("-", "(empty)", ["-", "a,b"])


def test_every_ecs_field_is_one_of_ecs() -> None:
    result = run("summarize", *INPUTS, "--format", "ecs")
    assert (result.exit_code, result.stderr) == (0, "")
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    expected = rows(*INPUTS)
    for document, row in zip(documents, expected, strict=True):
        own = document.pop("rstorigin")
        assert set(own) <= set(COLUMNS)
        assert (own["verdict"], own["frame"]) == (row["verdict"], int(row["frame"]))
        for name, value in flat(document).items():
            type_ = FIELD_TYPES.get(name) or OTHER_ECS[name]
            values = value if name in ARRAY_FIELDS or name == "rule.id" else [value]
            assert all(isinstance(each, PYTHON[type_]) for each in values), name
            if type_ == "ip":
                ipaddress.ip_address(value)
        time = datetime.fromisoformat(document["@timestamp"])
        assert (time.tzinfo, round(time.timestamp() * 1e6)) == (UTC, round(float(row["time"]) * 1e6))
        assert document["event"]["risk_score"] == float(row["suspicion"])
        assert document["source"]["ip"] == row["src"]
        assert ("port" in document["source"]) is (row["kind"] == "rst")
    kinds = {row["verdict"]: document["event"]["kind"] for document, row in zip(documents, expected, strict=True)}
    assert kinds["forged"] == "alert"
    assert kinds["genuine"] == "event"


def test_ecs_names_the_protocol_that_carried_the_packet() -> None:
    def network(row: ResetRow) -> dict[str, str]:
        (document,) = rows_ecs([row]).splitlines()
        found: dict[str, str] = json.loads(document)["network"]
        return found

    assert network(ROW) == {"transport": "tcp", "type": "ipv4"}
    assert network(replace(ROW, kind="icmp")) == {"transport": "icmp", "type": "ipv4"}
    assert network(replace(ROW, kind="icmp", src="2001:db8::1")) == {"transport": "ipv6-icmp", "type": "ipv6"}


def test_a_time_beyond_the_calendar_is_no_failure() -> None:
    (document,) = rows_ecs([replace(ROW, time=1e12)]).splitlines()
    assert json.loads(document)["@timestamp"] == 10**15
