"""The JSON Schemas that rstorigin prints describe what it writes, and accept the rulebooks that it accepts."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.command_line import FORGED, LAB, SITUATIONS, run

from heuristics.rulebook.model import load
from postproc.verdicts.result_row import COLUMNS

ROOT = Path(__file__).parents[2]
INPUTS = (FORGED, SITUATIONS / "backscatter.pcap", LAB / "04_icmp.client.pcap")


def validator(*subject: str) -> Draft202012Validator:
    result = run("schema", *subject)
    assert (result.exit_code, result.stderr) == (0, "")
    schema = json.loads(result.stdout)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def mistakes(checked: Draft202012Validator, content: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in checked.iter_errors(content)]


def output(*options: str) -> str:
    return run("summarize", *INPUTS, *options).stdout


@pytest.mark.parametrize("options", [(), ("--only", "forged"), ("--kind", "icmp")], ids=str)
def test_the_summary_is_as_its_schema_says(options: tuple[str, ...]) -> None:
    checked = validator()
    content = json.loads(output("--format", "json", *options))
    assert mistakes(checked, content) == []
    assert content["schema"] == checked.schema["$id"]
    assert set(content) == set(checked.schema["properties"])
    for name in ("resets", "icmp_errors", "by_sender", "by_rejector"):
        for entry in content[name]:
            assert set(entry) == set(checked.schema["properties"][name]["items"]["properties"]), name
    assert set(content["totals"]) == set(checked.schema["properties"]["totals"]["properties"])


def test_a_summary_with_problems_is_as_its_schema_says(tmp_path: Path) -> None:
    content = json.loads(run("summarize", FORGED, tmp_path / "none.pcap", "--format", "json").stdout)
    assert content["problems"]
    assert mistakes(validator("summary"), content) == []


def test_rows_are_as_their_schema_says() -> None:
    checked = validator("rows")
    assert list(checked.schema["properties"]) == checked.schema["required"] == list(COLUMNS)
    lines = output("--format", "jsonl").splitlines()
    assert len(lines) == 43
    assert [mistakes(checked, json.loads(line)) for line in lines] == [[]] * len(lines)


@pytest.mark.parametrize("change", [{"verdict": "maybe"}, {"frame": "7"}, {"evidence": "hop_gap"}, {"rtt_us": 1.5}])
def test_a_wrong_row_is_refused(change: dict[str, Any]) -> None:
    row = json.loads(output("--format", "jsonl").splitlines()[0])
    assert mistakes(validator("rows"), row) == []
    assert mistakes(validator("rows"), row | change) != []


def test_the_default_rulebook_is_as_its_schema_says() -> None:
    checked = validator("rulebook")
    files = sorted((ROOT / "heuristics" / "rulebook" / "default").glob("*.toml"))
    assert len(files) > 5
    for file in files:
        assert mistakes(checked, tomllib.loads(file.read_text(encoding="utf-8"))) == [], file.name


WRONG = {
    "an unknown table": "[rules]\nx = 1\n",
    "an unknown key": '[[rule]]\nid = "x"\nwieght = 1\n',
    "a weight that is text": '[[rule]]\nid = "x"\nweight = "heavy"\n',
    "a weight that is too great": '[[rule]]\nid = "x"\nweight = 99999\n',
    "no condition": '[[rule]]\nid = "x"\nwhen = []\n',
    "an id that is none": '[[rule]]\nid = "X y"\n',
    "a verdict that is none": '[[icmp]]\nid = "x"\nverdict = "guilty"\n',
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rulebook_is_refused_by_both(wrong: str, tmp_path: Path) -> None:
    overlay = tmp_path / "mine.toml"
    overlay.write_text(WRONG[wrong], encoding="utf-8")
    assert run("rules", "check", overlay).exit_code == 2
    assert mistakes(validator("rulebook"), tomllib.loads(WRONG[wrong])) != []


def test_an_overlay_may_name_its_schema(tmp_path: Path) -> None:
    assert run("schema", "rulebook", "-o", tmp_path / "rulebook.schema.json").exit_code == 0
    overlay = tmp_path / "mine.toml"
    overlay.write_text('#:schema rulebook.schema.json\n[[rule]]\nid = "hop_gap"\nweight = 7\n', encoding="utf-8")
    assert load(overlays=[overlay]).rule("hop_gap").weight == 7


def test_a_schema_that_does_not_exist() -> None:
    result = run("schema", "row")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "summary" in result.stderr
